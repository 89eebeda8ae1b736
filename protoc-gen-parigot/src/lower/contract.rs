//! Language-independent lowering of services: options are read, and error enums are found.

use std::time::Duration;

use prost_types::method_options::IdempotencyLevel;
use prost_types::{MethodDescriptorProto, ServiceDescriptorProto};

use super::index::{Index, TypeEntry};
use super::source::{Node, Source, numbered};
use super::{field_number, schema};
use crate::error::{Error, Location};
use crate::model::{Contract, Idempotency, Rpc};
use crate::name::ServiceName;
use crate::options::Streaming;
use crate::request::extra;
use crate::symbol;

/// Service with the file that declares it.
pub(super) struct DeclaredService<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) descriptor: &'a ServiceDescriptorProto,
    path: Vec<i32>,
    /// Fields that prost's descriptor does not have.
    extra: extra::ServiceExtra,
}

impl<'a> DeclaredService<'a> {
    /// Returns the services of a file.
    pub(super) fn all(source: &'a Source<'a>) -> impl Iterator<Item = Self> {
        let services = numbered(&[], field_number::SERVICE, &source.file.service).enumerate();
        services.map(move |(index, (path, descriptor))| {
            let extra = source
                .extra
                .and_then(|file| file.service.get(index))
                .cloned()
                .unwrap_or_default();
            Self {
                source,
                descriptor,
                path,
                extra,
            }
        })
    }

    pub(super) fn package(&self) -> &'a str {
        self.source.file.package()
    }

    pub(super) fn at(&self) -> Location {
        self.source.location(&self.path)
    }

    /// Returns the contract of the service, and its methods. Adds errors to `errors`.
    pub(super) fn contract(
        &self,
        index: &Index<'_>,
        streaming: Streaming,
        errors: &mut Vec<Error>,
    ) -> (Contract, Vec<Rpc>) {
        let is_left_out = |rpc: &Rpc| streaming == Streaming::Skip && rpc.streams();
        let (left_out, mut methods): (Vec<_>, Vec<_>) = self.rpcs().partition(is_left_out);
        (0..)
            .zip(&mut methods)
            .for_each(|(index, method)| method.index = index);
        let error = self.error_enum(index).unwrap_or_else(|error| {
            errors.push(error);
            None
        });
        let schema = schema::of_service(
            self.source,
            self.descriptor,
            &methods,
            error.as_deref(),
            index,
        );
        let contract = Contract {
            proto: self.descriptor.name().to_owned(),
            full_name: schema.service.clone(),
            schema: schema.hash(),
            docs: self.source.docs(&self.path),
            deprecated: self
                .descriptor
                .options
                .as_ref()
                .is_some_and(|options| options.deprecated()),
            error,
            left_out,
            at: self.at(),
        };
        (contract, methods)
    }

    fn rpcs(&self) -> impl Iterator<Item = Rpc> {
        let methods =
            numbered(&self.path, field_number::METHOD, &self.descriptor.method).enumerate();
        methods.map(|(index, (path, descriptor))| {
            let extra = self
                .extra
                .method
                .get(index)
                .cloned()
                .unwrap_or_default()
                .options();
            self.rpc(&path, descriptor, &extra)
        })
    }

    fn rpc(
        &self,
        path: &[i32],
        descriptor: &MethodDescriptorProto,
        extra: &extra::MethodOptions,
    ) -> Rpc {
        let plain = |name: &str| name.strip_prefix('.').unwrap_or(name).to_owned();
        let options = descriptor.options.clone().unwrap_or_default();
        Rpc {
            proto: descriptor.name().to_owned(),
            index: 0,
            docs: self.source.docs(path),
            deprecated: options.deprecated(),
            request: plain(descriptor.input_type()),
            response: plain(descriptor.output_type()),
            streams_requests: descriptor.client_streaming(),
            streams_responses: descriptor.server_streaming(),
            idempotency: match options.idempotency_level() {
                IdempotencyLevel::IdempotencyUnknown => Idempotency::Unknown,
                IdempotencyLevel::NoSideEffects => Idempotency::NoSideEffects,
                IdempotencyLevel::Idempotent => Idempotency::Idempotent,
            },
            budget: Duration::from_millis(extra.budget_ms.into()),
            deadline: Duration::from_millis(extra.deadline_ms.into()),
            at: self.source.location(path),
        }
    }

    /// `Greeting.FetchGreeting`
    pub(super) fn qualified(&self, rpc: &Rpc) -> String {
        format!("{}.{}", self.descriptor.name(), rpc.proto)
    }

    /// Returns the full name of the error enum.
    pub(super) fn error_enum(&self, index: &Index<'_>) -> Result<Option<String>, Error> {
        let Some(ty) = self.error_type(index)? else {
            return Ok(None);
        };
        let name = ty.item.full_name();
        let service = self.descriptor.name().to_owned();
        let at = ty.source.location(&ty.item.path);
        match ty.item.node {
            Node::Enum(item) if item.value.iter().any(|value| value.number() == 0) => {
                Ok(Some(name))
            }
            Node::Enum(_) => Err(Error::ErrorWithoutZero { name, service, at }),
            _ => Err(Error::ErrorNotEnum { name, service, at }),
        }
    }

    /// Returns the type that the option names, else the type whose name fits the service.
    fn error_type<'t>(&self, index: &Index<'t>) -> Result<Option<TypeEntry<'t>>, Error> {
        let named = self.extra.options().error;
        if named.is_empty() {
            let mut names = ServiceName::error_enums(self.descriptor.name());
            return Ok(names.find_map(|name| index.get(&symbol::full_name(self.package(), &name))));
        }
        let found = self.candidates(&named).find_map(|name| index.get(&name));
        let at = self.source.location_within(
            &self.path,
            &[field_number::SERVICE_OPTIONS, extra::OPTIONS, extra::ERROR],
        );
        let service = self.descriptor.name().to_owned();
        found.map(Some).ok_or_else(|| Error::ErrorNotFound {
            name: named.escape_debug().to_string(),
            service,
            at,
        })
    }

    /// Returns the full names that `name` may refer to, from the scope of the service outwards.
    fn candidates<'n>(&self, name: &'n str) -> impl Iterator<Item = String> + use<'n> {
        let scope = symbol::full_name(self.package(), self.descriptor.name());
        let (absolute, scopes) = match name.strip_prefix('.') {
            Some(absolute) => (absolute, 0),
            None => (name, 1 + scope.matches('.').count()),
        };
        let mut scope = Some(scope);
        let outwards = std::iter::from_fn(move || {
            let here = scope.take()?;
            scope = here.rsplit_once('.').map(|(around, _)| around.to_owned());
            Some(symbol::full_name(&here, absolute))
        });
        outwards.take(scopes).chain([absolute.to_owned()])
    }
}
