//! Who exports what others require: found out before anything is launched.

use std::collections::BTreeMap;

use parigot_abi::Manifest;
use parigot_abi::manifest::{Method, Service};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

/// A guest's name and what it declares.
pub(crate) struct Declared<'a> {
    pub(crate) name: &'a str,
    pub(crate) manifest: &'a Manifest,
}

/// The exporter of a required service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// Which guest exports it.
    pub(crate) guest: usize,
    /// Its place among that guest's exports.
    pub(crate) service: u32,
    /// The exporter's methods, by the requirer's place of them; `None` where the exporter lacks one.
    pub(crate) methods: Vec<Option<Target>>,
}

/// A method of an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its place in the service.
    pub(crate) method: u32,
    /// How long a call may take whose caller does not say, 0 for the service's.
    pub(crate) deadline_ns: u64,
}

/// What makes a deployment impossible to start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two guests, or one twice, export one service.
    #[error("both `{first}` and `{second}` export {service}")]
    ExportedTwice {
        /// The service's full name.
        service: String,
        /// The guest that comes first by name.
        first: String,
        /// The other.
        second: String,
    },
    /// Nobody exports what a guest requires.
    #[error("`{guest}` requires {service}, which no guest of the deployment exports")]
    Missing {
        /// The service's full name.
        service: String,
        /// Who requires it.
        guest: String,
    },
    /// Guests require each other, so that none can be first.
    #[error("these guests wait for each other: {}", path.join(" -> "))]
    Cycle {
        /// Guests, each requiring something of the next; the last is the first again.
        path: Vec<String>,
    },
}

impl GraphError {
    /// The guest that it is about.
    pub fn guest(&self) -> &str {
        match self {
            GraphError::ExportedTwice { second, .. } => second,
            GraphError::Missing { guest, .. } => guest,
            GraphError::Cycle { path } => &path[0],
        }
    }
}

