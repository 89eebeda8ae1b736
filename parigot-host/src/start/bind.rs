//! Bind stage: resolves the requirements among the guests and binds the instances to each other.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use parigot_abi::frame::LAUNCH_NUMBER;
use parigot_abi::{FrameBuilder, Header, Kind};

use crate::deployment::{Deployment, Process, process_of};
use crate::error::{GraphError, StartProblem};
use crate::guest::epoch_ticker::EpochTicker;
use crate::kernel::callees::{Callee, Route};
use crate::kernel::index::InstanceIndex;
use crate::kernel::init_turn::{InitOutput, InitTurn};
use crate::kernel::instance::{Identity, Instance, InstanceState};
use crate::kernel::lifecycle::{Dependency, GuestKind};
use crate::settings::Settings;
use crate::start::declare::{DeclaredGuest, DeclaredGuests};
use crate::start::exposed;
use crate::start::graph::{Binding, Exporter, Graph, GuestDeclaration, MethodName};
use crate::start::providers::not_granted;

/// Guests of a deployment whose requirements are resolved, and all problems.
pub(crate) struct BoundGuests<'a> {
    /// Guests that declared themselves.
    pub(crate) guests: Vec<DeclaredGuest<'a>>,
    /// Requirements among the guests.
    pub(crate) graph: Graph,
    /// Problems, sorted by guest.
    pub(crate) problems: Vec<StartProblem>,
    /// Present once the creation of instances was attempted.
    pub(crate) epoch_ticker: Option<EpochTicker>,
}

impl<'a> DeclaredGuests<'a> {
    /// Resolves the requirements among the guests of these processes, and checks the services of
    /// the deployment's edges. Without processes, all guests run in one.
    pub(crate) fn bind(
        self,
        deployment: &Deployment,
        processes: &[Process],
        settings: &Settings,
    ) -> BoundGuests<'a> {
        let DeclaredGuests {
            guests,
            mut problems,
            epoch_ticker,
        } = self;
        let declarations: Vec<_> = guests
            .iter()
            .map(|guest| GuestDeclaration {
                name: &guest.spec.name,
                manifest: guest.manifest(),
                shared: &guest.spec.shared,
                bind: &guest.spec.bind,
                // A guest of the host itself has no file.
                role: (!guest.spec.wasm.as_os_str().is_empty()).then_some(guest.spec.role),
                process: process_of(&guest.spec.name, processes).map(Process::name),
                grants: &guest.spec.providers,
                grant: guest.grant,
            })
            .collect();
        let graph = Graph::of(&declarations);
        // A failed guest may export a service that seems to be missing.
        let all_declared = problems.is_empty();
        problems.extend(
            graph
                .errors
                .iter()
                .filter(|error| all_declared || !matches!(error, GraphError::Missing { .. }))
                .map(|error| {
                    not_granted(error, deployment, settings).unwrap_or_else(|| error.clone())
                })
                .map(StartProblem::from),
        );
        problems.extend(exposed::problems(
            deployment,
            &guests,
            processes,
            all_declared,
        ));
        problems.sort_by(|a, b| a.guest().cmp(&b.guest()));
        BoundGuests {
            guests,
            graph,
            problems,
            epoch_ticker,
        }
    }
}

/// Instance of a guest that is not bound yet.
pub(super) struct Replica<'a> {
    /// Index of the guest in the deployment; proxies follow after all guests.
    pub(super) guest: usize,
    pub(super) is_proxy: bool,
    pub(super) instance: DeclaredGuest<'a>,
}

impl Replica<'_> {
    pub(super) fn kind(&self) -> GuestKind {
        if self.is_proxy {
            GuestKind::Proxy
        } else {
            self.instance.spec.role.into()
        }
    }
}

