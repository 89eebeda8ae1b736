//! Processes of a deployment, as hosts in the process of the test.
//!
//! Each process has a frozen clock of its own, so that no test depends on the speed of the machine:
//! a deadline, a restart or a slow answer comes when the test advances the clock of its process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use miette::NamedSource;
use parigot_abi::id::HostId;
use parigot_abi::manifest::Service;
use parigot_abi::{FrameBuilder, Header, Kind};

use super::super::Peers;
use super::caller_guest::{CallEnd, Observed, caller_factory};
use super::service_guest::{METHODS, Received, service, service_factory};
use super::switchboard::Switchboard;
use super::watched::{WAIT_MAX, Watched, poll_until};
use crate::clock::{Clock, ManualClock};
use crate::compile::modules::CompiledGuests;
use crate::deployment::{Deployment, GuestSpec};
use crate::error::StartError;
use crate::guest::code::InstanceFactory;
use crate::guest::epoch_ticker::EpochTicker;
use crate::host::{Outcome, Running, run};
use crate::kernel::instance::Instance;
use crate::settings::Settings;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// Startup deadline of processes, mostly on their frozen clocks. The search for a service that is
/// required by name alone takes it in real time.
pub(super) const STARTUP_DEADLINE: Duration = Duration::from_millis(300);

/// Guests of a process, sorted by name, with their factories.
pub(super) type Guests = Vec<(GuestSpec, Arc<dyn InstanceFactory>)>;

/// Running host with its frozen clock.
pub(super) struct Process {
    pub(super) host: HostId,
    pub(super) running: Running,
    pub(super) clock: Arc<ManualClock>,
}

/// Starts a process that is connected to the other processes of the switchboard.
pub(super) fn try_start(board: &Arc<Switchboard>, guests: Guests) -> Result<Process, StartError> {
    static HOSTS: AtomicU64 = AtomicU64::new(1);
    let host = HostId::from_random(HOSTS.fetch_add(1, Ordering::Relaxed).into());
    let clock = Arc::new(ManualClock::new(Duration::ZERO));
    let settings = Settings {
        workers: 2,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..Settings::default()
    };
    let peers = Peers::behind(board.line(host, Arc::clone(&settings.clock)));
    let (guests, factories): (Vec<_>, Vec<_>) = guests.into_iter().unzip();
    let deployment = Deployment {
        guests,
        startup_deadline: STARTUP_DEADLINE,
        // Beyond `WAIT_MAX`: a stop that waits for this deadline fails the test.
        shutdown_deadline: HOUR,
        memory_bytes_max: None,
        edges: Vec::new(),
        providers: Vec::new(),
        processes: Vec::new(),
        network: None,
        source: NamedSource::new("test", Arc::from("")),
    };
    let compiled_guests = CompiledGuests {
        of_guests: factories.into_iter().map(Ok).collect(),
        epoch_ticker: EpochTicker::start(|| {})?,
    };
    let running = run(&deployment, |_, _| Ok(compiled_guests), peers, settings)?;
    Ok(Process {
        host,
        running,
        clock,
    })
}

pub(super) fn start(board: &Arc<Switchboard>, guests: Guests) -> Process {
    try_start(board, guests).expect("the process must start")
}

impl Process {
    pub(super) fn instance(&self, name: &str) -> &Instance {
        self.running
            .kernel
            .instances
            .iter()
            .find(|instance| instance.name == name)
            .expect("the process must have the guest")
    }

    /// Waits for the end of the process, which must come before its shutdown deadline.
    pub(super) fn wait(self) -> Outcome {
        let (ended, end) = mpsc::channel();
        thread::spawn(move || ended.send(self.running.wait()));
        end.recv_timeout(WAIT_MAX)
            .expect("the process must end without waiting for its shutdown deadline")
    }

    /// Stops the process in order.
    pub(super) fn stop(self) -> Outcome {
        self.running.stopper().stop();
        self.wait()
    }

    /// Waits until the process has no call in flight.
    pub(super) fn wait_until_idle(&self) {
        poll_until("no call is in flight", || {
            let pending = self.running.pending();
            let is_idle = pending
                .iter()
                .all(|pending| pending.inbound == 0 && pending.outbound == Some(0));
            is_idle.then_some(())
        });
    }
}

