//! Grants of providers: each proxy of a provider serves one guest, and no other.

use parigot_abi::manifest::Requirement;

use super::declaration::{ExportedService, GuestDeclaration};
use crate::error::{GraphError, suggest};

/// Returns the exporters that may serve a requirement: guests, and proxies of the guest's grants.
pub(super) fn visible<'a>(
    guest: &GuestDeclaration<'_>,
    required: &Requirement,
    exporters: Option<&Vec<ExportedService<'a>>>,
    guests: &[GuestDeclaration<'_>],
) -> Vec<ExportedService<'a>> {
    let is_visible = |exporter: &&ExportedService<'a>| {
        guests[exporter.0].grant.is_none_or(|grant| {
            let is_of_binding = grant.binding.is_empty() || grant.binding == required.binding;
            grant.guest == guest.name && is_of_binding
        })
    };
    let all = exporters.into_iter().flatten();
    all.filter(is_visible).copied().collect()
}

/// Returns the proxy of the grant that serves a requirement; `None` if no grant does. A grant that
/// names the binding goes before the others.
///
/// # Errors
///
/// If several grants could serve the requirement.
pub(super) fn choose<'a>(
    guest: &GuestDeclaration<'_>,
    required: &Requirement,
    visible: &[ExportedService<'a>],
    guests: &[GuestDeclaration<'_>],
) -> Option<Result<Vec<ExportedService<'a>>, GraphError>> {
    let granted = visible
        .iter()
        .filter_map(|exporter| Some((exporter, guests[exporter.0].grant?)));
    let granted: Vec<_> = granted.collect();
    let is_named = |grant: &str| !grant.is_empty() && grant == required.binding;
    let named = granted.iter().find(|(_, grant)| is_named(&grant.binding));
    match (named, &granted[..]) {
        (None, []) => None,
        (Some((only, _)), _) | (None, [(only, _)]) => Some(Ok(vec![**only])),
        (None, several) => Some(Err(GraphError::AmbiguousGrant {
            service: required.service.name.clone(),
            guest: guest.name.to_owned(),
            binding: required.binding.clone(),
            providers: several
                .iter()
                .map(|(_, grant)| grant.provider.clone())
                .collect(),
        })),
    }
}

/// Returns the binding names of a guest's grants that belong to no requirement.
pub(super) fn unknown_bindings(guest: &GuestDeclaration<'_>) -> Vec<GraphError> {
    let names = || {
        let requires = guest.manifest.requires.iter();
        requires
            .map(|required| &*required.binding)
            .filter(|name| !name.is_empty())
    };
    let bindings = guest.grants.iter().map(|grant| &*grant.binding);
    bindings
        .filter(|binding| !binding.is_empty() && !names().any(|name| name == *binding))
        .map(|binding| GraphError::UnknownGrantBinding {
            guest: guest.name.to_owned(),
            binding: binding.to_owned(),
            nearest: suggest::nearest(binding, names()).map(str::to_owned),
        })
        .collect()
}
