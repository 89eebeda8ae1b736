//! Start of a test's deployment: from a [`TestHost`] to a [`TestRun`].

use std::sync::Arc;

use miette::NamedSource;
use parigot_abi::Manifest;
use parking_lot::Mutex;

use super::builder::{TEST, TestHost};
use super::caller::{Replies, Streams, caller_factory};
use super::intercepted::InterceptedFactory;
use super::interceptor::Interceptor;
use super::module_cache;
use super::panic_text;
use super::run::TestRun;
use super::stepper::Stepper;
use crate::clock::{Clock, ManualClock};
use crate::compile::modules::CompiledGuests;
use crate::deployment::{Deployment, GuestSpec, RestartAfter, RestartPolicy};
use crate::error::{StartError, ThreadError};
use crate::guest::code::InstanceFactory;
use crate::guest::epoch_ticker::EpochTicker;
use crate::guest::stack;
use crate::host::assemble;
use crate::kernel::startup;
use crate::random::Randomness;
use crate::settings::Settings;
use crate::start::boot;

impl TestHost {
    /// Compiles and instantiates the guests, which declare their exports and requirements.
    ///
    /// No guest is launched before the first method of the [`TestRun`] that runs guests.
    ///
    /// # Panics
    ///
    /// If the deployment cannot be started. The message lists all problems.
    pub fn start(self) -> TestRun {
        self.try_start()
            .unwrap_or_else(|error| panic!("{}", panic_text::of_start(&error)))
    }

    /// Does the same as [`start`](TestHost::start), but returns the problems as an error.
    ///
    /// # Errors
    ///
    /// If modules cannot be run, guests fail in their init turns, or requirements and exports do
    /// not match.
    pub fn try_start(self) -> Result<TestRun, StartError> {
        let clock = Arc::new(ManualClock::new(self.wall));
        let settings = self.settings(&clock);
        let randomness = Randomness::new(settings.seed);
        let is_seeded = self.seed.is_some();
        let interceptor = Arc::new(Mutex::new(Interceptor::new(
            Arc::clone(&clock),
            self.faults.clone(),
            randomness.generator(),
            is_seeded,
        )));
        let replies = Replies::default();
        let streams = Streams::default();
        let deployment = self.as_deployment();
        let booted = stack::on_guest_thread("parigot test", || {
            boot::boot(
                &deployment,
                || {
                    let caller = caller_factory(
                        Arc::clone(&interceptor),
                        Arc::clone(&replies),
                        Arc::clone(&streams),
                    );
                    self.compiled_guests(&deployment.guests, &interceptor, caller, &settings)
                },
                // A test has no other processes, so no proxies.
                |_| Ok(Vec::new()),
                &settings,
                &randomness,
            )
        })??;
        let (kernel, _) = assemble(booted, &settings, &randomness);
        let manifest = Manifest {
            exports: Vec::new(),
            requires: interceptor.lock().requirements(),
            descriptors: Vec::new(),
        };
        let stepper = Stepper {
            startup_timers: startup::alarms(&kernel, self.startup_deadline),
            startup_deadline: self.startup_deadline,
            random: is_seeded.then(|| randomness.generator()),
            ready: Vec::new(),
            interceptor: Arc::clone(&interceptor),
            randomness,
            kernel,
        };
        Ok(TestRun {
            stepper,
            clock,
            interceptor,
            replies,
            streams,
            manifest,
            shutdown_deadline: self.shutdown_deadline,
            calls: 0,
        })
    }

    fn settings(&self, clock: &Arc<ManualClock>) -> Settings {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.unwrap_or_default().to_le_bytes());
        Settings {
            clock: Arc::clone(clock) as Arc<dyn Clock>,
            seed: Some(seed),
            code_cache: self.code_cache.clone(),
            // Real epoch ticks would end turns at times that no seed repeats.
            yields_on_first_tick: false,
            ..Settings::default()
        }
    }

    /// Returns the deployment: the guests sorted by name, then the guest of the test.
    fn as_deployment(&self) -> Deployment {
        let mut guests = self.guests.clone();
        guests.sort_by(|a, b| a.name.cmp(&b.name));
        bind_to_fakes(&mut guests);
        let test = GuestSpec::service(TEST, "");
        guests.push(GuestSpec {
            restart: RestartPolicy {
                after: RestartAfter::Never,
                ..test.restart
            },
            ..test
        });
        Deployment {
            guests,
            startup_deadline: self.startup_deadline,
            shutdown_deadline: self.shutdown_deadline,
            memory_bytes_max: None,
            edges: Vec::new(),
            providers: Vec::new(),
            processes: Vec::new(),
            network: None,
            source: NamedSource::new(TEST, Arc::from("")),
        }
    }

    /// Returns the factories of all guests, each with interception.
    ///
    /// The guest of the test comes last: it is instantiated after the others have declared their
    /// exports, and requires all of these.
    fn compiled_guests(
        &self,
        guests: &[GuestSpec],
        interceptor: &Arc<Mutex<Interceptor>>,
        caller: impl InstanceFactory + 'static,
        settings: &Settings,
    ) -> Result<CompiledGuests, ThreadError> {
        let (test, guests) = guests
            .split_last()
            .expect("the deployment must have the guest of the test");
        let wasm: Vec<_> = guests
            .iter()
            .filter(|guest| !self.factories.contains_key(&guest.name))
            .cloned()
            .collect();
        let module_cache::Compiled { modules, ticks } = module_cache::compile(&wasm, settings);
        let mut modules = modules.into_iter();
        let mut inner = Vec::new();
        for guest in guests {
            inner.push(match self.factories.get(&guest.name) {
                Some(factory) => Ok(Arc::clone(factory)),
                None => modules
                    .next()
                    .expect("each wasm guest must have a module")
                    .map(|module| Arc::new(module) as _),
            });
        }
        let caller = Arc::new(caller) as _;
        let all = guests.iter().zip(inner).chain([(test, Ok(caller))]);
        let intercepted = all.map(|(GuestSpec { name, .. }, inner)| {
            inner.map(|inner| {
                Arc::new(InterceptedFactory {
                    name: name.clone(),
                    interceptor: Arc::clone(interceptor),
                    inner,
                    is_test: name == TEST,
                }) as _
            })
        });
        Ok(CompiledGuests {
            of_guests: intercepted.collect(),
            epoch_ticker: EpochTicker::start(ticks)?,
        })
    }
}

/// Binds requirements to the fakes of providers: a grant with a binding name leads to the guest
/// with the provider's name.
fn bind_to_fakes(guests: &mut [GuestSpec]) {
    let names: Vec<_> = guests.iter().map(|guest| guest.name.clone()).collect();
    for guest in guests {
        let grants = guest.providers.iter();
        let named =
            grants.filter(|grant| !grant.binding.is_empty() && names.contains(&grant.provider));
        for grant in named {
            let bound = guest.bind.entry(grant.binding.clone());
            bound.or_insert_with(|| grant.provider.clone());
        }
    }
}
