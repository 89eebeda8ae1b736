//! Start and end of a deployment.

use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::client::ServiceClient;
use crate::client::proxy::{self as client, Clients};
use crate::compile::modules::{CompiledGuests, compile_all};
use crate::deployment::Deployment;
use crate::error::{StartError, ThreadError};
use crate::guest::stack::{self, spawn};
use crate::kernel::scheduler::{Kernel, Worker};
use crate::kernel::startup::Startup;
use crate::kernel::supervisor::Supervisor;
use crate::kernel::thread_names::{ThreadNames, WORKER};
use crate::kernel::{debugger, instance};
use crate::network::Peers;
use crate::random::{self, Randomness};
use crate::settings::Settings;
use crate::start::Exported;
use crate::start::boot::{self, BootedDeployment};
use crate::start::declare::{DeclaredGuest, Proxy};
use crate::start::providers::{self, Opened};
use crate::stdio::proxy as stdio;

/// Compiles the guests of a deployment, checks their requirements, and launches them in order.
///
/// Events go to the `tracing` subscriber that the calling thread has; the host's threads get it
/// too. A subscriber that blocks, for example on a full pipe, blocks the guests and the shutdown.
///
/// # Errors
///
/// If modules cannot be run, guests fail in their init turns, requirements and exports do not
/// match, or the process cannot join the others of its deployment. No guest runs then.
pub fn start(deployment: &Deployment, settings: Settings) -> Result<Running, StartError> {
    let settings = Settings {
        seed: settings.seed.map(|seed| random::seed_of(deployment, seed)),
        ..settings
    };
    let peers = Peers::of(deployment, &settings)?;
    run(deployment, compile_all, peers, settings)
}

/// Starts a deployment with guests from `compiled_guests`, among the processes of `peers`.
pub(crate) fn run<C>(
    deployment: &Deployment,
    compiled_guests: C,
    peers: Peers,
    settings: Settings,
) -> Result<Running, StartError>
where
    C: FnOnce(&Deployment, &Settings) -> Result<CompiledGuests, ThreadError> + Send,
{
    // Other processes compare their schemas with the descriptors of this one, and an edge converts
    // messages by them.
    let settings = Settings {
        descriptors: settings.descriptors || peers.are_there() || !deployment.edges.is_empty(),
        ..settings
    };
    let randomness = Randomness::new(settings.seed);
    let mut clients = Clients::new();
    let mut opened = Vec::new();
    let booted = stack::on_guest_thread("parigot boot", || {
        boot::boot(
            deployment,
            || compiled_guests(deployment, &settings),
            |guests| {
                let mut proxies = proxies(guests, deployment, &peers, &settings)?;
                let (of_clients, all) = client::create(guests, deployment, &randomness);
                proxies.extend(of_clients);
                clients = all;
                let mut connected = providers::connect(deployment, &settings);
                proxies.append(&mut connected.proxies);
                opened = connected.open()?;
                Ok(proxies)
            },
            &settings,
            &randomness,
        )
    })??;
    let (kernel, exports) = assemble(booted, &settings, &randomness);
    if settings.debug {
        debugger::show(&kernel);
    }
    let startup = Startup::watch(&kernel, deployment.startup_deadline)?;
    let threads = match start_threads(&kernel, opened, &settings, &randomness) {
        Ok(threads) => threads,
        Err(error) => {
            startup.close();
            return Err(error.into());
        }
    };
    Ok(Running {
        kernel,
        startup,
        shutdown_deadline: deployment.shutdown_deadline,
        threads,
        exports,
        clients,
        at_stop: Vec::new(),
        peers,
    })
}

/// Starts the threads of a kernel, with at least one worker.
///
/// # Errors
///
/// If the system does not start a thread. No guest has run then, and the kernel is closed.
fn start_threads(
    kernel: &Arc<Kernel>,
    providers: Vec<Opened>,
    settings: &Settings,
    randomness: &Randomness,
) -> Result<Vec<JoinHandle<()>>, ThreadError> {
    // A worker waits for the other threads: guests run only if the system has started all.
    let all_started = Arc::new(OnceLock::new());
    let mut threads = Vec::new();
    let start_all = || {
        for provider in providers {
            threads.push(provider.start()?);
        }
        let timers = Arc::clone(kernel);
        threads.push(spawn("parigot timers", move || timers.run_timers())?);
        let restarts = Arc::clone(kernel);
        threads.push(spawn("parigot restarts", move || restarts.run_restarts())?);
        for _ in 0..settings.workers.max(1) {
            let kernel = Arc::clone(kernel);
            let random = randomness.generator();
            let all_started = Arc::clone(&all_started);
            let debug = settings.debug;
            threads.push(spawn(WORKER, move || {
                all_started.wait();
                if debug {
                    Worker::with_observer(&kernel, random, ThreadNames(&kernel)).run()
                } else {
                    Worker::new(&kernel, random).run()
                }
            })?);
        }
        Ok(())
    };
    let result = start_all();
    if result.is_err() {
        // A worker of a closed kernel ends without a turn.
        kernel.close();
    }
    let _ = all_started.set(());
    result.map(|()| threads)
}

