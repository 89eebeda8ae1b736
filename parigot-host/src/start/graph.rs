//! Graph of exports and requirements, built before anything is launched.

use std::collections::BTreeMap;

use parigot_abi::Manifest;
use parigot_abi::manifest::{Method, Service};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::error::GraphError;
use crate::error::suggest;

/// Name and declaration of a guest.
pub(crate) struct GuestDeclaration<'a> {
    pub(crate) name: &'a str,
    pub(crate) manifest: &'a Manifest,
    /// Exported services that other guests may export as well.
    pub(crate) shared: &'a [String],
}

/// Resolved requirement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Binding {
    /// Guests that export the service; empty if no guest does.
    pub(crate) exporters: Vec<Exporter>,
    /// Methods of the exporters if the service is required by name; otherwise empty.
    pub(crate) methods: Vec<String>,
}

/// Exporter of a required service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exporter {
    /// Index of the exporting guest.
    pub(crate) guest: usize,
    /// Index of the service among the exports of that guest.
    pub(crate) service: u32,
    /// Methods of the exporter, indexed like the requirer's methods; `None` where the exporter
    /// lacks the method.
    pub(crate) methods: Vec<Option<Target>>,
}

/// Method of an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Index of the method in the service.
    pub(crate) method: u32,
    /// Default deadline of a call in nanoseconds; 0 selects the service's default.
    pub(crate) deadline_ns: u64,
}

/// Exporters of all requirements, and the errors among them. Guests are known by index.
pub(crate) struct Graph {
    /// Bindings of each guest, in the order of the requirements in its manifest.
    pub(crate) bindings: Vec<Vec<Binding>>,
    /// All errors, sorted by guest.
    pub(crate) errors: Vec<GraphError>,
}

impl Graph {
    /// Resolves each requirement to its exporters.
    pub(crate) fn of(guests: &[GuestDeclaration<'_>]) -> Self {
        let mut errors = Vec::new();
        errors.extend(guests.iter().flat_map(shared_in_vain));
        let exporters = exporters(guests, &mut errors);
        let bindings: Vec<_> = guests
            .iter()
            .map(|guest| bind(guest, guests, &exporters, &mut errors))
            .collect();
        let names = |path: Vec<usize>| {
            path.into_iter()
                .map(|guest| guests[guest].name.to_owned())
                .collect()
        };
        errors.extend(
            cycles(&bindings)
                .into_iter()
                .map(|path| GraphError::Cycle { path: names(path) }),
        );
        errors.sort_by(|a, b| a.guest().cmp(b.guest()));
        Graph { bindings, errors }
    }

    /// Returns for each guest its launch step, from 1, as if each guest were ready at its launch;
    /// `None` for a guest that can never launch.
    pub(crate) fn steps(&self) -> Vec<Option<usize>> {
        let mut steps = vec![None; self.bindings.len()];
        for step in 1.. {
            let is_ready = |Binding { exporters, .. }: &Binding| {
                !exporters.is_empty() && exporters.iter().all(|to| steps[to.guest].is_some())
            };
            let may_start = |guest: &usize| {
                steps[*guest].is_none() && self.bindings[*guest].iter().all(is_ready)
            };
            let now: Vec<_> = (0..steps.len()).filter(may_start).collect();
            if now.is_empty() {
                break;
            }
            now.into_iter().for_each(|guest| steps[guest] = Some(step));
        }
        steps
    }
}

/// Returns the services that a guest shares but does not export.
fn shared_in_vain(guest: &GuestDeclaration<'_>) -> Vec<GraphError> {
    let exports = || guest.manifest.exports.iter().map(|service| &*service.name);
    let in_vain = guest
        .shared
        .iter()
        .filter(|shared| !exports().any(|name| name == *shared));
    let error = |service: &String| GraphError::SharedInVain {
        service: service.clone(),
        guest: guest.name.to_owned(),
        nearest: suggest::nearest(service, exports()).map(str::to_owned),
    };
    in_vain.map(error).collect()
}

/// Exporters by service, each with the index of the service among its exports.
type Exporters<'a> = BTreeMap<&'a str, Vec<(usize, u32, &'a Service)>>;

/// Collects the exporters; keeps only the first of two exporters that do not share the service.
fn exporters<'a>(
    guests: &'a [GuestDeclaration<'a>],
    errors: &mut Vec<GraphError>,
) -> Exporters<'a> {
    let mut exporters = Exporters::new();
    for (guest, declared) in guests.iter().enumerate() {
        for (place, service) in declared.manifest.exports.iter().enumerate() {
            let known = exporters.entry(&service.name).or_default();
            match known
                .iter()
                .find(|(other, ..)| *other == guest || !share(&guests[*other], declared, service))
            {
                None => known.push((guest, place as u32, service)),
                Some((other, ..)) => errors.push(GraphError::ExportedTwice {
                    service: service.name.clone(),
                    first: guests[*other].name.to_owned(),
                    second: declared.name.to_owned(),
                }),
            }
        }
    }
    exporters
}

