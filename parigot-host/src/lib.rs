//! The host of parigot: runs a set of guests in one process, or its part of one that spans several, and carries their calls.
//!
//! ```no_run
//! use parigot_host::{Settings, deployment::Deployment};
//!
//! let deployment = Deployment::read("helloworld.toml".as_ref())?;
//! let running = parigot_host::start(&deployment, Settings::default())?;
//! std::process::exit(running.wait().status.into());
//! # #[allow(unreachable_code, reason = "gives the example its type")]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Rooms: [`deployment`] reads the file, `compile` makes modules of what it names, in bounded time (`compile_time`), `cache` keeps
//! their code for the next start, `boot` makes instances, if there is room for them (`mappings`), `error` holds all that is said when something is wrong, `graph`
//! finds out who requires whom, [`schema`] whether they understand each other, `survey` goes so far and no further, `life`
//! launches and stops them in order, `startup` and `shutdown` see to it that this has an end, `kernel` runs them turn by turn, `route` carries
//! what they send, `link` chooses between several that may take a call, `supervisor` makes services anew that have failed, `instance` is one of
//! them, `network` has what stands here for guests of other processes (`alone` takes its place where the feature `nats` is off), `wasm` is what an
//! instance is made of, `wasi` is what Go's runtime needs besides, and `built_in` what an instance is made of whose guest is the host's own. What an
//! instance may take is in `budget` (the thread's time), `limits` (memory), `stack` and `log_rate`. [`clock`] and `random` are where
//! time and chance come from. `testing`, behind the feature of that name, is a host whose order, time and faults are a test's.

mod boot;
mod budget;
#[cfg(any(feature = "nats", feature = "testing"))]
mod built_in;
mod cache;
pub mod clock;
mod code;
mod compile;
mod compile_time;
pub mod deployment;
mod error;
mod graph;
mod instance;
mod kernel;
mod life;
mod limits;
mod link;
mod log;
mod log_rate;
mod mappings;
#[cfg_attr(not(feature = "nats"), path = "alone.rs")]
mod network;
mod pulse;
mod random;
mod route;
pub mod schema;
mod seat;
mod shutdown;
mod spelling;
mod stack;
mod startup;
mod supervisor;
mod survey;
mod table;
#[cfg(feature = "testing")]
pub mod testing;
mod timer;
mod wasi;
mod wasm;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::boot::Booted;
use crate::clock::{Clock, SystemClock};
use crate::compile::{Moulds, compile_all};
use crate::deployment::Deployment;
use crate::kernel::{Kernel, Worker};
use crate::network::Neighbours;
use crate::random::Randomness;
use crate::startup::Startup;
use crate::supervisor::Supervisor;

pub use crate::cache::of_user as user_code_cache;
#[cfg(feature = "nats")]
pub use crate::error::NetworkError;
pub use crate::error::{GraphError, Refusal, StartError};
pub use crate::survey::{Requirement, Survey, Surveyed, survey};

/// How long compiling one module may take where [`Settings`] do not say: 60 times what 8 MiB of Go take on two cores.
pub const COMPILE_TIME_MAX_DEFAULT: Duration = Duration::from_secs(120);

