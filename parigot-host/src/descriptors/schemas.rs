//! Schemas of exported services: their methods, errors and files, and JSON of their messages.

use std::collections::BTreeMap;

use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use super::errors::{self, ServiceErrorValue, ServiceErrors};
use super::json::{JsonError, JsonTypes};
use super::pool::Pool;
use super::well_known;
use crate::start::Exported;

/// Schemas of the services that the guests of a deployment export.
///
/// Of several guests that export one service, and of several files with one name, the first counts.
pub struct Schemas {
    services: BTreeMap<String, ServiceSchema>,
    files: BTreeMap<String, SchemaFile>,
    /// File of each message, enum, service and extension, by full name.
    symbols: BTreeMap<String, String>,
    json: JsonTypes,
}

struct ServiceSchema {
    methods: BTreeMap<String, MethodSchema>,
    errors: ServiceErrors,
}

/// Messages of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodSchema {
    /// Full name of the request's type.
    pub request: String,
    /// Full name of the response's type.
    pub response: String,
}

/// A `.proto` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFile {
    /// Encoded `FileDescriptorProto`.
    pub bytes: Vec<u8>,
    /// Names of the imported files.
    pub imports: Vec<String>,
}

/// Descriptors that cannot be used. Messages of the service have no JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{guest}` has unusable descriptors of {service}: {reason}")]
pub struct UnusableSchema {
    /// Name of the guest in the deployment.
    pub guest: String,
    /// Full name of the service.
    pub service: String,
    /// Reason.
    pub reason: String,
}

impl Schemas {
    /// Merges the descriptors of exported services. Returns the schemas, and the descriptors that
    /// cannot be used.
    pub fn of(exports: &[Exported]) -> (Self, Vec<UnusableSchema>) {
        let mut schemas = Schemas {
            services: BTreeMap::new(),
            files: BTreeMap::new(),
            symbols: BTreeMap::new(),
            json: JsonTypes::new(),
        };
        for file in well_known::files() {
            schemas.add_file(&file, file.encode_to_vec());
        }
        let mut unusable = Vec::new();
        for exported in exports {
            if let Err(reason) = schemas.add(exported) {
                unusable.push(UnusableSchema {
                    guest: exported.guest.clone(),
                    service: exported.service.clone(),
                    reason,
                });
            }
        }
        (schemas, unusable)
    }

    fn add(&mut self, exported: &Exported) -> Result<(), String> {
        let descriptors = &exported.descriptors;
        let pool = Pool::read(descriptors).map_err(|error| error.to_string())?;
        let errors = errors::of_service(descriptors, &exported.service);
        let errors = errors.map_err(|error| error.to_string())?;
        for file in pool.files() {
            self.add_file(file, pool.bytes_of(file.name()).to_vec());
            for service in &file.service {
                let name = full_name(file.package(), service.name());
                if name != exported.service {
                    continue;
                }
                let methods = service.method.iter().map(|method| {
                    let schema = MethodSchema {
                        request: without_dot(method.input_type()),
                        response: without_dot(method.output_type()),
                    };
                    (method.name().to_owned(), schema)
                });
                let schema = ServiceSchema {
                    methods: methods.collect(),
                    errors: errors.clone(),
                };
                self.services.entry(name).or_insert(schema);
            }
        }
        self.json
            .add(descriptors)
            .map_err(|error| error.to_string())
    }

    fn add_file(&mut self, file: &FileDescriptorProto, bytes: Vec<u8>) {
        if self.files.contains_key(file.name()) {
            return;
        }
        let added = SchemaFile {
            bytes,
            imports: file.dependency.clone(),
        };
        self.files.insert(file.name().to_owned(), added);
        let package = file.package();
        let mut names = Vec::new();
        for message in &file.message_type {
            add_message(package, message, &mut names);
        }
        add_enums(package, &file.enum_type, &mut names);
        for service in &file.service {
            let name = full_name(package, service.name());
            let methods = service.method.iter();
            names.extend(methods.map(|method| format!("{name}.{}", method.name())));
            names.push(name);
        }
        let extensions = file.extension.iter();
        names.extend(extensions.map(|extension| full_name(package, extension.name())));
        for name in names {
            self.symbols
                .entry(name)
                .or_insert_with(|| file.name().to_owned());
        }
    }

