//! The plugin as a command: what it says on which pipe, and with which status.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use prost::Message;
use prost_types::compiler::{CodeGeneratorRequest, CodeGeneratorResponse};

use protoc_gen_parigot::Request;

use crate::protoc::request;

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut plugin = Command::new(env!("CARGO_BIN_EXE_protoc-gen-parigot"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the plugin is built");
    plugin.stdin.take().expect("it is piped").write_all(input).expect("the plugin reads its input");
    plugin.wait_with_output().expect("the plugin ends")
}

fn respond(Request { file_to_generate, proto_file, .. }: Request) -> CodeGeneratorResponse {
    let request = CodeGeneratorRequest { file_to_generate, proto_file, ..Default::default() };
    let output = run(&[], &request.encode_to_vec());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    CodeGeneratorResponse::decode(&*output.stdout).expect("the response is sound")
}

#[test]
fn it_says_its_version() {
    let output = run(&["--version"], b"");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        concat!("protoc-gen-parigot ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn other_arguments_are_answered_with_its_usage() {
    let output = run(&["--help"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("usage: "));
}

#[test]
fn an_unreadable_request_is_told_on_stderr() {
    let output = run(&[], b"\xff");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("protoc-gen-parigot: unreadable request: "));
}

#[test]
fn mistakes_are_told_in_the_response() {
    let text = "syntax = \"proto3\";\nservice S { rpc A(stream M) returns (M); }\nmessage M {}";
    let response = respond(request(&[("input.proto", text)], ""));
    assert_eq!(
        response.error.as_deref(),
        Some(
            "input.proto:2:13: method S.A streams its request: that is not supported, and streaming=skip leaves it out"
        )
    );
    assert!(response.file.is_empty());
}

#[test]
fn files_are_named_and_features_declared() {
    let text = "syntax = \"proto3\";\npackage a.b;\nmessage M { optional int32 kept = 1; }";
    let response = respond(request(&[("input.proto", text)], ""));
    assert_eq!(response.error, None);
    assert_eq!(response.supported_features, Some(1), "proto3 optional, and no more");
    let names: Vec<_> = response.file.iter().map(|file| file.name()).collect();
    assert_eq!(names, ["a.b.rs", "mod.rs"]);
}