/// How a host runs.
#[derive(Clone)]
pub struct Settings {
    /// Threads that run guests, at least 1; the machine's cores unless set.
    pub workers: usize,
    /// Where time comes from; the machine's clocks unless set.
    pub clock: Arc<dyn Clock>,
    /// The seed of all randomness, ids included; the operating system's unless set.
    ///
    /// Of several processes each mixes its name into it. One that runs twice at the same time must not have it: others take both for one.
    pub seed: Option<[u8; 32]>,
    /// The largest message that is let through, in bytes of payload; 16 MiB unless set.
    pub message_bytes_max: u32,
    /// How long compiling one module may take until it is refused; 2 minutes unless set.
    pub compile_time_max: Duration,
    /// The folder where compiled guests are kept, so that the next start need not compile them; none unless set.
    ///
    /// It is made if it is not there. Its content is run as it is, hence it is used only if it belongs to the user who runs this
    /// process and nobody else can write to it. Entries go when they are not used for 30 days, or exceed 1 GiB.
    pub code_cache: Option<PathBuf>,
    /// Whether a guest is asked to end a turn as soon as that takes some milliseconds, so that others get their share of the thread. Yes unless
    /// set; else it is asked when its budget is spent, and killed when it has spent another. A run that is to be the same each time, turn by
    /// turn, must not depend on how fast the machine is.
    pub asks_early: bool,
    /// Whether guests are asked for the descriptors of what they export and require; [`Running::exports`] has the former. No unless set, or unless
    /// there are other processes, which want to know whether they fit.
    pub descriptors: bool,
    /// Told of the guests that are being compiled, whenever these change; of none when that is done.
    pub on_compiling: Option<Arc<OnCompiling>>,
    /// Told when the start waits for other processes or what joins them, with nothing running yet, and when that is over.
    pub on_waiting: Option<Arc<OnWaiting>>,
}

/// Takes names of guests.
pub type OnCompiling = dyn Fn(&[&str]) + Send + Sync;

/// Takes whether something is waited for.
pub type OnWaiting = dyn Fn(bool) + Send + Sync;

impl Default for Settings {
    fn default() -> Self {
        Settings {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            clock: Arc::new(SystemClock::new()),
            seed: None,
            message_bytes_max: parigot_abi::MESSAGE_BYTES_MAX,
            compile_time_max: COMPILE_TIME_MAX_DEFAULT,
            code_cache: None,
            asks_early: true,
            descriptors: false,
            on_compiling: None,
            on_waiting: None,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// Compiles the guests of a deployment, finds out whether they fit together, and launches them in order.
///
/// Events go to the `tracing` subscriber that the calling thread has; the host's threads get it too.
///
/// # Errors
///
/// If modules cannot be run, guests fail in their first turn, requirements and exports do not fit, or a process cannot join the others of its
/// deployment. Nothing runs then.
pub fn start(deployment: &Deployment, settings: Settings) -> Result<Running, StartError> {
    let settings = Settings {
        seed: settings.seed.map(|seed| random::seed_of(deployment, seed)),
        ..settings
    };
    let neighbours = Neighbours::of(deployment, &settings)?;
    run(deployment, compile_all, neighbours, settings)
}

/// The same, of guests that are made from what `moulds` returns, and among other processes.
fn run(
    deployment: &Deployment,
    moulds: impl FnOnce(&Deployment, &Settings) -> Moulds + Send,
    mut neighbours: Neighbours,
    settings: Settings,
) -> Result<Running, StartError> {
    // Other processes want to know whether what they were built with fits.
    let settings = Settings {
        descriptors: settings.descriptors || neighbours.are_there(),
        ..settings
    };
    let randomness = Randomness::new(settings.seed);
    let booted = stack::on_guest_thread("parigot boot", || {
        boot::boot(
            deployment,
            || moulds(deployment, &settings),
            &mut neighbours,
            &settings,
            &randomness,
        )
    })?;
    let (kernel, exports) = assemble(booted, &settings, &randomness);
    neighbours.connect(&kernel);

    let (timers, restarts) = (Arc::clone(&kernel), Arc::clone(&kernel));
    let mut threads = vec![
        spawn("parigot timers", move || timers.run_timers()),
        spawn("parigot restarts", move || restarts.run_restarts()),
    ];
    for _ in 0..settings.workers.max(1) {
        let (kernel, random) = (Arc::clone(&kernel), randomness.generator());
        threads.push(spawn("parigot worker", move || {
            Worker::new(&kernel, random).run()
        }));
    }
    let startup = Startup::watch(&kernel, deployment.startup_deadline);
    let Deployment {
        shutdown_deadline, ..
    } = *deployment;
    Ok(Running {
        kernel,
        startup,
        shutdown_deadline,
        threads,
        exports,
        neighbours,
    })
}

/// Puts booted instances into a kernel, and carries out what they sent in their first turn. Nothing runs yet.
fn assemble(
    booted: Booted,
    settings: &Settings,
    randomness: &Randomness,
) -> (Arc<Kernel>, Vec<Exported>) {
    let Booted {
        life,
        instances,
        first_turns,
        pulse,
        exports,
        wards,
    } = booted;
    let supervisor = Supervisor::new(settings, randomness.seed(), wards);
    let kernel = Arc::new(Kernel::new(settings, life, instances, supervisor, pulse));
    let mut worker = Worker::new(&kernel, randomness.generator());
    for (instance, first_turn) in kernel.instances.iter().zip(first_turns) {
        worker.finish_first_turn(instance, first_turn);
    }
    worker.share_woken();
    drop(worker);
    (kernel, exports)
}

/// Starts a thread that logs to whom its maker logs.
fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    stack::guest_thread(name)
        .spawn(log::as_here(run))
        .expect("a process may have a few more threads")
}

/// A deployment that runs.
#[must_use = "a deployment that nobody waits for ends with the process"]
pub struct Running {
    kernel: Arc<Kernel>,
    startup: Startup,
    shutdown_deadline: Duration,
    threads: Vec<JoinHandle<()>>,
    exports: Vec<Exported>,
    neighbours: Neighbours,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("guests", &self.kernel.instances.len())
            .finish_non_exhaustive()
    }
}

/// A service that a guest exports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The guest's name in the deployment.
    pub guest: String,
    /// The service's full name.
    pub service: String,
    /// A serialized `FileDescriptorSet` of the service and of all that its methods reach; empty unless it was asked for, and if
    /// the guest has none.
    pub descriptors: Vec<u8>,
}

