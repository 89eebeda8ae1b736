//! Errors in `.proto` files: all of them are reported, each with its location.

use protoc_gen_parigot::{Request, generate};

use crate::protoc::request;

/// Checks the errors of `input.proto`, whose first line is `syntax = "proto3";`.
fn check_error(text: &str, expected: &str) {
    check_errors(
        &[("input.proto", &format!("syntax = \"proto3\";\n{text}"))],
        "",
        expected,
    );
}

pub(crate) fn check_errors(files: &[(&str, &str)], parameter: &str, expected: &str) {
    check_request(&request(files, parameter), expected);
}

pub(crate) fn check_request(request: &Request, expected: &str) {
    let errors = generate(request).expect_err("the input must be invalid");
    assert_eq!(
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
        expected
    );
}

fn check_fine(text: &str) {
    let request = request(
        &[("input.proto", &format!("syntax = \"proto3\";\n{text}"))],
        "",
    );
    let errors = generate(&request).err().unwrap_or_default();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn methods_with_one_rust_name_are_rejected() {
    check_error(
        "service S { rpc Get(M) returns (M); rpc get(M) returns (M); } message M {}",
        "input.proto:2:37: methods Get and get are both `get` in Rust",
    );
    check_error(
        "service S { rpc get_1(M) returns (M); rpc get1(M) returns (M); } message M {}",
        "input.proto:2:39: methods get_1 and get1 are both `Get1` in Rust",
    );
    check_error(
        "service S { rpc S_E_R_V_I_C_E(M) returns (M); } message M {}",
        "input.proto:2:13: the service's table and S_E_R_V_I_C_E are both `SERVICE` in Rust",
    );
}

#[test]
fn features_that_no_syntax_has_are_rejected() {
    let text = "edition = \"2023\";
message M {
  M delimited = 1 [features.message_encoding = DELIMITED];
  message N { message O {
    int32 bare = 1 [features.field_presence = IMPLICIT];
    int32 must = 2 [features.field_presence = LEGACY_REQUIRED];
  } }
}";
    check_errors(
        &[("input.proto", text)],
        "",
        "input.proto:3:3: field delimited has the feature message_encoding = DELIMITED, which is \
         not supported\n\
         input.proto:5:5: field bare has the feature field_presence = IMPLICIT, which is not \
         supported in a file that has required fields, defaults or closed enums",
    );
}

/// `protoc` asks which editions a plugin supports, and sends no others.
#[test]
fn an_unknown_edition_is_rejected() {
    let mut request = request(&[("input.proto", "syntax = \"proto3\";")], "");
    request.proto_file[0].syntax = Some("editions".to_owned());
    check_request(
        &request,
        "input.proto:1:1: the edition is not supported, expected 2023 or 2024",
    );
    request.proto_file[0].syntax = Some("proto4".to_owned());
    check_request(
        &request,
        "input.proto:1:1: found syntax `proto4`, expected proto2, proto3, or edition 2023 or 2024",
    );
}

#[test]
fn an_import_may_use_an_edition() {
    const EDITION: &str = "edition = \"2023\";\npackage e; message E { E e = 1 \
                           [features.message_encoding = DELIMITED]; }";
    let user = "syntax = \"proto3\";\nimport \"edition.proto\";\nmessage M { e.E e = 1; }";
    let files = [("user.proto", user), ("edition.proto", EDITION)];
    let mut request = request(&files, "extern_path=.e=::e");
    request.file_to_generate = vec!["user.proto".to_owned()];
    generate(&request).expect("the input must be valid");
}

#[test]
fn an_error_enum_needs_a_zero_value() {
    let text = "syntax = \"proto2\";\nservice S {}\nenum SErr { BAD = 1; }";
    check_errors(
        &[("input.proto", text)],
        "",
        "input.proto:3:1: error enum SErr of service S has no zero value, which stands for no \
         error",
    );
}

#[test]
fn an_error_enum_must_be_an_enum() {
    check_error(
        "package p;\nservice Greeting {}\nmessage GreetErr {}",
        "input.proto:4:1: p.GreetErr is named as the errors of service Greeting: found a message, \
         expected an enum",
    );
}

#[test]
fn the_full_error_name_has_precedence() {
    // `GreetErr` would be an error, because it has no zero value.
    let text = "syntax = \"proto2\";\nservice Greeting {}\nenum GreetingErr { NONE = 0; }\nenum \
                GreetErr { BAD = 1; }";
    generate(&request(&[("input.proto", text)], "")).expect("the input must be valid");
}

#[test]
fn an_error_enum_hides_no_error_in_a_method() {
    check_error(
        "service S {\n rpc Get(M) returns (M);\n rpc get(M) returns (M);\n}\nmessage M \
         {}\nmessage SErr {}",
        "input.proto:4:2: methods Get and get are both `get` in Rust\n\
         input.proto:7:1: SErr is named as the errors of service S: found a message, expected an \
         enum",
    );
}

#[test]
fn an_error_enum_in_an_option_must_exist() {
    let service = |error: &str| {
        format!(
            "package p.q;\nimport \"parigot/v1/options.proto\";\nservice S {{\n  \
             option (parigot.v1.service).error = \"{error}\";\n}}\nenum Bad {{ NONE = 0; }} \
             message M {{ enum E {{ A = 0; }} }}"
        )
    };
    for error in ["Bad", "q.Bad", "p.q.Bad", ".p.q.Bad", "M.E"] {
        check_fine(&service(error));
    }
    for error in ["Good", ".Bad", "q.q.Bad", "google.Bad"] {
        check_error(
            &service(error),
            &format!(
                "input.proto:5:3: service S names the error enum `{error}`, which neither this \
                 file nor its imports declare"
            ),
        );
    }
    check_error(
        &service("M"),
        "input.proto:7:24: p.q.M is named as the errors of service S: found a message, expected \
         an enum",
    );
}

/// No registry assigns extension numbers. Only a file that imports parigot's options means them by
/// this number.
#[test]
fn an_extension_with_the_same_number_is_ignored() {
    let declared = |ty: &str, value: &str| {
        format!(
            "package p;\nimport \"google/protobuf/descriptor.proto\";\nmessage Theirs {{ int32 \
             number = 1; }}\n\
             extend google.protobuf.MethodOptions {{ {ty} theirs = 50717; }}\n\
             service S {{ rpc Get(Theirs) returns (Theirs) {{ option (theirs){value}; }} }}"
        )
    };
    let check = |text: &str| {
        let files =
            generate(&request(&[("input.proto", text)], "")).expect("the input must be valid");
        assert!(
            !files[0].content.contains("with_budget"),
            "{}",
            files[0].content
        );
    };
    check(&format!(
        "syntax = \"proto3\";\n{}",
        declared("optional int32", " = 7")
    ));
    check(&format!(
        "syntax = \"proto3\";\n{}",
        declared("optional Theirs", ".number = 7")
    ));
    check(&format!(
        "edition = \"2023\";\n{}",
        declared("Theirs", ".number = 7")
    ));
}

#[test]
fn types_with_one_rust_name_are_rejected() {
    check_error(
        "message foo {}\nmessage Foo {}",
        "input.proto:3:1: message foo (input.proto:2:1) and message Foo are both `Foo` in Rust",
    );
    check_error(
        "message HTTP { enum Code { A = 0; } }\nenum Http { B = 0; }",
        "input.proto:3:1: message HTTP (input.proto:2:1) and enum Http are both `Http` in Rust",
    );
    check_error(
        "message M {\n message a { message X {} }\n message A { message Y {} }\n}",
        "input.proto:4:2: message M.a (input.proto:3:2) and message M.A are both `A` in Rust\n\
         input.proto:4:2: the module of message M.a (input.proto:3:2) and the module of message \
         M.A are both `a` in Rust",
    );
}

/// `protoc` rejects most of these itself in proto3, because their JSON names are equal.
#[test]
fn members_with_one_rust_name_are_rejected() {
    let check = |text: &str, expected: &str| {
        check_errors(
            &[("input.proto", &format!("syntax = \"proto2\";\n{text}"))],
            "",
            expected,
        );
    };
    check(
        "message M {\n optional E foo = 1;\n optional int32 set_foo = 2;\n}\nenum E { A = 0; }",
        "input.proto:4:2: a function of field M.foo (input.proto:3:2) and a function of field \
         M.set_foo are both `set_foo` in Rust",
    );
    check(
        "message M { oneof o {\n int32 a_b = 1;\n int32 a__b = 2;\n} }",
        "input.proto:4:2: field M.a_b (input.proto:3:2) and field M.a__b are both `AB` in Rust",
    );
    check(
        "message M { oneof a_b {\n int32 a = 1; }\n oneof a__b {\n int32 b = 2;\n} }",
        "input.proto:4:2: oneof M.a_b (input.proto:2:13) and oneof M.a__b are both `a_b` in Rust\n\
         input.proto:4:2: oneof M.a_b (input.proto:2:13) and oneof M.a__b are both `AB` in Rust",
    );
}

/// `protoc` rejects these itself, by nearly the same rule.
#[test]
fn values_with_one_rust_name_are_rejected() {
    let mut request = request(
        &[(
            "input.proto",
            "syntax = \"proto3\";\nenum E {\n A_B = 0;\n C = 1;\n}",
        )],
        "",
    );
    request.proto_file[0].enum_type[0].value[1].name = Some("A__B".to_owned());
    check_request(
        &request,
        "input.proto:4:2: value E.A_B (input.proto:3:2) and value E.A__B are both `AB` in Rust",
    );
}

#[test]
fn modules_with_one_name_are_rejected() {
    check_errors(
        &[
            (
                "a.proto",
                "syntax = \"proto3\";\npackage p;\nmessage Sub { enum E { A = 0; } }",
            ),
            (
                "b.proto",
                "syntax = \"proto3\";\npackage p.sub;\nmessage M {}",
            ),
        ],
        "",
        "b.proto:2:1: the module of message Sub (a.proto:3:1) and package p.sub are both `sub` in \
         Rust; `module_clash=merge` makes one module of them",
    );
    check_errors(
        &[
            (
                "a.proto",
                "syntax = \"proto3\";\npackage Foo;\nmessage A {}",
            ),
            (
                "b.proto",
                "syntax = \"proto3\";\npackage foo;\nmessage B {}",
            ),
        ],
        "",
        "b.proto:2:1: package Foo (a.proto:2:1) and package foo are both `foo` in Rust",
    );
    check_error(
        "message U32 { enum E { A = 0; } uint32 hidden = 1; }",
        "input.proto:2:1: the module of message U32 and the primitive type are both `u32` in Rust",
    );
}

/// The entry of such a map is named `1Entry`.
#[test]
fn a_map_name_may_begin_with_a_digit() {
    check_fine("message M { map<string, int32> _1 = 1; }");
}

#[test]
fn a_message_and_its_module_may_conflict() {
    check_fine("message _1 {}");
    check_error(
        "message _1 { message M {} }",
        "input.proto:2:1: message _1 (input.proto:2:1) and the module of message _1 are both `_1` \
         in Rust",
    );
}

#[test]
fn oneofs_beside_too_many_types_are_rejected() {
    let text: String = (0..1_001)
        .map(|at| {
            format!(
                "message N{at} {{}} oneof o{at} {{ N{at} f{at} = {}; }}",
                at + 1
            )
        })
        .collect();
    check_error(
        &format!("message M {{ {text} }}"),
        "input.proto:2:1: malformed descriptor: the message has more than 1000000 pairs of a \
         oneof and a nested type",
    );
}

#[test]
fn a_service_is_renamed_once() {
    check_fine("service Greeting {} message greeting {}");
    check_fine("service Kitchen {} message KitchenClient {}");
    check_fine("service Kitchen {} message kitchen { enum E { A = 0; } }");
    check_error(
        "service Kitchen {}\nmessage KitchenClient {}\nmessage KitchenService {}",
        "input.proto:4:1: service Kitchen (input.proto:2:1) and message KitchenService are both \
         `KitchenService` in Rust",
    );
}

#[test]
fn services_with_one_rust_name_are_rejected() {
    check_error(
        "service Foo {}\nservice FooServer {}",
        "input.proto:3:1: service Foo (input.proto:2:1) and service FooServer are both \
         `FooServer` in Rust",
    );
}

#[test]
fn names_of_underscores_only_are_rejected() {
    check_error(
        "message _ {}\nmessage M {\n int32 __ = 1;\n}\nenum E { _A = 0;\n___ = 1; }\n\
         service S {\n rpc ____(M) returns (M);\n}\nservice _____ {}",
        "input.proto:2:1: message _ has no letter or digit, so it has no name in Rust\n\
         input.proto:4:2: field M.__ has no letter or digit, so it has no name in Rust\n\
         input.proto:7:1: value E.___ has no letter or digit, so it has no name in Rust\n\
         input.proto:9:2: method ____ has no letter or digit, so it has no name in Rust\n\
         input.proto:11:1: service _____ has no letter or digit, so it has no name in Rust",
    );
    check_errors(
        &[(
            "input.proto",
            "syntax = \"proto3\";\npackage p._;\nmessage M {}",
        )],
        "",
        "input.proto:2:1: package p._ has no letter or digit, so it has no name in Rust",
    );
}

#[test]
fn a_map_of_enums_named_by_a_keyword_is_rejected() {
    check_error(
        "message M {\n map<int32, E> type = 1;\n map<int32, int32> match = 2;\n}\nenum E { A = 0; \
         }",
        "input.proto:3:2: field M.type is a map of enums, whose name cannot be the Rust keyword \
         `r#type`; rename the field",
    );
}

#[test]
fn types_that_are_not_generated_are_rejected() {
    let files = [
        (
            "user.proto",
            "syntax = \"proto3\";\npackage u;\nimport \"used.proto\";\nmessage M {\n o.Used used \
             = 1;\n map<int32, o.Used> map = 2;\n}\nservice S {\n rpc Use(M) returns (o.Used);\n}",
        ),
        (
            "used.proto",
            "syntax = \"proto3\";\npackage o;\nmessage Used {}",
        ),
    ];
    let mut request = request(&files, "");
    request.file_to_generate = vec!["user.proto".to_owned()];
    let refused = |at: &str, user: &str| {
        format!(
            "{at}: {user} uses o.Used of used.proto, which is not generated: name that file too, \
             or give the option `include_imports` or an extern_path"
        )
    };
    let expected = [
        refused("user.proto:5:2", "field M.used"),
        refused("user.proto:6:2", "field M.map"),
        refused("user.proto:9:2", "method S.Use"),
    ];
    check_request(&request, &expected.join("\n"));
    for parameter in ["extern_path=.o=::o", "mod_file=false"] {
        request.parameter = parameter.to_owned();
        generate(&request).expect("the input must be valid");
    }
}

#[test]
fn errors_of_all_files_are_reported_together() {
    let clash = "syntax = \"proto3\";\nservice S { rpc A(M) returns (M); rpc a(M) returns (M); }\n\
                 message M {}";
    let other = clash.replace('S', "T").replace('M', "N");
    check_errors(
        &[("b.proto", clash), ("a.proto", &other)],
        "lang=go,Ma.proto=example.com/a,Mb.proto=example.com/b",
        "a.proto:2:35: method A (a.proto:2:13) and method a are both `A` in Go\n\
         b.proto:2:35: method A (b.proto:2:13) and method a are both `A` in Go",
    );
}

#[test]
fn options_are_checked_first() {
    check_errors(
        &[("input.proto", "syntax = \"proto3\";")],
        "lang=c,message=prost",
        "option `lang`: found `c`, expected `rust` or `go`\nunknown option `message`, did you \
         mean `messages`?",
    );
}
