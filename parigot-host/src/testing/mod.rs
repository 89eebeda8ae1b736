//! The reference host for tests: a deployment inside of `cargo test`, whose services, clock, faults and order of steps are the test's.
//!
//! ```no_run
//! # use parigot_host::testing::{Fake, TestHost};
//! # use parigot_host::deployment::GuestSpec;
//! # use std::time::Duration;
//! # fn test<Take: parigot_guest::Method, Order: parigot_guest::Method>(order: Order::Request) {
//! let pantry = Fake::new("pantry");
//! pantry.on::<Take>(|request| Ok(Take::Response::default()));
//! let mut host = TestHost::new()
//!     .guest(GuestSpec::service("kitchen", "build/kitchen.wasm"))
//!     .fake(&pantry)
//!     .start();
//! let ordered = host.call::<Order>(order);
//! assert!(ordered.is_ok());
//! host.advance(Duration::from_secs(60));
//! # }
//! ```
//!
//! A run depends on nothing but its guests and its seed: the clock stands until the test moves it, and all chance comes from the seed. So each
//! run of a test is the same, frame by frame. What real time is left is that of budgets, which count CPU time: a guest that holds its
//! thread is asked to yield when its budget is spent, and killed when it has spent another. With a `budget` of 5 ms that takes 10.
//!
//! [`TestHost::interleavings`] runs a test once for each of many seeds. Then chance decides who runs next, whether an alarm that is due comes
//! before that, and how much of its work a guest does before it has to let others run.

mod caller;
mod fake;
mod fault;
mod frame;
mod interceptor;
mod interleavings;
mod module_cache;
mod native;
mod record;
mod run;
mod stepper;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use miette::NamedSource;
use parigot_abi::Manifest;
use parigot_guest::Definition;
use parking_lot::Mutex;

use crate::clock::{Clock, ManualClock};
use crate::compile::code_cache;
use crate::compile::modules::CompiledGuests;
use crate::deployment::{
    Deployment, GuestSpec, RestartAfter, RestartPolicy, SHUTDOWN_DEADLINE_DEFAULT,
    STARTUP_DEADLINE_DEFAULT,
};
use crate::error::{ConfigError, DeploymentError, StartError};
use crate::guest::code::InstanceFactory;
use crate::guest::epoch_ticker::EpochTicker;
use crate::guest::stack;
use crate::host::assemble;
use crate::kernel::startup;
use crate::random::Randomness;
use crate::settings::Settings;
use crate::start::boot;
use caller::{Replies, caller_factory};
use interceptor::{InterceptedFactory, Interceptor};
use native::NativeFactory;
use stepper::Stepper;

pub use parigot_abi::Kind;

pub use caller::PendingCall;
pub use fake::{Answer, Fake};
pub use fault::Fault;
pub use frame::{Effect, Frame};
pub use run::TestRun;

/// The test itself among the guests.
const TEST: &str = "test";

/// What the clock of the wall shows when a host starts, unless the test says: 2000-01-01 00:00 UTC, since 1970.
const WALL_DEFAULT: Duration = Duration::from_secs(946_684_800);

/// What a test deploys.
#[derive(Clone)]
#[must_use = "nothing runs before `start`"]
pub struct TestHost {
    guests: Vec<GuestSpec>,
    /// What those are made from that are no wasm, by their names.
    compiled_guests: BTreeMap<String, Arc<dyn InstanceFactory>>,
    faults: Vec<Fault>,
    seed: Option<u64>,
    startup_deadline: Duration,
    shutdown_deadline: Duration,
    wall: Duration,
    code_cache: Option<PathBuf>,
}

impl fmt::Debug for TestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHost")
            .field("guests", &self.guests)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl Default for TestHost {
    fn default() -> Self {
        TestHost::new()
    }
}

impl TestHost {
    /// A host without guests.
    pub fn new() -> Self {
        TestHost {
            guests: Vec::new(),
            compiled_guests: BTreeMap::new(),
            faults: Vec::new(),
            seed: None,
            startup_deadline: STARTUP_DEADLINE_DEFAULT,
            shutdown_deadline: SHUTDOWN_DEADLINE_DEFAULT,
            wall: WALL_DEFAULT,
            code_cache: code_cache::of_user(),
        }
    }

    /// A host with the guests of a deployment file, some of which the test may replace.
    ///
    /// # Panics
    ///
    /// With all that is wrong with the file.
    pub fn deployment(file: impl AsRef<Path>) -> Self {
        TestHost::new().with_deployment(file)
    }

