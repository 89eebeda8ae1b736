//! Graph of exports and requirements, built before the launch.
//!
//! A guest is a node, and a requirement leads to each guest that exports the service. Services and
//! methods are matched by name here, once; calls then carry indices.

mod declaration;
mod grants;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use parigot_abi::manifest::{Method, MethodFlags, Requirement, Service};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use self::declaration::ExportedService;
pub(crate) use self::declaration::{GuestDeclaration, ProxyGrant};
use crate::deployment::Role;
use crate::error::{GraphError, suggest};
use crate::stdio;

/// Resolved requirement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Binding {
    /// Guests that export the service; empty if no guest does.
    pub(crate) exporters: Vec<Exporter>,
    /// Methods of the exporters if the service is required by name; otherwise empty.
    pub(crate) methods: Vec<MethodName>,
}

/// Method as callers identify it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MethodName {
    pub(crate) name: String,
    /// Directions that stream.
    pub(crate) streams: MethodFlags,
}

/// Exporter of a required service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exporter {
    /// Index of the exporting guest.
    pub(crate) guest: usize,
    /// Index of the service among the exports of that guest.
    pub(crate) service: u32,
    /// Methods of the exporter, indexed like the requirer's methods; `None` where the exporter
    /// lacks the method, or where other directions stream.
    pub(crate) methods: Vec<Option<Target>>,
}

/// Method of an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Index of the method in the service.
    pub(crate) method: u32,
    /// Directions that stream, at both sides.
    pub(crate) streams: MethodFlags,
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
        errors.extend(guests.iter().flat_map(shared_but_not_exported));
        errors.extend(guests.iter().flat_map(unknown_bindings));
        errors.extend(guests.iter().flat_map(grants::unknown_bindings));
        errors.extend(guests.iter().filter_map(wrong_role));
        errors.extend(guests.iter().filter_map(misplaced_stdio));
        let exporters = exporters(guests, &mut errors);
        let mut bindings = Vec::new();
        for guest in guests {
            let requires = guest.manifest.requires.iter();
            let bound = requires.map(|required| {
                let all = exporters.get(&*required.service.name);
                let visible = grants::visible(guest, required, all, guests);
                let bound = match &visible[..] {
                    [] => Err(missing(guest, &required.service, guests, &exporters)),
                    visible => choose(guest, required, visible, guests)
                        .map(|chosen| bind(&required.service, &chosen)),
                };
                bound.unwrap_or_else(|error| {
                    errors.push(error);
                    Binding::default()
                })
            });
            bindings.push(bound.collect());
        }
        for path in cycles(&bindings) {
            let names = path.into_iter().map(|guest| guests[guest].name.to_owned());
            errors.push(GraphError::Cycle {
                path: names.collect(),
            });
        }
        errors.sort_by(|a, b| a.guest().cmp(b.guest()));
        Graph { bindings, errors }
    }

    /// Returns for each guest its launch step, from 1, as if each guest were ready at its launch;
    /// `None` for a guest that can never launch. Guests from `first_proxy` on belong to the host
    /// and have step 0.
    pub(crate) fn steps(&self, first_proxy: usize) -> Vec<Option<usize>> {
        let mut steps = vec![None; self.bindings.len()];
        steps[first_proxy..].fill(Some(0));
        for step in 1.. {
            let is_ready = |binding: &Binding| {
                let mut exporters = binding.exporters.iter();
                !binding.exporters.is_empty() && exporters.all(|to| steps[to.guest].is_some())
            };
            let may_launch = |guest: &usize| {
                steps[*guest].is_none() && self.bindings[*guest].iter().all(is_ready)
            };
            // Collected first: a guest of this step must not make another one ready in this step.
            let launched: Vec<_> = (0..steps.len()).filter(may_launch).collect();
            if launched.is_empty() {
                break;
            }
            for guest in launched {
                steps[guest] = Some(step);
            }
        }
        steps
    }
}

/// Returns the services that a guest shares but does not export.
fn shared_but_not_exported(guest: &GuestDeclaration<'_>) -> Vec<GraphError> {
    let exports = || guest.manifest.exports.iter().map(|service| &*service.name);
    guest
        .shared
        .iter()
        .filter(|shared| !exports().any(|name| name == *shared))
        .map(|service| GraphError::SharedButNotExported {
            service: service.clone(),
            guest: guest.name.to_owned(),
            nearest: suggest::nearest(service, exports()).map(str::to_owned),
        })
        .collect()
}

/// Returns the error of a guest whose exports do not match its role.
fn wrong_role(guest: &GuestDeclaration<'_>) -> Option<GraphError> {
    let guest_name = || guest.name.to_owned();
    match (guest.role?, guest.manifest.exports.first()) {
        (Role::Service, None) => Some(GraphError::NothingExported {
            guest: guest_name(),
        }),
        (Role::Program | Role::Worker, Some(service)) => Some(GraphError::NotAService {
            guest: guest_name(),
            service: service.name.clone(),
        }),
        _ => None,
    }
}

