//! Go packages and paths of output files, and errors where these are unknown.

use protoc_gen_parigot::generate;

use crate::protoc::request;

const SERVICE: &str = "service Greeting { rpc Greet(Words) returns (Words); } message Words {}";

/// Returns a file with this statement in its third line.
fn greeting(statement: &str) -> (String, String) {
    (
        "greeting/v1/greeting.proto".to_owned(),
        format!("syntax = \"proto3\";\npackage greeting.v1;\n{statement}\n{SERVICE}"),
    )
}

fn files(statement: &str, parameter: &str) -> Result<Vec<(String, String)>, String> {
    generate_all(&[greeting(statement)], parameter)
}

fn generate_all(
    files: &[(String, String)],
    parameter: &str,
) -> Result<Vec<(String, String)>, String> {
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let files = generate(&request(&files, &format!("lang=go,{parameter}")));
    let line = |text: &str| {
        text.lines()
            .find(|line| line.starts_with("package "))
            .expect("generated Go must have a package")
            .to_owned()
    };
    let written = |files: Vec<protoc_gen_parigot::OutputFile>| {
        files
            .into_iter()
            .map(|file| (line(&file.content), file.name))
            .map(|(package, name)| (name, package))
            .collect()
    };
    files.map(written).map_err(|errors| {
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    })
}

fn check(statement: &str, parameter: &str, name: &str, package: &str) {
    let expected = Ok(vec![(name.to_owned(), format!("package {package}"))]);
    assert_eq!(
        files(statement, parameter),
        expected,
        "{statement} {parameter}"
    );
}

fn check_error(statement: &str, parameter: &str, expected: &str) {
    assert_eq!(
        files(statement, parameter).expect_err("the input must be invalid"),
        expected
    );
}

#[test]
fn go_package_gives_path_and_name() {
    let at = |path: &str| format!("option go_package = \"{path}\";");
    check(
        &at("example.com/m/greeting"),
        "",
        "example.com/m/greeting/greeting_parigot.pb.go",
        "greeting",
    );
    check(
        &at("example.com/m/greeting;pb"),
        "",
        "example.com/m/greeting/greeting_parigot.pb.go",
        "pb",
    );
    check(
        &at("example.com/m/go-greeting.v2"),
        "",
        "example.com/m/go-greeting.v2/greeting_parigot.pb.go",
        "go_greeting_v2",
    );
    check(
        &at("example.com/m/2go/func/"),
        "",
        "example.com/m/2go/func/greeting_parigot.pb.go",
        "_func",
    );
    check(&at("./;pb"), "", "greeting_parigot.pb.go", "pb");
    check(&at("./pb"), "", "pb/greeting_parigot.pb.go", "pb");
}

#[test]
fn the_option_m_overrides_go_package() {
    let m = "Mgreeting/v1/greeting.proto";
    check(
        "",
        &format!("{m}=example.com/m/greeting"),
        "example.com/m/greeting/greeting_parigot.pb.go",
        "greeting",
    );
    check(
        "",
        &format!("{m}=example.com/m/greeting;pb"),
        "example.com/m/greeting/greeting_parigot.pb.go",
        "pb",
    );
    let statement = "option go_package = \"example.com/file\";";
    check(
        statement,
        &format!("{m}=example.com/option"),
        "example.com/option/greeting_parigot.pb.go",
        "file",
    );
    check(
        statement,
        &format!("{m}=;pb"),
        "example.com/file/greeting_parigot.pb.go",
        "pb",
    );
    let named = "option go_package = \"example.com/file;named\";";
    check(
        named,
        &format!("{m}=example.com/option"),
        "example.com/option/greeting_parigot.pb.go",
        "named",
    );
    check(
        named,
        &format!("{m}=example.com/option;pb"),
        "example.com/option/greeting_parigot.pb.go",
        "pb",
    );
}

#[test]
fn options_place_the_files() {
    let statement = "option go_package = \"example.com/m/greeting\";";
    check(
        statement,
        "paths=import",
        "example.com/m/greeting/greeting_parigot.pb.go",
        "greeting",
    );
    check(
        statement,
        "paths=source_relative",
        "greeting/v1/greeting_parigot.pb.go",
        "greeting",
    );
    check(
        statement,
        "module=example.com/m",
        "greeting/greeting_parigot.pb.go",
        "greeting",
    );
    check_error(
        statement,
        "module=example.com/mm",
        "greeting/v1/greeting.proto:3:1: `example.com/m/greeting/greeting_parigot.pb.go` is \
         outside of module `example.com/mm`, which the option `module` names",
    );
}

