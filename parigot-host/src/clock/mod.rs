//! The source of time.
//!
//! Host and guests get all time from one [`Clock`]: the time that a guest reads during a turn, the
//! wake-up of a sleeping guest, the deadlines of calls. A test that owns the clock therefore
//! controls all time.

mod debugger;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

pub use self::debugger::DebuggerClock;

/// A source of time. Nanoseconds in a `u64` last for 584 years.
pub trait Clock: Send + Sync + 'static {
    /// Returns nanoseconds since a fixed point in time; never decreases.
    fn monotonic_ns(&self) -> u64;

    /// Returns nanoseconds since 1970-01-01 00:00 UTC.
    fn wall_ns(&self) -> u64;

    /// Returns the real time until `monotonic_ns` is reached; `None` if waiting does not help,
    /// because the clock is advanced by hand.
    fn real_time_until(&self, monotonic_ns: u64) -> Option<Duration>;

    /// Registers a callback that runs each time the clock was advanced by hand.
    fn on_moved(&self, moved: Box<dyn Fn() + Send>);
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start_ns: u64,
}

impl SystemClock {
    /// Creates a clock whose monotonic zero is now.
    pub fn new() -> Self {
        SystemClock {
            start_ns: machine_ns(),
        }
    }
}

/// Returns the machine's monotonic time.
///
/// Each turn reads the clock, so this calls `clock_gettime` directly: `Instant` doubles the cost.
fn machine_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one `timespec` to a valid address. It cannot fail, since every Unix
    // has this clock.
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

/// Clock that advances only when a test says so.
///
/// # Examples
///
/// ```
/// use parigot_host::clock::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::new(Duration::from_secs(1_000_000_000));
/// clock.advance(Duration::from_secs(3_600));
/// assert_eq!(clock.monotonic_ns(), 3_600_000_000_000);
/// ```
pub struct ManualClock {
    monotonic_ns: AtomicU64,
    /// Wall time at monotonic zero.
    wall_start_ns: u64,
    moved: Mutex<Vec<Box<dyn Fn() + Send>>>,
}

impl ManualClock {
    /// Creates a clock at monotonic zero; `wall` is the time since 1970-01-01 00:00 UTC.
    pub fn new(wall: Duration) -> Self {
        ManualClock {
            monotonic_ns: AtomicU64::new(0),
            wall_start_ns: wall.as_nanos() as u64,
            moved: Mutex::new(Vec::new()),
        }
    }

    /// Advances both times. Timers that fall due run on the host's threads, before or after this
    /// returns.
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
