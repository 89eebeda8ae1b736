//! From the providers and grants of a deployment to proxies, and to threads that serve calls.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::deployment::{Deployment, Grant, GuestSpec, ProviderError, ProviderSpec};
use crate::error::{GraphError, StartError, StartProblem, ThreadError, suggest};
use crate::guest::builtin::BuiltInFactory;
use crate::guest::stack::spawn;
use crate::log::events;
use crate::provider::proxy::{CallQueue, ProviderProxy};
use crate::provider::{Calls, Provider, Serve};
use crate::settings::Settings;
use crate::start::declare::Proxy;
use crate::start::graph::ProxyGrant;

/// Providers of a deployment with their proxies. No provider is opened yet.
#[derive(Default)]
pub(crate) struct Connected<'d> {
    pub(crate) proxies: Vec<Proxy>,
    providers: Vec<KnownProvider<'d>>,
    /// Providers of an unknown kind.
    problems: Vec<StartProblem>,
}

/// Provider whose kind the host has.
struct KnownProvider<'d> {
    spec: &'d ProviderSpec,
    kind: Arc<dyn Provider>,
    queue: Arc<CallQueue>,
}

/// Provider that is ready to serve calls.
pub(crate) struct Opened {
    name: String,
    serve: Serve,
    calls: Calls,
}

/// Creates a proxy for each grant.
pub(crate) fn connect<'d>(deployment: &'d Deployment, settings: &Settings) -> Connected<'d> {
    let mut connected = Connected::default();
    for spec in &deployment.providers {
        let mut kinds = settings.providers.iter();
        let Some(kind) = kinds.find(|kind| kind.kind() == spec.kind) else {
            let error = unknown_kind(spec, settings);
            connected.problems.push(problem(spec, error));
            continue;
        };
        let queue = CallQueue::new(&spec.name, &settings.clock);
        for guest in &deployment.guests {
            let mut grants = guest.providers.iter();
            if let Some(grant) = grants.find(|grant| grant.provider == spec.name) {
                let proxy = proxy(&**kind, &queue, guest, grant);
                connected.proxies.push(proxy);
            }
        }
        connected.providers.push(KnownProvider {
            spec,
            kind: Arc::clone(kind),
            queue,
        });
    }
    connected
}

fn proxy(kind: &dyn Provider, queue: &Arc<CallQueue>, guest: &GuestSpec, grant: &Grant) -> Proxy {
    let service = kind.service();
    let queue = Arc::clone(queue);
    let waker = Arc::default();
    let of_proxy = Arc::clone(&waker);
    let (guest_name, provided) = (guest.name.clone(), grant.clone());
    let factory = BuiltInFactory(move || {
        ProviderProxy::new(service, &guest_name, &provided, &queue, &of_proxy)
    });
    let name = format!("provider/{}/{}", grant.provider, guest.name);
    Proxy::new(name, factory, waker).granted(ProxyGrant {
        guest: guest.name.clone(),
        provider: grant.provider.clone(),
        binding: grant.binding.clone(),
    })
}

impl Connected<'_> {
    /// Checks the tables of all providers, and returns the problems.
    pub(crate) fn check(&mut self) -> Vec<StartProblem> {
        let mut problems = std::mem::take(&mut self.problems);
        for KnownProvider { spec, kind, .. } in &self.providers {
            problems.extend(kind.check(spec).err().map(|error| problem(spec, error)));
        }
        problems
    }

    /// Opens all providers.
    ///
    /// # Errors
    ///
    /// With the problems of all providers that cannot be opened.
    pub(crate) fn open(self) -> Result<Vec<Opened>, StartError> {
        let mut problems = self.problems;
        let mut opened = Vec::new();
        for KnownProvider { spec, kind, queue } in self.providers {
            match kind.open(spec) {
                Ok(serve) => opened.push(Opened {
                    name: spec.name.clone(),
                    serve,
                    calls: Calls::new(queue),
                }),
                Err(error) => problems.push(problem(spec, error)),
            }
        }
        StartError::unless_none(problems)?;
        Ok(opened)
    }
}

impl Opened {
    /// Serves the calls on a new thread. A provider that panics fails its calls, and not the host.
    ///
    /// # Errors
    ///
    /// If the system does not start the thread.
    pub(crate) fn start(self) -> Result<JoinHandle<()>, ThreadError> {
        let Opened { name, serve, calls } = self;
        let queue = calls.queue();
        spawn(&format!("parigot {name}"), move || {
            // The provider is not used after a panic.
            let ended = catch_unwind(AssertUnwindSafe(|| serve(calls)));
            if ended.is_err() || queue.is_open() {
                events::provider_ended(&name);
            }
        })
    }
}

/// Returns whether a grant of a guest gives the service.
#[cfg(feature = "nats")]
pub(crate) fn is_granted(
    guest: &GuestSpec,
    service: &str,
    deployment: &Deployment,
    settings: &Settings,
) -> bool {
    let of_service = |spec: &&ProviderSpec| serves(spec, service, settings);
    let mut providers = deployment.providers.iter().filter(of_service);
    providers.any(|provider| {
        let mut grants = guest.providers.iter();
        grants.any(|grant| grant.provider == provider.name)
    })
}

/// Returns the error in place of that of a missing exporter, if a kind of provider exports the
/// service.
pub(crate) fn not_granted(
    missing: &GraphError,
    deployment: &Deployment,
    settings: &Settings,
) -> Option<GraphError> {
    let GraphError::Missing { service, guest, .. } = missing else {
        return None;
    };
    let mut kinds = settings.providers.iter();
    let kind = kinds.find(|kind| kind.service().name == service)?;
    let of_service = |spec: &&ProviderSpec| serves(spec, service, settings);
    let mut providers = deployment.providers.iter().filter(of_service);
    Some(GraphError::NotGranted {
        service: service.clone(),
        guest: guest.clone(),
        kind: kind.kind().to_owned(),
        provider: providers.next().map(|provider| provider.name.clone()),
    })
}

fn serves(spec: &ProviderSpec, service: &str, settings: &Settings) -> bool {
    let mut kinds = settings.providers.iter();
    kinds.any(|kind| kind.kind() == spec.kind && kind.service().name == service)
}

fn problem(spec: &ProviderSpec, source: ProviderError) -> StartProblem {
    StartProblem::Provider {
        provider: spec.name.clone(),
        source,
    }
}

fn unknown_kind(spec: &ProviderSpec, settings: &Settings) -> ProviderError {
    let kinds = || settings.providers.iter().map(|kind| kind.kind());
    let help = match suggest::nearest(&spec.kind, kinds()) {
        _ if settings.providers.is_empty() => {
            "use a host with providers: the command has the feature `providers`, which is one of \
             its defaults"
                .to_owned()
        }
        Some(meant) => format!("did you mean `kind = \"{meant}\"`?"),
        None => format!("known kinds: {}", kinds().collect::<Vec<_>>().join(", ")),
    };
    ProviderError::new(format!("its kind `{}` is not known", spec.kind), help)
}
