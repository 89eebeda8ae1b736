//! Conflicts of names in Go: some are resolved by another name, others are errors with both
//! locations.

use protoc_gen_parigot::generate;

use crate::protoc::request;

/// Returns the stubs or the errors of `input.proto`, whose first line is `syntax = "proto3";`.
fn stubs(text: &str) -> Result<String, String> {
    let text = format!("syntax = \"proto3\";\n{text}");
    let files = generate(&request(
        &[("input.proto", &text)],
        "lang=go,Minput.proto=a.b/c",
    ));
    let errors = |errors: Vec<protoc_gen_parigot::Error>| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    files
        .map(|files| files[0].content.clone())
        .map_err(|found| errors(found).join("\n"))
}

fn check_error(text: &str, expected: &str) {
    assert_eq!(
        stubs(text).expect_err("the input must be invalid"),
        expected
    );
}

fn check_has(text: &str, expected: &str) {
    let stubs = stubs(text).expect("the input must be valid");
    assert!(stubs.contains(expected), "{expected} is not in\n{stubs}");
}

#[test]
fn methods_with_one_go_name_are_rejected() {
    check_error(
        "service S { rpc Get(M) returns (M); rpc get(M) returns (M); } message M {}",
        "input.proto:2:37: method Get (input.proto:2:13) and method get are both `Get` in Go",
    );
    check_error(
        "service S { rpc Ready_(M) returns (M); rpc ready(M) returns (M); } message M {}",
        "input.proto:2:40: method Ready_ (input.proto:2:13) and method ready are both `Ready_` in \
         Go",
    );
}

#[test]
fn a_method_that_streams_has_no_future() {
    let text = "service S { rpc Get(stream M) returns (M); } message M {} message SGetFuture {}";
    check_has(text, "\ntype S interface {");
    check_has(
        text,
        "\tGet(ctx context.Context, in parigot.Receiver[*M]) (*M, error)",
    );
    check_has(
        text,
        "\tGet(ctx context.Context) parigot.ClientStream[*M, *M]",
    );
}

#[test]
fn services_with_one_go_name_are_rejected() {
    check_error(
        "service Greeting {}\nservice greeting {}",
        "input.proto:3:1: service Greeting (input.proto:2:1) and service greeting are both \
         `Greeting` in Go",
    );
    check_error(
        "service A { rpc BC(M) returns (M); }\nservice AB { rpc C(M) returns (M); }\nmessage M {}",
        "input.proto:3:1: service A (input.proto:2:1) and service AB are both `ABCFuture` in Go",
    );
    check_error(
        "service Greeting {}\nservice GreetingService {}\nmessage GreetingClient {}",
        "input.proto:3:1: service Greeting (input.proto:2:1) and service GreetingService are both \
         `GreetingService` in Go",
    );
}

#[test]
fn a_service_is_renamed_for_a_message() {
    for taken in [
        "message GreetingClient {}",
        "message RunGreeting {}",
        "enum GreetingGreetFuture { NONE = 0; }",
        "message Must { message locate_greeting {} }",
        "message M2 { oneof o { int32 a = 1; } } message locate_greeting {}",
    ] {
        check_has(
            &format!("service Greeting {{ rpc Greet(M) returns (M); }} message M {{}} {taken}"),
            "type GreetingServiceGreetFuture = ",
        );
    }
    check_has(
        "service Greeting { rpc Greet(M) returns (M); } message M { message GreetingClient {} }",
        "type GreetingGreetFuture = ",
    );
}

#[test]
fn a_service_without_free_names_is_rejected() {
    check_error(
        "service Greeting {}\nmessage GreetingClient {}\nmessage GreetingServiceClient {}",
        "input.proto:4:1: service Greeting (input.proto:2:1) and message GreetingServiceClient \
         are both `GreetingServiceClient` in Go",
    );
}