/// Returns the error of a guest that may not use standard input and output, or that exports them.
fn misplaced_stdio(guest: &GuestDeclaration<'_>) -> Option<GraphError> {
    let role = guest.role?;
    let requires = || guest.manifest.requires.iter();
    let guest_name = || guest.name.to_owned();
    if guest
        .manifest
        .exports
        .iter()
        .any(|service| service.name == stdio::SERVICE)
    {
        Some(GraphError::ExportedByHost {
            service: stdio::SERVICE.to_owned(),
            guest: guest_name(),
        })
    } else if role == Role::Service
        && requires().any(|required| required.service.name == stdio::SERVICE)
    {
        Some(GraphError::StdioOfService {
            service: stdio::SERVICE.to_owned(),
            guest: guest_name(),
        })
    } else {
        None
    }
}

/// Exporters by service.
type Exporters<'a> = BTreeMap<&'a str, Vec<ExportedService<'a>>>;

/// Returns the names in a guest's `bind` that belong to no requirement.
fn unknown_bindings(guest: &GuestDeclaration<'_>) -> Vec<GraphError> {
    let requires = || guest.manifest.requires.iter();
    let names = || {
        requires()
            .map(|required| &*required.binding)
            .filter(|name| !name.is_empty())
    };
    guest
        .bind
        .keys()
        .filter(|binding| !names().any(|name| name == *binding))
        .map(|binding| GraphError::UnknownBinding {
            guest: guest.name.to_owned(),
            binding: binding.clone(),
            nearest: suggest::nearest(binding, names()).map(str::to_owned),
        })
        .collect()
}

/// Returns the exporters of a requirement: the one that the deployment binds, or all of them.
///
/// Exporters in other processes are called only without one in the guest's own process. The
/// deployment binds to guests of the own process alone, because a process knows the services of
/// other processes without their guests.
///
/// # Errors
///
/// If the deployment binds the requirement to another guest, or must bind it and does not.
fn choose<'a>(
    guest: &GuestDeclaration<'_>,
    required: &Requirement,
    exporters: &[ExportedService<'a>],
    guests: &[GuestDeclaration<'_>],
) -> Result<Vec<ExportedService<'a>>, GraphError> {
    let name_of = |exporter: &ExportedService<'_>| guests[exporter.0].name;
    let is_local = |exporter: &&ExportedService<'_>| guest.is_beside(&guests[exporter.0]);
    let service = || required.service.name.clone();
    let binding = || required.binding.clone();
    let local: Vec<_> = exporters.iter().filter(is_local).copied().collect();
    if let Some(bound) = guest.bind.get(&required.binding) {
        return match local.iter().find(|one| name_of(one) == bound) {
            Some(one) => Ok(vec![*one]),
            None => Err(GraphError::BoundElsewhere {
                service: service(),
                guest: guest.name.to_owned(),
                binding: binding(),
                exporter: bound.clone(),
                nearest: nearest_exporter(bound, &local, guests),
            }),
        };
    }
    if let Some(granted) = grants::choose(guest, required, exporters, guests) {
        return granted;
    }
    let are_elsewhere = local.is_empty();
    let chosen = if are_elsewhere {
        exporters.to_vec()
    } else {
        local
    };
    // Without a binding name, all exporters share the service: see `exporters`. A process cannot
    // choose among other processes, so calls go to all of them, and these must share the service.
    let (first, .., service_of_first) = chosen[0];
    let all_share = || {
        chosen[1..]
            .iter()
            .all(|(other, ..)| share(&guests[first], &guests[*other], service_of_first))
    };
    if required.binding.is_empty() || chosen.len() == 1 || are_elsewhere && all_share() {
        return Ok(chosen);
    }
    Err(GraphError::Ambiguous {
        service: service(),
        guest: guest.name.to_owned(),
        binding: binding(),
        exporters: chosen.iter().map(|one| name_of(one).to_owned()).collect(),
        are_elsewhere,
    })
}

