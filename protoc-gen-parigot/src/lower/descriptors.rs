//! Descriptors that a running guest can report: the service and the types that it reaches.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    ServiceDescriptorProto,
};

use super::index::Index;
use super::source::{Source, type_name};
use crate::model::Rpc;
use crate::symbol::full_name;

/// Returns an encoded `FileDescriptorSet` of the service with these methods, and of the types with
/// these names.
///
/// The set contains neither comments nor custom options. Imported files precede the files that
/// import them.
pub(super) fn of_service<'a>(
    source: &Source<'_>,
    service: &ServiceDescriptorProto,
    rpcs: &[Rpc],
    types: impl Iterator<Item = &'a str>,
    index: &Index<'_>,
) -> Vec<u8> {
    let types: BTreeSet<&str> = types.collect();
    let mut sources: BTreeMap<&str, &FileDescriptorProto> = BTreeMap::new();
    sources.insert(source.file.name(), source.file);
    for ty in types.iter().filter_map(|name| index.get(name)) {
        sources.insert(ty.source.file.name(), ty.source.file);
    }
    let trim = |file: &&FileDescriptorProto| {
        let service = (file.name() == source.file.name()).then(|| trim_service(service, rpcs));
        let file = trim_file(file, service, &types, index);
        (file.name().to_owned(), file)
    };
    let files = sources.values().map(trim).collect();
    FileDescriptorSet {
        file: imported_first(&files),
    }
    .encode_to_vec()
}

/// Returns the files in the order of their names, except that imported files come first. The loop
/// keeps its own stack, because imports of a malformed request may be deep or cyclic.
fn imported_first(files: &BTreeMap<String, FileDescriptorProto>) -> Vec<FileDescriptorProto> {
    let mut entered = BTreeSet::new();
    let mut ordered = Vec::new();
    for (name, file) in files {
        let mut path = if entered.insert(name) {
            vec![file]
        } else {
            Vec::new()
        };
        while let Some(file) = path.last() {
            let mut imports = file
                .dependency
                .iter()
                .filter(|import| entered.insert(import));
            match imports.next().and_then(|import| files.get(import)) {
                Some(import) => path.push(import),
                None => ordered.extend(path.pop().cloned()),
            }
        }
    }
    ordered
}

fn trim_file(
    file: &FileDescriptorProto,
    service: Option<ServiceDescriptorProto>,
    types: &BTreeSet<&str>,
    index: &Index<'_>,
) -> FileDescriptorProto {
    let mut trimmed = FileDescriptorProto {
        name: file.name.clone(),
        package: file.package.clone(),
        syntax: file.syntax.clone(),
        message_type: trim_messages(&file.message_type, file.package(), types),
        enum_type: trim_enums(&file.enum_type, file.package(), types),
        service: service.into_iter().collect(),
        ..Default::default()
    };
    let mut named = BTreeSet::new();
    trimmed
        .message_type
        .iter()
        .for_each(|message| types_of(message, &mut named));
    let methods = trimmed.service.iter().flat_map(|service| &service.method);
    named.extend(methods.flat_map(|method| [method.input_type(), method.output_type()]));
    let files: BTreeSet<_> = named
        .into_iter()
        .filter_map(|name| file_of(name, index))
        .collect();
    trimmed.dependency = files
        .into_iter()
        .filter(|name| name != file.name())
        .collect();
    trimmed
}

fn file_of(type_name: &str, index: &Index<'_>) -> Option<String> {
    let ty = index.get(type_name.strip_prefix('.').unwrap_or(type_name))?;
    Some(ty.source.file.name().to_owned())
}

/// Adds the types of the fields of a message, and of the messages in it.
fn types_of<'m>(message: &'m DescriptorProto, named: &mut BTreeSet<&'m str>) {
    named.extend(message.field.iter().filter_map(type_name));
    message
        .nested_type
        .iter()
        .for_each(|nested| types_of(nested, named));
}

/// Keeps reached messages whole. A message around a reached type keeps only its name and that type.
fn trim_messages(
    messages: &[DescriptorProto],
    scope: &str,
    types: &BTreeSet<&str>,
) -> Vec<DescriptorProto> {
    let trim = |message: &DescriptorProto| {
        let name = full_name(scope, message.name());
        let mut trimmed = DescriptorProto {
            name: message.name.clone(),
            nested_type: trim_messages(&message.nested_type, &name, types),
            enum_type: trim_enums(&message.enum_type, &name, types),
            ..Default::default()
        };
        if types.contains(&*name) {
            trimmed.field = message.field.clone();
            trimmed.oneof_decl = message.oneof_decl.clone();
            trimmed.options = message.options.clone();
            Some(trimmed)
        } else {
            let is_shell = !trimmed.nested_type.is_empty() || !trimmed.enum_type.is_empty();
            is_shell.then_some(trimmed)
        }
    };
    messages.iter().filter_map(trim).collect()
}

fn trim_enums(
    enums: &[EnumDescriptorProto],
    scope: &str,
    types: &BTreeSet<&str>,
) -> Vec<EnumDescriptorProto> {
    enums
        .iter()
        .filter(|item| types.contains(&*full_name(scope, item.name())))
        .cloned()
        .collect()
}

fn trim_service(service: &ServiceDescriptorProto, rpcs: &[Rpc]) -> ServiceDescriptorProto {
    let mut trimmed = service.clone();
    trimmed
        .method
        .retain(|method| rpcs.iter().any(|rpc| rpc.proto == method.name()));
    trimmed
}