/// Finds an exporter for each requirement: for each guest its bindings, in the order of its manifest.
pub(crate) fn bind(guests: &[Declared<'_>]) -> Result<Vec<Vec<Binding>>, GraphError> {
    let exporters = exporters(guests)?;
    let bindings = guests.iter().map(|guest| bind_guest(guest, &exporters)).collect::<Result<Vec<_>, _>>()?;
    match cycle(&bindings) {
        Some(path) => {
            Err(GraphError::Cycle { path: path.into_iter().map(|guest| guests[guest].name.to_owned()).collect() })
        }
        None => Ok(bindings),
    }
}

/// For each service its exporter, and its place among that guest's exports.
type Exporters<'a> = BTreeMap<&'a str, (usize, u32, &'a Service)>;

fn exporters<'a>(guests: &'a [Declared<'a>]) -> Result<Exporters<'a>, GraphError> {
    let mut exporters = Exporters::new();
    for (guest, declared) in guests.iter().enumerate() {
        for (place, service) in declared.manifest.exports.iter().enumerate() {
            if let Some((first, ..)) = exporters.insert(&service.name, (guest, place as u32, service)) {
                return Err(GraphError::ExportedTwice {
                    service: service.name.clone(),
                    first: guests[first].name.to_owned(),
                    second: declared.name.to_owned(),
                });
            }
        }
    }
    Ok(exporters)
}

fn bind_guest(guest: &Declared<'_>, exporters: &Exporters<'_>) -> Result<Vec<Binding>, GraphError> {
    let bind = |required: &Service| match exporters.get(required.name.as_str()) {
        Some((exporter, place, exported)) => {
            Ok(Binding { guest: *exporter, service: *place, methods: match_methods(required, exported) })
        }
        None => Err(GraphError::Missing { service: required.name.clone(), guest: guest.name.to_owned() }),
    };
    guest.manifest.requires.iter().map(bind).collect()
}

/// Finds the exporter's methods by name.
fn match_methods(required: &Service, exported: &Service) -> Vec<Option<Target>> {
    let target = |(place, Method { name, deadline_ns, .. }): (u32, &'_ Method)| {
        (name.clone(), Target { method: place, deadline_ns: *deadline_ns })
    };
    let targets: BTreeMap<String, Target> = (0..).zip(&exported.methods).map(target).collect();
    required.methods.iter().map(|method| targets.get(&method.name).copied()).collect()
}

/// A way from a guest over what it requires back to itself, beginning with the smallest.
fn cycle(bindings: &[Vec<Binding>]) -> Option<Vec<usize>> {
    let edges = bindings.iter().enumerate().flat_map(|(guest, bound)| bound.iter().map(move |to| (guest, to.guest)));
    let graph: DiGraphMap<usize, ()> = DiGraphMap::from_edges(edges);
    let is_cycle = |guests: &Vec<usize>| guests.len() > 1 || graph.contains_edge(guests[0], guests[0]);
    let knot = tarjan_scc(&graph).into_iter().filter(is_cycle).min_by_key(|guests| guests.iter().min().copied())?;
    let start = *knot.iter().min()?;
    // Within a knot every guest is reached from every other.
    let back = graph.neighbors(start).filter(|next| knot.contains(next)).min()?;
    let (_, mut path) = petgraph::algo::astar(&graph, back, |guest| guest == start, |_| 1, |_| 0)?;
    path.insert(0, start);
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> Service {
        let method = |name: &str| Method { name: name.into(), budget_ns: 0, deadline_ns: 0 };
        Service { name: name.into(), schema: 0, methods: vec![method("Get"), method("Put")], descriptors: vec![] }
    }

    /// Binds guests given as (name, exports, requirements).
    fn bind_named(guests: &[(&str, &[&str], &[&str])]) -> Result<Vec<Vec<Binding>>, String> {
        let list = |names: &[&str]| names.iter().map(|name| service(name)).collect();
        let manifests: Vec<_> = guests
            .iter()
            .map(|(_, exports, requires)| Manifest { exports: list(exports), requires: list(requires) })
            .collect();
        let declared: Vec<_> =
            guests.iter().zip(&manifests).map(|((name, ..), manifest)| Declared { name, manifest }).collect();
        bind(&declared).map_err(|error| error.to_string())
    }

    #[test]
    fn a_requirement_is_bound_to_its_exporter_and_methods_by_name() {
        let mut exporter = Manifest { exports: vec![service("x.Other"), service("x.Store")], requires: vec![] };
        exporter.exports[1].methods.reverse();
        exporter.exports[1].methods[1].deadline_ns = 70;
        let mut requirer = Manifest { exports: vec![], requires: vec![service("x.Store")] };
        requirer.requires[0].methods.push(Method { name: "New".into(), budget_ns: 0, deadline_ns: 0 });
        let bound =
            bind(&[Declared { name: "app", manifest: &requirer }, Declared { name: "store", manifest: &exporter }]);
        requirer.requires[0].methods[1].deadline_ns = 5; // the exporter decides
        let target = |method, deadline_ns| Some(Target { method, deadline_ns });
        let binding = Binding { guest: 1, service: 1, methods: vec![target(1, 70), target(0, 0), None] };
        assert_eq!(bound, Ok(vec![vec![binding], vec![]]));
    }

    #[test]
    fn two_exporters_of_one_service_are_refused() {
        let error = bind_named(&[("a", &["x.S"], &[]), ("b", &["x.S"], &[])]);
        assert_eq!(error, Err("both `a` and `b` export x.S".into()));
    }

    #[test]
    fn a_requirement_that_nobody_exports_is_refused() {
        let error = bind_named(&[("a", &[], &["x.S"])]);
        assert_eq!(error, Err("`a` requires x.S, which no guest of the deployment exports".into()));
    }

    #[test]
    fn a_cycle_is_refused_with_its_whole_path() {
        let error = bind_named(&[
            ("a", &["x.A"], &["x.D"]),
            ("b", &["x.B"], &["x.C"]),
            ("c", &["x.C"], &["x.D"]),
            ("d", &["x.D"], &["x.B"]),
        ]);
        assert_eq!(error, Err("these guests wait for each other: b -> c -> d -> b".into()));
    }

    #[test]
    fn a_guest_that_requires_itself_is_a_cycle() {
        let error = bind_named(&[("a", &["x.A"], &["x.A"])]);
        assert_eq!(error, Err("these guests wait for each other: a -> a".into()));
    }
}
