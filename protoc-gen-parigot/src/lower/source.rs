//! One `.proto` with its declarations in a flat list, and the location of each declaration.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::source_code_info;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, OneofDescriptorProto,
};

use super::comment;
use super::edition::{Fault, PlainFile};
use super::field_number;
use crate::error::Location;
use crate::request::{Request, extra};
use crate::symbol;

/// One `.proto`.
pub(super) struct Source<'a> {
    pub(super) file: &'a FileDescriptorProto,
    /// Features of the edition that no syntax has.
    pub(super) faults: &'a [Fault],
    pub(super) extra: Option<&'a extra::FileExtra>,
    /// The file as it was in the request, without source info.
    encoded: Option<&'a Vec<u8>>,
    /// The file was named on the command line.
    pub(super) generated: bool,
    /// Messages, enums and their contents. A parent precedes its children.
    pub(super) items: Vec<Item<'a>>,
    places: BTreeMap<&'a [i32], &'a source_code_info::Location>,
}

/// Declaration in a file, except services.
pub(super) struct Item<'a> {
    /// Path to the declaration through the descriptors.
    pub(super) path: Vec<i32>,
    /// Full name of the enclosing package, message or enum.
    pub(super) scope: String,
    pub(super) node: Node<'a>,
}

/// Descriptor of a declaration.
#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    Message(&'a DescriptorProto),
    Enum(&'a EnumDescriptorProto),
    Field(&'a FieldDescriptorProto, &'a DescriptorProto),
    /// Oneof with variants.
    Oneof(&'a OneofDescriptorProto, &'a DescriptorProto),
    Value(&'a EnumValueDescriptorProto, &'a EnumDescriptorProto),
    /// Value with the number of an earlier value.
    Alias(&'a EnumValueDescriptorProto),
}

impl<'a> Source<'a> {
    pub(super) fn all(plain: &'a [PlainFile<'a>], request: &'a Request) -> Vec<Self> {
        let generated: BTreeSet<_> = request
            .file_to_generate
            .iter()
            .map(String::as_str)
            .collect();
        let source = |PlainFile { file, faults }: &'a PlainFile<'a>| Self {
            file,
            faults,
            extra: request.extra.get(file.name()),
            encoded: request.encoded.get(file.name()),
            generated: generated.contains(file.name()),
            items: items(file),
            places: places(file),
        };
        plain.iter().map(source).collect()
    }

    /// Returns the encoded file, without source info.
    pub(super) fn encoded(&self) -> Vec<u8> {
        match self.encoded {
            Some(encoded) => encoded.clone(),
            // The request was not decoded from bytes.
            None => {
                let mut file = self.file.clone();
                file.source_code_info = None;
                file.encode_to_vec()
            }
        }
    }

    /// Returns true if Go stubs are generated for the file. protoc-gen-go writes files for
    /// messages.
    pub(super) fn has_go_stubs(&self) -> bool {
        self.generated && !self.file.service.is_empty()
    }

    /// Returns the location of the declaration at `path`.
    pub(super) fn location(&self, path: &[i32]) -> Location {
        let span = self.places.get(path).map_or(&[][..], |place| &place.span);
        // Spans count from 0, locations from 1.
        let count = |number: i32| u32::try_from(number).ok()?.checked_add(1);
        let position = match span {
            [line, column, ..] => count(*line).zip(count(*column)),
            _ => None,
        };
        Location {
            file: self.file.name().to_owned(),
            position,
        }
    }

    /// Returns the location of the option at `option` in the declaration at `path`, or of the
    /// nearest element around it that has a location.
    pub(super) fn location_within(&self, path: &[i32], option: &[i32]) -> Location {
        let option = [path, option].concat();
        let mut known = (path.len()..=option.len()).rev().map(|end| &option[..end]);
        self.location(
            known
                .find(|path| self.places.contains_key(path))
                .unwrap_or(path),
        )
    }

    /// Returns the lines of the comment of the declaration at `path`.
    pub(super) fn docs(&self, path: &[i32]) -> Vec<String> {
        let Some(place) = self.places.get(path) else {
            return Vec::new();
        };
        comment::lines([place.leading_comments(), place.trailing_comments()])
    }

    /// Returns true if a field distinguishes unset from zero.
    pub(super) fn keeps_presence(&self, field: &FieldDescriptorProto) -> bool {
        let optional = field.label() == Label::Optional;
        let message = matches!(field.r#type(), Type::Message | Type::Group);
        field.proto3_optional()
            || field.oneof_index.is_some()
            || optional && (message || self.file.syntax() != "proto3")
    }

    /// Returns the description of an item for errors: `field Order.item`.
    pub(super) fn describe(&self, item: &Item<'_>) -> String {
        let full_name = item.full_name();
        let name = full_name
            .strip_prefix(self.file.package())
            .and_then(|name| name.strip_prefix('.'))
            .filter(|_| !self.file.package().is_empty())
            .unwrap_or(&full_name);
        format!("{} {name}", item.kind())
    }
}

impl Item<'_> {
    pub(super) fn name(&self) -> &str {
        match self.node {
            Node::Message(message) => message.name(),
            Node::Enum(item) => item.name(),
            Node::Field(field, _) => field.name(),
            Node::Oneof(oneof, _) => oneof.name(),
            Node::Value(value, _) | Node::Alias(value) => value.name(),
        }
    }

    pub(super) fn full_name(&self) -> String {
        symbol::full_name(&self.scope, self.name())
    }

    fn kind(&self) -> &'static str {
        match self.node {
            Node::Message(_) => "message",
            Node::Enum(_) => "enum",
            Node::Field(..) => "field",
            Node::Oneof(..) => "oneof",
            Node::Value(..) | Node::Alias(_) => "value",
        }
    }
}

