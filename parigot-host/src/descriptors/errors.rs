//! Errors of services: the enum of a service, and the codes of its values.
//!
//! On the wire an option is a field like any other. prost's descriptors drop the fields that they
//! do not know, so these messages have only the fields that lead to the options of parigot.

use std::collections::BTreeMap;

use parigot_abi::Code;
use prost::{DecodeError, Message};

/// An error of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceErrorValue {
    /// Name of the enum value, as in the `.proto`.
    pub name: String,
    /// The option `(parigot.v1.error).code` of the value, or `FAILED_PRECONDITION`.
    pub code: Code,
}

/// Errors of a service, by number.
pub(super) type ServiceErrors = BTreeMap<i32, ServiceErrorValue>;

/// Enums of files, by full name.
pub(super) type Enums = BTreeMap<String, ServiceErrors>;

#[derive(Clone, PartialEq, Message)]
struct FileSet {
    #[prost(message, repeated, tag = "1")]
    files: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<MessageType>,
    #[prost(message, repeated, tag = "5")]
    enums: Vec<Enum>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<Service>,
}

#[derive(Clone, PartialEq, Message)]
struct MessageType {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "3")]
    messages: Vec<MessageType>,
    #[prost(message, repeated, tag = "4")]
    enums: Vec<Enum>,
}

#[derive(Clone, PartialEq, Message)]
struct Enum {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    values: Vec<EnumValue>,
}

#[derive(Clone, PartialEq, Message)]
struct EnumValue {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "2")]
    number: i32,
    #[prost(message, optional, tag = "3")]
    options: Option<EnumValueOptions>,
}

#[derive(Clone, PartialEq, Message)]
struct EnumValueOptions {
    #[prost(message, optional, tag = "50717")]
    parigot: Option<ErrorOptions>,
}

/// `parigot.v1.ErrorOptions`
#[derive(Clone, PartialEq, Message)]
struct ErrorOptions {
    #[prost(uint32, tag = "1")]
    code: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "3")]
    options: Option<ServiceDescriptorOptions>,
}

#[derive(Clone, PartialEq, Message)]
struct ServiceDescriptorOptions {
    #[prost(message, optional, tag = "50717")]
    parigot: Option<ServiceOptions>,
}

/// `parigot.v1.ServiceOptions`
#[derive(Clone, PartialEq, Message)]
struct ServiceOptions {
    #[prost(string, tag = "1")]
    error: String,
}

/// Returns the errors of a service, which a `FileDescriptorSet` defines; empty if the service has
/// none.
///
/// # Errors
///
/// If the bytes are not a `FileDescriptorSet`.
pub(super) fn of_service(descriptors: &[u8], service: &str) -> Result<ServiceErrors, DecodeError> {
    let FileSet { files } = FileSet::decode(descriptors)?;
    let mut enums = Enums::new();
    for file in &files {
        add_enums(&file.package, &file.enums, &mut enums);
        for message in &file.messages {
            add_nested(&file.package, message, &mut enums);
        }
    }
    let (scope, name) = service.rsplit_once('.').unwrap_or(("", service));
    let declared = files
        .iter()
        .filter(|file| file.package == scope)
        .flat_map(|file| &file.services)
        .find(|declared| declared.name == name);
    let option = declared.and_then(|declared| declared.options.clone()?.parigot);
    let candidates = match option {
        Some(options) if !options.error.is_empty() => named(service, &options.error),
        _ => by_convention(scope, name),
    };
    let found = candidates.into_iter().find_map(|name| enums.remove(&name));
    Ok(found.unwrap_or_default())
}

fn add_enums(scope: &str, items: &[Enum], enums: &mut Enums) {
    for item in items {
        let mut values = ServiceErrors::new();
        for value in &item.values {
            let code = value
                .options
                .as_ref()
                .and_then(|options| options.parigot.as_ref());
            let code = code.and_then(|options| Code::from_number(options.code));
            // Zero means that the value has no code.
            let code = code.filter(|code| *code != Code::Ok);
            values
                .entry(value.number)
                .or_insert_with(|| ServiceErrorValue {
                    name: value.name.clone(),
                    code: code.unwrap_or(Code::FailedPrecondition),
                });
        }
        enums.entry(full_name(scope, &item.name)).or_insert(values);
    }
}

