//! Builder of a test's deployment.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parigot_guest::Definition;
use parigot_guest::testing::{Fake, FakeStdio};

use super::fake;
use super::fault::Fault;
use super::frame;
use super::native::NativeFactory;
use super::panic_text;
use crate::compile::code_cache;
use crate::deployment::{
    Deployment, GuestSpec, SHUTDOWN_DEADLINE_DEFAULT, STARTUP_DEADLINE_DEFAULT,
};
use crate::guest::code::InstanceFactory;

/// Name of the guest that makes the test's calls.
pub(super) const TEST: &str = "test";

/// Default of [`TestHost::wall`]: 2000-01-01 00:00 UTC, as time since 1970.
const WALL_DEFAULT: Duration = Duration::from_secs(946_684_800);

/// Builder of a deployment that a test runs.
///
/// Add guests with [`guest`](TestHost::guest), [`fake`](TestHost::fake),
/// [`native`](TestHost::native) or [`deployment`](TestHost::deployment), then call
/// [`start`](TestHost::start). A guest replaces an earlier one of the same name, so a test can load
/// the application's deployment file and replace single guests by fakes:
///
/// ```no_run
/// # use std::time::Duration;
/// # use parigot_host::testing::{Fake, TestHost};
/// # fn test<Reserve: parigot_guest::Method>() {
/// let stock = Fake::new("stock");
/// stock.on::<Reserve>(|request| Ok(Reserve::Response::default()));
/// let mut run = TestHost::deployment("shop.toml")
///     .fake(&stock)
///     .change("orders", |orders| orders.budget = Duration::from_millis(5))
///     .start();
/// # }
/// ```
#[derive(Clone)]
#[must_use = "no guest runs before `start`"]
pub struct TestHost {
    pub(super) guests: Vec<GuestSpec>,
    /// Factories of the guests that are not wasm modules, by the guests' names.
    pub(super) factories: BTreeMap<String, Arc<dyn InstanceFactory>>,
    pub(super) faults: Vec<Fault>,
    pub(super) seed: Option<u64>,
    pub(super) startup_deadline: Duration,
    pub(super) shutdown_deadline: Duration,
    pub(super) wall: Duration,
    pub(super) code_cache: Option<PathBuf>,
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
    /// Creates a host without guests.
    pub fn new() -> Self {
        TestHost {
            guests: Vec::new(),
            factories: BTreeMap::new(),
            faults: Vec::new(),
            seed: None,
            startup_deadline: STARTUP_DEADLINE_DEFAULT,
            shutdown_deadline: SHUTDOWN_DEADLINE_DEFAULT,
            wall: WALL_DEFAULT,
            code_cache: code_cache::of_user(),
        }
    }

    /// Creates a host with the guests and the deadlines of a deployment file.
    ///
    /// # Panics
    ///
    /// If the file cannot be read or is invalid. The message lists all errors of the file.
    pub fn deployment(file: impl AsRef<Path>) -> Self {
        TestHost::new().with_deployment(file)
    }

    /// Adds the guests of a deployment file, and takes over the file's deadlines.
    ///
    /// # Panics
    ///
    /// If the file cannot be read or is invalid. The message lists all errors of the file.
    pub fn with_deployment(self, file: impl AsRef<Path>) -> Self {
        let deployment = Deployment::read(file.as_ref())
            .unwrap_or_else(|error| panic!("{}", panic_text::of_deployment(&error)));
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

    /// Adds a wasm guest, in place of a guest with the same name.
    ///
    /// The wasm file must be built before the test runs. A relative path starts at the working
    /// directory of the test, which is the folder of its package.
    ///
    /// # Panics
    ///
    /// If the guest's name is `test` or `host`, the names of the test itself and of the host in
    /// frames and faults.
    pub fn guest(mut self, guest: GuestSpec) -> Self {
        assert!(
            ![TEST, frame::HOST].contains(&&*guest.name),
            "the guest name `{}` is reserved in tests",
            guest.name
        );
        self.factories.remove(&guest.name);
        self.guests.retain(|known| known.name != guest.name);
        self.guests.push(guest);
        self
    }

    /// Adds a service that is made of closures, in place of a guest with the same name.
    ///
    /// The fake keeps the settings of the guest that it replaces, for example its deadline and its
    /// restart policy.
    ///
    /// # Panics
    ///
    /// If the fake's name is `test` or `host`.
    pub fn fake(self, fake: &Fake) -> Self {
        let replaced = self
            .guests
            .iter()
            .find(|guest| guest.name == fake.name())
            .cloned();
        self.factory(
            replaced.unwrap_or_else(|| GuestSpec::service(fake.name(), "")),
            fake::factory(fake),
        )
    }

    /// Adds a Rust guest that runs natively in this process, in place of a guest with the same
    /// name.
    ///
    /// `define` is the constant `GUEST` that `service!` and `#[program]` declare in the guest's
    /// crate. The wasm file of `guest` is not read.
    ///
    /// A debugger stops in a native guest, and its output goes to the streams of the test. A panic
    /// ends the guest, as in wasm. A native guest has no limits, so an endless loop blocks the
    /// test. Its turns may run on different threads, so values in thread-locals are lost between
    /// turns.
    ///
    /// # Panics
    ///
    /// If the guest's name is `test` or `host`.
    pub fn native(self, guest: GuestSpec, define: fn() -> Definition) -> Self {
        self.factory(guest, NativeFactory { define })
    }

    /// Serves standard input and output to the programs and workers that require them.
    pub fn stdio(self, stdio: &FakeStdio) -> Self {
        self.fake(&stdio.fake())
    }

    pub(super) fn factory(self, guest: GuestSpec, factory: impl InstanceFactory + 'static) -> Self {
        let name = guest.name.clone();
        let mut host = self.guest(guest);
        host.factories.insert(name, Arc::new(factory));
        host
    }

    /// Changes the settings of a guest, such as its budget, memory limit or arguments.
    ///
    /// # Panics
    ///
    /// If no guest has this name.
    pub fn change(mut self, guest: &str, change: impl FnOnce(&mut GuestSpec)) -> Self {
        let found = self.guests.iter_mut().find(|known| known.name == guest);
        change(found.unwrap_or_else(|| panic!("there is no guest `{guest}` to change")));
        self
    }

    /// Injects a fault before the start.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Chooses the order of steps at random, from `seed`. The same seed gives the same order.
    ///
    /// Without a seed, due timers fire first, and guests run in the order in which they became
    /// ready.
    pub fn seed(self, seed: u64) -> Self {
        TestHost {
            seed: Some(seed),
            ..self
        }
    }

    /// Sets the wall clock at the start, as time since 1970. The default is the start of the year
    /// 2000, UTC.
    pub fn wall(self, wall: Duration) -> Self {
        TestHost { wall, ..self }
    }

    /// Sets the folder in which machine code is cached between test runs. The default is the cache
    /// of `parigot run`.
    pub fn code_cache(self, folder: impl Into<PathBuf>) -> Self {
        TestHost {
            code_cache: Some(folder.into()),
            ..self
        }
    }
}
