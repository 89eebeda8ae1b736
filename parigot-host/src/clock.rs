//! Where time comes from.
//!
//! Everything that the host or a guest knows of time it has from one [`Clock`]: what a guest reads during a turn, when a
//! sleeping guest is woken, when a call's deadline passes. So a test that owns the clock owns time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

/// A source of time. Nanoseconds in a `u64` last for 584 years.
pub trait Clock: Send + Sync + 'static {
    /// Nanoseconds since some moment; never goes back.
    fn monotonic_ns(&self) -> u64;

    /// Nanoseconds since 1970-01-01 00:00 UTC.
    fn wall_ns(&self) -> u64;

    /// How long a thread has to wait in real time until `monotonic_ns` is reached, or `None` if waiting does not help,
    /// because this clock moves by hand.
    fn real_time_until(&self, monotonic_ns: u64) -> Option<Duration>;

    /// Asks the clock to call `moved` each time it was moved by hand.
    fn on_moved(&self, moved: Box<dyn Fn() + Send>);
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start_ns: u64,
}

impl SystemClock {
    /// A clock whose monotonic zero is now.
    pub fn new() -> Self {
        SystemClock {
            start_ns: machine_ns(),
        }
    }
}

/// The machine's monotonic clock. Read as it is: each turn does so, and what `Instant` adds takes as long again.
fn machine_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one `timespec`, to a place for one. It cannot fail: every Unix has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic_ns(&self) -> u64 {
        machine_ns() - self.start_ns
    }

    fn wall_ns(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as u64)
    }

    fn real_time_until(&self, monotonic_ns: u64) -> Option<Duration> {
        Some(Duration::from_nanos(
            monotonic_ns.saturating_sub(self.monotonic_ns()),
        ))
    }

    fn on_moved(&self, _moved: Box<dyn Fn() + Send>) {}
}

/// A clock that stands still until a test moves it.
pub struct ManualClock {
    monotonic_ns: AtomicU64,
    /// The wall time at monotonic zero.
    wall_start_ns: u64,
    moved: Mutex<Vec<Box<dyn Fn() + Send>>>,
}

impl ManualClock {
    /// A clock at monotonic zero, with that wall time since 1970-01-01 00:00 UTC.
    pub fn new(wall: Duration) -> Self {
        ManualClock {
            monotonic_ns: AtomicU64::new(0),
            wall_start_ns: wall.as_nanos() as u64,
            moved: Mutex::new(Vec::new()),
        }
    }

    /// Moves both times forward. What falls due then runs on the host's own threads, after this returns or before.
    pub fn advance(&self, by: Duration) {
        self.monotonic_ns
            .fetch_add(by.as_nanos() as u64, Ordering::SeqCst);
        self.moved.lock().iter().for_each(|moved| moved());
    }
}

impl std::fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManualClock")
            .field("monotonic_ns", &self.monotonic_ns())
            .finish_non_exhaustive()
    }
}

impl Clock for ManualClock {
    fn monotonic_ns(&self) -> u64 {
        self.monotonic_ns.load(Ordering::SeqCst)
    }

    fn wall_ns(&self) -> u64 {
        self.wall_start_ns + self.monotonic_ns()
    }

    fn real_time_until(&self, _monotonic_ns: u64) -> Option<Duration> {
        None
    }

    fn on_moved(&self, moved: Box<dyn Fn() + Send>) {
        self.moved.lock().push(moved);
    }
}
