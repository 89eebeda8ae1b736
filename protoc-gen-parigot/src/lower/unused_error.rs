//! Warnings of enums that look like the error enum of a service, but have another name.

use std::collections::BTreeSet;

use super::contract::DeclaredService;
use super::edition;
use super::index::Index;
use super::source::{Item, Node, Source, type_name};
use crate::name::ServiceName;
use crate::options::Options;
use crate::request::Request;
use crate::warning::Warning;

/// Returns a warning for each enum named `…Err` that no service and no field uses, beside a service
/// without an error enum. The request must have no errors.
pub(crate) fn warnings(request: &Request, options: &Options) -> Vec<Warning> {
    let plain = edition::plain(request);
    let sources = Source::all(&plain, request);
    let index = Index::new(&sources, &options.rust);
    let error_of = |service: &DeclaredService<'_>| service.error_enum(&index).ok().flatten();
    let services = sources.iter().flat_map(DeclaredService::all);
    let fields = sources
        .iter()
        .flat_map(|source| &source.items)
        .filter_map(|item| match item.node {
            Node::Field(field, _) => type_name(field).map(str::to_owned),
            _ => None,
        });
    let used: BTreeSet<_> = services
        .filter_map(|service| error_of(&service))
        .chain(fields)
        .collect();
    let mut warnings = Vec::new();
    for source in sources.iter().filter(|source| source.generated) {
        let Some(service) = DeclaredService::all(source).find(|found| error_of(found).is_none())
        else {
            continue;
        };
        let is_unused = |item: &&Item<'_>| {
            let is_own = item.scope == source.file.package() && item.name().ends_with("Err");
            is_own && matches!(item.node, Node::Enum(_)) && !used.contains(&item.full_name())
        };
        let service = service.descriptor.name();
        warnings.extend(source.items.iter().filter(is_unused).map(|item| {
            Warning::UnusedErrorEnum {
                name: item.name().to_owned(),
                service: service.to_owned(),
                expected: ServiceName::error_enums(service).collect(),
                at: source.location(&item.path),
            }
        }));
    }
    warnings
}
