//! Declare stage: creates the guests and runs the init turn of each, which declares the guest's
//! exports and requirements.

use std::sync::Arc;
use std::time::Duration;

use parigot_abi::Manifest;
use parigot_abi::id::InstanceId;
use rand::Rng;
use rand::rngs::StdRng;

use crate::compile::modules::CompiledGuests;
use crate::deployment::{Deployment, GuestSpec, RestartAfter, RestartPolicy};
use crate::error::{StartProblem, ThreadError};
use crate::guest::code::{InstanceFactory, InstantiateError};
use crate::guest::epoch_ticker::EpochTicker;
use crate::kernel::init_turn::{InitOutput, InstantiateParams, init_turn};
use crate::kernel::proxy_waker::ProxyWaker;
use crate::log::rate_limit::LogRate;
use crate::random::Randomness;
use crate::settings::Settings;
use crate::start::graph::ProxyGrant;
use crate::start::mappings;

/// Guest that completed its init turn.
pub(crate) struct DeclaredGuest<'a> {
    pub(crate) spec: &'a GuestSpec,
    /// Creates further instances of the guest.
    pub(crate) factory: Arc<dyn InstanceFactory>,
    pub(crate) id: InstanceId,
    /// Zero of the instance's clock, on the host's clock.
    pub(crate) started_ns: u64,
    pub(crate) log_rate: LogRate,
    pub(crate) init: InitOutput,
    /// The grant that a proxy stands for.
    pub(crate) grant: Option<&'a ProxyGrant>,
}

impl DeclaredGuest<'_> {
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.init.manifest
    }
}

/// Guests of a deployment after the declare stage.
pub(crate) struct DeclaredGuests<'a> {
    /// Guests that declared themselves, in the order of the deployment.
    pub(crate) guests: Vec<DeclaredGuest<'a>>,
    /// Problems of the other guests.
    pub(crate) problems: Vec<StartProblem>,
    /// Present once the creation of instances was attempted.
    pub(crate) epoch_ticker: Option<EpochTicker>,
}

/// Proxy guest: a guest of the host itself.
pub(crate) struct Proxy {
    pub(crate) spec: GuestSpec,
    pub(crate) factory: Arc<dyn InstanceFactory>,
    /// The grant of a provider; `None` for other proxies.
    grant: Option<ProxyGrant>,
    /// Connected with the proxy once the kernel exists.
    waker: Arc<ProxyWaker>,
}

impl Proxy {
    /// Creates a proxy with that name in the log. Proxies have one instance and no restarts.
    pub(crate) fn new(
        name: String,
        factory: impl InstanceFactory + 'static,
        waker: Arc<ProxyWaker>,
    ) -> Self {
        let spec = GuestSpec::service(name, "");
        Proxy {
            spec: GuestSpec {
                restart: RestartPolicy {
                    after: RestartAfter::Never,
                    ..spec.restart
                },
                ..spec
            },
            factory: Arc::new(factory),
            grant: None,
            waker,
        }
    }

    /// Returns the proxy as that of a grant: it exports its service to one guest alone.
    pub(crate) fn granted(self, grant: ProxyGrant) -> Self {
        Proxy {
            grant: Some(grant),
            ..self
        }
    }

    pub(crate) fn waker(&self) -> Arc<ProxyWaker> {
        Arc::clone(&self.waker)
    }
}

