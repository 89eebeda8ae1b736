//! Peers: creates a proxy for each service that is called across processes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use miette::Diagnostic;
use parigot_abi::id::HostId;
use parigot_abi::manifest::Service;
use rand::Rng;

use super::event_queue::{EventQueue, RemoteEvent};
use super::gateway::Gateway;
use super::nats::Nats;
use super::nats::identity::ProcessIdentity;
use super::remote::{RemoteInterface, RemoteService, Requirer};
use super::transport::{ImportSpec, Transport};
use crate::deployment::Deployment;
use crate::descriptors::pool;
use crate::error::{StartError, StartProblem};
use crate::guest::builtin::BuiltInFactory;
use crate::kernel::startup::LONG;
use crate::log::events;
use crate::random::Randomness;
use crate::settings::Settings;
use crate::start::declare::{DeclaredGuest, Proxy};
use crate::start::providers;
use crate::stdio;

/// The other processes of the deployment, if there are any.
pub(crate) struct Peers {
    transport: Option<Arc<dyn Transport>>,
}

/// A service that local guests export: the declaration of the first exporter, with the longest
/// default deadline of all exporters.
struct LocalService<'g> {
    service: &'g Service,
    /// Descriptors of the exporter.
    descriptors: &'g [u8],
    deadline: Duration,
    /// Number of exporters.
    exporters: usize,
    /// All exporters share the service.
    is_shared: bool,
}

impl LocalService<'_> {
    /// Returns whether guests of other processes can call the service. If only the binding names of
    /// local guests tell several exporters apart, a caller in another process could reach any.
    fn is_offered(&self) -> bool {
        self.exporters == 1 || self.is_shared
    }
}

/// Services that local guests require and none of them exports, with the names of the requirers.
type MissingServices<'g> = BTreeMap<&'g str, Vec<Requirer<'g>>>;

/// Returns the services that local guests export, by name.
fn local_services<'g>(guests: &'g [DeclaredGuest<'_>]) -> BTreeMap<&'g str, LocalService<'g>> {
    let mut local: BTreeMap<&str, LocalService<'_>> = BTreeMap::new();
    for guest in guests {
        for service in &guest.manifest().exports {
            let known = local.entry(&service.name).or_insert(LocalService {
                service,
                descriptors: &guest.manifest().descriptors,
                deadline: guest.spec.deadline,
                exporters: 0,
                is_shared: true,
            });
            known.exporters += 1;
            known.is_shared &= guest.spec.shared.contains(&service.name);
            known.deadline = known.deadline.max(guest.spec.deadline);
        }
    }
    local
}

/// Returns the services that other processes must export: no local guest and no provider does.
fn missing_services<'g>(
    guests: &'g [DeclaredGuest<'_>],
    local: &BTreeMap<&str, LocalService<'_>>,
    is_granted: impl Fn(&DeclaredGuest<'_>, &Service) -> bool,
) -> MissingServices<'g> {
    let mut missing = MissingServices::new();
    for guest in guests {
        let manifest = guest.manifest();
        let requires = manifest.requires.iter().map(|required| &required.service);
        // The host of each process serves standard input and output.
        let is_missing = |service: &&Service| {
            !local.contains_key(&*service.name)
                && service.name != stdio::SERVICE
                && !is_granted(guest, service)
        };
        for service in requires.filter(is_missing) {
            missing.entry(&service.name).or_default().push(Requirer {
                guest: &guest.spec.name,
                service,
                descriptors: &manifest.descriptors,
            });
        }
    }
    missing
}

/// An import whose search has started.
struct PendingImport<'g> {
    name: &'g str,
    /// Names of the guests that require the service, with their declarations.
    requirers: Vec<Requirer<'g>>,
    queue: Arc<EventQueue<RemoteEvent>>,
}

impl<'g> PendingImport<'g> {
    /// Starts the search.
    fn new(name: &'g str, requirers: Vec<Requirer<'g>>, transport: &dyn Transport) -> Self {
        let queue = EventQueue::new();
        let RemoteInterface {
            service: Service { schema, .. },
            descriptors,
        } = RemoteInterface::new(name, &requirers, Vec::new());
        transport.import(
            ImportSpec {
                service: name.to_owned(),
                schema,
                descriptors,
            },
            Arc::clone(&queue),
        );
        PendingImport {
            name,
            requirers,
            queue,
        }
    }

    /// Returns the name of a guest that requires the service by name, if there is one. Calls of
    /// such a guest are bound before its launch, so the methods must be known by then.
    fn requirer_by_name(&self) -> Option<&'g str> {
        self.requirers
            .iter()
            .find(|requirer| requirer.service.is_by_name())
            .map(|requirer| requirer.guest)
    }

    /// Returns the methods of the service in the other process if a guest requires the service by
    /// name, and no methods otherwise. Waits `within` for a process that offers the service.
    ///
    /// # Errors
    ///
    /// If no process offers the service in time, or if none can be found.
    fn methods(
        &self,
        until: Instant,
        within: Duration,
        settings: &Settings,
    ) -> Result<Vec<String>, StartProblem> {
        let Some(guest) = self.requirer_by_name() else {
            return Ok(Vec::new());
        };
        let guest_name = guest.to_owned();
        let service = self.name.to_owned();
        match wait_for(settings, || self.wait_for_methods(guest, until)) {
            Some(Ok(methods)) => Ok(methods),
            Some(Err(reason)) => Err(StartProblem::Undiscoverable {
                guest: guest_name,
                service,
                reason,
            }),
            None => Err(StartProblem::Unoffered {
                guest: guest_name,
                service,
                within,
            }),
        }
    }

    /// Waits for a process that offers the service and returns its methods, or the reason why none
    /// can be found; `None` if no process is found before `until`.
    fn wait_for_methods(&self, guest: &str, until: Instant) -> Option<Result<Vec<String>, String>> {
        let mut received = self.queue.wait_and_take(until.min(Instant::now() + LONG));
        if received.is_empty() {
            events::unoffered(guest, self.name, LONG);
            received = self.queue.wait_and_take(until);
        }
        // No call has been sent yet, so no other event can arrive.
        let result = received.iter().find_map(|event| match event {
            RemoteEvent::Found { methods, .. } => Some(Ok(methods.clone())),
            RemoteEvent::Undiscoverable { reason } => Some(Err(reason.clone())),
            _ => None,
        });
        // The remote needs the event, too: it is ready once a process is found.
        self.queue.push_all(received);
        result
    }
}

