//! Starts a deployment, and ends it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::compile::modules::{CompiledGuests, compile_all};
use crate::deployment::Deployment;
use crate::error::StartError;
use crate::guest::stack::{self, spawn};
use crate::kernel::instance;
use crate::kernel::scheduler::{Kernel, Worker};
use crate::kernel::startup::Startup;
use crate::kernel::supervisor::Supervisor;
use crate::network::Peers;
use crate::random::{self, Randomness};
use crate::settings::Settings;
use crate::start::Exported;
use crate::start::boot::{self, Booted};

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
    let peers = Peers::of(deployment, &settings)?;
    run(deployment, compile_all, peers, settings)
}

/// The same, of guests that are made from what `compiled_guests` returns, and among other processes.
pub(crate) fn run(
    deployment: &Deployment,
    compiled_guests: impl FnOnce(&Deployment, &Settings) -> CompiledGuests + Send,
    mut peers: Peers,
    settings: Settings,
) -> Result<Running, StartError> {
    // Other processes want to know whether what they were built with fits.
    let settings = Settings {
        descriptors: settings.descriptors || peers.are_there(),
        ..settings
    };
    let randomness = Randomness::new(settings.seed);
    let booted = stack::on_guest_thread("parigot boot", || {
        boot::boot(
            deployment,
            || compiled_guests(deployment, &settings),
            &mut peers,
            &settings,
            &randomness,
        )
    })?;
    let (kernel, exports) = assemble(booted, &settings, &randomness);
    peers.connect(&kernel);

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
        peers,
    })
}

/// Puts booted instances into a kernel, and carries out what they sent in their first turn. Nothing runs yet.
pub(crate) fn assemble(
    booted: Booted,
    settings: &Settings,
    randomness: &Randomness,
) -> (Arc<Kernel>, Vec<Exported>) {
    let Booted {
        lifecycle,
        instances,
        init_turns,
        epoch_ticker,
        exports,
        supervised,
    } = booted;
    let supervisor = Supervisor::new(settings, randomness.seed(), supervised);
    let kernel = Arc::new(Kernel::new(
        settings,
        lifecycle,
        instances,
        supervisor,
        epoch_ticker,
    ));
    let mut worker = Worker::new(&kernel, randomness.generator());
    for (instance, init_turn) in kernel.instances.iter().zip(init_turns) {
        worker.finish_init_turn(instance, init_turn);
    }
    worker.share_woken();
    drop(worker);
    (kernel, exports)
}

/// A deployment that runs.
#[must_use = "a deployment that nobody waits for ends with the process"]
pub struct Running {
    pub(crate) kernel: Arc<Kernel>,
    startup: Startup,
    shutdown_deadline: Duration,
    threads: Vec<JoinHandle<()>>,
    exports: Vec<Exported>,
    peers: Peers,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("guests", &self.kernel.instances.len())
            .finish_non_exhaustive()
    }
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
        self.kernel.lifecycle.wait_until_over();
        let all_left = self.kernel.shut_down(self.shutdown_deadline);
        self.peers.close();
        self.kernel.close();
        self.startup.close();
        if all_left {
            for thread in self.threads {
                thread.join().expect("a thread of the host does not panic");
            }
        }
        Outcome {
            status: self.kernel.lifecycle.status(),
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
        self.kernel.lifecycle.ask_to_stop();
    }
}
