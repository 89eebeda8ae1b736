//! Peers: creates a proxy for each service that crosses the boundary of this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use miette::Diagnostic;
use parigot_abi::id::HostId;
use parigot_abi::manifest::Service;
use rand::Rng;

use super::gateway::Gateway;
use super::nats::{Nats, ProcessIdentity};
use super::remote::{self, RemoteService};
use super::{EventQueue, ProxyWaker, RemoteEvent, Transport, Wanted};
use crate::deployment::{Deployment, GuestSpec, RestartAfter, RestartPolicy};
use crate::error::{StartError, StartProblem};
use crate::guest::builtin::BuiltInFactory;
use crate::kernel::scheduler::Kernel;
use crate::kernel::startup::LONG;
use crate::log::events;
use crate::random::Randomness;
use crate::settings::Settings;
use crate::start::declare::{DeclaredGuest, Proxy};

/// The other processes of the deployment, if there are any.
pub(crate) struct Peers {
    transport: Option<Arc<dyn Transport>>,
    /// Wakers of the proxies, in the order of the proxies.
    wakers: Vec<Arc<ProxyWaker>>,
}

/// A service that local guests export: the declaration of the first exporter, with the longest
/// default deadline of all exporters.
struct Here<'g> {
    service: &'g Service,
    deadline: Duration,
}

/// Services that local guests require and none of them exports, with the names of the requirers.
type Elsewhere<'g> = BTreeMap<&'g str, Vec<(&'g str, &'g Service)>>;

fn here<'g>(guests: &'g [DeclaredGuest<'_>]) -> BTreeMap<&'g str, Here<'g>> {
    let mut here: BTreeMap<&str, Here<'_>> = BTreeMap::new();
    for guest in guests {
        for service in &guest.manifest().exports {
            let known = here.entry(&service.name).or_insert(Here {
                service,
                deadline: guest.spec.deadline,
            });
            known.deadline = known.deadline.max(guest.spec.deadline);
        }
    }
    here
}

fn elsewhere<'g>(
    guests: &'g [DeclaredGuest<'_>],
    here: &BTreeMap<&str, Here<'_>>,
) -> Elsewhere<'g> {
    let mut elsewhere = Elsewhere::new();
    for guest in guests {
        let requires = guest.manifest().requires.iter();
        for service in requires.filter(|service| !here.contains_key(&*service.name)) {
            elsewhere
                .entry(&service.name)
                .or_default()
                .push((&guest.spec.name, service));
        }
    }
    elsewhere
}

/// A service whose search has started.
struct Sought<'g> {
    name: &'g str,
    /// Guests that require the service.
    by: Vec<(&'g str, &'g Service)>,
    queue: Arc<EventQueue<RemoteEvent>>,
}

impl<'g> Sought<'g> {
    /// Starts the search.
    fn new(name: &'g str, by: Vec<(&'g str, &'g Service)>, transport: &dyn Transport) -> Self {
        let queue = EventQueue::new();
        let Service {
            schema,
            descriptors,
            ..
        } = remote::service(name, &by, Vec::new());
        transport.look_for(
            Wanted {
                service: name.to_owned(),
                schema,
                descriptors,
            },
            Arc::clone(&queue),
        );
        Sought { name, by, queue }
    }

    /// Returns the name of a guest that requires the service by name, if there is one. Calls of
    /// such a guest are bound before its launch, so the methods must be known by then.
    fn by_name(&self) -> Option<&'g str> {
        self.by
            .iter()
            .find(|(_, service)| service.is_by_name())
            .map(|(guest, _)| *guest)
    }

    /// Returns the methods that no local guest declares. Waits for a process that offers the
    /// service if a guest requires the service by name.
    ///
    /// # Errors
    ///
    /// With the name of that guest if no process offers the service before `until`.
    fn methods(&self, until: Instant, settings: &Settings) -> Result<Vec<String>, &'g str> {
        let Some(guest) = self.by_name() else {
            return Ok(Vec::new());
        };
        wait_for(settings, || self.wait_for_methods(guest, until)).ok_or(guest)
    }

    /// Waits for a process that offers the service and returns its methods; `None` if no process
    /// is found before `until`.
    fn wait_for_methods(&self, guest: &str, until: Instant) -> Option<Vec<String>> {
        let mut heard = self.queue.wait_and_take(until.min(Instant::now() + LONG));
        if heard.is_empty() {
            events::unoffered(guest, self.name, LONG);
            heard = self.queue.wait_and_take(until);
        }
        // No call has been sent yet, so no other event can arrive.
        let found = heard.iter().find_map(|news| match news {
            RemoteEvent::Found { methods, .. } => Some(methods.clone()),
            _ => None,
        });
        // The remote needs the event, too.
        self.queue.push_all(heard);
        found
    }
}

