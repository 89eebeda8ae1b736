//! Checks the services that the edges of a deployment list.

use crate::deployment::{Deployment, EdgeSpec, Process, process_of};
use crate::error::{EdgeProblem, StartProblem, suggest};
use crate::start::declare::DeclaredGuest;

/// Guests that export a service.
type Exporters<'g, 'a> = Vec<&'g DeclaredGuest<'a>>;

/// Returns the problems of the edges' services, in the order of the edges. If a guest has not
/// declared itself, it may export a service that seems to be missing.
pub(super) fn problems(
    deployment: &Deployment,
    guests: &[DeclaredGuest<'_>],
    processes: &[Process],
    all_declared: bool,
) -> Vec<StartProblem> {
    // A guest of the host itself has no file.
    let own = || {
        guests
            .iter()
            .filter(|guest| !guest.spec.wasm.as_os_str().is_empty())
    };
    let mut problems = Vec::new();
    for edge in &deployment.edges {
        for service in &edge.services {
            let exports = |guest: &&DeclaredGuest<'_>| exports(guest, &service.name);
            let exporters: Exporters<'_, '_> = own().filter(exports).collect();
            let kind = kind(edge, &service.name, &exporters, processes).or_else(|| {
                (exporters.is_empty() && all_declared).then(|| not_exported(&service.name, own()))
            });
            problems.extend(kind.map(|kind| StartProblem::Edge {
                edge: edge.name.clone(),
                service: service.name.clone(),
                kind,
            }));
        }
    }
    problems
}

fn exports(guest: &DeclaredGuest<'_>, service: &str) -> bool {
    let mut exports = guest.manifest().exports.iter();
    exports.any(|exported| exported.name == service)
}

/// Returns the problem of a service that guests export.
fn kind(
    edge: &EdgeSpec,
    service: &str,
    exporters: &[&DeclaredGuest<'_>],
    processes: &[Process],
) -> Option<EdgeProblem> {
    let listens = |process: &&Process| process.edges.contains(&edge.name);
    let home = processes.iter().find(listens).map(Process::name);
    let process =
        |guest: &DeclaredGuest<'_>| process_of(&guest.spec.name, processes).map(Process::name);
    let first = exporters.first()?;
    let local: Vec<_> = exporters
        .iter()
        .filter(|guest| process(guest) == home)
        .collect();
    let is_shared = |guest: &&&DeclaredGuest<'_>| guest.spec.shared.iter().any(|s| s == service);
    match &local[..] {
        [] => Some(EdgeProblem::Elsewhere {
            exporter: first.spec.name.clone(),
            process: process(first).unwrap_or_default().to_owned(),
        }),
        [_] => None,
        several if several.iter().all(is_shared) => None,
        several => Some(EdgeProblem::Ambiguous {
            exporters: several
                .iter()
                .map(|guest| guest.spec.name.clone())
                .collect(),
        }),
    }
}

/// Returns the problem of a service that no guest exports.
fn not_exported<'g, 'a: 'g>(
    service: &str,
    guests: impl Iterator<Item = &'g DeclaredGuest<'a>>,
) -> EdgeProblem {
    let exported = guests.flat_map(|guest| &guest.manifest().exports);
    let names = exported.map(|exported| &*exported.name);
    EdgeProblem::NotExported {
        nearest: suggest::nearest(service, names).map(str::to_owned),
    }
}
