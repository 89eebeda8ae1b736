//! Descriptors that no `protoc` sends: each is an error with a name.

use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use protoc_gen_parigot::Request;

use crate::errors::check_request;
use crate::protoc::request;

const TEXT: &str = "syntax = \"proto2\";
package p;
service S { rpc Get(M) returns (M); }
service T { rpc Put(M) returns (M); rpc Set(M) returns (M); }
message M { optional int32 a = 1 [default = 7]; optional int32 b = 2; map<string, E> map = 3; }
enum E { X = 0; }
";

/// Checks the error of a file after a change.
fn check(parameter: &str, change: fn(&mut FileDescriptorProto), expected: &str) {
    let mut request = request(&[("input.proto", TEXT)], parameter);
    change(&mut request.proto_file[0]);
    request.file_to_generate = vec![request.proto_file[0].name().to_owned()];
    check_request(&request, expected);
}

fn check_malformed(change: fn(&mut FileDescriptorProto), expected: &str) {
    for parameter in ["", "lang=go,Minput.proto=x.y/z"] {
        check(parameter, change, expected);
    }
}

fn field(file: &mut FileDescriptorProto) -> &mut FieldDescriptorProto {
    &mut file.message_type[0].field[0]
}

fn set(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn an_empty_request_is_rejected() {
    check_request(&Request::default(), "the request names no file to generate");
}

#[test]
fn a_package_of_many_parts_is_rejected() {
    let mut request = request(
        &[(
            "input.proto",
            "syntax = \"proto3\"; package p; message M {}",
        )],
        "",
    );
    for parameter in ["", "lang=go,Minput.proto=x.y/z"] {
        request.parameter = parameter.to_owned();
        request.proto_file[0].package = Some(vec!["a"; 10_000].join("."));
        check_request(
            &request,
            "input.proto: malformed descriptor: the name of the package has more than 64 parts",
        );
    }
}

#[test]
fn a_file_name_that_is_no_path_is_rejected() {
    for (name, shown) in [
        ("..\\in.proto", "..\\\\in.proto"),
        ("a\nb.proto", "a\\nb.proto"),
        ("\u{7f}.proto", "\\u{7f}.proto"),
    ] {
        let mut request = request(&[("input.proto", TEXT)], "lang=go,paths=source_relative");
        request.proto_file[0].name = set(name);
        request.file_to_generate = vec![name.to_owned()];
        let expected = format!(
            "{shown}: malformed descriptor: the file's name is empty or contains a backslash or \
             control characters"
        );
        check_request(&request, &expected);
    }
}

#[test]
fn two_declarations_of_one_name_are_rejected() {
    check_malformed(
        |file| file.service[1].name = set("S"),
        "input.proto:4:1: malformed descriptor: p.S is declared twice",
    );
    check_malformed(
        |file| file.service[0].name = set("E"),
        "input.proto:3:1: malformed descriptor: p.E is declared twice",
    );
    check_malformed(
        |file| file.service[1].method[1].name = set("Put"),
        "input.proto:4:1: malformed descriptor: the service has two methods of one name",
    );
    check_malformed(
        |file| file.message_type[0].field[1].name = set("a"),
        "input.proto:5:1: malformed descriptor: the message has two fields of one name",
    );
}

#[test]
fn a_number_that_is_no_number_of_a_field_is_rejected() {
    check_malformed(
        |file| field(file).number = Some(2),
        "input.proto:5:1: malformed descriptor: the message has two fields of one number",
    );
    for number in [0, -1, 19_000, i32::MAX] {
        let mut request = request(&[("input.proto", TEXT)], "");
        field(&mut request.proto_file[0]).number = Some(number);
        let expected = format!(
            "input.proto:5:13: malformed descriptor: a field cannot have the number {number}"
        );
        check_request(&request, &expected);
    }
}

#[test]
fn a_default_that_is_no_value_is_rejected() {
    let expected =
        "input.proto:5:13: malformed descriptor: the default is not a value of the field's type";
    check_malformed(|file| field(file).default_value = set("x"), expected);
    check_malformed(|file| field(file).set_type(Type::Bool), expected);
    let of_enum = |file: &mut FileDescriptorProto| {
        field(file).set_type(Type::Enum);
        field(file).type_name = set(".p.E");
        field(file).default_value = set("Y");
    };
    check_malformed(of_enum, expected);
}

#[test]
fn a_map_key_that_cannot_be_one_is_rejected() {
    let entry = |file: &mut FileDescriptorProto| {
        let entry: &mut DescriptorProto = &mut file.message_type[0].nested_type[0];
        entry.field[0].set_type(Type::Double);
    };
    check(
        "",
        entry,
        "input.proto: malformed descriptor: the type of a map's key is not one of keys",
    );
}
