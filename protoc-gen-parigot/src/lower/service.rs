//! Services and their methods.

use std::collections::BTreeMap;

use prost_types::{MethodDescriptorProto, ServiceDescriptorProto};
use quote::quote;

use super::index::{Index, User};
use super::names::{Claim, Names, Scope};
use super::schema;
use super::source::{Node, Source, field, numbered};
use crate::error::{Error, Location};
use crate::model::{ErrorEnum, Method, Service, TypePath};
use crate::name::{MethodName, ServiceName};
use crate::symbol;

/// Lowers the services of a package's files, and the enums that hold their errors.
pub(super) fn lower(
    sources: &[&Source<'_>],
    index: &Index<'_>,
    names: &mut Names,
    errors: &mut Vec<Error>,
) -> (Vec<Service>, Vec<ErrorEnum>) {
    let declared: Vec<Declared<'_>> = sources.iter().flat_map(|source| Declared::all(source, index)).collect();
    // What messages have taken moves a service aside; services that meet are a mistake. So all choose, then all take.
    let chosen: Vec<_> = declared.iter().map(|service| service.choose_name(names)).collect();
    let mut services = Vec::new();
    let mut enums: Vec<ErrorEnum> = Vec::new();
    for (service, name) in declared.iter().zip(chosen) {
        let name = name.and_then(|name| service.take_name(name, names)).map_err(|error| errors.push(error));
        let error = service.error_enum().map_err(|error| errors.push(error));
        let methods = service.methods(errors);
        if let (Ok(name), Ok(error)) = (name, error) {
            services.push(service.lower(name, methods, error.as_ref()));
            enums.extend(error);
        }
    }
    enums.sort_by(|a, b| a.full_name.cmp(&b.full_name));
    enums.dedup_by(|a, b| a.full_name == b.full_name);
    (services, enums)
}

/// A service, where it stands.
struct Declared<'a> {
    source: &'a Source<'a>,
    descriptor: &'a ServiceDescriptorProto,
    path: Vec<i32>,
    index: &'a Index<'a>,
}

impl<'a> Declared<'a> {
    fn all(source: &'a Source<'a>, index: &'a Index<'a>) -> impl Iterator<Item = Self> {
        numbered(&[], field::SERVICE, &source.file.service).map(move |(path, descriptor)| Self {
            source,
            descriptor,
            path,
            index,
        })
    }