/// Creates the specification of a proxy for the log. Proxies have one instance and no restarts.
fn spec(name: String) -> GuestSpec {
    let spec = GuestSpec::service(name, "");
    GuestSpec {
        restart: RestartPolicy {
            after: RestartAfter::Never,
            ..spec.restart
        },
        ..spec
    }
}

/// Runs a wait that may take long and reports its begin and end. Nothing runs yet, so a callback
/// may end the process.
fn wait_for<R>(settings: &Settings, wait: impl FnOnce() -> R) -> R {
    let tell = |waits| settings.on_waiting.iter().for_each(|tell| tell(waits));
    tell(true);
    let came = wait();
    tell(false);
    came
}

impl Peers {
    /// Connects with the other processes if the deployment has a network.
    ///
    /// # Errors
    ///
    /// If no server of the network accepts the connection.
    pub(crate) fn of(deployment: &Deployment, settings: &Settings) -> Result<Self, StartError> {
        let Some(network) = &deployment.network else {
            return Ok(Peers {
                transport: None,
                wakers: Vec::new(),
            });
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
            wakers: Vec::new(),
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
        &mut self,
        guests: &[DeclaredGuest<'_>],
        deployment: &Deployment,
        settings: &Settings,
    ) -> Result<Vec<Proxy>, StartError> {
        let Some(transport) = self.transport.clone() else {
            return Ok(Vec::new());
        };
        let here = here(guests);
        let elsewhere = elsewhere(guests, &here).into_iter();
        // All searches start before the first wait.
        let sought: Vec<_> = elsewhere
            .map(|(name, by)| Sought::new(name, by, &*transport))
            .collect();
        let until = Instant::now() + deployment.startup_deadline;
        let (mut proxies, mut problems) = (Vec::new(), Vec::new());
        for sought in sought {
            match sought.methods(until, settings) {
                Ok(methods) => proxies.push(self.remote(&transport, sought, methods)),
                Err(guest) => problems.push(StartProblem::Unoffered {
                    guest: guest.to_owned(),
                    service: sought.name.to_owned(),
                    within: deployment.startup_deadline,
                }),
            }
        }
        StartError::unless_none(problems)?;
        proxies.extend(
            here.into_values()
                .map(|here| self.gateway(&transport, &here)),
        );
        Ok(proxies)
    }

    fn remote(
        &mut self,
        transport: &Arc<dyn Transport>,
        sought: Sought<'_>,
        methods: Vec<String>,
    ) -> Proxy {
        let Sought { name, by, queue } = sought;
        let service = remote::service(name, &by, methods);
        self.wakers.push(queue.waker());
        let transport = Arc::clone(transport);
        let factory = BuiltInFactory(move || {
            RemoteService::new(service.clone(), Arc::clone(&transport), Arc::clone(&queue))
        });
        (spec(name.to_owned()), Arc::new(factory))
    }

    fn gateway(
        &mut self,
        transport: &Arc<dyn Transport>,
        Here { service, deadline }: &Here<'_>,
    ) -> Proxy {
        let queue = EventQueue::new();
        self.wakers.push(queue.waker());
        let (service, deadline_ns, transport) = (
            (*service).clone(),
            deadline.as_nanos() as u64,
            Arc::clone(transport),
        );
        let name = format!("network/{}", service.name);
        let factory = BuiltInFactory(move || {
            Gateway::new(
                service.clone(),
                deadline_ns,
                Arc::clone(&transport),
                Arc::clone(&queue),
            )
        });
        (spec(name), Arc::new(factory))
    }

    /// Connects the wakers of the proxies with the kernel. Proxies are the last instances of the
    /// kernel.
    pub(crate) fn connect(&self, kernel: &Arc<Kernel>) {
        let first = kernel.instances.len() - self.wakers.len();
        for (place, waker) in (first..).zip(&self.wakers) {
            // A weak reference: events must not keep the kernel alive.
            let kernel = Arc::downgrade(kernel);
            waker.connect(move || {
                if let Some(kernel) = kernel.upgrade() {
                    let instance = &kernel.instances[place];
                    kernel.wake(instance, instance.wake());
                }
            });
        }
    }

    /// Sends the pending messages and closes the transport after all local guests have left.
    pub(crate) fn close(&self) {
        if let Some(transport) = &self.transport {
            transport.close();
        }
    }
}
