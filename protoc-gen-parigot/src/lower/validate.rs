//! Rejects descriptors that no `protoc` sends, so that later steps and prost-build can rely on
//! valid input.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use super::edition::Fault;
use super::field_number;
use super::source::{Item, Node, Source, is_map_entry, numbered, oneof_of, type_name};
use crate::error::{Error, Location};
use crate::name::is_identifier;
use crate::request::Request;
use crate::symbol::full_name;

/// Maximum nesting depth of messages; `protoc` allows 32.
const DEPTH_MAX: usize = 64;

/// Maximum number of parts of a package's name. Each becomes a module of Rust.
const PACKAGE_PARTS_MAX: usize = 64;

/// Numbers that a field may have, except those that are reserved for protobuf itself.
const NUMBERS: RangeInclusive<i32> = 1..=536_870_911;
const OWN_NUMBERS: RangeInclusive<i32> = 19_000..=19_999;

/// Maximum number of pairs of a oneof and a nested type in a message: prost-build compares the
/// names of each pair.
const ONEOF_PAIRS_MAX: usize = 1_000_000;

/// Returns errors for malformed descriptors and for files of an unsupported syntax.
pub(super) fn check(request: &Request, sources: &[Source<'_>]) -> Vec<Error> {
    let mut errors = check_files(request);
    let mut types = Types::default();
    for source in sources {
        types.add(source, &mut errors);
    }
    for source in sources {
        errors.extend(check_syntax(source));
        let found = source
            .items
            .iter()
            .filter_map(|item| Some((item.path.clone(), types.fault(item)?)));
        let found = found.chain(service_faults(source, &types));
        errors.extend(found.map(|(path, what)| Error::Malformed {
            what,
            at: source.location(&path),
        }));
    }
    errors
}

fn check_files(request: &Request) -> Vec<Error> {
    let mut names = BTreeSet::new();
    let mut faults = Vec::new();
    for file in &request.proto_file {
        faults.extend(file_fault(file, names.insert(file.name())).map(|what| (file.name(), what)));
    }
    for name in request
        .file_to_generate
        .iter()
        .filter(|name| !names.contains(name.as_str()))
    {
        faults.push((
            name,
            "the file to generate is not in the request".to_owned(),
        ));
    }
    let error = |(name, what): (&str, String)| Error::Malformed {
        what,
        at: Location::file(name.escape_debug().to_string()),
    };
    let nothing = request
        .file_to_generate
        .is_empty()
        .then_some(Error::NothingToGenerate);
    faults.into_iter().map(error).chain(nothing).collect()
}

fn file_fault(file: &FileDescriptorProto, is_new: bool) -> Option<String> {
    // The output has the name of the file. A backslash would separate folders on Windows.
    let is_odd = |c: char| c.is_control() || c == '\\';
    if file.name().is_empty() || file.name().contains(is_odd) {
        Some("the file's name is empty or contains a backslash or control characters".to_owned())
    } else if file.package().split('.').count() > PACKAGE_PARTS_MAX {
        Some(format!(
            "the name of the package has more than {PACKAGE_PARTS_MAX} parts"
        ))
    } else if !is_new {
        Some("the file is in the request twice".to_owned())
    } else if !file.package().is_empty() && !file.package().split('.').all(is_identifier) {
        Some(format!(
            "`{}` is not a package name",
            file.package().escape_debug()
        ))
    } else {
        None
    }
}

/// Checks the syntax of generated files. Imports may have any syntax or features, because only the
/// names of their types are used.
fn check_syntax(source: &Source<'_>) -> Vec<Error> {
    let feature = |fault: &Fault| Error::Feature {
        what: fault.what.clone(),
        at: source.location(&fault.path),
    };
    match source.file.syntax() {
        _ if !source.generated => Vec::new(),
        "" | "proto2" | "proto3" => source.faults.iter().map(feature).collect(),
        syntax => {
            let syntax = syntax.escape_debug().to_string();
            let at = source.location(&[field_number::SYNTAX]);
            vec![Error::Syntax { syntax, at }]
        }
    }
}

/// Full names of all messages and enums, by kind.
#[derive(Default)]
struct Types<'a> {
    messages: BTreeSet<String>,
    entries: BTreeSet<String>,
    enums: BTreeMap<String, &'a EnumDescriptorProto>,
    services: BTreeSet<String>,
}