/// Creates all guests of a deployment and runs the init turn of each.
pub(crate) fn declare_all<'a>(
    deployment: &'a Deployment,
    compiled_guests: impl FnOnce() -> Result<CompiledGuests, ThreadError>,
    settings: &Settings,
    randomness: &Randomness,
) -> DeclaredGuests<'a> {
    // Before the compilation, which takes long: too many instances fail for certain.
    let compiled = mappings::check(&deployment.guests)
        .and_then(|()| compiled_guests().map_err(StartProblem::from));
    let CompiledGuests {
        of_guests,
        epoch_ticker,
    } = match compiled {
        Ok(compiled) => compiled,
        Err(problem) => {
            return DeclaredGuests {
                guests: Vec::new(),
                problems: vec![problem],
                epoch_ticker: None,
            };
        }
    };
    let awake = epoch_ticker.keep_awake();
    let mut declarer = Declarer::new(settings, randomness);
    let mut guests = Vec::new();
    let mut problems = Vec::new();
    for (spec, factory) in deployment.guests.iter().zip(of_guests) {
        let started_ns = settings.clock.monotonic_ns();
        match factory.and_then(|factory| declarer.declare(spec, factory, started_ns)) {
            Ok(guest) => guests.push(guest),
            Err(problem) => problems.push(problem),
        }
    }
    drop(awake);
    DeclaredGuests {
        guests,
        problems,
        epoch_ticker: Some(epoch_ticker),
    }
}

impl<'a> DeclaredGuests<'a> {
    /// Adds proxy guests. The clocks of proxies show the host's time, so they begin at its zero.
    pub(crate) fn add_proxies(
        &mut self,
        proxies: &'a [Proxy],
        settings: &Settings,
        randomness: &Randomness,
    ) {
        let mut declarer = Declarer::new(settings, randomness);
        for proxy in proxies {
            match declarer.declare(&proxy.spec, Arc::clone(&proxy.factory), 0) {
                Ok(guest) => self.guests.push(DeclaredGuest {
                    grant: proxy.grant.as_ref(),
                    ..guest
                }),
                Err(problem) => self.problems.push(problem),
            }
        }
    }
}

/// Creates instances and runs their init turns.
pub(crate) struct Declarer<'s> {
    settings: &'s Settings,
    randomness: &'s Randomness,
    /// Source of the instances' ids.
    random: StdRng,
}

impl<'s> Declarer<'s> {
    pub(crate) fn new(settings: &'s Settings, randomness: &'s Randomness) -> Self {
        Declarer {
            settings,
            randomness,
            random: randomness.generator(),
        }
    }

    /// Creates an instance whose clock begins at `started_ns`, and runs its init turn.
    ///
    /// # Errors
    ///
    /// If the module cannot be run, or if the guest does not complete its init turn.
    pub(crate) fn declare<'a>(
        &mut self,
        spec: &'a GuestSpec,
        factory: Arc<dyn InstanceFactory>,
        started_ns: u64,
    ) -> Result<DeclaredGuest<'a>, StartProblem> {
        let id = InstanceId::from_random(self.random.random());
        let log_rate = LogRate::new(spec.log_bytes);
        let params = InstantiateParams {
            id,
            started_ns,
            log_rate: &log_rate,
        };
        match init_turn(spec, &*factory, params, self.settings, self.randomness) {
            Ok(init) => {
                if factory.has_budget() {
                    check_budgets(spec, &init.manifest)?;
                }
                Ok(DeclaredGuest {
                    spec,
                    factory,
                    id,
                    started_ns,
                    log_rate,
                    init,
                    grant: None,
                })
            }
            Err(InstantiateError::Module(error)) => {
                Err(StartProblem::module(&spec.name, &spec.wasm, error))
            }
            Err(InstantiateError::Fault(fault)) => Err(StartProblem::init_turn(&spec.name, fault)),
            Err(InstantiateError::Secret { variable, source }) => Err(StartProblem::Secret {
                guest: spec.name.clone(),
                variable,
                source,
            }),
        }
    }
}

/// Checks that no method declares a larger budget than the deployment allows.
fn check_budgets(spec: &GuestSpec, manifest: &Manifest) -> Result<(), StartProblem> {
    let budget_max = spec.budget_max();
    for service in &manifest.exports {
        for method in &service.methods {
            let budget = Duration::from_nanos(method.budget_ns);
            if budget > budget_max {
                return Err(StartProblem::Budget {
                    guest: spec.name.clone(),
                    method: format!("{}/{}", service.name, method.name),
                    budget,
                    budget_max,
                });
            }
        }
    }
    Ok(())
}
