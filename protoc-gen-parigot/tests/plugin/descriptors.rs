//! Descriptors that a running guest can report: all types that its methods reach, and nothing else.

use prost::Message;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorSet};
use protoc_gen_parigot::lower;
use protoc_gen_parigot::options::Options;

use crate::protoc::{plain, request, run};

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

/// Returns the descriptors of `shop.Shop`.
fn shop() -> FileDescriptorSet {
    let options = Options::parse("streaming=skip").expect("the input must be valid");
    let model = lower::model(&request(&FILES, ""), &options).expect("the input must be valid");
    let services = model.packages.iter().flat_map(|package| &package.services);
    let shop = services
        .map(|service| &service.contract)
        .find(|contract| contract.full_name == "shop.Shop");
    FileDescriptorSet::decode(&*shop.expect("the service must be in the model").descriptors)
        .expect("the descriptors must decode")
}

/// Returns messages as `Outer(field){Nested}`, then enums.
fn outline(messages: &[DescriptorProto], enums: &[EnumDescriptorProto]) -> String {
    let message = |message: &DescriptorProto| {
        let fields: Vec<_> = message.field.iter().map(|field| field.name()).collect();
        let nested = outline(&message.nested_type, &message.enum_type);
        format!("{}({}){{{nested}}}", message.name(), fields.join(" "))
    };
    let messages = messages.iter().map(message);
    messages
        .chain(enums.iter().map(|item| item.name().to_owned()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn descriptors_contain_only_reached_types() {
    let files: Vec<_> = shop()
        .file
        .iter()
        .map(|file| {
            format!(
                "{}: {}",
                file.name(),
                outline(&file.message_type, &file.enum_type)
            )
        })
        .collect();
    let expected = [
        "deep.proto: Deep(){}",
        "common.proto: Outer(){Inner(deep e){} E}",
        "shop.proto: Order(lines again kind other){LinesEntry(key value){}} Line(count){} Kind \
         Trouble",
    ];
    assert_eq!(files, expected);
}

#[test]
fn descriptors_import_the_files_they_use() {
    let imports: Vec<_> = shop()
        .file
        .into_iter()
        .map(|file| file.dependency)
        .collect();
    assert_eq!(
        imports,
        [
            vec![],
            vec!["deep.proto".to_owned()],
            vec!["common.proto".to_owned()]
        ]
    );
}

#[test]
fn descriptors_leave_out_streaming_methods() {
    let files = shop().file;
    let services: Vec<_> = files.iter().flat_map(|file| &file.service).collect();
    let methods: Vec<_> = services
        .iter()
        .flat_map(|service| &service.method)
        .map(|method| method.name())
        .collect();
    assert_eq!(services.len(), 1);
    assert_eq!(methods, ["Buy"]);
    assert!(files.iter().all(|file| file.source_code_info.is_none()));
}

/// `protoc` links the descriptors, and so validates them.
#[test]
fn protoc_reads_the_descriptors() {
    let folder = tempfile::tempdir().expect("a temporary folder must be available");
    let set = folder.path().join("shop.binpb");
    std::fs::write(&set, shop().encode_to_vec()).expect("the temporary folder must be writable");
    let mut protoc = plain();
    protoc.arg(format!("--descriptor_set_in={}", set.display()));
    protoc.arg(format!(
        "--descriptor_set_out={}",
        folder.path().join("out").display()
    ));
    run(protoc.arg("shop.proto"));
}
