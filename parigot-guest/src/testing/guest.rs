//! Builder of a guest that a test runs.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use parigot_abi::id::InstanceId;
use parigot_abi::{Frame, MESSAGE_BYTES_MAX, Start, VERSION};

use super::fake::Fake;
use super::host::Host;
use super::run::GuestRun;
use super::stdio::FakeStdio;
use super::target::Target;
use crate::exit::Exit;
use crate::runtime::definition::Definition;
use crate::runtime::guest::{Guest, Role};
use crate::serve::Incoming;
use crate::service_info::{Requirement, Service};

/// Default of [`TestGuest::wall`]: 2000-01-01 00:00 UTC, as time since 1970.
const WALL_DEFAULT: Duration = Duration::from_secs(946_684_800);

/// Builder of a guest that a test runs on its own thread.
///
/// ```
/// # mod greeting {
/// #     include!("../../tests/behaviour/greeting.rs");
/// # }
/// # use greeting::{FetchGreetingRequest, FetchGreetingResponse, GreetingClient, methods};
/// use parigot_guest::testing::{Fake, TestGuest};
///
/// let fake = Fake::new("greeting");
/// fake.on::<methods::FetchGreeting>(|_| {
///     Ok(FetchGreetingResponse { greeting: "hello".into() })
/// });
/// let mut guest = TestGuest::client().fake(&fake).start();
/// let greeting = guest.run(async |cx| {
///     let client = GreetingClient::locate(&cx)?;
///     let reply = client.fetch_greeting(FetchGreetingRequest { tongue: 1 }).await?;
///     Ok::<_, parigot_guest::Error>(reply.greeting)
/// });
/// assert_eq!(greeting.ok().as_deref(), Some("hello"));
/// ```
#[must_use = "no guest runs before `start`"]
pub struct TestGuest {
    /// `None` for a guest without code of its own.
    define: Option<fn() -> Definition>,
    fakes: Vec<Fake>,
    bound: BTreeMap<String, Fake>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    seed: u64,
    wall: Duration,
}

impl fmt::Debug for TestGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestGuest")
            .field("fakes", &self.fakes)
            .finish_non_exhaustive()
    }
}

impl TestGuest {
    /// Creates the guest of a crate. `define` is the constant `GUEST` that
    /// [`service!`](crate::service) and [`#[program]`](crate::program) declare beside the code of
    /// the guest.
    pub fn new(define: fn() -> Definition) -> Self {
        TestGuest {
            define: Some(define),
            ..TestGuest::client()
        }
    }

    /// Creates a guest without code of its own, which requires the services of all its fakes. A
    /// test runs code in the guest by [`GuestRun::run`].
    pub fn client() -> Self {
        TestGuest {
            define: None,
            fakes: Vec::new(),
            bound: BTreeMap::new(),
            args: Vec::new(),
            env: Vec::new(),
            seed: 0,
            wall: WALL_DEFAULT,
        }
    }

    /// Adds a fake, which serves the guest's calls to the services of the fake.
    pub fn fake(mut self, fake: &Fake) -> Self {
        self.fakes.push(fake.clone());
        self
    }

    /// Binds the name of a requirement, `requires(… as "name")`, to a fake. A name that is not
    /// bound stands for the first fake that exports the service.
    pub fn bind(mut self, name: &str, fake: &Fake) -> Self {
        self.bound.insert(name.into(), fake.clone());
        self
    }

    /// Serves standard input and output to the guest.
    pub fn stdio(self, stdio: &FakeStdio) -> Self {
        self.fake(&stdio.fake())
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds an environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets the seed of the guest's random numbers. The default is 0.
    pub fn seed(self, seed: u64) -> Self {
        TestGuest { seed, ..self }
    }

    /// Sets the wall clock at the start, as time since 1970. The default is the start of the year
    /// 2000, UTC.
    pub fn wall(self, wall: Duration) -> Self {
        TestGuest { wall, ..self }
    }

    /// Starts the guest. A service is then ready for calls; a program has run until it waits.
    ///
    /// # Panics
    ///
    /// If no fake exports a service that the guest requires, or if the service is not ready within
    /// an hour on the clock of the test.
    pub fn start(self) -> GuestRun {
        let definition = match self.define {
            Some(define) => define(),
            None => self.client_definition(),
        };
        let guest = definition.open();
        let targets = guest.requires.iter().map(|required| self.target(required));
        let targets = targets.collect();
        let wall_ns = u64::try_from(self.wall.as_nanos()).unwrap_or(u64::MAX);
        let mut host = Host::new(guest, targets, wall_ns);
        self.write_start(host.inbox());
        if host.guest.exports().is_empty() {
            host.run_until_idle();
        } else {
            host.wait_until("end of its preparation", |host| host.launch.is_some());
        }
        if let Some(Err(reason)) = &host.launch
            && !host.guest.exports().is_empty()
        {
            panic!("the service is not ready: {reason}");
        }
        GuestRun::new(host)
    }

    /// Returns the destination of the guest's calls to a required service.
    fn target(&self, required: &Requirement) -> Target {
        let name = required.service.name;
        let found = match self.bound.get(required.binding) {
            Some(fake) => Target::of(required.service, fake),
            None => {
                let mut fakes = self.fakes.iter();
                fakes.find_map(|fake| Target::of(required.service, fake))
            }
        };
        found.unwrap_or_else(|| {
            panic!("the guest requires {name}, which no fake exports: add one with `fake`")
        })
    }

    fn client_definition(&self) -> Definition {
        let services = self.fakes.iter().flat_map(Fake::services);
        let requires: Vec<_> = services.map(Requirement::new).collect();
        Definition {
            // Leaked, once for each such guest of a test: the requirements of other guests are
            // static variables.
            requires: Vec::leak(requires),
            role: Box::new(ClientRole),
        }
    }

    fn write_start(&self, inbox: &mut Vec<u8>) {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        let env = self.env.iter();
        let start = Start {
            host: VERSION,
            message_bytes_max: MESSAGE_BYTES_MAX,
            seed,
            instance: InstanceId::from_random(self.seed.into()).to_wire(),
            descriptors: false,
            settings: Vec::new(),
            args: self.args.iter().map(String::as_str).collect(),
            env: env
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        };
        start
            .write(inbox)
            .expect("a start must be shorter than 4 GiB");
    }
}

/// Role of a guest without code of its own.
struct ClientRole;

impl Role for ClientRole {
    fn exports(&self) -> Vec<&'static Service> {
        Vec::new()
    }

    fn start(&self, guest: &Rc<Guest>) {
        guest.request_launch();
    }

    fn launched(&self, guest: &Rc<Guest>) {
        guest.io.confirm_launch();
    }

    fn dispatch(&self, guest: &Rc<Guest>, frame: &Frame<'_>) {
        Incoming::new(guest, frame).unimplemented();
    }

    fn stop(&self, guest: &Rc<Guest>) {
        guest.exit(Exit::SUCCESS, String::new());
    }
}