/// Returns a guest named `echo` that exports `x.Echo` with all methods.
pub(super) fn echo(received: &Arc<Watched<Received>>) -> (GuestSpec, Arc<dyn InstanceFactory>) {
    let factory = service_factory(service("x.Echo", &METHODS), Vec::new(), received);
    (GuestSpec::service("echo", ""), Arc::new(factory))
}

/// Process with one program, `front`, that makes the calls of a test.
pub(super) struct Front {
    pub(super) process: Process,
    pub(super) observed: Arc<Watched<Observed>>,
}

/// Starts a front process with these requirements, and does not wait for the launch.
pub(super) fn try_front(
    board: &Arc<Switchboard>,
    requires: Vec<Service>,
) -> Result<Front, StartError> {
    let observed = Watched::new();
    let guests: Guests = vec![(
        GuestSpec::program("front", ""),
        Arc::new(caller_factory(requires, &observed)),
    )];
    Ok(Front {
        process: try_start(board, guests)?,
        observed,
    })
}

/// Starts a front process that requires the service of [`echo`], and waits for the launch.
pub(super) fn front(board: &Arc<Switchboard>) -> Front {
    let front =
        try_front(board, vec![service("x.Echo", &METHODS)]).expect("the process must start");
    front.observed.wait_for_launch();
    front
}

impl Front {
    /// Makes the program send a frame.
    pub(super) fn send(&self, header: Header, metadata: &[u8], payload: &[u8]) {
        let instance = self.process.instance("front");
        let wake = instance.enqueue_frames(|frames| {
            let frame = FrameBuilder::new(frames, header)
                .metadata_bytes(metadata)
                .payload(payload);
            frame.finish().expect("a frame must be shorter than 4 GiB");
        });
        self.process.running.kernel.wake(instance, wake);
    }

    /// Starts a call with the default deadline of the service.
    pub(super) fn begin(&self, number: u64, method: u32, payload: &[u8]) {
        let header = Header {
            number,
            method,
            ..Header::new(Kind::Call)
        };
        self.send(header, &[], payload);
    }

    /// Starts a call with a deadline on the front's clock.
    pub(super) fn begin_within(&self, number: u64, method: u32, limit: Duration) {
        let now_ns = self.process.clock.monotonic_ns();
        let guest_ns = self.process.instance("front").guest_time_ns(now_ns);
        let header = Header {
            number,
            method,
            deadline_ns: guest_ns + limit.as_nanos() as u64,
            ..Header::new(Kind::Call)
        };
        self.send(header, &[], &[]);
    }

    pub(super) fn cancel(&self, number: u64) {
        let header = Header {
            number,
            ..Header::new(Kind::Cancel)
        };
        self.send(header, &[], &[]);
    }

    /// Waits for the end of a call.
    pub(super) fn end(&self, number: u64) -> CallEnd {
        self.observed
            .wait_for(|observed| observed.ends.get(&number).cloned())
    }

    pub(super) fn call(&self, number: u64, method: u32) -> CallEnd {
        self.begin(number, method, b"hello");
        self.end(number)
    }

    /// Makes the program exit.
    pub(super) fn exit(&self, status: u32) {
        let header = Header {
            status,
            ..Header::new(Kind::Exit)
        };
        self.send(header, &[], &[]);
    }
}

/// Front process, and a back process whose service the front calls.
pub(super) struct Pair {
    pub(super) board: Arc<Switchboard>,
    pub(super) front: Front,
    pub(super) back: Process,
    pub(super) received: Arc<Watched<Received>>,
}

/// Starts a back process with the guest of [`echo`], and a front process.
pub(super) fn pair() -> Pair {
    let board = Arc::<Switchboard>::default();
    let received = Watched::new();
    let back = start(&board, vec![echo(&received)]);
    let front = front(&board);
    Pair {
        board,
        front,
        back,
        received,
    }
}

impl Pair {
    /// Waits for all calls, and stops both processes.
    pub(super) fn finish(self) {
        self.front.process.wait_until_idle();
        self.back.wait_until_idle();
        self.front.process.stop();
        assert_eq!(self.back.stop().status, 0);
    }
}