/// Returns the guest among the exporters whose name is most similar, or else the first one.
fn nearest_exporter(
    name: &str,
    exporters: &[ExportedService<'_>],
    guests: &[GuestDeclaration<'_>],
) -> Option<String> {
    let names = || {
        exporters
            .iter()
            .map(|exporter| &guests[exporter.0])
            // The deployment does not know the guests of the host.
            .filter(|guest| guest.role.is_some())
            .map(|guest| guest.name)
    };
    suggest::nearest(name, names())
        .or_else(|| names().next())
        .map(str::to_owned)
}

/// Returns whether each requirement of a service has a binding name, and there is one at least.
/// Then the deployment chooses among the exporters, so they need not share the service. The guest
/// that makes the calls of a test requires all services, and does not count: any exporter does.
fn is_required_by_names(service: &str, guests: &[GuestDeclaration<'_>]) -> bool {
    let is_of_test = |guest: &GuestDeclaration<'_>, required: &Requirement| {
        guest.role.is_none() && !required.service.is_by_name()
    };
    let mut requirements = guests
        .iter()
        .flat_map(|guest| {
            guest
                .manifest
                .requires
                .iter()
                .map(move |required| (guest, required))
        })
        .filter(|(guest, required)| {
            required.service.name == service && !is_of_test(guest, required)
        })
        .map(|(_, required)| required)
        .peekable();
    requirements.peek().is_some() && requirements.all(|required| !required.binding.is_empty())
}

/// Collects the exporters. Of two exporters that do not share the service, only the first one is
/// kept, unless the deployment chooses by the names of bindings.
fn exporters<'a>(
    guests: &'a [GuestDeclaration<'a>],
    errors: &mut Vec<GraphError>,
) -> Exporters<'a> {
    let mut exporters = Exporters::new();
    for (guest, declared) in guests.iter().enumerate() {
        for (index, service) in (0..).zip(&declared.manifest.exports) {
            let known = exporters.entry(&service.name).or_default();
            // A guest cannot share a service with itself.
            let conflict = known.iter().find(|(other, ..)| {
                let is_granted = declared.grant.is_some() || guests[*other].grant.is_some();
                *other == guest
                    || !is_granted
                        && !share(&guests[*other], declared, service)
                        && !is_required_by_names(&service.name, guests)
            });
            match conflict {
                None => known.push((guest, index, service)),
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

/// Returns true if both guests share the service.
fn share(one: &GuestDeclaration<'_>, other: &GuestDeclaration<'_>, service: &Service) -> bool {
    one.shared.contains(&service.name) && other.shared.contains(&service.name)
}

/// Binds a requirement to its exporters.
fn bind(required: &Service, exporters: &[(usize, u32, &Service)]) -> Binding {
    let methods = if required.is_by_name() {
        all_methods(exporters)
    } else {
        Vec::new()
    };
    // One of the two lists is empty. A call carries the index of a method in the other list.
    let declared = required.methods.iter().map(MethodName::of);
    let callable: Vec<_> = declared.chain(methods.iter().cloned()).collect();
    Binding {
        exporters: exporters
            .iter()
            .map(|(guest, service, exported)| Exporter {
                guest: *guest,
                service: *service,
                methods: match_methods(&callable, exported),
            })
            .collect(),
        methods,
    }
}

/// Returns the error of a requirement without an exporter.
fn missing(
    guest: &GuestDeclaration<'_>,
    required: &Service,
    guests: &[GuestDeclaration<'_>],
    exporters: &Exporters<'_>,
) -> GraphError {
    let nearest = suggest::nearest(&required.name, exporters.keys().copied());
    GraphError::Missing {
        service: required.name.clone(),
        guest: guest.name.to_owned(),
        nearest: nearest.map(|service| {
            let (exporter, ..) = exporters[service][0];
            (service.to_owned(), guests[exporter].name.to_owned())
        }),
    }
}

impl MethodName {
    fn of(method: &Method) -> Self {
        MethodName {
            name: method.name.clone(),
            streams: method.flags.streams(),
        }
    }
}

/// Returns all methods that at least one exporter has. Of equal names the first counts.
fn all_methods(exporters: &[(usize, u32, &Service)]) -> Vec<MethodName> {
    let mut methods: Vec<MethodName> = Vec::new();
    for method in exporters
        .iter()
        .flat_map(|(.., exported)| &exported.methods)
    {
        if methods.iter().all(|known| known.name != method.name) {
            methods.push(MethodName::of(method));
        }
    }
    methods
}

/// Resolves methods to the exporter's methods by name. A method that streams in other directions is
/// another method.
fn match_methods(required: &[MethodName], exported: &Service) -> Vec<Option<Target>> {
    // A map, because a guest decides how many methods it declares. Of equal names the last counts.
    let mut targets = BTreeMap::new();
    for (index, method) in (0..).zip(&exported.methods) {
        let target = Target {
            method: index,
            streams: method.flags.streams(),
            deadline_ns: method.deadline_ns,
        };
        targets.insert(&*method.name, target);
    }
    required
        .iter()
        .map(|method| {
            let target = targets.get(&*method.name).copied();
            target.filter(|target| target.streams == method.streams)
        })
        .collect()
}

/// Returns one path per strongly connected component, from its smallest guest back to itself.
fn cycles(bindings: &[Vec<Binding>]) -> Vec<Vec<usize>> {
    let mut graph: DiGraphMap<usize, ()> = DiGraphMap::new();
    for (guest, bound) in bindings.iter().enumerate() {
        for exporter in bound.iter().flat_map(|binding| &binding.exporters) {
            graph.add_edge(guest, exporter.guest, ());
        }
    }
    tarjan_scc(&graph)
        .iter()
        .filter_map(|component| cycle(&graph, component))
        .collect()
}

/// Returns the shortest path from the smallest guest of a component back to itself; `None` for a
/// guest without a cycle.
fn cycle(graph: &DiGraphMap<usize, ()>, component: &[usize]) -> Option<Vec<usize>> {
    let start = *component.iter().min()?;
    // Within a component every guest reaches every other. A component of one guest is a cycle only
    // if that guest requires itself.
    let next = graph
        .neighbors(start)
        .filter(|next| component.contains(next))
        .min()?;
    let (_, mut path) = petgraph::algo::astar(graph, next, |guest| guest == start, |_| 1, |_| 0)?;
    path.insert(0, start);
    Some(path)
}