    /// The same host, to which the guests of a deployment file are added.
    ///
    /// # Panics
    ///
    /// With all that is wrong with the file.
    pub fn with_deployment(self, file: impl AsRef<Path>) -> Self {
        let deployment =
            Deployment::read(file.as_ref()).unwrap_or_else(|error| panic!("{}", errors(&error)));
        let Deployment {
            guests,
            startup_deadline,
            shutdown_deadline,
            ..
        } = deployment;
        guests.into_iter().fold(
            TestHost {
                startup_deadline,
                shutdown_deadline,
                ..self
            },
            TestHost::guest,
        )
    }

    /// Adds a guest, in place of one that has its name. Its wasm file is one that was built before; relative to the folder in which the test
    /// runs, which is that of its package.
    ///
    /// # Panics
    ///
    /// If it is called `test` or `host`: these are the test itself and its host.
    pub fn guest(mut self, guest: GuestSpec) -> Self {
        assert!(
            ![TEST, frame::HOST].contains(&&*guest.name),
            "no guest of a test is called `{}`",
            guest.name
        );
        self.compiled_guests.remove(&guest.name);
        self.guests.retain(|known| known.name != guest.name);
        self.guests.push(guest);
        self
    }

    /// Adds a service that is made of closures. In place of a guest that has its name it has also its deadline, and is restarted as often.
    pub fn fake(self, fake: &Fake) -> Self {
        let replaced = self
            .guests
            .iter()
            .find(|guest| guest.name == fake.name())
            .cloned();
        self.factory(
            replaced.unwrap_or_else(|| GuestSpec::service(fake.name(), "")),
            fake.as_factory(),
        )
    }

    /// Adds a guest in Rust that runs in this process as it is, in place of one that has its name; `define` is the `GUEST` that `service!` and
    /// `#[program]` leave in its crate, and the wasm file of `guest` is not read.
    ///
    /// A debugger stops in it, and what it prints is seen. A panic ends the guest, as in wasm. It has no limits: one that loops holds the
    /// test up. It may be entered on another thread than before, so what it keeps in thread-locals is lost.
    pub fn native(self, guest: GuestSpec, define: fn() -> Definition) -> Self {
        self.factory(guest, NativeFactory { define })
    }

    fn factory(self, guest: GuestSpec, factory: impl InstanceFactory + 'static) -> Self {
        let name = guest.name.clone();
        let mut host = self.guest(guest);
        host.compiled_guests.insert(name, Arc::new(factory));
        host
    }

    /// Changes what is said of a guest: its budget, its memory, its arguments.
    ///
    /// # Panics
    ///
    /// If there is no guest of that name.
    pub fn change(mut self, guest: &str, change: impl FnOnce(&mut GuestSpec)) -> Self {
        let found = self.guests.iter_mut().find(|known| known.name == guest);
        change(found.unwrap_or_else(|| panic!("there is no guest `{guest}` to change")));
        self
    }

    /// Injects a fault from the start.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Lets chance, from that seed, decide about the order of steps. The same seed decides the same.
    pub fn seed(self, seed: u64) -> Self {
        TestHost {
            seed: Some(seed),
            ..self
        }
    }

    /// What the clock of the wall shows at the start, since 1970; else it is the beginning of the year 2000.
    pub fn wall(self, wall: Duration) -> Self {
        TestHost { wall, ..self }
    }

    /// Where compiled guests are kept, so that the next run of the tests need not compile them; else where `parigot run` keeps them.
    pub fn code_cache(self, folder: impl Into<PathBuf>) -> Self {
        TestHost {
            code_cache: Some(folder.into()),
            ..self
        }
    }

    /// Makes the guests, which declare what they export and require. Nothing else happens before the test lets it.
    ///
    /// # Panics
    ///
    /// With all problems, if they do not fit together.
    pub fn start(self) -> TestRun {
        self.try_start()
            .unwrap_or_else(|error| panic!("{}", problems(&error)))
    }

