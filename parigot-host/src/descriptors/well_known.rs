//! Descriptors of the files of `google/protobuf/*` whose messages have a form of their own in JSON.
//!
//! The guests' descriptors never contain these files.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, MessageOptions, OneofDescriptorProto,
};

/// Returns the files.
pub(super) fn files() -> Vec<FileDescriptorProto> {
    vec![
        file(
            "any",
            vec![message(
                "Any",
                vec![
                    field("type_url", 1, Type::String),
                    field("value", 2, Type::Bytes),
                ],
            )],
        ),
        file("duration", vec![message("Duration", seconds_and_nanos())]),
        file("empty", vec![message("Empty", Vec::new())]),
        file(
            "field_mask",
            vec![message(
                "FieldMask",
                vec![repeated(field("paths", 1, Type::String))],
            )],
        ),
        structs(),
        file("timestamp", vec![message("Timestamp", seconds_and_nanos())]),
        file("wrappers", wrappers()),
    ]
}

fn file(name: &str, messages: Vec<DescriptorProto>) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(format!("google/protobuf/{name}.proto")),
        package: Some("google.protobuf".into()),
        message_type: messages,
        syntax: Some("proto3".into()),
        ..FileDescriptorProto::default()
    }
}

fn message(name: &str, fields: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto {
        name: Some(name.into()),
        field: fields,
        ..DescriptorProto::default()
    }
}

fn field(name: &str, number: i32, ty: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(ty.into()),
        ..FieldDescriptorProto::default()
    }
}

fn repeated(field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto {
        label: Some(Label::Repeated.into()),
        ..field
    }
}

/// Returns a field of a message or an enum of this package.
fn typed(name: &str, number: i32, ty: Type, type_name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto {
        type_name: Some(format!(".google.protobuf.{type_name}")),
        ..field(name, number, ty)
    }
}

fn seconds_and_nanos() -> Vec<FieldDescriptorProto> {
    vec![
        field("seconds", 1, Type::Int64),
        field("nanos", 2, Type::Int32),
    ]
}

fn wrappers() -> Vec<DescriptorProto> {
    let types = [
        ("DoubleValue", Type::Double),
        ("FloatValue", Type::Float),
        ("Int64Value", Type::Int64),
        ("UInt64Value", Type::Uint64),
        ("Int32Value", Type::Int32),
        ("UInt32Value", Type::Uint32),
        ("BoolValue", Type::Bool),
        ("StringValue", Type::String),
        ("BytesValue", Type::Bytes),
    ];
    let wrapper = |(name, ty)| message(name, vec![field("value", 1, ty)]);
    types.into_iter().map(wrapper).collect()
}

/// Returns the file with `Struct`, `Value` and `ListValue`.
fn structs() -> FileDescriptorProto {
    let entry = DescriptorProto {
        options: Some(MessageOptions {
            map_entry: Some(true),
            ..MessageOptions::default()
        }),
        ..message(
            "FieldsEntry",
            vec![
                field("key", 1, Type::String),
                typed("value", 2, Type::Message, "Value"),
            ],
        )
    };
    let fields = typed("fields", 1, Type::Message, "Struct.FieldsEntry");
    let structure = DescriptorProto {
        nested_type: vec![entry],
        ..message("Struct", vec![repeated(fields)])
    };
    let kinds = vec![
        typed("null_value", 1, Type::Enum, "NullValue"),
        field("number_value", 2, Type::Double),
        field("string_value", 3, Type::String),
        field("bool_value", 4, Type::Bool),
        typed("struct_value", 5, Type::Message, "Struct"),
        typed("list_value", 6, Type::Message, "ListValue"),
    ];
    let in_oneof = |field| FieldDescriptorProto {
        oneof_index: Some(0),
        ..field
    };
    let value = DescriptorProto {
        oneof_decl: vec![OneofDescriptorProto {
            name: Some("kind".into()),
            ..OneofDescriptorProto::default()
        }],
        ..message("Value", kinds.into_iter().map(in_oneof).collect())
    };
    let values = repeated(typed("values", 1, Type::Message, "Value"));
    let null = EnumDescriptorProto {
        name: Some("NullValue".into()),
        value: vec![EnumValueDescriptorProto {
            name: Some("NULL_VALUE".into()),
            number: Some(0),
            ..EnumValueDescriptorProto::default()
        }],
        ..EnumDescriptorProto::default()
    };
    FileDescriptorProto {
        enum_type: vec![null],
        ..file(
            "struct",
            vec![structure, value, message("ListValue", vec![values])],
        )
    }
}
