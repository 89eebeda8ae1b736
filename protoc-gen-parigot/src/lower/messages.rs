//! Input of prost-build: the files to generate, in a form in which prost-build does not panic,
//! copies no text and looks at one message at a time.

use std::collections::BTreeMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use super::containment::{Containment, Derives};
use super::error_codes;
use super::index::{Index, User};
use super::source::{Item, Node, Source, is_map_entry, oneof_of, type_name};
use crate::error::Error;
use crate::float;
use crate::model::{ErrorCode, Messages, Package, docs_mark};
use crate::symbol;

/// Rejects fields whose types are neither generated nor given by an `extern_path`.
pub(super) fn check_types(sources: &[Source<'_>], index: &Index<'_>, errors: &mut Vec<Error>) {
    for source in sources {
        for item in &source.items {
            let is_generated = index
                .get(&item.scope)
                .is_some_and(|owner| index.is_generated(owner));
            let Node::Field(field, parent) = item.node else {
                continue;
            };
            if is_generated && !is_map_entry(parent) {
                let what = source.describe(item);
                let at = source.location(&item.path);
                let user = User {
                    what,
                    package: source.file.package(),
                    at,
                };
                let name = value_type(field, index);
                errors.extend(name.and_then(|name| index.check_visible(name, &user).err()));
            }
        }
    }
}

/// Returns the message or enum of a field, or of the values of a map.
fn value_type<'a>(field: &'a FieldDescriptorProto, index: &Index<'a>) -> Option<&'a str> {
    let name = type_name(field)?;
    match index.get(name)?.item.node {
        Node::Message(entry) if is_map_entry(entry) => entry.field.iter().find_map(type_name),
        _ => Some(name),
    }
}

/// Returns the files of `packages`, and placeholders for the messages that fields contain.
pub(super) fn lower(
    sources: &[Source<'_>],
    packages: &[(String, Package)],
    index: &Index<'_>,
) -> Messages {
    let mut messages = Messages {
        extern_paths: index.extern_paths(),
        ..Messages::default()
    };
    let containment = Containment::new(index);
    let mut placeholders = Placeholders {
        index,
        containment: &containment,
        names: BTreeMap::new(),
    };
    let mut sources: Vec<_> = sources.iter().filter(|source| source.generated).collect();
    sources.sort_by_key(|source| source.file.name());
    for source in sources {
        let package = packages
            .iter()
            .position(|(proto, _)| proto == source.file.package());
        for mut file in to_generate(source, index, &mut messages.docs) {
            for message in &mut file.message_type {
                rewrite_defaults(message, index);
                if source.file.syntax() == "proto3" {
                    set_packed(message);
                }
                placeholders.replace_in(message, source.file.package());
            }
            messages.files.push((package, file));
        }
    }
    let (file, extern_paths) = placeholders.into_file();
    messages.files.push((None, file));
    messages.extern_paths.extend(extern_paths);
    messages
}

/// Returns a file for each top-level message and enum, so that each is printed separately. Marks
/// replace comments.
fn to_generate(
    source: &Source<'_>,
    index: &Index<'_>,
    docs: &mut Vec<Vec<String>>,
) -> Vec<FileDescriptorProto> {
    let mut files: Vec<FileDescriptorProto> = Vec::new();
    let mut codes = Vec::new();
    for item in &source.items {
        if item.path.len() == 2 {
            files.push(file_of(source.file, item.node));
        }
        // The values of an enum follow the enum.
        if let Node::Enum(_) = item.node {
            codes = index
                .get(&item.full_name())
                .map_or(Vec::new(), error_codes::of_enum);
        }
        let lines = docs_of(source, item, &codes);
        let leading_comments = (!lines.is_empty()).then(|| docs_mark(docs.len()));
        docs.extend(leading_comments.is_some().then_some(lines));
        let mut path = item.path.clone();
        path[1] = 0;
        // prost-build expects a location for each item if there is any location.
        let info = files
            .last_mut()
            .expect("a parent must precede its children")
            .source_code_info
            .get_or_insert_default();
        info.location.push(Location {
            path,
            leading_comments,
            ..Location::default()
        });
    }
    files
}

/// Returns the lines of an item's comment. An enum value with a gRPC code has a line for the code.
fn docs_of(source: &Source<'_>, item: &Item<'_>, codes: &[ErrorCode]) -> Vec<String> {
    let mut lines = source.docs(&item.path);
    if let Node::Value(value, _) = item.node
        && let Some(code) = error_codes::find(codes, value.number())
    {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(format!("gRPC code: `{}`.", code.proto));
    }
    lines
}

/// Returns a file that contains one message or enum.
fn file_of(file: &FileDescriptorProto, node: Node<'_>) -> FileDescriptorProto {
    let (messages, enums) = match node {
        Node::Message(message) => (vec![message.clone()], Vec::new()),
        Node::Enum(item) => (Vec::new(), vec![item.clone()]),
        Node::Field(..) | Node::Oneof(..) | Node::Value(..) | Node::Alias(_) => {
            unreachable!("only top-level items have short paths")
        }
    };
    FileDescriptorProto {
        package: file.package.clone().filter(|package| !package.is_empty()),
        syntax: Some(
            if file.syntax() == "proto3" {
                "proto3"
            } else {
                "proto2"
            }
            .to_owned(),
        ),
        message_type: messages,
        enum_type: enums,
        ..FileDescriptorProto::default()
    }
}

/// Sets `packed` where it is unset, because packed is the default in proto3. prost-build reads a
/// field with any other option as not packed.
fn set_packed(message: &mut DescriptorProto) {
    for options in message
        .field
        .iter_mut()
        .filter_map(|field| field.options.as_mut())
    {
        options.packed.get_or_insert(true);
    }
    message.nested_type.iter_mut().for_each(set_packed);
}

/// Rewrites defaults. Of several enum values with one number prost-build knows only the first, but
/// a default may name another. Numbers have several spellings.
fn rewrite_defaults(message: &mut DescriptorProto, index: &Index<'_>) {
    for field in &mut message.field {
        let spelt = match field.r#type() {
            Type::Enum => first_of_number(field, index),
            number @ (Type::Float | Type::Double) => field
                .default_value
                .as_deref()
                .map(|default| float::as_protoc_writes(default, number)),
            _ => continue,
        };
        field.default_value = spelt.or(field.default_value.take());
    }
    message
        .nested_type
        .iter_mut()
        .for_each(|nested| rewrite_defaults(nested, index));
}

fn first_of_number(field: &FieldDescriptorProto, index: &Index<'_>) -> Option<String> {
    let Node::Enum(EnumDescriptorProto { value, .. }) = index.get(type_name(field)?)?.item.node
    else {
        return None;
    };
    let default = value
        .iter()
        .find(|value| value.name() == field.default_value())?;
    let first = value
        .iter()
        .find(|value| value.number() == default.number())?;
    field
        .default_value
        .is_some()
        .then(|| first.name().to_owned())
}

/// Messages that replace the messages contained in fields, in the input of prost-build.
///
/// A placeholder is named by a number and has the Rust path that is valid at the field. Its content
/// is the least from which prost-build derives the properties in [`Containment`].
struct Placeholders<'a> {
    index: &'a Index<'a>,
    containment: &'a Containment<'a>,
    names: BTreeMap<Placeholder, String>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Placeholder {
    path: String,
    held: Held,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    /// Contained in a boxed field of the message with this name.
    Boxed(String),
    Plain(Derives),
}

impl Placeholders<'_> {
    /// Replaces the messages in the fields of a message; `scope` is the package or message that
    /// declares it.
    fn replace_in(&mut self, message: &mut DescriptorProto, scope: &str) {
        let full_name = symbol::full_name(scope, message.name());
        for field in &mut message.field {
            // The type of a oneof is in the module of its message, so paths start one level deeper.
            let scope = if oneof_of(field).is_some() {
                &full_name
            } else {
                scope
            };
            self.replace_type(field, &full_name, scope);
        }
        for nested in &mut message.nested_type {
            if is_map_entry(nested) {
                // prost-build prints the type of a map entry at the field that is the map.
                nested
                    .field
                    .iter_mut()
                    .for_each(|field| self.replace_type(field, &full_name, scope));
            } else {
                self.replace_in(nested, &full_name);
            }
        }
    }

    fn replace_type(&mut self, field: &mut FieldDescriptorProto, owner: &str, scope: &str) {
        let Some(full_name) = type_name(field).filter(|name| self.is_message(name)) else {
            return;
        };
        let Some(path) = self.index.path(full_name, scope) else {
            return;
        };
        let held = if self.containment.is_boxed(owner, field) {
            Held::Boxed(owner.to_owned())
        } else {
            Held::Plain(self.containment.derives(full_name))
        };
        let number = self.names.len();
        let name = self
            .names
            .entry(Placeholder { path, held })
            .or_insert_with(|| number.to_string());
        field.type_name = Some(format!(".{name}"));
    }

    fn is_message(&self, full_name: &str) -> bool {
        let node = self.index.get(full_name).map(|ty| ty.item.node);
        matches!(node, Some(Node::Message(message)) if !is_map_entry(message))
    }

    /// Returns the file that declares the placeholders, and their paths as `extern_path`s, so that
    /// none is generated.
    fn into_file(self) -> (FileDescriptorProto, Vec<(String, String)>) {
        let messages = self
            .names
            .iter()
            .map(|(Placeholder { held, .. }, name)| DescriptorProto {
                name: Some(name.clone()),
                field: held.content().into_iter().collect(),
                ..DescriptorProto::default()
            });
        let file = FileDescriptorProto {
            message_type: messages.collect(),
            ..FileDescriptorProto::default()
        };
        let paths = self
            .names
            .into_iter()
            .map(|(Placeholder { path, .. }, name)| (format!(".{name}"), path));
        (file, paths.collect())
    }
}

impl Held {
    /// Returns the field from which prost-build derives these properties.
    fn content(&self) -> Option<FieldDescriptorProto> {
        let (label, ty, type_name) = match self {
            Self::Boxed(owner) => (Label::Optional, Type::Message, Some(format!(".{owner}"))),
            Self::Plain(Derives {
                copy: true,
                eq: true,
            }) => return None,
            Self::Plain(Derives {
                copy: false,
                eq: true,
            }) => (Label::Repeated, Type::Int32, None),
            Self::Plain(Derives {
                copy: true,
                eq: false,
            }) => (Label::Optional, Type::Float, None),
            Self::Plain(Derives {
                copy: false,
                eq: false,
            }) => (Label::Repeated, Type::Float, None),
        };
        let label = Some(label.into());
        let ty = Some(ty.into());
        Some(FieldDescriptorProto {
            label,
            r#type: ty,
            type_name,
            ..FieldDescriptorProto::default()
        })
    }
}