fn share(one: &GuestDeclaration<'_>, other: &GuestDeclaration<'_>, service: &Service) -> bool {
    [one, other]
        .iter()
        .all(|guest| guest.shared.contains(&service.name))
}

fn bind(
    guest: &GuestDeclaration<'_>,
    guests: &[GuestDeclaration<'_>],
    exporters: &Exporters<'_>,
    errors: &mut Vec<GraphError>,
) -> Vec<Binding> {
    let bind = |required: &Service| {
        let Some(exporters) = exporters.get(&*required.name) else {
            errors.push(missing(guest, required, guests, exporters));
            return Binding::default();
        };
        let methods = if required.is_by_name() {
            all_methods(exporters)
        } else {
            Vec::new()
        };
        let known = required
            .methods
            .iter()
            .map(|method| &*method.name)
            .chain(methods.iter().map(String::as_str));
        let known: Vec<_> = known.collect();
        let exporter = |(guest, service, exported): &(usize, u32, &Service)| Exporter {
            guest: *guest,
            service: *service,
            methods: match_methods(&known, exported),
        };
        Binding {
            exporters: exporters.iter().map(exporter).collect(),
            methods,
        }
    };
    guest.manifest.requires.iter().map(bind).collect()
}

fn missing(
    guest: &GuestDeclaration<'_>,
    required: &Service,
    guests: &[GuestDeclaration<'_>],
    exporters: &Exporters<'_>,
) -> GraphError {
    let nearest = suggest::nearest(&required.name, exporters.keys().copied());
    let nearest = nearest.map(|service| {
        (
            service.to_owned(),
            guests[exporters[service][0].0].name.to_owned(),
        )
    });
    GraphError::Missing {
        service: required.name.clone(),
        guest: guest.name.to_owned(),
        nearest,
    }
}

/// The names of what any of the exporters has.
fn all_methods(exporters: &[(usize, u32, &Service)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for method in exporters
        .iter()
        .flat_map(|(.., exported)| &exported.methods)
    {
        if !names.contains(&method.name) {
            names.push(method.name.clone());
        }
    }
    names
}

/// Resolves methods to the exporter's methods by name.
fn match_methods(required: &[&str], exported: &Service) -> Vec<Option<Target>> {
    let target = |(
        place,
        Method {
            name, deadline_ns, ..
        },
    ): (u32, &'_ Method)| {
        (
            name.clone(),
            Target {
                method: place,
                deadline_ns: *deadline_ns,
            },
        )
    };
    let targets: BTreeMap<String, Target> = (0..).zip(&exported.methods).map(target).collect();
    required
        .iter()
        .map(|name| targets.get(*name).copied())
        .collect()
}

/// Returns one path per strongly connected component, from its smallest guest back to itself.
fn cycles(bindings: &[Vec<Binding>]) -> Vec<Vec<usize>> {
    let edges = bindings.iter().enumerate().flat_map(|(guest, bound)| {
        bound
            .iter()
            .flat_map(|to| &to.exporters)
            .map(move |exporter| (guest, exporter.guest))
    });
    let graph: DiGraphMap<usize, ()> = DiGraphMap::from_edges(edges);
    tarjan_scc(&graph)
        .iter()
        .filter_map(|knot| cycle(&graph, knot))
        .collect()
}

fn cycle(graph: &DiGraphMap<usize, ()>, knot: &[usize]) -> Option<Vec<usize>> {
    let start = *knot.iter().min()?;
    // Within a component every guest reaches every other. A component of one guest is a cycle only
    // if that guest requires itself.
    let next = graph
        .neighbors(start)
        .filter(|next| knot.contains(next))
        .min()?;
    let (_, mut path) = petgraph::algo::astar(graph, next, |guest| guest == start, |_| 1, |_| 0)?;
    path.insert(0, start);
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> Service {
        let method = |name: &str| Method {
            name: name.into(),
            budget_ns: 0,
            deadline_ns: 0,
        };
        Service {
            name: name.into(),
            schema: 0,
            methods: vec![method("Get"), method("Put")],
            descriptors: vec![],
        }
    }

    /// Returns the graph of guests given as (name, exports, requirements).
    fn graph(guests: &[(&str, &[&str], &[&str])]) -> Graph {
        graph_of_sharing(guests, &[])
    }

    /// Returns the same graph with guests that each share the given services.
    fn graph_of_sharing(guests: &[(&str, &[&str], &[&str])], shared: &[&str]) -> Graph {
        let shared: Vec<String> = shared.iter().map(|name| (*name).to_owned()).collect();
        let shared = |exports: &[&str]| -> Vec<String> {
            shared
                .iter()
                .filter(|name| exports.contains(&name.as_str()))
                .cloned()
                .collect()
        };
        let shared: Vec<_> = guests
            .iter()
            .map(|(_, exports, _)| shared(exports))
            .collect();
        let list = |names: &[&str]| names.iter().map(|name| service(name)).collect();
        let manifests: Vec<_> = guests
            .iter()
            .map(|(_, exports, requires)| Manifest {
                exports: list(exports),
                requires: list(requires),
            })
            .collect();
        let declared = guests.iter().zip(&manifests).zip(&shared);
        let declared: Vec<_> = declared
            .map(|(((name, ..), manifest), shared)| GuestDeclaration {
                name,
                manifest,
                shared,
            })
            .collect();
        Graph::of(&declared)
    }

    /// Returns the error texts of the graph.
    fn errors(guests: &[(&str, &[&str], &[&str])]) -> Vec<String> {
        graph(guests)
            .errors
            .iter()
            .map(GraphError::to_string)
            .collect()
    }

    #[test]
    fn a_requirement_is_bound_to_its_exporter_and_methods_by_name() {
        let mut exporter = Manifest {
            exports: vec![service("x.Other"), service("x.Store")],
            requires: vec![],
        };
        exporter.exports[1].methods.reverse();
        exporter.exports[1].methods[1].deadline_ns = 70;
        let mut requirer = Manifest {
            exports: vec![],
            requires: vec![service("x.Store")],
        };
        requirer.requires[0].methods.push(Method {
            name: "New".into(),
            budget_ns: 0,
            deadline_ns: 0,
        });
        requirer.requires[0].methods[1].deadline_ns = 5; // the exporter decides
        let graph = Graph::of(&[
            GuestDeclaration {
                name: "app",
                manifest: &requirer,
                shared: &[],
            },
            GuestDeclaration {
                name: "store",
                manifest: &exporter,
                shared: &[],
            },
        ]);
        let target = |method, deadline_ns| {
            Some(Target {
                method,
                deadline_ns,
            })
        };
        let exporter = Exporter {
            guest: 1,
            service: 1,
            methods: vec![target(1, 70), target(0, 0), None],
        };
        assert_eq!(
            graph.bindings,
            [
                vec![Binding {
                    exporters: vec![exporter],
                    methods: vec![]
                }],
                vec![]
            ]
        );
        assert_eq!(graph.errors, []);
    }

    #[test]
    fn two_exporters_of_one_service_are_refused() {
        assert_eq!(
            errors(&[("a", &["x.S"], &[]), ("b", &["x.S"], &[])]),
            ["both `a` and `b` export x.S"]
        );
        assert_eq!(
            errors(&[("a", &["x.S", "x.S"], &[])]),
            ["both `a` and `a` export x.S"]
        );
    }

    #[test]
    fn exporters_that_all_share_a_service_are_all_bound_each_by_its_own_methods() {
        let guests: &[(&str, &[&str], &[&str])] = &[
            ("app", &[], &["x.S"]),
            ("b", &["x.T", "x.S"], &[]),
            ("c", &["x.S"], &[]),
        ];
        let graph = graph_of_sharing(guests, &["x.S"]);
        assert_eq!(graph.errors, []);
        let bound: Vec<_> = graph.bindings[0][0]
            .exporters
            .iter()
            .map(|exporter| (exporter.guest, exporter.service))
            .collect();
        assert_eq!(bound, [(1, 1), (2, 0)]);
        assert_eq!(graph.steps(), [Some(2), Some(1), Some(1)]);
    }

    #[test]
    fn one_who_requires_a_service_by_name_may_call_all_methods_that_any_exporter_has() {
        let mut newer = service("x.S");
        newer.methods.insert(
            0,
            Method {
                name: "New".into(),
                budget_ns: 0,
                deadline_ns: 0,
            },
        );
        let by_name = Service {
            methods: vec![],
            ..service("x.S")
        };
        let manifest = |exports, requires| Manifest { exports, requires };
        let (requirer, older) = (
            manifest(vec![], vec![by_name]),
            manifest(vec![service("x.S")], vec![]),
        );
        let (newer, shared) = (manifest(vec![newer], vec![]), ["x.S".to_owned()]);
        let graph = Graph::of(&[
            GuestDeclaration {
                name: "app",
                manifest: &requirer,
                shared: &[],
            },
            GuestDeclaration {
                name: "new",
                manifest: &newer,
                shared: &shared,
            },
            GuestDeclaration {
                name: "old",
                manifest: &older,
                shared: &shared,
            },
        ]);
        let binding = &graph.bindings[0][0];
        assert_eq!(binding.methods, ["New", "Get", "Put"]);
        let places = |exporter: &Exporter| -> Vec<Option<u32>> {
            exporter
                .methods
                .iter()
                .map(|target| target.map(|target| target.method))
                .collect()
        };
        assert_eq!(places(&binding.exporters[0]), [Some(0), Some(1), Some(2)]);
        assert_eq!(places(&binding.exporters[1]), [None, Some(0), Some(1)]);
    }

    #[test]
    fn a_service_that_not_all_exporters_share_is_refused_and_so_is_one_that_is_not_exported() {
        let (exports, shared) = (
            vec![service("x.Store")],
            ["x.Store".to_owned(), "x.Stor".to_owned()],
        );
        let manifest = Manifest {
            exports,
            requires: vec![],
        };
        let graph = Graph::of(&[
            GuestDeclaration {
                name: "a",
                manifest: &manifest,
                shared: &[],
            },
            GuestDeclaration {
                name: "b",
                manifest: &manifest,
                shared: &shared,
            },
        ]);
        let errors: Vec<_> = graph.errors.iter().map(GraphError::to_string).collect();
        assert_eq!(
            errors,
            [
                "`b` shares x.Stor, which it does not export",
                "both `a` and `b` export x.Store"
            ]
        );
    }

    #[test]
    fn a_requirement_that_nobody_exports_is_refused_with_the_nearest_that_somebody_does() {
        let graph = graph(&[
            ("a", &[], &["x.v1.Stor", "y.Else"]),
            ("b", &["x.v1.Store"], &[]),
        ]);
        let missing = |service: &str, nearest| GraphError::Missing {
            service: service.into(),
            guest: "a".into(),
            nearest,
        };
        let nearest = Some(("x.v1.Store".into(), "b".into()));
        assert_eq!(
            graph.errors,
            [missing("x.v1.Stor", nearest), missing("y.Else", None)]
        );
        assert_eq!(
            graph.errors[1].to_string(),
            "`a` requires y.Else, which no guest of the deployment exports"
        );
    }

    #[test]
    fn a_cycle_is_refused_with_its_whole_path() {
        let guests: &[(&str, &[&str], &[&str])] = &[
            ("a", &["x.A"], &["x.D"]),
            ("b", &["x.B"], &["x.C"]),
            ("c", &["x.C"], &["x.D"]),
            ("d", &["x.D"], &["x.B"]),
        ];
        assert_eq!(
            errors(guests),
            ["these guests wait for each other: b -> c -> d -> b"]
        );
    }

    #[test]
    fn a_guest_that_requires_itself_is_a_cycle() {
        assert_eq!(
            errors(&[("a", &["x.A"], &["x.A"])]),
            ["these guests wait for each other: a -> a"]
        );
    }

    #[test]
    fn all_that_is_wrong_is_told_in_the_order_of_the_guests() {
        let guests: &[(&str, &[&str], &[&str])] = &[
            ("a", &["x.A"], &["x.B"]),
            ("b", &["x.B"], &["x.A"]),
            ("c", &["x.C"], &["x.D", "x.None"]),
            ("d", &["x.D", "x.A"], &["x.C"]),
        ];
        let expected = [
            "these guests wait for each other: a -> b -> a",
            "`c` requires x.None, which no guest of the deployment exports",
            "these guests wait for each other: c -> d -> c",
            "both `a` and `d` export x.A",
        ];
        assert_eq!(errors(guests), expected);
    }

    #[test]
    fn a_guest_is_launched_in_the_step_after_the_last_that_it_requires() {
        let guests: &[(&str, &[&str], &[&str])] = &[
            ("a", &[], &["x.B", "x.C"]),
            ("b", &["x.B"], &["x.C"]),
            ("c", &["x.C"], &[]),
            ("d", &["x.D"], &[]),
            ("e", &["x.E"], &["x.E"]),
            ("f", &[], &["x.E"]),
            ("g", &[], &["x.None"]),
        ];
        assert_eq!(
            graph(guests).steps(),
            [Some(3), Some(2), Some(1), Some(1), None, None, None]
        );
    }
}