/// Adds the enums within a message. The decoder limits the depth.
fn add_nested(scope: &str, message: &MessageType, enums: &mut Enums) {
    let scope = full_name(scope, &message.name);
    add_enums(&scope, &message.enums, enums);
    for nested in &message.messages {
        add_nested(&scope, nested, enums);
    }
}

/// Returns the full names that the option of a service may mean, from the service outwards.
fn named(service: &str, name: &str) -> Vec<String> {
    if let Some(absolute) = name.strip_prefix('.') {
        return vec![absolute.to_owned()];
    }
    let mut names = Vec::new();
    let mut scope = Some(service);
    while let Some(here) = scope {
        names.push(full_name(here, name));
        scope = here.rsplit_once('.').map(|(around, _)| around);
    }
    names.push(name.to_owned());
    names
}

fn full_name(scope: &str, name: &str) -> String {
    match scope {
        "" => name.to_owned(),
        scope => format!("{scope}.{name}"),
    }
}

/// Returns the full names of the enums that belong to a service by their names, in order of
/// precedence: the rule of the generator.
fn by_convention(scope: &str, service: &str) -> Vec<String> {
    let act = ["ing", "er", "Service"]
        .into_iter()
        .find_map(|ending| service.strip_suffix(ending))
        .filter(|act| !act.is_empty());
    [Some(service), act]
        .into_iter()
        .flatten()
        .map(|stem| full_name(scope, &format!("{stem}Err")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, number: i32, code: u32) -> EnumValue {
        EnumValue {
            name: name.into(),
            number,
            options: Some(EnumValueOptions {
                parigot: Some(ErrorOptions { code }),
            }),
        }
    }

    fn item(name: &str, values: &[EnumValue]) -> Enum {
        Enum {
            name: name.into(),
            values: values.to_vec(),
        }
    }

    fn service(name: &str, error: &str) -> Service {
        Service {
            name: name.into(),
            options: Some(ServiceDescriptorOptions {
                parigot: Some(ServiceOptions {
                    error: error.into(),
                }),
            }),
        }
    }

    /// Returns the names and codes of a service's errors.
    fn errors(file: &File, service: &str) -> Vec<(i32, String, Code)> {
        let set = FileSet {
            files: vec![file.clone()],
        };
        let errors = of_service(&set.encode_to_vec(), service).expect("the set must be valid");
        let errors = errors.into_iter();
        errors
            .map(|(number, error)| (number, error.name, error.code))
            .collect()
    }

    #[test]
    fn errors_have_the_codes_of_their_options() {
        let file = File {
            package: "shop.v1".into(),
            enums: vec![item(
                "ShopErr",
                &[
                    value("SOLD_OUT", 4, 5),
                    value("LATE", 5, 0),
                    value("ODD", 6, 99),
                ],
            )],
            services: vec![service("Shop", "")],
            ..File::default()
        };
        let expected = [
            (4, "SOLD_OUT".to_owned(), Code::NotFound),
            (5, "LATE".to_owned(), Code::FailedPrecondition),
            (6, "ODD".to_owned(), Code::FailedPrecondition),
        ];
        assert_eq!(errors(&file, "shop.v1.Shop"), expected);
        assert_eq!(errors(&file, "shop.v2.Shop"), []);
    }

    #[test]
    fn the_enum_is_found_by_option_or_by_name() {
        let message = MessageType {
            name: "Err".into(),
            enums: vec![item("Kind", &[value("NESTED", 1, 0)])],
            ..MessageType::default()
        };
        let file = File {
            package: "x".into(),
            enums: vec![
                item("GreetErr", &[value("BY_NAME", 1, 0)]),
                item("Other", &[value("BY_OPTION", 1, 0)]),
            ],
            messages: vec![message],
            services: vec![
                service("Greeting", ""),
                service("Near", "Other"),
                service("Far", ".x.Other"),
                service("Nested", "Err.Kind"),
            ],
        };
        let name = |service: &str| errors(&file, service).remove(0).1;
        assert_eq!(name("x.Greeting"), "BY_NAME");
        assert_eq!(name("x.Near"), "BY_OPTION");
        assert_eq!(name("x.Far"), "BY_OPTION");
        assert_eq!(name("x.Nested"), "NESTED");
    }
}
