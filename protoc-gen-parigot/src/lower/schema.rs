//! Schemas of services, from which schema hashes are computed.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, ServiceDescriptorProto,
};

use super::error_codes;
use super::index::{Index, TypeEntry};
use super::source::{Node, Source, type_name};
use crate::model::Rpc;
use crate::schema_hash::{Schema, TypeSchema};
use crate::symbol::full_name;

/// Files to which each version of `protoc` adds fields. A schema has no fields of their types.
const OF_PROTOC: [&str; 4] = [
    "google/protobuf/api.proto",
    "google/protobuf/compiler/plugin.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/type.proto",
];

/// Returns the schema of a service with these methods and this error enum.
pub(super) fn of_service(
    source: &Source<'_>,
    service: &ServiceDescriptorProto,
    rpcs: &[Rpc],
    error: Option<&str>,
    index: &Index<'_>,
) -> Schema {
    let messages = rpcs
        .iter()
        .flat_map(|rpc| [rpc.request.clone(), rpc.response.clone()]);
    let types = reachable(messages.chain(error.map(str::to_owned)).collect(), index);
    Schema {
        service: full_name(source.file.package(), service.name()),
        methods: rpcs
            .iter()
            .map(|rpc| {
                let request = message(&rpc.request, rpc.streams_requests);
                let response = message(&rpc.response, rpc.streams_responses);
                (rpc.proto.clone(), (request, response))
            })
            .collect(),
        error: error.map(str::to_owned),
        types,
    }
}

fn message(name: &str, streams: bool) -> String {
    let stream = if streams { "stream " } else { "" };
    format!("{stream}{name}")
}

/// Returns the types with these names and all types that they contain, however deep.
fn reachable(mut names: Vec<String>, index: &Index<'_>) -> BTreeMap<String, TypeSchema> {
    let mut types = BTreeMap::new();
    while let Some(name) = names.pop() {
        let Some(ty) = index.get(&name).filter(|_| !types.contains_key(&name)) else {
            continue;
        };
        if OF_PROTOC.contains(&ty.source.file.name()) {
            types.insert(name, TypeSchema::Message(BTreeSet::new()));
            continue;
        }
        if let Node::Message(message) = ty.item.node {
            names.extend(
                message
                    .field
                    .iter()
                    .filter_map(type_name)
                    .map(str::to_owned),
            );
        }
        types.insert(name, type_schema(ty));
    }
    types
}

fn type_schema(ty: TypeEntry<'_>) -> TypeSchema {
    match ty.item.node {
        Node::Enum(item) => {
            let codes = error_codes::of_enum(ty);
            let value = |value: &EnumValueDescriptorProto| {
                let code = error_codes::find(&codes, value.number());
                (
                    value.number(),
                    value.name().to_owned(),
                    code.map(|code| code.proto),
                )
            };
            TypeSchema::Enum(item.value.iter().map(value).collect())
        }
        Node::Message(message) => {
            let line = |field| field_schema(ty.source, message, field);
            TypeSchema::Message(message.field.iter().map(line).collect())
        }
        Node::Field(..) | Node::Oneof(..) | Node::Value(..) | Node::Alias(_) => {
            unreachable!("the index must contain only messages and enums")
        }
    }
}

fn field_schema(
    source: &Source<'_>,
    message: &DescriptorProto,
    field: &FieldDescriptorProto,
) -> (i32, String, String, String) {
    let oneof = field
        .oneof_index
        .and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?));
    let label = match (field.label(), oneof) {
        (Label::Repeated, _) => "repeated".to_owned(),
        (Label::Required, _) => "required".to_owned(),
        (Label::Optional, Some(oneof)) if !field.proto3_optional() => {
            format!("oneof:{}", oneof.name())
        }
        (Label::Optional, _) if source.keeps_presence(field) => "optional".to_owned(),
        (Label::Optional, _) => "singular".to_owned(),
    };
    (
        field.number(),
        field.name().to_owned(),
        label,
        field_type(field),
    )
}

fn field_type(field: &FieldDescriptorProto) -> String {
    match (field.r#type(), type_name(field)) {
        (Type::Group, Some(name)) => format!("group {name}"),
        (Type::Message | Type::Enum, Some(name)) => name.to_owned(),
        (scalar, _) => scalar
            .as_str_name()
            .trim_start_matches("TYPE_")
            .to_ascii_lowercase(),
    }
}
