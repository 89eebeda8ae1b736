//! Warnings about `.proto` files without errors.

use protoc_gen_parigot::warnings;

use crate::protoc::request;

/// Checks the warnings of `input.proto`, whose first line is `syntax = "proto3";`.
fn check(text: &str, parameter: &str, expected: &[&str]) {
    let text = format!("syntax = \"proto3\";\n{text} message M {{}}");
    let found = warnings(&request(&[("input.proto", &text)], parameter));
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{text}");
}

const GREETER: &str = "service Greeter { rpc Get(M) returns (M); }";

#[test]
fn a_misnamed_error_enum_is_named_with_the_rule() {
    let text = format!("{GREETER} enum HelloErr {{ NONE = 0; }}");
    for parameter in ["", "lang=go,Minput.proto=x.y/z"] {
        check(
            &text,
            parameter,
            &[
                "input.proto:2:45: enum HelloErr is the error of no service: for service Greeter, \
               rename the enum to `GreeterErr` or `GreetErr` or write `option \
               (parigot.v1.service).error = \"HelloErr\";` in the service",
            ],
        );
    }
}

#[test]
fn an_enum_in_use_is_no_warning() {
    let of_service = format!("{GREETER} enum GreetErr {{ NONE = 0; }} enum HelloErr {{ NO = 0; }}");
    let of_option = "import \"parigot/v1/options.proto\"; enum HelloErr { NONE = 0; } \
                     service S { option (parigot.v1.service).error = \"HelloErr\"; }";
    let of_field =
        format!("{GREETER} enum HelloErr {{ NONE = 0; }} message N {{ HelloErr e = 1; }}");
    let of_map = format!(
        "{GREETER} enum HelloErr {{ NONE = 0; }} message N {{ map<string, HelloErr> e = 1; }}"
    );
    let without_service = "enum HelloErr { NONE = 0; }".to_owned();
    for text in [
        of_service,
        of_option.to_owned(),
        of_field,
        of_map,
        without_service,
    ] {
        check(&text, "", &[]);
    }
}
