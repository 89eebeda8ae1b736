//! What prost-build is given: the files to generate, in a form on which it does not panic, from which it copies no text,
//! and in which it need not look further than one message.

use std::collections::BTreeMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use super::containment::{Containment, Derives};
use super::float;
use super::index::{Index, User};
use super::source::{Node, Source, is_map_entry, oneof_of, type_name};
use crate::error::Error;
use crate::model::{Messages, Package, docs_mark};
use crate::symbol;

/// Refuses fields of types that are neither generated nor known to lie elsewhere.
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
                let (what, at) = (source.describe(item), source.location(&item.path));
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

/// The message or enum that a field holds, be it in a map.
fn value_type<'a>(field: &'a FieldDescriptorProto, index: &Index<'a>) -> Option<&'a str> {
    let name = type_name(field)?;
    match index.get(name)?.item.node {
        Node::Message(entry) if is_map_entry(entry) => entry.field.iter().find_map(type_name),
        _ => Some(name),
    }
}

/// The files of `packages`, and what stands in for the messages that their fields hold.
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
        for mut file in to_generate(source, &mut messages.docs) {
            for message in &mut file.message_type {
                spell_defaults(message, index);
                if source.file.syntax() == "proto3" {
                    say_packed(message);
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

/// A file for each message and enum at the top of one, so that each can be printed by itself; marks stand where comments
/// were.
fn to_generate(source: &Source<'_>, docs: &mut Vec<Vec<String>>) -> Vec<FileDescriptorProto> {
    let mut files: Vec<FileDescriptorProto> = Vec::new();
    for item in &source.items {
        if item.path.len() == 2 {
            files.push(file_of(source.file, item.node));
        }
        let lines = source.docs(&item.path);
        let leading_comments = (!lines.is_empty()).then(|| docs_mark(docs.len()));
        docs.extend(leading_comments.is_some().then_some(lines));
        let mut path = item.path.clone();
        path[1] = 0;
        // prost-build wants a location for each item, once there is one at all.
        let info = files
            .last_mut()
            .expect("a parent stands before its children")
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

/// A file that holds nothing else.
fn file_of(file: &FileDescriptorProto, node: Node<'_>) -> FileDescriptorProto {
    let (messages, enums) = match node {
        Node::Message(message) => (vec![message.clone()], Vec::new()),
        Node::Enum(item) => (Vec::new(), vec![item.clone()]),
        Node::Field(..) | Node::Oneof(..) | Node::Value(..) | Node::Alias(_) => {
            unreachable!("it has a parent")
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

/// In proto3 packed is what is not said to be otherwise; prost-build takes any other option for a no.
fn say_packed(message: &mut DescriptorProto) {
    for options in message
        .field
        .iter_mut()
        .filter_map(|field| field.options.as_mut())
    {
        options.packed.get_or_insert(true);
    }
    message.nested_type.iter_mut().for_each(say_packed);
}

/// Of several values with one number prost-build knows the first alone, and a default may name another; and a number can be spelt in
/// many ways.
fn spell_defaults(message: &mut DescriptorProto, index: &Index<'_>) {
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
        .for_each(|nested| spell_defaults(nested, index));
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

/// The messages that prost-build is told of in place of those that fields hold.
///
/// A stand-in is called by a number, lies at a path that is right where its field is, and holds just enough for
/// prost-build to conclude what [`Containment`] knows.
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
    /// By a field of the message of that name, which is boxed.
    Boxed(String),
    Plain(Derives),
}

impl Placeholders<'_> {
    /// Exchanges what the fields of a message hold; `scope` is what the message is declared in.
    fn replace_in(&mut self, message: &mut DescriptorProto, scope: &str) {
        let full_name = symbol::full_name(scope, message.name());
        for field in &mut message.field {
            // The type of a oneof lies in the module of its message.
            let scope = if oneof_of(field).is_some() {
                &full_name
            } else {
                scope
            };
            self.replace_type(field, &full_name, scope);
        }
        for nested in &mut message.nested_type {
            if is_map_entry(nested) {
                // What is said of an entry is said at the field that is the map.
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

    /// The file that declares them, and where each lies, so that none is generated.
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
    /// The field from which prost-build concludes it.
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
        let (label, ty) = (Some(label.into()), Some(ty.into()));
        Some(FieldDescriptorProto {
            label,
            r#type: ty,
            type_name,
            ..FieldDescriptorProto::default()
        })
    }
}
