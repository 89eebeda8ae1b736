//! What prost-build is given: every file, in a form on which it does not panic and from which it copies no text.

use prost_types::field_descriptor_proto::Type;
use prost_types::source_code_info::Location;
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, SourceCodeInfo};

use super::index::{Index, User};
use super::source::{Node, Source, is_map_entry, type_name};
use crate::error::Error;
use crate::model::{Messages, Package, docs_mark};

/// Refuses fields of types that are neither generated nor known to lie elsewhere.
pub(super) fn check_types(sources: &[Source<'_>], index: &Index<'_>, errors: &mut Vec<Error>) {
    for source in sources {
        for item in &source.items {
            let is_generated = index.get(&item.scope).is_some_and(|owner| index.is_generated(owner));
            let Node::Field(field, parent) = item.node else { continue };
            if is_generated && !is_map_entry(parent) {
                let (what, at) = (source.describe(item), source.location(&item.path));
                let user = User { what, package: source.file.package(), at };
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

/// The files of a request, those of `packages` to be generated.
pub(super) fn lower(sources: &[Source<'_>], packages: &[(String, Package)], index: &Index<'_>) -> Messages {
    let mut messages = Messages { extern_paths: index.extern_paths(), ..Messages::default() };
    let mut sources: Vec<_> = sources.iter().collect();
    sources.sort_by_key(|source| source.file.name());
    for source in sources {
        let package = packages.iter().position(|(proto, _)| source.generated && proto == source.file.package());
        let file = match package {
            Some(_) => to_generate(source, index, &mut messages.docs),
            None => to_look_at(source.file),
        };
        messages.files.push((package, file));
    }
    messages
}

/// A file without services and comments; marks stand where comments were.
fn to_generate(source: &Source<'_>, index: &Index<'_>, docs: &mut Vec<Vec<String>>) -> FileDescriptorProto {
    let mut file = base(source.file);
    file.message_type.iter_mut().for_each(|message| name_first_defaults(message, index));
    if source.file.syntax() == "proto3" {
        file.message_type.iter_mut().for_each(say_packed);
    }
    // prost-build wants a location for each item, once there is one at all.
    let location = source.items.iter().map(|item| {
        let lines = source.docs(&item.path);
        let leading_comments = (!lines.is_empty()).then(|| docs_mark(docs.len()));
        docs.extend(leading_comments.is_some().then_some(lines));
        Location { path: item.path.clone(), leading_comments, ..Location::default() }
    });
    file.source_code_info = Some(SourceCodeInfo { location: location.collect() });
    file
}

/// A file that is not generated: how its messages hold each other, and nothing else.
fn to_look_at(file: &FileDescriptorProto) -> FileDescriptorProto {
    let mut file = base(file);
    file.enum_type.clear();
    file.message_type.iter_mut().for_each(outline);
    file
}

/// In proto3 packed is what is not said to be otherwise; prost-build takes any other option for a no.
fn say_packed(message: &mut DescriptorProto) {
    for options in message.field.iter_mut().filter_map(|field| field.options.as_mut()) {
        options.packed.get_or_insert(true);
    }
    message.nested_type.iter_mut().for_each(say_packed);
}

fn base(file: &FileDescriptorProto) -> FileDescriptorProto {
    FileDescriptorProto {
        package: file.package.clone().filter(|package| !package.is_empty()),
        service: Vec::new(),
        source_code_info: None,
        syntax: Some(if file.syntax() == "proto3" { "proto3" } else { "proto2" }.to_owned()),
        ..file.clone()
    }
}

fn outline(message: &mut DescriptorProto) {
    message.enum_type.clear();
    message.field.iter_mut().for_each(|field| field.default_value = None);
    message.nested_type.iter_mut().for_each(outline);
}

/// Of several values with one number prost-build knows the first alone, and a default may name another.
fn name_first_defaults(message: &mut DescriptorProto, index: &Index<'_>) {
    for field in message.field.iter_mut().filter(|field| field.r#type() == Type::Enum) {
        if let Some(first) = first_of_number(field, index) {
            field.default_value = Some(first);
        }
    }
    message.nested_type.iter_mut().for_each(|nested| name_first_defaults(nested, index));
}

fn first_of_number(field: &FieldDescriptorProto, index: &Index<'_>) -> Option<String> {
    let Node::Enum(EnumDescriptorProto { value, .. }) = index.get(type_name(field)?)?.item.node else { return None };
    let default = value.iter().find(|value| value.name() == field.default_value())?;
    let first = value.iter().find(|value| value.number() == default.number())?;
    field.default_value.is_some().then(|| first.name().to_owned())
}