impl<'a> Types<'a> {
    fn add(&mut self, source: &Source<'a>, errors: &mut Vec<Error>) {
        let mut twice = |name: &str, path: &[i32]| {
            let what = format!("{} is declared twice", name.escape_debug());
            let at = source.location(path);
            errors.push(Error::Malformed { what, at });
        };
        for item in &source.items {
            let name = item.full_name();
            let is_taken = self.is_declared(&name);
            match item.node {
                Node::Message(message) if is_map_entry(message) => {
                    self.entries.insert(name.clone());
                }
                Node::Message(_) => {
                    self.messages.insert(name.clone());
                }
                Node::Enum(item) => {
                    self.enums.insert(name.clone(), item);
                }
                Node::Field(..) | Node::Oneof(..) | Node::Value(..) | Node::Alias(_) => continue,
            }
            if is_taken {
                twice(&name, &item.path);
            }
        }
        for (path, service) in numbered(&[], field_number::SERVICE, &source.file.service) {
            let name = full_name(source.file.package(), service.name());
            if self.is_declared(&name) {
                twice(&name, &path);
            }
            self.services.insert(name);
        }
    }

    fn is_declared(&self, name: &str) -> bool {
        let sets = [&self.messages, &self.entries, &self.services];
        self.enums.contains_key(name) || sets.iter().any(|set| set.contains(name))
    }

    /// Returns a description of the defect in an item, if there is one.
    fn fault(&self, item: &Item<'_>) -> Option<String> {
        // The entry of the map `_1` is named `1Entry`, which is not an identifier.
        let is_entry = matches!(item.node, Node::Message(message) if is_map_entry(message));
        let name = if is_entry {
            item.name().trim_start_matches(|c: char| c.is_ascii_digit())
        } else {
            item.name()
        };
        if !is_identifier(name) {
            return Some(format!("`{}` is not a name", item.name().escape_debug()));
        }
        match item.node {
            Node::Message(message) => self.message_fault(item, message),
            Node::Enum(parent) => enum_fault(parent),
            Node::Field(field, parent) => self.field_fault(item, field, parent),
            Node::Oneof(..) | Node::Value(..) | Node::Alias(_) => None,
        }
    }

    fn message_fault(&self, item: &Item<'_>, message: &DescriptorProto) -> Option<String> {
        let key_and_value = match &message.field[..] {
            [key, value] => key.name() == "key" && value.name() == "value",
            _ => false,
        };
        if item.path.len() > 2 * DEPTH_MAX {
            Some(format!("messages are nested more than {DEPTH_MAX} deep"))
        } else if is_map_entry(message)
            && !(key_and_value && message.nested_type.is_empty() && item.path.len() > 2)
        {
            Some("a map's entry has other fields than key and value".to_owned())
        } else if is_map_entry(message) && !is_key(&message.field[0]) {
            Some("the type of a map's key is not one of keys".to_owned())
        } else if !are_distinct(message.field.iter().map(|field| field.number())) {
            Some("the message has two fields of one number".to_owned())
        } else if !are_distinct(message.field.iter().map(|field| field.name())) {
            Some("the message has two fields of one name".to_owned())
        } else if oneof_pairs(message) > ONEOF_PAIRS_MAX {
            Some(format!(
                "the message has more than {ONEOF_PAIRS_MAX} pairs of a oneof and a nested type"
            ))
        } else {
            None
        }
    }

    fn field_fault(
        &self,
        item: &Item<'_>,
        field: &FieldDescriptorProto,
        parent: &DescriptorProto,
    ) -> Option<String> {
        let oneof = field.oneof_index.map(|index| {
            usize::try_from(index)
                .ok()
                .and_then(|index| parent.oneof_decl.get(index))
        });
        if field
            .label
            .is_some_and(|label| Label::try_from(label).is_err())
        {
            Some("the field's label is unknown".to_owned())
        } else if !NUMBERS.contains(&field.number()) || OWN_NUMBERS.contains(&field.number()) {
            Some(format!("a field cannot have the number {}", field.number()))
        } else if oneof == Some(None) {
            Some("the field is in a oneof that does not exist".to_owned())
        } else if oneof.is_some() && field.label() != Label::Optional {
            Some("a field of a oneof is repeated or required".to_owned())
        } else {
            self.type_fault(item, field)
                .or_else(|| self.default_fault(field))
        }
    }