/// The calls that a guest has in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending {
    /// The guest's name in the deployment.
    pub guest: String,
    /// Calls that came to it and are not answered.
    pub inbound: usize,
    /// Calls that it has made and that have not ended; not known while it is in a turn.
    pub outbound: Option<usize>,
}

/// How a deployment has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The first status of a program that was not 0, or of a service where there are no programs; 1 for one that failed, and if a service was
    /// lost before it was ready; 124 if the start took too long.
    pub status: u8,
}

impl Running {
    /// What the guests export, in the order of their names.
    pub fn exports(&self) -> &[Exported] {
        &self.exports
    }

    /// The calls that the guests have in flight at this moment, in the order of the guests' names. For those who look for
    /// what is left behind.
    pub fn pending(&self) -> Vec<Pending> {
        let of = |instance: &instance::Instance| {
            let (inbound, outbound) = instance.pending();
            Pending {
                guest: instance.name.clone(),
                inbound,
                outbound,
            }
        };
        self.kernel.instances.iter().map(of).collect()
    }

    /// A handle that ends the deployment from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper {
            kernel: Arc::clone(&self.kernel),
        }
    }

    /// Blocks until the last program has ended, or without programs the last service, or until it is stopped. The guests that
    /// are left are then told to leave, those that were launched last first, each when the one before has left: for all of it together
    /// they have the deployment's `shutdown_deadline`.
    pub fn wait(self) -> Outcome {
        self.kernel.life.wait_until_over();
        let all_left = self.kernel.shut_down(self.shutdown_deadline);
        self.neighbours.close();
        self.kernel.close();
        self.startup.close();
        if all_left {
            for thread in self.threads {
                thread.join().expect("a thread of the host does not panic");
            }
        }
        Outcome {
            status: self.kernel.life.status(),
        }
    }
}

/// Ends a deployment.
#[derive(Clone)]
pub struct Stopper {
    kernel: Arc<Kernel>,
}

impl std::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stopper").finish_non_exhaustive()
    }
}

impl Stopper {
    /// Makes [`Running::wait`] stop the guests in order. Doing it twice changes nothing.
    pub fn stop(&self) {
        self.kernel.life.ask_to_stop();
    }
}
