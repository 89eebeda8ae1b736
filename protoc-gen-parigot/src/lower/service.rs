//! Services and methods in Rust: their names and the paths of their types.

use std::collections::BTreeMap;

use quote::quote;

use super::contract::DeclaredService;
use super::error_codes;
use super::index::{Index, User};
use super::names::{Claim, Kind, Names, Scope};
use super::source::Source;
use crate::error::{Error, Location};
use crate::model::{Contract, ErrorEnum, Method, Rpc, Service, TypePath};
use crate::name::{MethodName, ServiceName};
use crate::options::Streaming;

/// Lowers the services of a package's files, and their error enums.
pub(super) fn lower(
    sources: &[&Source<'_>],
    index: &Index<'_>,
    streaming: Streaming,
    names: &mut Names,
    errors: &mut Vec<Error>,
) -> (Vec<Service>, Vec<ErrorEnum>) {
    let declared: Vec<ServiceLowering<'_>> = sources
        .iter()
        .flat_map(|source| ServiceLowering::all(source, index))
        .collect();
    // A service whose name a message has taken gets another name, but two services with one name
    // are an error. So all services choose before any of them claims its name.
    let chosen: Vec<_> = declared
        .iter()
        .map(|service| service.choose_name(names))
        .collect();
    let mut services = Vec::new();
    let mut enums: Vec<ErrorEnum> = Vec::new();
    for (service, name) in declared.iter().zip(chosen) {
        let name = name
            .and_then(|name| service.claim_name(name, names))
            .map_err(|error| errors.push(error));
        let (contract, rpcs) = service.declared.contract(index, streaming, errors);
        let error = service
            .error_enum(&contract)
            .map_err(|error| errors.push(error));
        let methods = service.methods(rpcs, errors);
        if let (Ok(name), Ok(error)) = (name, error) {
            let item = error
                .as_ref()
                .map_or_else(status, |error| error.item.clone());
            services.push(Service {
                contract,
                name,
                error: item,
                methods,
            });
            enums.extend(error);
        }
    }
    (services, enums)
}

/// Lowering of one service.
struct ServiceLowering<'a> {
    declared: DeclaredService<'a>,
    index: &'a Index<'a>,
}

impl<'a> ServiceLowering<'a> {
    fn all(source: &'a Source<'a>, index: &'a Index<'a>) -> impl Iterator<Item = Self> {
        DeclaredService::all(source).map(move |declared| Self { declared, index })
    }

    /// Returns the usual names, or the alternative ones if a message, enum or module has one of the
    /// usual names.
    fn choose_name(&self, names: &Names) -> Result<ServiceName, Error> {
        let proto = self.declared.descriptor.name();
        let no_name = || Error::NoName {
            what: format!("service {proto}"),
            at: self.declared.at(),
        };
        let usual = ServiceName::new(proto).ok_or_else(no_name)?;
        let rust = usual.rust();
        // The trait and the module of service `_1` would both be named `_1`.
        let taken = rust[0] == rust[1]
            || rust
                .iter()
                .any(|rust| names.is_taken(self.declared.package(), rust));
        Ok(if taken { usual.escaped() } else { usual })
    }

    fn claim_name(&self, name: ServiceName, names: &mut Names) -> Result<ServiceName, Error> {
        for rust in name.rust() {
            let scope = Scope::Module(self.declared.package().to_owned());
            let claim = Claim {
                scope,
                rust: Some(rust),
                what: format!("service {}", name.proto),
                kind: Kind::Item,
            };
            names.claim(claim, self.declared.at())?;
        }
        Ok(name)
    }

    /// Returns the error enum, for which traits are implemented.
    fn error_enum(&self, contract: &Contract) -> Result<Option<ErrorEnum>, Error> {
        let Some(full_name) = contract.error.clone() else {
            return Ok(None);
        };
        match self.index.extern_path(&full_name) {
            Some(rust) if !rust.starts_with("crate::") => {
                return Err(Error::ErrorElsewhere {
                    at: self.index.location(&full_name),
                    name: full_name,
                    rust,
                });
            }
            _ => {}
        }
        let item = self.type_path(
            &full_name,
            format!("service {}", contract.proto),
            contract.at.clone(),
        )?;
        let codes = self.index.get(&full_name).map(error_codes::of_enum);
        Ok(Some(ErrorEnum {
            full_name,
            item,
            codes: codes.unwrap_or_default(),
        }))
    }

    fn type_path(&self, full_name: &str, what: String, at: Location) -> Result<TypePath, Error> {
        let package = self.declared.package();
        let user = User {
            what,
            package,
            at: at.clone(),
        };
        self.index.check_visible(full_name, &user)?;
        let path = self.index.type_path(full_name, package);
        path.ok_or_else(|| Error::NoName {
            what: full_name.to_owned(),
            at,
        })
    }

    /// Returns the methods without errors.
    fn methods(&self, rpcs: Vec<Rpc>, errors: &mut Vec<Error>) -> Vec<Method> {
        let mut names = MethodNames::default();
        let mut methods = Vec::new();
        for rpc in rpcs {
            let name = names
                .claim(&rpc.proto, &rpc.at)
                .map_err(|error| errors.push(error));
            let types = self.method_types(&rpc).map_err(|error| errors.push(error));
            if let (Ok(name), Ok((request, response))) = (name, types) {
                methods.push(Method {
                    rpc,
                    name,
                    request,
                    response,
                });
            }
        }
        methods
    }

    fn method_types(&self, rpc: &Rpc) -> Result<(TypePath, TypePath), Error> {
        let path = |name: &str| {
            let what = format!("method {}", self.declared.qualified(rpc));
            self.type_path(name, what, rpc.at.clone())
        };
        Ok((path(&rpc.request)?, path(&rpc.response)?))
    }
}

/// Returns the error type of a service without an error enum.
fn status() -> TypePath {
    let status = quote!(::parigot_guest::Status);
    TypePath {
        in_package: status.clone(),
        in_service: status,
    }
}

/// Names of a service's methods: functions of its trait and client, and types of its module. Values
/// describe the owner of a name.
struct MethodNames {
    functions: BTreeMap<String, String>,
    items: BTreeMap<String, String>,
}

impl Default for MethodNames {
    fn default() -> Self {
        let table = ("SERVICE".to_owned(), "the service's table".to_owned());
        Self {
            functions: BTreeMap::new(),
            items: [table].into(),
        }
    }
}

impl MethodNames {
    fn claim(&mut self, proto: &str, at: &Location) -> Result<MethodName, Error> {
        let name = MethodName::new(proto).ok_or_else(|| Error::NoName {
            what: format!("method {proto}"),
            at: at.clone(),
        })?;
        for (names, rust) in [
            (&mut self.functions, &name.function),
            (&mut self.items, &name.item),
        ] {
            let rust = rust.to_string();
            let second = proto.to_owned();
            if let Some(first) = names.insert(rust.clone(), format!("methods {proto}")) {
                return Err(Error::NameClash {
                    first,
                    second,
                    rust,
                    at: at.clone(),
                });
            }
        }
        Ok(name)
    }
}
