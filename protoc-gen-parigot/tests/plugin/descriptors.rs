//! Descriptors that a guest reports: whole files with their imports.

use prost::Message;
use prost_types::FileDescriptorSet;
use protoc_gen_parigot::lower;
use protoc_gen_parigot::options::Options;

use crate::protoc::{plain, protoc, request, run};

const SHOP: &str = "syntax = \"proto3\";
// A comment.
package shop;
import \"common.proto\"; import \"unused.proto\"; import \"parigot/v1/options.proto\";
service Shop {
  option (parigot.v1.service).error = \"Trouble\";
  rpc Buy(Order) returns (common.Outer.Inner);
  rpc Watch(stream Watched) returns (Order);
}
service Other { rpc Get(Unreached) returns (Unreached); }
message Order { map<string, Line> lines = 1; Order again = 2; oneof side { Kind kind = 3; string \
other = 4; } }
message Line { optional int32 count = 1; message Unreached {} }
message Unreached { unused.Unused unused = 1; }
message Watched {}
enum Kind { A = 0; }
enum Trouble { NONE = 0; }
";

const COMMON: &str = "syntax = \"proto2\";
package common;
import \"deep.proto\";
message Outer {
  message Inner { required deep.Deep deep = 1; optional E e = 2 [default = Y]; }
  enum E { X = 1; Y = 2; }
  optional Unreached unreached = 1;
  message Unreached {}
}
";

const FILES: [(&str, &str); 4] = [
    ("shop.proto", SHOP),
    ("common.proto", COMMON),
    (
        "deep.proto",
        "syntax = \"proto3\"; package deep; message Deep {} message Unreached {}",
    ),
    (
        "unused.proto",
        "syntax = \"proto3\"; package unused; message Unused {}",
    ),
];

/// Returns the descriptors of package `shop`.
fn shop() -> FileDescriptorSet {
    FileDescriptorSet::decode(&*encoded_shop()).expect("the descriptors must decode")
}

fn encoded_shop() -> Vec<u8> {
    let options = Options::parse("streaming=skip").expect("the input must be valid");
    let model = lower::model(&request(&FILES, ""), &options).expect("the input must be valid");
    let package = model.packages.into_iter().find(|package| {
        let services = &package.services;
        services
            .iter()
            .any(|service| service.contract.full_name == "shop.Shop")
    });
    package
        .expect("the package must be in the model")
        .descriptors
}

#[test]
fn descriptors_are_whole_files_with_their_imports() {
    let files: Vec<_> = shop()
        .file
        .iter()
        .map(|file| {
            let messages: Vec<_> = file.message_type.iter().map(|item| item.name()).collect();
            let services: Vec<_> = file.service.iter().map(|item| item.name()).collect();
            assert!(file.source_code_info.is_none());
            format!("{}: {messages:?} {services:?}", file.name())
        })
        .collect();
    let expected = [
        "deep.proto: [\"Deep\", \"Unreached\"] []",
        "common.proto: [\"Outer\"] []",
        "unused.proto: [\"Unused\"] []",
        "parigot/v1/options.proto: [\"ServiceOptions\", \"MethodOptions\", \"ErrorOptions\"] []",
        "shop.proto: [\"Order\", \"Line\", \"Unreached\", \"Watched\"] [\"Shop\", \"Other\"]",
    ];
    assert_eq!(files, expected);
}

#[test]
fn a_package_without_services_has_no_descriptors() {
    let model = lower::model(&request(&FILES[2..3], ""), &Options::default())
        .expect("the input must be valid");
    assert!(
        model
            .packages
            .iter()
            .all(|package| package.descriptors.is_empty())
    );
}

#[test]
fn descriptors_keep_streams_and_custom_options() {
    let set = shop();
    let shop = set.file.last().expect("the set must have files");
    let watch = &shop.service[0].method[1];
    assert!(watch.client_streaming() && watch.name() == "Watch");
    // prost drops the option, whose text is in the bytes: field 1 of the extension.
    let option = b"\x0a\x07Trouble";
    let bytes = encoded_shop();
    assert!(bytes.windows(option.len()).any(|part| part == option));
}

/// `protoc` links the descriptors, and so validates them.
#[test]
fn protoc_reads_the_descriptors() {
    let folder = tempfile::tempdir().expect("a temporary folder must be available");
    let set = folder.path().join("shop.binpb");
    let well_known = folder.path().join("descriptor.binpb");
    run(protoc().args([
        "google/protobuf/descriptor.proto",
        &format!("--descriptor_set_out={}", well_known.display()),
    ]));
    std::fs::write(&set, encoded_shop()).expect("the temporary folder must be writable");
    let mut protoc = plain();
    // The set has no well-known types.
    protoc.arg(format!(
        "--descriptor_set_in={}:{}",
        well_known.display(),
        set.display()
    ));
    protoc.arg(format!(
        "--descriptor_set_out={}",
        folder.path().join("out").display()
    ));
    run(protoc.arg("shop.proto"));
}
