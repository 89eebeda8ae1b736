//! The plugin as a command: its output, errors and exit status.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use prost::Message;
use prost_types::compiler::CodeGeneratorResponse;
use prost_types::compiler::code_generator_response::File;

use crate::protoc::{encoded, protoc};

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut plugin = Command::new(env!("CARGO_BIN_EXE_protoc-gen-parigot"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the plugin must start");
    plugin
        .stdin
        .take()
        .expect("stdin must be piped")
        .write_all(input)
        .expect("the plugin must read its input");
    plugin.wait_with_output().expect("the plugin must exit")
}

fn respond(request: &[u8]) -> CodeGeneratorResponse {
    let output = run(&[], request);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    CodeGeneratorResponse::decode(&*output.stdout).expect("the response must decode")
}

#[test]
fn the_version_is_printed() {
    let output = run(&["--version"], b"");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        concat!("protoc-gen-parigot ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn the_usage_is_printed() {
    let help = run(&["--help"], b"");
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).starts_with("usage: "));
    let wrong = run(&["--verbose"], b"");
    assert_eq!(wrong.status.code(), Some(2));
    assert_eq!(wrong.stderr, help.stdout);
}

#[test]
fn an_unreadable_request_is_reported_on_stderr() {
    let output = run(&[], b"\xff");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .starts_with("protoc-gen-parigot: unreadable request: ")
    );
}

#[test]
fn errors_in_protos_are_in_the_response() {
    let text = "syntax = \"proto3\";\nservice S { rpc A(M) returns (M); rpc a(M) returns (M); }\n\
                message M {}";
    let parameter = "lang=go,Minput.proto=example.com/s";
    let response = respond(&encoded(&[("input.proto", text)], parameter));
    assert_eq!(
        response.error.as_deref(),
        Some("input.proto:2:35: method A (input.proto:2:13) and method a are both `A` in Go")
    );
    assert!(response.file.is_empty());
}

#[test]
fn warnings_are_on_stderr() {
    let text = "syntax = \"proto3\";\nservice Loans { rpc Get(M) returns (M); }\n\
                enum LoanErr { NO_ERROR = 0; }\nmessage M {}";
    let output = run(&[], &encoded(&[("input.proto", text)], ""));
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "warning: input.proto:3:1: enum LoanErr is the error of no service: for service Loans, \
         rename the enum to `LoansErr` or write \
         `option (parigot.v1.service).error = \"LoanErr\";` in the service\n"
    );
}

#[test]
fn the_response_has_files_and_features() {
    let text = "syntax = \"proto3\";\npackage a.b;\nmessage M { optional int32 kept = 1; }";
    let response = respond(&encoded(&[("input.proto", text)], ""));
    assert_eq!(response.error, None);
    assert_eq!(
        response.supported_features,
        Some(3),
        "proto3 optional and editions"
    );
    let names: Vec<_> = response.file.iter().map(|file| file.name()).collect();
    assert_eq!(names, ["a.b.rs", "mod.rs"]);
}

#[test]
fn write_protos_writes_the_built_in_files() {
    let folder = tempfile::tempdir().expect("a temporary folder must be available");
    let target = folder.path().join("some/where");
    let output = run(&["--write-protos", &target.to_string_lossy()], b"");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (name, text) in protoc_gen_parigot::PROTOS {
        let written = std::fs::read_to_string(target.join(name)).expect("the file must be written");
        assert_eq!(written, text);
    }
}

#[test]
fn a_folder_that_is_not_writable_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a temporary folder must be available");
    let output = run(&["--write-protos", &file.path().to_string_lossy()], b"");
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("protoc-gen-parigot: cannot write {}", file.path().display());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with(&expected));
}

/// A second plugin in the same run inserts a line at each insertion point.
#[test]
#[cfg(unix)]
fn other_plugins_find_insertion_points() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a temporary folder must be available");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(
        at("input.proto"),
        "syntax = \"proto3\"; package a; message M {} service S { rpc Get(M) returns (M); }",
    )
    .expect("the temporary folder must be writable");
    let insertion = |(file, point): &(&str, &str)| File {
        name: Some((*file).to_owned()),
        insertion_point: Some((*point).to_owned()),
        content: Some(format!("// inserted at {point}\n")),
        ..Default::default()
    };
    let points = [
        ("a.rs", "methods:a.S"),
        ("a.rs", "client:a.S"),
        ("a.rs", "module"),
        ("mod.rs", "module"),
    ];
    let response = CodeGeneratorResponse {
        file: points.iter().map(insertion).collect(),
        ..Default::default()
    };
    std::fs::write(at("response"), response.encode_to_vec())
        .expect("the temporary folder must be writable");
    let script = format!(
        "#!/bin/sh\ncat >/dev/null\ncat '{}'\n",
        at("response").display()
    );
    std::fs::write(at("inserter"), script).expect("the temporary folder must be writable");
    std::fs::set_permissions(at("inserter"), PermissionsExt::from_mode(0o755))
        .expect("the temporary file must be writable");

    let mut protoc = protoc();
    protoc.arg(format!(
        "--plugin=protoc-gen-inserter={}",
        at("inserter").display()
    ));
    protoc.arg(format!("--proto_path={}", folder.path().display()));
    for plugin in ["parigot", "inserter"] {
        protoc.arg(format!("--{plugin}_out={}", folder.path().display()));
    }
    crate::protoc::run(protoc.arg("input.proto"));
    let text = |name| std::fs::read_to_string(at(name)).expect("protoc must write the file");
    for (file, point) in points {
        let inserted = format!("// inserted at {point}\n");
        let lines = text(file).replace("    ", "");
        assert!(
            lines.contains(&format!("{inserted}// @@protoc_insertion_point({point})\n")),
            "{lines}"
        );
    }
}

#[test]
fn the_response_has_the_supported_editions() {
    let output = run(&[], &[]);
    #[derive(PartialEq, Message)]
    struct Editions {
        #[prost(int32, tag = "3")]
        minimum: i32,
        #[prost(int32, tag = "4")]
        maximum: i32,
    }
    let editions = Editions::decode(&*output.stdout).expect("the response must decode");
    // EDITION_PROTO2 and EDITION_2024. The golden case `editions` has files of the oldest and the
    // newest edition.
    assert_eq!((editions.minimum, editions.maximum), (998, 1001));
}
