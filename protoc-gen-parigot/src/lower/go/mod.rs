//! Descriptors to the model of the Go emitter: a file for each `.proto` with services.

mod imports;
mod names;
mod package;

use std::collections::{BTreeMap, BTreeSet};

use self::imports::Imports;
use self::names::{GoNames, Services, clash};
use self::package::GoPackage;
use super::contract::DeclaredService;
use super::index::Index;
use super::source::Source;
use super::{descriptors, edition, error_codes, report, validate};
use crate::error::{Error, Location};
use crate::model::go::{GoError, GoFile, GoMethod, GoService};
use crate::model::{Contract, Rpc};
use crate::name::go::{GoServiceName, sanitize};
use crate::options::Options;
use crate::request::Request;

/// Lowers the files to generate, for Go.
///
/// # Errors
///
/// Returns all errors in the files, ordered by file name and line.
pub fn files(request: &Request, options: &Options) -> Result<Vec<GoFile>, Vec<Error>> {
    let plain = edition::plain(request);
    let mut sources = Source::all(&plain, request);
    sources.sort_by_key(|source| source.file.name());
    report(validate::check(request, &sources))?;

    let index = Index::new(&sources, &options.rust);
    let mut errors = Vec::new();
    package::check_names(&sources, &options.go, &mut errors);
    let (names, services) = GoNames::claim_all(&sources, &index, &options.go, &mut errors);
    let lowering = Lowering {
        sources: &sources,
        options,
        index: &index,
        names: &names,
        services: &services,
    };
    let files: Vec<_> = sources
        .iter()
        .filter(|source| source.has_go_stubs())
        .filter_map(|source| lowering.file(source, &mut errors))
        .collect();
    check_outputs(&files, &mut errors);
    report(errors)?;
    Ok(files)
}

fn check_outputs(files: &[GoFile], errors: &mut Vec<Error>) {
    let mut outputs = BTreeMap::new();
    for file in files {
        if let Some(other) = outputs.insert(&file.name, &file.source) {
            let output = file.name.clone();
            let other = other.clone();
            let at = Location::file(&file.source);
            errors.push(Error::GoSameFile { output, other, at });
        }
    }
}

/// Data that is complete before the first file is lowered.
struct Lowering<'a> {
    sources: &'a [Source<'a>],
    options: &'a Options,
    index: &'a Index<'a>,
    names: &'a GoNames,
    services: &'a Services,
}

impl Lowering<'_> {
    /// Returns a file, unless its Go package is unknown. Adds errors to `errors`.
    fn file(&self, source: &Source<'_>, errors: &mut Vec<Error>) -> Option<GoFile> {
        let options = &self.options.go;
        let package = GoPackage::of(source, options)
            .map_err(|error| errors.push(error))
            .ok()?;
        let name = package
            .output(source, options)
            .map_err(|error| errors.push(error))
            .ok()?;
        let contracts: Vec<_> = DeclaredService::all(source)
            .map(|service| service.contract(self.index, self.options.streaming, errors))
            .collect();
        let types = contracts
            .iter()
            .flat_map(|(contract, rpcs)| types(contract, rpcs));
        let imports = Imports::of(types, &package, self.names, self.index, options, errors);
        let timed = contracts
            .iter()
            .flat_map(|(_, rpcs)| rpcs)
            .any(|rpc| !(rpc.budget + rpc.deadline).is_zero());
        let own_errors = self.own_errors(source, &contracts, &imports);
        let proto = source.file.name();
        let services = contracts
            .into_iter()
            .map(|(contract, rpcs)| self.service(contract, rpcs, &imports, errors));
        Some(GoFile {
            name,
            source: source.file.name().to_owned(),
            package: package.name.clone(),
            standard: if timed {
                vec!["context", "time"]
            } else {
                vec!["context"]
            },
            services: services.collect(),
            errors: own_errors,
            descriptors_name: descriptors_name(proto),
            descriptors: descriptors::of_files([proto].into_iter(), self.sources),
            imports: imports.into_list(),
        })
    }

    /// Returns the error enums that this file declares, without duplicates. Only this file can add
    /// methods to them.
    fn own_errors(
        &self,
        source: &Source<'_>,
        contracts: &[(Contract, Vec<Rpc>)],
        imports: &Imports<'_>,
    ) -> Vec<GoError> {
        let is_own = |name: &&str| {
            self.index
                .get(name)
                .is_some_and(|ty| ty.source.file.name() == source.file.name())
        };
        let errors = contracts
            .iter()
            .filter_map(|(contract, _)| contract.error.as_deref())
            .filter(is_own);
        errors
            .map(|name| GoError {
                name: imports.type_name(name),
                codes: self
                    .index
                    .get(name)
                    .map_or(Vec::new(), error_codes::of_enum),
            })
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    fn service(
        &self,
        contract: Contract,
        rpcs: Vec<Rpc>,
        imports: &Imports<'_>,
        errors: &mut Vec<Error>,
    ) -> GoService {
        let name = self.services[&contract.full_name].clone();
        let error = contract.error.as_ref().map_or_else(
            || "parigot.Code".to_owned(),
            |error| imports.type_name(error),
        );
        errors.extend(method_clashes(&name, &rpcs));
        let methods = rpcs.into_iter().map(|rpc| GoMethod {
            name: name.method(&rpc.proto),
            request: imports.type_name(&rpc.request),
            response: imports.type_name(&rpc.response),
            rpc,
        });
        GoService {
            methods: methods.collect(),
            contract,
            name,
            error,
        }
    }
}

/// Returns the name of the constant with the descriptors of a `.proto`, in the manner of the names
/// of protoc-gen-go: no other declaration of the package has such a name.
fn descriptors_name(proto: &str) -> String {
    format!("file_{}_parigotDescriptors", sanitize(proto))
}

/// Returns the full names of all types in the stubs of a service.
fn types<'c>(contract: &'c Contract, rpcs: &'c [Rpc]) -> impl Iterator<Item = &'c str> {
    let messages = rpcs.iter().flat_map(|rpc| [&rpc.request, &rpc.response]);
    messages.chain(&contract.error).map(String::as_str)
}

/// Returns an error for each two methods of a service with one Go name.
fn method_clashes(service: &GoServiceName, rpcs: &[Rpc]) -> Vec<Error> {
    let mut functions = BTreeMap::new();
    let mut errors = Vec::new();
    for rpc in rpcs {
        let go = service.method(&rpc.proto).function;
        let this = (format!("method {}", rpc.proto), rpc.at.clone());
        if let Some(other) = functions.insert(go.clone(), this.clone()) {
            errors.push(clash(other, this, go));
        }
    }
    errors
}
