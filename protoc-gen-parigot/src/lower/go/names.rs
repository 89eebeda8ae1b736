//! Names in each Go package: declarations of protoc-gen-go, then those of services.

use std::collections::BTreeMap;

use prost_types::FieldDescriptorProto;

use super::package::GoPackage;
use crate::error::{Error, Location};
use crate::lower::contract::DeclaredService;
use crate::lower::index::Index;
use crate::lower::source::{Item, Node, Source, is_map_entry};
use crate::name::go::{GoServiceName, camel, sanitize, type_name};
use crate::options::GoOptions;
use crate::symbol::full_name;

/// Claimed names of each package, with the description and location of each owner.
#[derive(Debug, Default)]
pub(super) struct GoNames {
    packages: BTreeMap<String, BTreeMap<String, (String, Location)>>,
}

/// Names of services, by full name.
pub(super) type Services = BTreeMap<String, GoServiceName>;

impl GoNames {
    /// Claims all names in the packages of the generated files, and returns the names of their
    /// services. A service whose name a message has taken gets another name; two services with one
    /// name are an error.
    pub(super) fn claim_all(
        sources: &[Source<'_>],
        index: &Index<'_>,
        options: &GoOptions,
        errors: &mut Vec<Error>,
    ) -> (Self, Services) {
        let packaged = |source| {
            GoPackage::of(source, options)
                .ok()
                .map(|package| (source, package.path))
        };
        let wanted: Vec<String> = sources
            .iter()
            .filter(|source| source.has_go_stubs())
            .filter_map(packaged)
            .map(|(_, package)| package)
            .collect();
        let files: Vec<_> = sources
            .iter()
            .filter_map(packaged)
            .filter(|(_, path)| wanted.contains(path))
            .collect();

        let mut names = Self::default();
        for (source, package) in &files {
            for (name, what, at) in of_messages(source, index) {
                // protoc-gen-go reports messages with one name.
                names
                    .packages
                    .entry(package.clone())
                    .or_default()
                    .entry(name)
                    .or_insert((what, at));
            }
        }
        let declared: Vec<_> = files
            .iter()
            .flat_map(|(source, package)| {
                DeclaredService::all(source).map(move |service| (service, package))
            })
            .collect();
        let chosen: Vec<_> = declared
            .iter()
            .map(|(service, package)| names.choose(service, package))
            .collect();
        let mut services = Services::new();
        for ((service, package), name) in declared.iter().zip(chosen) {
            errors.extend(names.claim(service, package, &name).err());
            services.insert(
                full_name(service.package(), service.descriptor.name()),
                name,
            );
        }
        (names, services)
    }

    /// Returns true if a package declares that name.
    pub(super) fn is_taken(&self, package: &str, name: &str) -> bool {
        self.packages
            .get(package)
            .is_some_and(|names| names.contains_key(name))
    }

    /// Returns the usual names of a service, or the alternative ones if a usual name is taken.
    fn choose(&self, service: &DeclaredService<'_>, package: &str) -> GoServiceName {
        let usual = GoServiceName::new(service.descriptor.name());
        let taken = of_service(service, &usual)
            .iter()
            .any(|name| self.is_taken(package, name));
        if taken { usual.escaped() } else { usual }
    }

    fn claim(
        &mut self,
        service: &DeclaredService<'_>,
        package: &str,
        name: &GoServiceName,
    ) -> Result<(), Error> {
        let names = self.packages.entry(package.to_owned()).or_default();
        let what = format!("service {}", name.proto);
        let at = service.at();
        for go in of_service(service, name) {
            match names.get(&go) {
                // Methods of one service are compared when methods are lowered.
                Some(other) if *other == (what.clone(), at.clone()) => {}
                Some(other) => return Err(clash(other.clone(), (what, at), go)),
                None => {
                    names.insert(go, (what.clone(), at.clone()));
                }
            }
        }
        Ok(())
    }
}

/// Returns an error that names both declarations, at the location of the later one.
pub(super) fn clash(one: (String, Location), other: (String, Location), go: String) -> Error {
    let (first, second) = if one.1 <= other.1 {
        (one, other)
    } else {
        (other, one)
    };
    Error::GoNameClash {
        first: format!("{} ({})", first.0, first.1),
        second: second.0,
        go,
        at: second.1,
    }
}

/// Returns all names that are declared for a service.
fn of_service(service: &DeclaredService<'_>, name: &GoServiceName) -> Vec<String> {
    // Methods that stream have no futures.
    let methods = service
        .descriptor
        .method
        .iter()
        .filter(|method| !method.client_streaming() && !method.server_streaming())
        .map(|method| name.method(method.name()));
    let methods = methods.flat_map(|method| [method.future, method.done]);
    name.all()
        .into_iter()
        .map(str::to_owned)
        .chain(methods)
        .collect()
}

/// Returns all names that protoc-gen-go declares for a file, each with the description and location
/// of its owner.
fn of_messages<'a>(
    source: &'a Source<'a>,
    index: &'a Index<'_>,
) -> impl Iterator<Item = (String, String, Location)> {
    let file = source.file;
    let described = |item: &'a Item<'a>| {
        let what = source.describe(item);
        let at = source.location(&item.path);
        of_item(source, item, index)
            .into_iter()
            .map(move |name| (name, what.clone(), at.clone()))
    };
    let nested = source.items.iter().filter_map(|item| match item.node {
        Node::Message(message) => Some((
            type_name(&item.full_name(), file.package()) + "_",
            &message.extension,
        )),
        _ => None,
    });
    let extensions = [(String::new(), &file.extension)]
        .into_iter()
        .chain(nested)
        .flat_map(move |(scope, extensions)| {
            let name = move |extension: &FieldDescriptorProto| {
                let what = format!("extension {}", extension.name());
                (
                    format!("E_{scope}{}", camel(extension.name())),
                    what,
                    Location::file(file.name()),
                )
            };
            extensions.iter().map(name)
        });
    let descriptor = format!("File_{}", sanitize(file.name()));
    let descriptor = (
        descriptor,
        "the file's descriptor".to_owned(),
        Location::file(file.name()),
    );
    source
        .items
        .iter()
        .flat_map(described)
        .chain(extensions)
        .chain([descriptor])
}

fn of_item(source: &Source<'_>, item: &Item<'_>, index: &Index<'_>) -> Vec<String> {
    let package = source.file.package();
    let scope = type_name(&item.scope, package);
    match item.node {
        Node::Message(message) if is_map_entry(message) => Vec::new(),
        Node::Message(_) => vec![type_name(&item.full_name(), package)],
        Node::Enum(_) => {
            let name = type_name(&item.full_name(), package);
            vec![format!("{name}_name"), format!("{name}_value"), name]
        }
        // A value is named after the message that declares its enum, if there is one.
        Node::Value(..) | Node::Alias(_) => {
            let around = item.scope.rsplit_once('.').map(|(around, _)| around);
            let message = around.filter(|around| index.get(around).is_some());
            let owner = message.map_or(scope, |message| type_name(message, package));
            vec![format!("{owner}_{}", item.name())]
        }
        Node::Oneof(..) => vec![format!("is{scope}_{}", camel(item.name()))],
        Node::Field(..) => {
            let name = format!("{scope}_{}", camel(item.name()));
            vec![format!("Default_{name}"), name]
        }
    }
}