/// Returns the range of instance indices of each guest: the replicas of a guest are adjacent.
pub(super) fn instance_ranges(guests: &[DeclaredGuest<'_>]) -> Vec<Range<InstanceIndex>> {
    let mut end = 0;
    guests
        .iter()
        .map(|guest| {
            let start = end;
            end += guest.spec.replicas as usize;
            start..end
        })
        .collect()
}

/// Returns the instances that export each required service, and the instances that require it.
pub(super) fn dependencies(
    guests: &[DeclaredGuest<'_>],
    bindings: &[Vec<Binding>],
    ranges: &[Range<InstanceIndex>],
) -> Vec<Dependency> {
    // By the exporters too: two requirements of one service may be bound to different guests.
    let mut dependencies: BTreeMap<(&str, Vec<InstanceIndex>), Dependency> = BTreeMap::new();
    for ((guest, bindings), range) in guests.iter().zip(bindings).zip(ranges) {
        for (required, binding) in guest.manifest().requires.iter().zip(bindings) {
            let exporters: Vec<_> = binding
                .exporters
                .iter()
                .flat_map(|exporter| ranges[exporter.guest].clone())
                .collect();
            let dependency = dependencies
                .entry((&required.service.name, exporters.clone()))
                .or_insert_with(|| Dependency {
                    exporters,
                    required_by: Vec::new(),
                });
            dependency.required_by.extend(range.clone());
        }
    }
    dependencies.into_values().collect()
}

/// Creates the kernel's instance of a replica, whose calls take the routes of its bindings.
pub(super) fn bind_instance(
    replica: Replica<'_>,
    index: InstanceIndex,
    bindings: &[Binding],
    ranges: &[Range<InstanceIndex>],
) -> (Instance, InitTurn) {
    let DeclaredGuest {
        spec,
        id,
        started_ns,
        log_rate,
        init,
        ..
    } = replica.instance;
    let InitOutput {
        code, outbox, turn, ..
    } = init;
    let identity = Identity {
        id,
        index,
        launched_frame: launched_frame(bindings),
        started_ns,
        log_rate,
    };
    let state = InstanceState::new(code, routes(bindings, ranges, index));
    (
        Instance::new(identity, spec, replica.is_proxy),
        InitTurn {
            state,
            outbox,
            turn,
        },
    )
}

/// Returns the destinations of one instance's calls, in the order of its requirements.
fn routes(
    bindings: &[Binding],
    ranges: &[Range<InstanceIndex>],
    caller: InstanceIndex,
) -> Vec<Route> {
    bindings
        .iter()
        .map(|binding| {
            let callees = binding
                .exporters
                .iter()
                .flat_map(|exporter| callees(exporter, &ranges[exporter.guest]));
            Route::new(callees.collect(), caller)
        })
        .collect()
}

/// Returns the instances of an exporter as callees.
fn callees(exporter: &Exporter, range: &Range<InstanceIndex>) -> impl Iterator<Item = Callee> {
    let service = exporter.service;
    let methods: Arc<[_]> = Arc::from(&*exporter.methods);
    range.clone().map(move |index| Callee {
        index,
        service,
        methods: Arc::clone(&methods),
    })
}

/// Returns the frame that launches a guest. A handle is the index of a requirement.
fn launched_frame(bindings: &[Binding]) -> Box<[u8]> {
    let mut bytes = Vec::new();
    let mut frame = FrameBuilder::new(
        &mut bytes,
        Header {
            number: LAUNCH_NUMBER,
            ..Header::new(Kind::Launched)
        },
    );
    for (index, binding) in bindings.iter().enumerate() {
        for method in &binding.methods {
            let MethodName { name, streams } = method;
            let value = format!("{name}{}", streams.name_suffix());
            frame = frame.metadata(&index.to_string(), &value);
        }
    }
    let handles = 0..bindings.len() as u32;
    frame = frame.payload_with(|out| {
        handles.for_each(|handle| out.extend_from_slice(&handle.to_le_bytes()))
    });
    frame
        .finish()
        .expect("a manifest must be shorter than 4 GiB");
    bytes.into()
}