    fn type_fault(&self, item: &Item<'_>, field: &FieldDescriptorProto) -> Option<String> {
        let Some(ty) = field.r#type.and_then(|ty| Type::try_from(ty).ok()) else {
            return Some("the field's type is unknown".to_owned());
        };
        let name = type_name(field).unwrap_or_default();
        let absolute = field.type_name().starts_with('.');
        // The entry of a map must be in the message that declares the map.
        let own_entry = || {
            self.entries.contains(name)
                && name
                    .rsplit_once('.')
                    .is_some_and(|(scope, _)| scope == item.scope)
        };
        let known = match ty {
            Type::Message if field.label() == Label::Repeated => {
                self.messages.contains(name) || own_entry()
            }
            Type::Message | Type::Group => self.messages.contains(name),
            Type::Enum => self.enums.contains_key(name),
            _ => {
                return field
                    .type_name
                    .as_ref()
                    .map(|_| "a scalar field names a type".to_owned());
            }
        };
        (!known || !absolute).then(|| {
            format!(
                "the field's type `{}` is not in the request",
                name.escape_debug()
            )
        })
    }

    /// Checks a default, on which prost-build or the Rust compiler would fail.
    fn default_fault(&self, field: &FieldDescriptorProto) -> Option<String> {
        let default = field.default_value.as_deref()?;
        let is_value = match field.r#type() {
            Type::String => true,
            Type::Bytes => is_escaped(default),
            Type::Bool => matches!(default, "true" | "false"),
            Type::Float | Type::Double => default.parse::<f64>().is_ok(),
            Type::Int32 | Type::Sint32 | Type::Sfixed32 => default.parse::<i32>().is_ok(),
            Type::Int64 | Type::Sint64 | Type::Sfixed64 => default.parse::<i64>().is_ok(),
            Type::Uint32 | Type::Fixed32 => default.parse::<u32>().is_ok(),
            Type::Uint64 | Type::Fixed64 => default.parse::<u64>().is_ok(),
            Type::Enum => {
                let of_field = self.enums.get(type_name(field).unwrap_or_default());
                of_field.is_some_and(|of_field| {
                    of_field.value.iter().any(|value| value.name() == default)
                })
            }
            Type::Message | Type::Group => false,
        };
        (!is_value).then(|| "the default is not a value of the field's type".to_owned())
    }
}

/// Returns true if the type of a map's key can be one.
fn is_key(field: &FieldDescriptorProto) -> bool {
    !matches!(
        field.r#type(),
        Type::Float | Type::Double | Type::Bytes | Type::Enum | Type::Message | Type::Group
    )
}

fn are_distinct<T: Ord>(values: impl ExactSizeIterator<Item = T>) -> bool {
    let count = values.len();
    values.collect::<BTreeSet<_>>().len() == count
}

fn oneof_pairs(message: &DescriptorProto) -> usize {
    let oneofs: BTreeSet<_> = message.field.iter().filter_map(oneof_of).collect();
    oneofs.len() * (message.nested_type.len() + message.enum_type.len())
}

fn enum_fault(parent: &EnumDescriptorProto) -> Option<String> {
    let names: BTreeSet<_> = parent.value.iter().map(|value| value.name()).collect();
    if names.is_empty() {
        Some("the enum has no value".to_owned())
    } else if names.len() < parent.value.len() {
        Some("the enum has two values of one name".to_owned())
    } else {
        None
    }
}

fn service_faults(source: &Source<'_>, types: &Types<'_>) -> Vec<(Vec<i32>, String)> {
    let mut faults = Vec::new();
    for (path, service) in numbered(&[], field_number::SERVICE, &source.file.service) {
        if !is_identifier(service.name()) {
            faults.push((
                path.clone(),
                format!("`{}` is not a name", service.name().escape_debug()),
            ));
        }
        if !are_distinct(service.method.iter().map(|method| method.name())) {
            faults.push((
                path.clone(),
                "the service has two methods of one name".to_owned(),
            ));
        }
        for (path, method) in numbered(&path, field_number::METHOD, &service.method) {
            let names = [method.input_type(), method.output_type()];
            let known = |name: &&str| {
                name.strip_prefix('.')
                    .is_some_and(|name| types.messages.contains(name))
            };
            if !is_identifier(method.name()) {
                faults.push((
                    path,
                    format!("`{}` is not a name", method.name().escape_debug()),
                ));
            } else if let Some(name) = names.iter().find(|name| !known(name)) {
                faults.push((
                    path,
                    format!(
                        "the method's message `{}` is not in the request",
                        name.escape_debug()
                    ),
                ));
            }
        }
    }
    faults
}

/// Returns true for text as `protoc` writes the default of bytes: printable ASCII, escape sequences
/// for line ends, quotes and backslashes, and three octal digits.
fn is_escaped(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'\\' => match bytes.next() {
                Some(b'n' | b'r' | b't' | b'"' | b'\'' | b'\\') => true,
                Some(b'0'..=b'3') => {
                    bytes
                        .by_ref()
                        .take(2)
                        .filter(|digit| (b'0'..=b'7').contains(digit))
                        .count()
                        == 2
                }
                _ => false,
            },
            _ => byte == b' ' || byte.is_ascii_graphic(),
        };
        if !fine {
            return false;
        }
    }
    true
}