    /// The same for those that are to be refused.
    ///
    /// # Errors
    ///
    /// As [`start`](crate::start) has.
    pub fn try_start(self) -> Result<TestRun, StartError> {
        let clock = Arc::new(ManualClock::new(self.wall));
        let settings = self.settings(&clock);
        let randomness = Randomness::new(settings.seed);
        let (in_any_order, chance) = (self.seed.is_some(), randomness.generator());
        let interceptor = Interceptor::new(
            Arc::clone(&clock),
            self.faults.clone(),
            chance,
            in_any_order,
        );
        let (interceptor, replies) = (Arc::new(Mutex::new(interceptor)), Replies::default());
        let deployment = self.as_deployment();
        let compiled_guests =
            || self.compiled_guests(&deployment.guests, &interceptor, &replies, &settings);
        let booted = stack::on_guest_thread("parigot test", || {
            boot::boot(
                &deployment,
                compiled_guests,
                |_| Ok(Vec::new()),
                &settings,
                &randomness,
            )
        })?;
        let (kernel, _) = assemble(booted, &settings, &randomness);
        let manifest = Manifest {
            exports: Vec::new(),
            requires: interceptor.lock().exports.clone(),
        };
        let stepper = Stepper {
            start: startup::alarms(&kernel, self.startup_deadline),
            startup_deadline: self.startup_deadline,
            chance: in_any_order.then(|| randomness.generator()),
            ready: Vec::new(),
            interceptor: Arc::clone(&interceptor),
            randomness,
            kernel,
        };
        let TestHost {
            shutdown_deadline, ..
        } = self;
        Ok(TestRun {
            stepper,
            clock,
            interceptor,
            replies,
            manifest,
            shutdown_deadline,
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
            yields_on_first_tick: false,
            ..Settings::default()
        }
    }

    /// The guests, sorted by name, and then the test itself.
    fn as_deployment(&self) -> Deployment {
        let mut guests = self.guests.clone();
        guests.sort_by(|a, b| a.name.cmp(&b.name));
        let restart = RestartPolicy {
            after: RestartAfter::Never,
            ..GuestSpec::service(TEST, "").restart
        };
        guests.push(GuestSpec {
            restart,
            ..GuestSpec::service(TEST, "")
        });
        let source = NamedSource::new(TEST, Arc::from(""));
        let TestHost {
            startup_deadline,
            shutdown_deadline,
            ..
        } = *self;
        Deployment {
            guests,
            startup_deadline,
            shutdown_deadline,
            processes: Vec::new(),
            network: None,
            source,
        }
    }

    /// What the guests are made from, each behind the interceptor; last of all the test itself, when all others have declared themselves.
    fn compiled_guests(
        &self,
        guests: &[GuestSpec],
        interceptor: &Arc<Mutex<Interceptor>>,
        replies: &Replies,
        settings: &Settings,
    ) -> CompiledGuests {
        let (test, guests) = guests.split_last().expect("the test itself is there");
        let real: Vec<_> = guests
            .iter()
            .filter(|guest| !self.compiled_guests.contains_key(&guest.name))
            .cloned()
            .collect();
        let module_cache::Compiled { modules, ticks } = module_cache::compile(&real, settings);
        let mut modules = modules.into_iter();
        let factory = |guest: &GuestSpec| match self.compiled_guests.get(&guest.name) {
            Some(factory) => Ok(Arc::clone(factory)),
            None => modules
                .next()
                .expect("each was compiled")
                .map(|module| Arc::new(module) as _),
        };
        let inner = guests.iter().map(factory).collect::<Vec<_>>();
        let caller = Arc::new(caller_factory(Arc::clone(interceptor), Arc::clone(replies)));
        let all = guests.iter().zip(inner).chain([(test, Ok(caller as _))]);
        let wired = all.map(|(GuestSpec { name, .. }, inner)| {
            let is_test = name == TEST;
            inner.map(|inner| {
                Arc::new(InterceptedFactory {
                    name: name.clone(),
                    interceptor: Arc::clone(interceptor),
                    inner,
                    is_test,
                }) as _
            })
        });
        CompiledGuests {
            of_guests: wired.collect(),
            epoch_ticker: EpochTicker::start(ticks),
        }
    }
}

/// All that is wrong with a deployment file, a line each.
fn errors(error: &DeploymentError) -> String {
    let DeploymentError::Refused { file, errors } = error else {
        return chain(error);
    };
    let errors = errors.iter().map(|mistake| {
        let ConfigError {
            line,
            column,
            message,
            help,
            ..
        } = mistake;
        format!("{}:{line}:{column}: {message}; {help}", file.display())
    });
    errors.collect::<Vec<_>>().join("\n")
}

/// All problems, a line each.
fn problems(error: &StartError) -> String {
    let problems = error
        .problems()
        .iter()
        .map(|problem| format!("\n  {}", chain(problem)));
    format!(
        "the guests cannot be started:{}",
        problems.collect::<String>()
    )
}

/// An error and what caused it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