    /// Returns the messages of a method.
    pub fn method(&self, service: &str, method: &str) -> Option<&MethodSchema> {
        self.services.get(service)?.methods.get(method)
    }

    /// Returns the error of a service with a number.
    pub fn error(&self, service: &str, number: i32) -> Option<&ServiceErrorValue> {
        self.services.get(service)?.errors.get(&number)
    }

    /// Returns a file by its name.
    pub fn file(&self, name: &str) -> Option<&SchemaFile> {
        self.files.get(name)
    }

    /// Returns the name of the file that defines a symbol.
    pub fn file_of_symbol(&self, symbol: &str) -> Option<&str> {
        self.symbols.get(symbol).map(String::as_str)
    }

    /// Converts a message from protobuf to JSON. The message is given by its full name.
    ///
    /// # Errors
    ///
    /// If no guest has the descriptor of the message, if the bytes are not such a message, or if
    /// an `Any` in the message has an unknown type.
    pub fn to_json(&self, message: &str, proto: &[u8]) -> Result<Vec<u8>, JsonError> {
        self.json.to_json(message, proto)
    }

    /// Converts a message from JSON to protobuf. Unknown fields are ignored, so that clients may
    /// be newer than the service.
    ///
    /// # Errors
    ///
    /// If no guest has the descriptor of the message, or if the text is not JSON of such a message.
    pub fn to_proto(&self, message: &str, json: &[u8]) -> Result<Vec<u8>, JsonError> {
        self.json.to_proto(message, json)
    }
}

impl std::fmt::Debug for Schemas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schemas")
            .field("services", &self.services.keys())
            .finish_non_exhaustive()
    }
}

/// Adds the names of a message and of all its parts. The decoder limits the depth.
fn add_message(scope: &str, message: &DescriptorProto, names: &mut Vec<String>) {
    let name = full_name(scope, message.name());
    for nested in &message.nested_type {
        add_message(&name, nested, names);
    }
    add_enums(&name, &message.enum_type, names);
    names.push(name);
}

fn add_enums(scope: &str, enums: &[EnumDescriptorProto], names: &mut Vec<String>) {
    names.extend(enums.iter().map(|item| full_name(scope, item.name())));
}

fn full_name(scope: &str, name: &str) -> String {
    match scope {
        "" => name.to_owned(),
        scope => format!("{scope}.{name}"),
    }
}