/// Runs a wait that may take long, and reports its begin and end to the callbacks of the embedder.
/// No guest runs yet, so a callback may end the process.
fn wait_for<R>(settings: &Settings, wait: impl FnOnce() -> R) -> R {
    let report = |is_waiting| {
        if let Some(on_waiting) = &settings.on_waiting {
            on_waiting(is_waiting);
        }
    };
    report(true);
    let result = wait();
    report(false);
    result
}

impl Peers {
    /// Connects with the other processes if the deployment has a network.
    ///
    /// # Errors
    ///
    /// If no server of the network accepts the connection.
    pub(crate) fn of(deployment: &Deployment, settings: &Settings) -> Result<Self, StartError> {
        let Some(network) = &deployment.network else {
            return Ok(Peers { transport: None });
        };
        let identity = ProcessIdentity {
            host: HostId::from_random(Randomness::new(settings.seed).generator().random()),
            network: network.clone(),
            clock: Arc::clone(&settings.clock),
            message_bytes_max: settings.message_bytes_max as usize,
        };
        match wait_for(settings, || Nats::connect(identity)) {
            Ok(transport) => Ok(Peers::behind(transport)),
            Err(error) => {
                let next_step = error
                    .help()
                    .map(|help| help.to_string())
                    .unwrap_or_default();
                Err(StartError::of_network(&network.process, error, next_step))
            }
        }
    }

    /// Creates the peers behind a transport.
    pub(crate) fn behind(transport: Arc<dyn Transport>) -> Self {
        Peers {
            transport: Some(transport),
        }
    }

    pub(crate) fn are_there(&self) -> bool {
        self.transport.is_some()
    }

    /// Creates the proxies for guests with these declarations: first a remote for each service of
    /// other processes, then a gateway for each local service.
    ///
    /// # Errors
    ///
    /// If a guest requires a service by name and no process offers the service within the start
    /// deadline, because its methods must be known before the launch.
    pub(crate) fn proxies(
        &self,
        guests: &[DeclaredGuest<'_>],
        deployment: &Deployment,
        settings: &Settings,
    ) -> Result<Vec<Proxy>, StartError> {
        let Some(transport) = &self.transport else {
            return Ok(Vec::new());
        };
        let local = local_services(guests);
        // All searches start before the first wait, so that the waits overlap.
        let is_granted = |guest: &DeclaredGuest<'_>, service: &Service| {
            providers::is_granted(guest.spec, &service.name, deployment, settings)
        };
        let imports: Vec<_> = missing_services(guests, &local, is_granted)
            .into_iter()
            .map(|(name, requirers)| PendingImport::new(name, requirers, &**transport))
            .collect();
        let within = deployment.startup_deadline;
        let until = Instant::now() + within;
        let mut proxies = Vec::new();
        let mut problems = Vec::new();
        for import in imports {
            match import.methods(until, within, settings) {
                Ok(methods) => proxies.push(remote(transport, import, methods)),
                Err(problem) => problems.push(problem),
            }
        }
        StartError::unless_none(problems)?;
        let offered = local.values().filter(|local| local.is_offered());
        proxies.extend(offered.map(|local| gateway(transport, local)));
        Ok(proxies)
    }

    /// Sends the pending messages and closes the transport after all local guests have left.
    pub(crate) fn close(&self) {
        if let Some(transport) = &self.transport {
            transport.close();
        }
    }
}

/// Creates the proxy for a service of other processes.
fn remote(
    transport: &Arc<dyn Transport>,
    import: PendingImport<'_>,
    methods: Vec<String>,
) -> Proxy {
    let PendingImport {
        name,
        requirers,
        queue,
    } = import;
    let interface = RemoteInterface::new(name, &requirers, methods);
    let waker = queue.waker();
    let transport = Arc::clone(transport);
    let factory = BuiltInFactory(move || {
        RemoteService::new(
            interface.clone(),
            Arc::clone(&transport),
            Arc::clone(&queue),
        )
    });
    Proxy::new(name.to_owned(), factory, waker)
}

/// Creates the proxy for the callers of a local service in other processes.
fn gateway(transport: &Arc<dyn Transport>, local: &LocalService<'_>) -> Proxy {
    let queue = EventQueue::new();
    let waker = queue.waker();
    let service = local.service.clone();
    let descriptors = pool::of_service(local.descriptors, &service.name);
    let deadline_ns = local.deadline.as_nanos() as u64;
    let transport = Arc::clone(transport);
    let name = format!("network/{}", service.name);
    let factory = BuiltInFactory(move || {
        Gateway::new(
            service.clone(),
            descriptors.clone(),
            deadline_ns,
            Arc::clone(&transport),
            Arc::clone(&queue),
        )
    });
    Proxy::new(name, factory, waker)
}