/// Creates the proxies for guests with these declarations.
fn proxies(
    guests: &[DeclaredGuest<'_>],
    deployment: &Deployment,
    peers: &Peers,
    settings: &Settings,
) -> Result<Vec<Proxy>, StartError> {
    let mut proxies = peers.proxies(guests, deployment, settings)?;
    if stdio::is_required(guests) {
        proxies.push(stdio::create(settings));
    }
    Ok(proxies)
}

/// Creates the kernel of booted instances and routes the frames of their init turns.
///
/// No worker runs yet, so this thread acts as the only one.
pub(crate) fn assemble(
    booted: BootedDeployment,
    settings: &Settings,
    randomness: &Randomness,
) -> (Arc<Kernel>, Vec<Exported>) {
    let BootedDeployment {
        lifecycle,
        instances,
        init_turns,
        epoch_ticker,
        exports,
        supervised,
        wakers,
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
    let first_proxy = kernel.instances.len() - wakers.len();
    for (proxy, waker) in (first_proxy..).zip(wakers) {
        waker.connect_to(&kernel, proxy);
    }
    (kernel, exports)
}

/// A running deployment.
#[must_use = "without `wait`, the deployment ends with the process"]
pub struct Running {
    pub(crate) kernel: Arc<Kernel>,
    startup: Startup,
    shutdown_deadline: Duration,
    threads: Vec<JoinHandle<()>>,
    exports: Vec<Exported>,
    clients: Clients,
    at_stop: Vec<Box<dyn FnOnce() + Send>>,
    peers: Peers,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("guests", &self.kernel.instances.len())
            .finish_non_exhaustive()
    }
}

/// Number of calls that a guest has in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending {
    /// Name of the guest in the deployment.
    pub guest: String,
    /// Received calls without a reply.
    pub inbound: usize,
    /// Sent calls that have not ended; `None` during a turn of the guest, which owns the number.
    pub outbound: Option<usize>,
}

/// Result of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Exit status: the first that is not 0 among the programs, or among the services if there are
    /// no programs. 1 stands for a failed guest, or a service that failed permanently before it was
    /// ready; 124 for a start beyond its deadline.
    pub status: u8,
    /// Set if the stop interrupted work: a program had not ended when the stop began, or a guest
    /// had not left within the `shutdown_deadline` and was killed.
    pub was_cut_off: bool,
}

impl Running {
    /// Returns the exports of all guests, in the order of the guests' names.
    pub fn exports(&self) -> &[Exported] {
        &self.exports
    }

    /// Returns the client of a service that an edge of the deployment lists.
    pub fn client(&self, service: &str) -> Option<&ServiceClient> {
        self.clients.get(service)
    }

    /// Adds a callback that [`wait`](Self::wait) runs before it stops the first guest.
    pub fn at_stop(&mut self, callback: impl FnOnce() + Send + 'static) {
        self.at_stop.push(Box::new(callback));
    }

    /// Returns the calls in flight of each guest at this moment, in the order of the guests' names.
    ///
    /// Tests use this to detect leaked calls.
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

    /// Returns a handle that stops the deployment from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper {
            kernel: Arc::clone(&self.kernel),
        }
    }

    /// Blocks until all programs have ended, or all services if there are no programs, or until a
    /// stop.
    ///
    /// Then the remaining guests are asked to stop in the reverse order of their launch, each after
    /// the previous one has exited. All of them together have the deployment's `shutdown_deadline`.
    pub fn wait(self) -> Outcome {
        let programs_ended = self.kernel.lifecycle.wait_until_over();
        self.at_stop.into_iter().for_each(|callback| callback());
        let all_left = self.kernel.shut_down(self.shutdown_deadline);
        self.peers.close();
        self.kernel.close();
        self.startup.close();
        if all_left {
            for thread in self.threads {
                thread.join().expect("a thread of the host must not panic");
            }
        }
        Outcome {
            status: self.kernel.lifecycle.status(),
            was_cut_off: !(programs_ended && all_left),
        }
    }
}

/// Handle that stops a deployment.
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
    /// Makes [`Running::wait`] stop the guests in order. Further calls have no effect.
    pub fn stop(&self) {
        self.kernel.lifecycle.ask_to_stop();
    }
}