    fn package(&self) -> &'a str {
        self.source.file.package()
    }

    fn at(&self) -> Location {
        self.source.location(&self.path)
    }

    /// The usual names, or the others if a message, enum or module has one of them.
    fn choose_name(&self, names: &Names) -> Result<ServiceName, Error> {
        let proto = self.descriptor.name();
        let usual =
            ServiceName::new(proto).ok_or_else(|| Error::NoName { what: format!("service {proto}"), at: self.at() })?;
        let taken = usual.rust().iter().any(|rust| names.is_taken(self.package(), rust));
        Ok(if taken { usual.escaped() } else { usual })
    }

    fn take_name(&self, name: ServiceName, names: &mut Names) -> Result<ServiceName, Error> {
        for rust in name.rust() {
            let scope = Scope::Module(self.package().to_owned());
            let claim = Claim { scope, rust: Some(rust), what: format!("service {}", name.proto) };
            names.take(claim, self.at())?;
        }
        Ok(name)
    }

    /// The enum that holds the service's errors, by its name.
    fn error_enum(&self) -> Result<Option<ErrorEnum>, Error> {
        let names = ServiceName::error_enums(self.descriptor.name());
        let mut found = names.filter_map(|name| self.index.get(&symbol::full_name(self.package(), &name)));
        let Some(ty) = found.next() else { return Ok(None) };
        let (full_name, at) = (ty.item.full_name(), ty.source.location(&ty.item.path));
        let service = self.descriptor.name().to_owned();
        let Node::Enum(item) = ty.item.node else {
            return Err(Error::ErrorNotEnum { name: full_name, service, at });
        };
        if item.value.iter().all(|value| value.number() != 0) {
            return Err(Error::ErrorWithoutZero { name: full_name, service, at });
        }
        match self.index.extern_path(&full_name) {
            Some(rust) if !rust.starts_with("crate::") => {
                return Err(Error::ErrorElsewhere { name: full_name, rust, at });
            }
            _ => {}
        }
        let item = self.type_path(&full_name, format!("service {service}"), self.at())?;
        Ok(Some(ErrorEnum { full_name, item }))
    }

    fn type_path(&self, full_name: &str, what: String, at: Location) -> Result<TypePath, Error> {
        let user = User { what, package: self.package(), at: at.clone() };
        self.index.check_visible(full_name, &user)?;
        let path = self.index.type_path(full_name, self.package());
        path.ok_or_else(|| Error::NoName { what: full_name.to_owned(), at })
    }

    /// The methods in which nothing is wrong.
    fn methods(&self, errors: &mut Vec<Error>) -> Vec<Method> {
        let mut names = MethodNames::default();
        let mut methods = Vec::new();
        for ((path, descriptor), index) in numbered(&self.path, field::METHOD, &self.descriptor.method).zip(0..) {
            let at = self.source.location(&path);
            errors.extend(self.check_streaming(descriptor, &at).err());
            let name = names.take(descriptor.name(), &at).map_err(|error| errors.push(error));
            let types = self.method_types(descriptor, &at).map_err(|error| errors.push(error));
            if let (Ok(name), Ok((request, response))) = (name, types) {
                let docs = self.source.docs(&path);
                let deprecated = descriptor.options.as_ref().is_some_and(|options| options.deprecated());
                methods.push(Method { name, index, docs, deprecated, request, response });
            }
        }
        methods
    }

    fn check_streaming(&self, method: &MethodDescriptorProto, at: &Location) -> Result<(), Error> {
        let what = match (method.client_streaming(), method.server_streaming()) {
            (false, false) => return Ok(()),
            (true, false) => "request",
            (false, true) => "response",
            (true, true) => "request and response",
        };
        Err(Error::Streaming { method: self.qualified(method), what, at: at.clone() })
    }

    fn method_types(&self, method: &MethodDescriptorProto, at: &Location) -> Result<(TypePath, TypePath), Error> {
        let path = |name: &str| {
            let name = name.strip_prefix('.').unwrap_or(name);
            self.type_path(name, format!("method {}", self.qualified(method)), at.clone())
        };
        Ok((path(method.input_type())?, path(method.output_type())?))
    }

    /// `Greeting.FetchGreeting`
    fn qualified(&self, method: &MethodDescriptorProto) -> String {
        format!("{}.{}", self.descriptor.name(), method.name())
    }

    fn lower(&self, name: ServiceName, methods: Vec<Method>, error: Option<&ErrorEnum>) -> Service {
        let enum_name = error.map(|error| error.full_name.as_str());
        let schema = schema::of_service(self.source, self.descriptor, enum_name, self.index);
        Service {
            name,
            full_name: schema.service.clone(),
            schema: schema.hash(),
            docs: self.source.docs(&self.path),
            deprecated: self.descriptor.options.as_ref().is_some_and(|options| options.deprecated()),
            error: error.map_or_else(status, |error| error.item.clone()),
            methods,
        }
    }
}

/// What a service fails with that has no errors of its own.
fn status() -> TypePath {
    let status = quote!(::parigot_guest::Status);
    TypePath { in_package: status.clone(), in_service: status }
}

/// The names of a service's methods, as functions of its trait and client and as types of its module, and who has them.
struct MethodNames {
    functions: BTreeMap<String, String>,
    items: BTreeMap<String, String>,
}

impl Default for MethodNames {
    fn default() -> Self {
        let table = ("SERVICE".to_owned(), "the service's table".to_owned());
        Self { functions: BTreeMap::new(), items: [table].into() }
    }
}

impl MethodNames {
    fn take(&mut self, proto: &str, at: &Location) -> Result<MethodName, Error> {
        let name =
            MethodName::new(proto).ok_or_else(|| Error::NoName { what: format!("method {proto}"), at: at.clone() })?;
        for (names, rust) in [(&mut self.functions, &name.function), (&mut self.items, &name.item)] {
            let (rust, second) = (rust.to_string(), proto.to_owned());
            if let Some(first) = names.insert(rust.clone(), format!("methods {proto}")) {
                return Err(Error::NameClash { first, second, rust, at: at.clone() });
            }
        }
        Ok(name)
    }
}
