//! Schema checks of two versions of a `.proto`, both compiled by the real `protoc`.

use std::path::PathBuf;
use std::process::Command;

use parigot_abi::manifest::{Method, MethodFlags};
use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::*;

/// Returns the differences between a client built with one text and an exporter built with another.
/// Each text follows a `syntax` line and declares `service S`.
#[track_caller]
fn differences(client: &str, exporter: &str) -> Vec<String> {
    let client = service(1, set("proto3", client));
    let exporter = service(2, set("proto3", exporter));
    compare(&client, &exporter)
}

#[track_caller]
fn compare(client: &Described, exporter: &Described) -> Vec<String> {
    match fits(client.of("app"), exporter.of("store")) {
        Ok(missing) => missing.iter().map(ToString::to_string).collect(),
        Err(SchemaError::Differences { differences }) => differences,
        Err(error) => panic!("{error}"),
    }
}

/// Checks the errors for requests that differ in one field: `app` sends `client`, and `store` reads
/// `exporter`.
#[track_caller]
fn check_request(client: &str, exporter: &str, expected: &[&str]) {
    let proto = |field| format!("{SERVICE} message Req {{ {field} }} message Res {{}}");
    assert_eq!(
        differences(&proto(client), &proto(exporter)),
        expected,
        "{client} -> {exporter}"
    );
}

/// Checks the same for responses: `store` sends `exporter`, and `app` reads `client`.
#[track_caller]
fn check_response(client: &str, exporter: &str, expected: &[&str]) {
    let proto = |field| format!("{SERVICE} message Req {{}} message Res {{ {field} }}");
    assert_eq!(
        differences(&proto(client), &proto(exporter)),
        expected,
        "{client} <- {exporter}"
    );
}

const SERVICE: &str = "package x; service S { rpc Do(Req) returns (Res); } \
                       enum E { NONE = 0; } enum F { NOTHING = 0; }";

/// A service and its descriptors.
struct Described {
    service: Service,
    descriptors: Vec<u8>,
}

impl Described {
    fn of<'a>(&'a self, guest: &'a str) -> ServiceDescription<'a> {
        ServiceDescription {
            guest,
            service: &self.service,
            descriptors: &self.descriptors,
        }
    }
}

fn service(schema: u64, descriptors: Vec<u8>) -> Described {
    let service = Service {
        name: "x.S".into(),
        schema,
        methods: Vec::new(),
    };
    Described {
        service,
        descriptors,
    }
}