fn without_dot(name: &str) -> String {
    name.strip_prefix('.').unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use prost_types::field_descriptor_proto::{Label, Type};
    use prost_types::{
        FieldDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
    };

    use super::*;

    fn field(name: &str, number: i32, ty: Type, type_name: Option<&str>) -> FieldDescriptorProto {
        FieldDescriptorProto {
            name: Some(name.into()),
            number: Some(number),
            label: Some(Label::Optional.into()),
            r#type: Some(ty.into()),
            type_name: type_name.map(str::to_owned),
            ..FieldDescriptorProto::default()
        }
    }

    /// Returns a service that bakes.
    fn exported() -> Exported {
        let message = DescriptorProto {
            name: Some("Order".into()),
            field: vec![
                field("pizza_name", 1, Type::String, None),
                field("count", 2, Type::Int64, None),
                field("at", 3, Type::Message, Some(".google.protobuf.Timestamp")),
                field("any", 4, Type::Message, Some(".google.protobuf.Any")),
            ],
            ..DescriptorProto::default()
        };
        let option = FieldDescriptorProto {
            extendee: Some(".google.protobuf.MethodOptions".into()),
            ..field("hot", 50_000, Type::Bool, None)
        };
        let file = FileDescriptorProto {
            name: Some("oven.proto".into()),
            package: Some("x".into()),
            dependency: vec!["google/protobuf/timestamp.proto".into()],
            message_type: vec![message],
            extension: vec![option],
            service: vec![ServiceDescriptorProto {
                name: Some("Oven".into()),
                method: vec![MethodDescriptorProto {
                    name: Some("Bake".into()),
                    input_type: Some(".x.Order".into()),
                    output_type: Some(".google.protobuf.Empty".into()),
                    ..MethodDescriptorProto::default()
                }],
                ..ServiceDescriptorProto::default()
            }],
            syntax: Some("proto3".into()),
            ..FileDescriptorProto::default()
        };
        let set = FileDescriptorSet { file: vec![file] };
        Exported {
            guest: "oven".into(),
            service: "x.Oven".into(),
            descriptors: set.encode_to_vec(),
        }
    }

    fn schemas() -> Schemas {
        let (schemas, unusable) = Schemas::of(&[exported()]);
        assert_eq!(unusable, []);
        schemas
    }

    #[test]
    fn json_and_protobuf_are_converted() {
        let schemas = schemas();
        let json = r#"{"pizzaName":"Diavola","count":"3","at":"2026-11-30T21:00:00Z"}"#;
        let proto = schemas.to_proto("x.Order", json.as_bytes());
        let proto = proto.expect("the message must be valid");
        let printed = schemas.to_json("x.Order", &proto).expect("valid");
        assert_eq!(String::from_utf8_lossy(&printed), json);
        let names = schemas.to_proto("x.Order", br#"{"pizza_name":"Diavola","new":1}"#);
        assert_eq!(names.expect("both names are accepted"), b"\x0a\x07Diavola");
    }

    #[test]
    fn an_any_contains_a_message_of_a_guest() {
        let schemas = schemas();
        let json = r#"{"any":{"@type":"type.googleapis.com/x.Order","count":"3"}}"#;
        let proto = schemas.to_proto("x.Order", json.as_bytes()).expect("valid");
        let printed = schemas.to_json("x.Order", &proto).expect("valid");
        assert_eq!(String::from_utf8_lossy(&printed), json);
        let unknown = br#"{"any":{"@type":"type.googleapis.com/x.Other"}}"#;
        schemas
            .to_proto("x.Order", unknown)
            .expect_err("x.Other is unknown");
    }

    #[test]
    fn malformed_json_is_an_error() {
        let schemas = schemas();
        for json in ["", "{", "[]", r#"{"count":"x"}"#, "{} {}", "\u{feff}{}"] {
            let result = schemas.to_proto("x.Order", json.as_bytes());
            result.expect_err(json);
        }
        schemas.to_proto("x.Order", b"\xff").expect_err("not UTF-8");
        schemas
            .to_json("x.Order", b"\xff")
            .expect_err("not protobuf");
        schemas.to_json("x.Cake", b"").expect_err("no such type");
    }

    #[test]
    fn methods_and_files_are_found_by_name() {
        let schemas = schemas();
        let method = schemas.method("x.Oven", "Bake").expect("the method exists");
        assert_eq!(
            (&*method.request, &*method.response),
            ("x.Order", "google.protobuf.Empty")
        );
        assert_eq!(schemas.method("x.Oven", "Fry"), None);
        for symbol in ["x.Oven", "x.Oven.Bake", "x.Order", "x.hot"] {
            assert_eq!(
                schemas.file_of_symbol(symbol),
                Some("oven.proto"),
                "{symbol}"
            );
        }
        let file = schemas.file("oven.proto").expect("the file exists");
        assert_eq!(file.imports, ["google/protobuf/timestamp.proto"]);
        assert!(schemas.file("google/protobuf/timestamp.proto").is_some());
    }

    #[test]
    fn unusable_descriptors_are_reported() {
        let broken = Exported {
            descriptors: b"\xff".to_vec(),
            ..exported()
        };
        let (schemas, unusable) = Schemas::of(&[broken, exported()]);
        assert_eq!(unusable.len(), 1);
        assert!(schemas.method("x.Oven", "Bake").is_some());
    }
}