#[test]
fn a_file_outside_of_the_output_folder_is_rejected() {
    for (path, file) in [
        ("../pb", "../pb/greeting_parigot.pb.go"),
        ("/etc/pb", "/etc/pb/greeting_parigot.pb.go"),
    ] {
        let statement = format!("option go_package = \"{path}\";");
        check(
            &statement,
            "paths=source_relative",
            "greeting/v1/greeting_parigot.pb.go",
            "pb",
        );
        check_error(
            &statement,
            "",
            &format!(
                "greeting/v1/greeting.proto:3:1: `{file}` is outside of the output folder; \
                 `paths=source_relative` puts files beside their .proto"
            ),
        );
    }
}

#[test]
fn a_file_without_a_go_package_is_rejected() {
    let expected = "greeting/v1/greeting.proto: the file has no Go package: add \
                    `option go_package = \"import/path\";`, or give the option \
                    `Mgreeting/v1/greeting.proto=import/path`";
    check_error("", "", expected);
    check_error(
        "option go_package = \";pb\";",
        "paths=source_relative",
        expected,
    );
}

#[test]
fn an_imported_file_needs_a_go_package() {
    let user = "syntax = \"proto3\"; import \"words.proto\"; import \"unused.proto\"; option \
                go_package = \"a.b/c\";
                service S { rpc Get(W) returns (W); }";
    let files = [
        ("user.proto", user),
        ("words.proto", "syntax = \"proto3\"; message W {}"),
        ("unused.proto", "syntax = \"proto3\"; message U {}"),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(
        generate_all(&files, "").expect_err("an import without a package must be an error"),
        "words.proto: the file has no Go package: add `option go_package = \"import/path\";`, \
         or give the option `Mwords.proto=import/path`"
    );
    generate_all(&files, "Mwords.proto=a.b/d").expect("an unused import must not need a package");
}

#[test]
fn invalid_go_packages_are_rejected() {
    check_error(
        "option go_package = \"greeting\";",
        "",
        "greeting/v1/greeting.proto:3:1: found the Go import path `greeting`, expected one with a \
         `.` or `/` in it",
    );
    check_error(
        "option go_package = \"a/b\\\"\\n\";",
        "",
        "greeting/v1/greeting.proto:3:1: found the Go import path `a/b\\\"\\n`, expected ASCII \
         letters, digits and any of `-._~+/`",
    );
    for name in ["my-pb", "func", "_", "é"] {
        check_error(
            &format!("option go_package = \"a/b;{name}\";"),
            "",
            &format!(
                "greeting/v1/greeting.proto:3:1: found the Go package name `{name}`, expected an \
                 identifier that is not a keyword"
            ),
        );
    }
}

#[test]
fn files_of_one_package_must_agree_on_its_name() {
    let file = |name: &str, package: &str| {
        let text = format!(
            "syntax = \"proto3\";\npackage {name};\noption go_package = \"{package}\";\nservice S \
             {{}}"
        );
        (format!("{name}.proto"), text)
    };
    assert_eq!(
        generate_all(&[file("a", "x.y/z;one"), file("b", "x.y/z;other")], "")
            .expect_err("different names must be an error"),
        "b.proto:3:1: Go package `x.y/z` is called other here, but one in a.proto:3:1\n\
         b.proto:4:1: service S (a.proto:4:1) and service S are both `S` in Go"
    );
}

#[test]
fn files_with_one_output_are_rejected() {
    let file = |folder: &str| {
        let service = folder.to_uppercase();
        let text = format!(
            "syntax = \"proto3\"; package {folder}; option go_package = \"x.y/z\"; service \
             {service} {{}}"
        );
        (format!("{folder}/same.proto"), text)
    };
    assert_eq!(
        generate_all(&[file("a"), file("b")], "").expect_err("equal outputs must be an error"),
        "b/same.proto: the output file `x.y/z/same_parigot.pb.go` is also that of a/same.proto"
    );
    generate_all(&[file("a"), file("b")], "paths=source_relative")
        .expect("different outputs must be valid");
}

#[test]
fn a_file_without_services_has_no_output() {
    let text = "syntax = \"proto3\"; message M {}";
    assert_eq!(
        generate_all(&[("m.proto".to_owned(), text.to_owned())], ""),
        Ok(Vec::new())
    );
}
