//! `include_imports`: files that are generated although they are not named.

use protoc_gen_parigot::{Request, generate};

use crate::errors::{check_errors, check_request};
use crate::protoc::request;

const USER: &str = "syntax = \"proto3\";
package user;
import \"parigot/v1/options.proto\"; import \"parigot/v1/id.proto\";
import \"google/protobuf/timestamp.proto\";
import \"method.proto\"; import \"errors.proto\"; import \"unused.proto\";
service S { option (parigot.v1.service).error = \"errors.Err\";
  rpc Get(method.M) returns (google.protobuf.Timestamp); }
message Own { parigot.v1.Id id = 1; }
";

const METHOD: &str = "syntax = \"proto3\";
package method;
import \"field.proto\";
message M { map<string, field.F> map = 1; }
";

const FILES: [(&str, &str); 5] = [
    ("user.proto", USER),
    ("method.proto", METHOD),
    (
        "errors.proto",
        "syntax = \"proto3\"; package errors; enum Err { NONE = 0; }",
    ),
    (
        "unused.proto",
        "syntax = \"proto3\"; package unused; message U {}",
    ),
    (
        "field.proto",
        "syntax = \"proto3\"; package field; message F {}",
    ),
];

/// Returns the request to generate `user.proto` alone.
fn user(parameter: &str) -> Request {
    let mut request = request(&FILES, parameter);
    request.file_to_generate = vec!["user.proto".to_owned()];
    request
}

#[test]
fn include_imports_generates_the_files_in_use() {
    let files = generate(&user("include_imports")).expect("the input must be valid");
    let names: Vec<_> = files.iter().map(|file| &*file.name).collect();
    assert_eq!(
        names,
        ["errors.rs", "field.rs", "method.rs", "user.rs", "mod.rs"]
    );
}

#[test]
fn include_imports_equals_naming_the_files_in_use() {
    let mut named = user("");
    for name in ["method.proto", "errors.proto", "field.proto"] {
        named.file_to_generate.push(name.to_owned());
    }
    assert_eq!(
        generate(&user("include_imports")).expect("the input must be valid"),
        generate(&named).expect("the input must be valid")
    );
}

#[test]
fn include_imports_leaves_out_external_types() {
    let request = user("include_imports,extern_path=.method=::m,extern_path=.errors=crate::e");
    let files = generate(&request).expect("the input must be valid");
    let names: Vec<_> = files.iter().map(|file| &*file.name).collect();
    assert_eq!(names, ["user.rs", "mod.rs"]);
}

#[test]
fn include_imports_checks_the_files_in_use() {
    let mut request = user("include_imports");
    let files = &mut request.proto_file;
    let field = files.iter_mut().find(|file| file.name() == "field.proto");
    field.expect("the file must be in the request").syntax = Some("proto4".to_owned());
    check_request(
        &request,
        "field.proto:1:1: found syntax `proto4`, expected proto2, proto3, or edition 2023 or 2024",
    );
}

/// protoc-gen-go writes the messages of each file into the package of that file.
#[test]
fn include_imports_is_for_rust_alone() {
    check_errors(
        &FILES[3..4],
        "lang=go,include_imports",
        "option `include_imports` is for `lang=rust` alone",
    );
    check_errors(
        &FILES[3..4],
        "messages=external,include_imports",
        "option `include_imports` cannot be given with `messages=external`",
    );
}