/// Files to generate, by package.
pub(super) type ByPackage<'a> = BTreeMap<&'a str, Vec<&'a Source<'a>>>;

pub(super) fn by_package<'a>(sources: &'a [Source<'a>]) -> ByPackage<'a> {
    let mut packages = ByPackage::new();
    for source in sources.iter().filter(|source| source.generated) {
        packages
            .entry(source.file.package())
            .or_default()
            .push(source);
    }
    for sources in packages.values_mut() {
        sources.sort_by_key(|source| source.file.name());
    }
    packages
}

/// Returns true for the entry of a map, which has no Rust type.
pub(super) fn is_map_entry(message: &DescriptorProto) -> bool {
    message
        .options
        .as_ref()
        .is_some_and(|options| options.map_entry())
}

/// Returns the full name of the message or enum of a field, without the leading dot.
pub(super) fn type_name(field: &FieldDescriptorProto) -> Option<&str> {
    field
        .type_name
        .as_deref()
        .map(|name| name.strip_prefix('.').unwrap_or(name))
}

/// Returns the oneof that a field is a variant of, except a synthetic oneof that keeps the presence
/// of an optional field.
pub(super) fn oneof_of(field: &FieldDescriptorProto) -> Option<usize> {
    if field.proto3_optional() {
        None
    } else {
        usize::try_from(field.oneof_index?).ok()
    }
}

fn places(file: &FileDescriptorProto) -> BTreeMap<&[i32], &source_code_info::Location> {
    let places = file.source_code_info.iter().flat_map(|info| &info.location);
    places.map(|place| (&place.path[..], place)).collect()
}

fn items(file: &FileDescriptorProto) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    for (path, message) in numbered(&[], field_number::MESSAGE_TYPE, &file.message_type) {
        message_items(message, path, file.package().to_owned(), &mut items);
    }
    for (path, item) in numbered(&[], field_number::ENUM_TYPE, &file.enum_type) {
        enum_items(item, path, file.package().to_owned(), &mut items);
    }
    items
}

fn message_items<'a>(
    message: &'a DescriptorProto,
    path: Vec<i32>,
    scope: String,
    items: &mut Vec<Item<'a>>,
) {
    let name = symbol::full_name(&scope, message.name());
    items.push(Item {
        path: path.clone(),
        scope,
        node: Node::Message(message),
    });
    for (path, field) in numbered(&path, field_number::FIELD, &message.field) {
        items.push(Item {
            path,
            scope: name.clone(),
            node: Node::Field(field, message),
        });
    }
    let with_variants: BTreeSet<_> = message.field.iter().filter_map(oneof_of).collect();
    let oneofs = (0..).zip(numbered(
        &path,
        field_number::MESSAGE_ONEOF,
        &message.oneof_decl,
    ));
    for (_, (path, oneof)) in oneofs.filter(|(index, _)| with_variants.contains(index)) {
        items.push(Item {
            path,
            scope: name.clone(),
            node: Node::Oneof(oneof, message),
        });
    }
    for (path, nested) in numbered(&path, field_number::NESTED_TYPE, &message.nested_type) {
        message_items(nested, path, name.clone(), items);
    }
    for (path, nested) in numbered(&path, field_number::MESSAGE_ENUM, &message.enum_type) {
        enum_items(nested, path, name.clone(), items);
    }
}

fn enum_items<'a>(
    item: &'a EnumDescriptorProto,
    path: Vec<i32>,
    scope: String,
    items: &mut Vec<Item<'a>>,
) {
    let name = symbol::full_name(&scope, item.name());
    items.push(Item {
        path: path.clone(),
        scope,
        node: Node::Enum(item),
    });
    let mut numbers = BTreeSet::new();
    for (path, value) in numbered(&path, field_number::ENUM_VALUE, &item.value) {
        let node = if numbers.insert(value.number()) {
            Node::Value(value, item)
        } else {
            Node::Alias(value)
        };
        items.push(Item {
            path,
            scope: name.clone(),
            node,
        });
    }
}

/// Returns the elements of a repeated field, each with its path.
pub(super) fn numbered<'a, T>(
    parent: &[i32],
    field: i32,
    elements: &'a [T],
) -> impl Iterator<Item = (Vec<i32>, &'a T)> + use<'a, T> {
    let parent = parent.to_vec();
    (0..)
        .zip(elements)
        .map(move |(index, element)| ([&parent[..], &[field, index]].concat(), element))
}
