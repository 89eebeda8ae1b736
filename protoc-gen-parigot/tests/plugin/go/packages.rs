//! Which file comes out, of which Go package, and what is said where that cannot be known.

use protoc_gen_parigot::generate;

use crate::protoc::request;

const SERVICE: &str = "service Greeting { rpc Greet(Words) returns (Words); } message Words {}";

/// A file whose third line is that statement.
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
            .expect("it has a package")
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
        files(statement, parameter).expect_err("there are mistakes"),
        expected
    );
}

#[test]
fn a_file_says_which_package_it_is() {
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
fn an_option_says_it_too() {
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
fn files_lie_where_the_options_say() {
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
        "greeting/v1/greeting.proto:3:1: `example.com/m/greeting/greeting_parigot.pb.go` does not lie in module \
         `example.com/mm`, which the option `module` names",
    );
}

#[test]
fn no_file_lies_outside_of_the_output_folder() {
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
                "greeting/v1/greeting.proto:3:1: `{file}` does not lie in the output folder; `paths=source_relative` puts \
                 files beside their .proto"
            ),
        );
    }
}

#[test]
fn a_file_that_does_not_say_it_is_refused() {
    let expected = "greeting/v1/greeting.proto: nothing says which Go package this file is: give it an \
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
fn a_file_that_is_imported_has_to_say_it_as_well() {
    let user = "syntax = \"proto3\"; import \"words.proto\"; import \"unused.proto\"; option go_package = \"a.b/c\";
                service S { rpc Get(W) returns (W); }";
    let files = [
        ("user.proto", user),
        ("words.proto", "syntax = \"proto3\"; message W {}"),
        ("unused.proto", "syntax = \"proto3\"; message U {}"),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(
        generate_all(&files, "").expect_err("one does not say it"),
        "words.proto: nothing says which Go package this file is: give it an `option go_package = \"import/path\";`, \
         or give the option `Mwords.proto=import/path`"
    );
    generate_all(&files, "Mwords.proto=a.b/d").expect("what is not used need not say it");
}

#[test]
fn what_go_cannot_import_is_refused() {
    check_error(
        "option go_package = \"greeting\";",
        "",
        "greeting/v1/greeting.proto:3:1: found the Go import path `greeting`, expected one with a `.` or `/` in it",
    );
    check_error(
        "option go_package = \"a/b\\\"\\n\";",
        "",
        "greeting/v1/greeting.proto:3:1: found the Go import path `a/b\\\"\\n`, expected ASCII letters, digits and any \
         of `-._~+/`",
    );
    for name in ["my-pb", "func", "_", "é"] {
        check_error(
            &format!("option go_package = \"a/b;{name}\";"),
            "",
            &format!(
                "greeting/v1/greeting.proto:3:1: found the Go package name `{name}`, expected an identifier that is no \
                 keyword"
            ),
        );
    }
}

#[test]
fn files_of_a_package_agree_on_its_name() {
    let file = |name: &str, package: &str| {
        let text = format!(
            "syntax = \"proto3\";\npackage {name};\noption go_package = \"{package}\";\nservice S {{}}"
        );
        (format!("{name}.proto"), text)
    };
    assert_eq!(
        generate_all(&[file("a", "x.y/z;one"), file("b", "x.y/z;other")], "")
            .expect_err("they do not"),
        "b.proto:3:1: Go package `x.y/z` is called other here, and one in a.proto:3:1\n\
         b.proto:4:1: service S (a.proto:4:1) and service S are both `S` in Go"
    );
}

#[test]
fn two_files_are_not_written_into_one() {
    let file = |folder: &str| {
        let service = folder.to_uppercase();
        let text = format!(
            "syntax = \"proto3\"; package {folder}; option go_package = \"x.y/z\"; service {service} {{}}"
        );
        (format!("{folder}/same.proto"), text)
    };
    assert_eq!(
        generate_all(&[file("a"), file("b")], "").expect_err("they would be"),
        "b/same.proto: `x.y/z/same_parigot.pb.go` is what a/same.proto becomes, too"
    );
    generate_all(&[file("a"), file("b")], "paths=source_relative").expect("they lie apart");
}

#[test]
fn a_file_without_services_becomes_nothing() {
    let text = "syntax = \"proto3\"; message M {}";
    assert_eq!(
        generate_all(&[("m.proto".to_owned(), text.to_owned())], ""),
        Ok(Vec::new())
    );
}