/// Compiles a `FileDescriptorSet` with the real `protoc`.
fn set(syntax: &str, text: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder must be available");
    let input = folder.path().join("x.proto");
    let output = folder.path().join("x.set");
    std::fs::write(&input, format!("syntax = \"{syntax}\"; {text}"))
        .expect("the folder must be writable");
    let mut protoc = Command::new(protoc());
    protoc.arg(format!("--proto_path={}", folder.path().display()));
    protoc
        .arg(format!("--descriptor_set_out={}", output.display()))
        .arg(&input);
    let ran = protoc
        .output()
        .unwrap_or_else(|error| panic!("{protoc:?}: {error}"));
    assert!(
        ran.status.success(),
        "{text}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
    std::fs::read(output).expect("protoc must have written the file")
}

fn protoc() -> PathBuf {
    match std::env::var_os("PROTOC") {
        Some(path) => path.into(),
        None => protoc_bin_vendored::protoc_bin_path()
            .expect("protoc must be vendored for this platform"),
    }
}

#[test]
fn equal_hashes_fit_without_descriptors() {
    assert_eq!(compare(&service(7, vec![]), &service(7, vec![])), [""; 0]);
}

#[test]
fn a_guest_without_descriptors_cannot_be_compared() {
    let described = service(
        1,
        set(
            "proto3",
            &format!("{SERVICE} message Req {{}} message Res {{}}"),
        ),
    );
    let undescribed = service(2, vec![]);
    let error = fits(described.of("app"), undescribed.of("store"));
    assert_eq!(
        error,
        Err(SchemaError::Undescribed {
            guest: "store".into()
        })
    );
}

#[test]
fn invalid_descriptors_are_rejected() {
    let good = service(
        1,
        set(
            "proto3",
            &format!("{SERVICE} message Req {{}} message Res {{}}"),
        ),
    );
    let check = |descriptors: Vec<u8>, expected: &str| {
        let bad = service(2, descriptors);
        let error = fits(bad.of("app"), good.of("store"));
        let error = error
            .expect_err("the descriptors must be rejected")
            .to_string();
        assert!(
            error.starts_with("the descriptors of `app` cannot be used: ")
                && error.contains(expected),
            "{error}"
        );
    };
    check(b"no descriptors".to_vec(), "failed to decode");
    check(set("proto3", "package y; service S {}"), "they lack x.S");
    let mut without_messages =
        FileDescriptorSet::decode(&*good.descriptors).expect("the descriptors must be valid");
    without_messages.file[0].message_type.clear();
    check(without_messages.encode_to_vec(), "they lack x.Req");
}

/// Returns the methods that an exporter lacks, where client and exporter have these methods.
#[track_caller]
fn missing(client: &str, exporter: &str) -> Vec<MissingMethod> {
    let proto = |methods: &str| {
        let text = format!(
            "package x; service S {{ {methods} }} \
             message Req {{}} message Res {{}} message Other {{}}"
        );
        set("proto3", &text)
    };
    let client = service(1, proto(client));
    let exporter = service(2, proto(exporter));
    fits(client.of("app"), exporter.of("store")).expect("the common methods are the same")
}

#[test]
fn a_client_fits_without_its_missing_methods() {
    let get = "rpc Get(Req) returns (Res);";
    let both = "rpc Get(Req) returns (Res); rpc Put(Req) returns (Res);";
    let put = MissingMethod {
        name: "Put".into(),
        new_name: None,
    };
    assert_eq!(missing(both, get), [put]);
    assert_eq!(missing(get, both), []);
}

#[test]
fn a_missing_method_has_a_likely_new_name() {
    let new_name = |exporter: &str| {
        let [missing] = &missing(
            "rpc Get(Req) returns (Res); rpc Fetch(Req) returns (Res);",
            &format!("rpc Get(Req) returns (Res); {exporter}"),
        )[..] else {
            panic!("`Fetch` alone must be missing");
        };
        missing.new_name.clone()
    };
    let load = "rpc Load(Req) returns (Res);";
    let fetched = "rpc Fetched(Other) returns (Res);";
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(new_name(&format!("{load} {fetched}")), name("Load"));
    let search = "rpc Search(Req) returns (Res);";
    assert_eq!(new_name(&format!("{load} {search}")), name("Search"));
    assert_eq!(new_name(fetched), name("Fetched"));
    assert_eq!(new_name("rpc Drop(Other) returns (Res);"), None);
    // A stream cannot take the place of a unary method.
    assert_eq!(new_name("rpc Load(Req) returns (stream Res);"), None);
}

#[test]
fn a_missing_method_is_listed_with_other_differences() {
    let proto = |methods: &str, ty: &str| {
        format!("package x; service S {{ {methods} }} message M {{ {ty} a = 1; }}")
    };
    let client = proto("rpc Take(M) returns (M); rpc Put(M) returns (M);", "int32");
    let exporter = proto("rpc Move(M) returns (M); rpc Put(M) returns (M);", "int64");
    let missing = "method Take is missing (likely new name: Move)";
    assert_eq!(differences(&client, &exporter), [missing]);
    let exporter = exporter.replace("int64", "bytes");
    assert_eq!(
        differences(&client, &exporter),
        [
            missing,
            "x.M.a (1) is sent by `app` as int32 and read by `store` as bytes",
            "x.M.a (1) is sent by `store` as bytes and read by `app` as int32",
        ]
    );
}

#[test]
fn a_field_that_the_exporter_lacks_is_named() {
    check_request(
        "string a = 1; int32 b = 2;",
        "string a = 1;",
        &["x.Req.b (2) is missing"],
    );
    check_response(
        "string a = 1; int32 b = 2;",
        "string a = 1;",
        &["x.Res.b (2) is missing"],
    );
    check_request("string a = 1;", "string a = 1; int32 b = 2;", &[]);
    check_response("string a = 1;", "string a = 1; int32 b = 2;", &[]);
}

#[test]
fn a_field_may_change_its_name_but_not_its_number() {
    check_request("string a = 1;", "string b = 1;", &[]);
    check_request(
        "string a = 1;",
        "string a = 2;",
        &["x.Req.a (1) has the number 2 there"],
    );
    check_request(
        "string a = 1; string b = 2;",
        "string b = 1; string a = 2;",
        &[
            "x.Req.a (1) has the number 2 there",
            "x.Req.b (2) has the number 1 there",
        ],
    );
}

/// Types of the table in [`super`], by row.
const ROWS: &[&[&str]] = &[
    &["int32", "int64", "uint32", "uint64", "bool", "E"],
    &["sint32", "sint64"],
    &["fixed32", "sfixed32"],
    &["fixed64", "sfixed64"],
    &["float"],
    &["double"],
    &["string"],
    &["bytes"],
    &["Res"],
];

#[test]
fn exactly_the_types_of_one_row_are_compatible() {
    // Each type has its own field and method, so that one comparison covers all types.
    let types: Vec<(usize, &str)> = ROWS
        .iter()
        .enumerate()
        .flat_map(|(row, types)| types.iter().map(move |ty| (row, *ty)))
        .collect();
    let pairs = || {
        types
            .iter()
            .flat_map(|from| types.iter().map(move |to| (from, to)))
    };
    let message = |types: Vec<&str>| {
        let fields: String = types
            .iter()
            .zip(1..)
            .map(|(ty, number)| format!("{ty} f{number} = {number};"))
            .collect();
        format!("{SERVICE} message Req {{ {fields} }} message Res {{}}")
    };
    let sent = message(pairs().map(|(from, _)| from.1).collect());
    let read = message(pairs().map(|(_, to)| to.1).collect());
    let found = differences(&sent, &read);
    let name = |ty: &str| {
        if ty.starts_with(char::is_uppercase) {
            format!("x.{ty}")
        } else {
            ty.to_owned()
        }
    };
    let expected: Vec<String> = pairs()
        .zip(1..)
        .filter(|((from, to), _)| {
            from.0 != to.0 && !matches!((from.1, to.1), ("string" | "Res", "bytes"))
        })
        .map(|((from, to), number)| {
            let from = name(from.1);
            let to = name(to.1);
            format!(
                "x.Req.f{number} ({number}) is sent by `app` as {from} and read by `store` as {to}"
            )
        })
        .collect();
    assert_eq!(found, expected);
    assert_eq!(
        types.len().pow(2) - expected.len(),
        36 + 3 * 4 + 5 + 2,
        "number of compatible pairs"
    );
}

#[test]
fn text_may_be_read_as_bytes_but_not_vice_versa() {
    check_request("string a = 1;", "bytes a = 1;", &[]);
    check_request(
        "bytes a = 1;",
        "string a = 1;",
        &["x.Req.a (1) is sent by `app` as bytes and read by `store` as string"],
    );
    check_response("bytes a = 1;", "string a = 1;", &[]);
    check_response(
        "string a = 1;",
        "bytes a = 1;",
        &["x.Res.a (1) is sent by `store` as bytes and read by `app` as string"],
    );
}

#[test]
fn repeated_numbers_cannot_be_read_as_one() {
    check_request("int32 a = 1;", "repeated int32 a = 1;", &[]);
    check_request("repeated string a = 1;", "string a = 1;", &[]);
    check_request(
        "repeated int32 a = 1;",
        "int64 a = 1;",
        &["x.Req.a (1) is sent by `app` as repeated int32 and read by `store` as int64"],
    );
    check_response("repeated int32 a = 1;", "int32 a = 1;", &[]);
}

#[test]
fn all_enums_are_compatible() {
    check_request("E a = 1;", "F a = 1;", &[]);
}

#[test]
fn nested_fields_are_compared_and_reported_once() {
    let proto = |leaf: &str| {
        format!(
            "package x; service S {{ rpc Do(M) returns (M); rpc Undo(M) returns (M); }} \
             message M {{ M next = 1; map<string, N> many = 2; oneof one {{ N n = 3; }} \
             message N {{ {leaf} leaf = 4; }} N m = 5; }}"
        )
    };
    let sent = |writer, sent, reader, read| {
        format!("x.M.N.leaf (4) is sent by `{writer}` as {sent} and read by `{reader}` as {read}")
    };
    let expected = [
        sent("app", "int32", "store", "float"),
        sent("store", "float", "app", "int32"),
    ];
    assert_eq!(differences(&proto("int32"), &proto("float")), expected);
    assert_eq!(differences(&proto("int32"), &proto("bool")), [""; 0]);
}

#[test]
fn messages_of_other_names_are_compared_by_fields() {
    let proto = |name: &str, field: &str| {
        format!(
            "package x; service S {{ rpc Do({name}) returns ({name}); }} \
             message {name} {{ string a = 1; {field} }}"
        )
    };
    assert_eq!(
        differences(&proto("Old", ""), &proto("New", "bool b = 2;")),
        [""; 0]
    );
    assert_eq!(
        differences(&proto("Old", "bool b = 2;"), &proto("New", "")),
        ["x.Old.b (2) is missing"]
    );
}

#[test]
fn a_required_field_must_be_required_of_the_writer() {
    let proto = |field: &str| {
        let text = format!(
            "package x; service S {{ rpc Do(M) returns (N); }} \
             message M {{ {field} }} message N {{}}"
        );
        set("proto2", &text)
    };
    let compare = |client: &str, exporter: &str| {
        compare(&service(1, proto(client)), &service(2, proto(exporter)))
    };
    let expected = ["x.M.a (1) is required by `store`, and `app` need not send it"];
    assert_eq!(
        compare("optional int32 a = 1;", "required int32 a = 1;"),
        expected
    );
    assert_eq!(compare("", "required int32 a = 1;"), expected);
    assert_eq!(
        compare("required int32 a = 1;", "optional int32 a = 1;"),
        [""; 0]
    );
    assert_eq!(
        compare("optional group A = 1 {}", "optional group B = 1 {}"),
        [""; 0]
    );
}

#[test]
fn fields_of_one_oneof_must_be_in_one_oneof() {
    let apart = "string a = 1; optional string b = 2;";
    let together = "oneof c { string a = 1; string b = 2; }";
    let both = |message, writer, reader| {
        [format!(
            "x.{message}.a (1) and b may both be sent by `{writer}`, \
             and `{reader}` takes one of them"
        )]
    };
    check_request(
        apart,
        together,
        &both("Req", "app", "store").each_ref().map(|text| &**text),
    );
    check_request(together, apart, &[]);
    check_request(
        "string a = 1;",
        "oneof c { string a = 1; string b = 2; }",
        &[],
    );
    check_response(
        together,
        apart,
        &both("Res", "store", "app").each_ref().map(|text| &**text),
    );
}

#[test]
fn a_method_that_streams_in_other_directions_is_a_difference() {
    let described = |schema, request: &str, response: &str| {
        let rpc = format!("rpc Do({request}) returns ({response});");
        let text = format!("package x; service S {{ {rpc} }} message M {{}}");
        service(schema, set("proto3", &text))
    };
    let kinds = [
        ("M", "M", "unary"),
        ("M", "stream M", "a server stream"),
        ("stream M", "M", "a client stream"),
        ("stream M", "stream M", "a bidirectional stream"),
    ];
    for (request, response, called) in kinds {
        let mut client = described(1, request, response);
        let left_out = compare(&client, &described(2, "M", "M"));
        assert_eq!(left_out, [""; 0], "the client does not declare the method");
        client.service.methods.push(Method {
            name: "Do".into(),
            budget_ns: 0,
            deadline_ns: 0,
            flags: MethodFlags::UNARY,
        });
        for (request, response, served) in kinds {
            let text = format!("method Do is {called} for `app` and {served} for `store`");
            let expected: Vec<_> = (called != served).then_some(text).into_iter().collect();
            assert_eq!(compare(&client, &described(2, request, response)), expected);
        }
    }
}

#[test]
fn well_known_messages_fit_without_their_files() {
    let proto = "import \"google/protobuf/empty.proto\"; package x; \
                 service S { rpc Do(google.protobuf.Empty) returns (google.protobuf.Empty); }";
    assert_eq!(differences(proto, proto), [""; 0]);
}
