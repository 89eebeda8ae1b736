//! `messages=external` and `extern_path`: types that other code defines.

use protoc_gen_parigot::{OutputFile, generate};

use crate::protoc::request;

const GREETING: &str = "syntax = \"proto3\";
package greeting;
service Greeting { rpc Greet(Words) returns (Words.Reply); }
message Words { message Reply {} }
enum GreetErr { NONE = 0; }
";

fn files(parameter: &str) -> Vec<OutputFile> {
    generate(&request(&[("greeting.proto", GREETING)], parameter)).expect("the input must be valid")
}

fn check_error(parameter: &str, expected: &str) {
    let errors = generate(&request(&[("greeting.proto", GREETING)], parameter))
        .expect_err("the input must be invalid");
    assert_eq!(
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
        expected
    );
}

#[test]
fn external_messages_are_not_generated() {
    let files = files("messages=external,extern_path=.greeting=crate::pb::greeting");
    let stubs = &files[0];
    assert_eq!(stubs.name, "greeting.rs");
    assert!(
        !stubs.content.contains("prost::Message)"),
        "{}",
        stubs.content
    );
    for part in [
        "request: crate::pb::greeting::Words,",
        "type Response = crate::pb::greeting::words::Reply;",
        "impl ::parigot_guest::ServiceError for crate::pb::greeting::GreetErr {",
    ] {
        assert!(
            stubs.content.contains(part),
            "{part} is not in\n{}",
            stubs.content
        );
    }
}

#[test]
fn external_messages_need_paths() {
    check_error(
        "messages=external",
        "greeting.proto:3:1: service Greeting uses greeting.GreetErr: messages=external needs an \
         extern_path for it\n\
         greeting.proto:3:20: method Greeting.Greet uses greeting.Words: messages=external needs \
         an extern_path for it",
    );
}

#[test]
fn an_error_enum_of_another_crate_is_rejected() {
    check_error(
        "extern_path=.greeting=::pb",
        "greeting.proto:5:1: error enum greeting.GreetErr is `::pb::GreetErr`, of another crate: \
         its extern_path must begin with `crate::`",
    );
}

#[test]
fn types_in_an_external_type_are_in_its_module() {
    let files = files("extern_path=.greeting.Words=crate::pb::MyWords");
    assert!(
        files[0]
            .content
            .contains("type Request = crate::pb::MyWords;"),
        "{}",
        files[0].content
    );
    assert!(
        files[0]
            .content
            .contains("type Response = crate::pb::my_words::Reply;"),
        "{}",
        files[0].content
    );
}

#[test]
fn mod_file_false_leaves_out_mod_rs() {
    let names: Vec<_> = files("mod_file=false")
        .into_iter()
        .map(|file| file.name)
        .collect();
    assert_eq!(names, ["greeting.rs"]);
}
