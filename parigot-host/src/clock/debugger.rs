//! Clock that stands still while a debugger has stopped the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::{Clock, SystemClock};
use crate::error::ThreadError;
use crate::log::dispatch::as_here;

/// Time between two beats of the clock's thread.
const BEAT: Duration = Duration::from_millis(20);

/// Largest advance of the clock between two beats. A busy machine may delay the thread, and must
/// not slow the clock down; only a stopped process loses time.
const ADVANCE_NS_MAX: u64 = 250_000_000;

/// Shortest stop that is logged: shorter ones are steps of a debugger.
const LOGGED_NS_MIN: u64 = 1_000_000_000;

/// The machine's monotonic clock, without the time in which the process was stopped.
///
/// A thread of the clock beats every 20 ms. Between two beats the clock advances by at most 250 ms.
/// If a debugger stops all threads, or all but the one that is stepped, the beats stop too, and
/// with them the deadlines and timers of guests. The time of day goes on.
#[derive(Debug)]
pub struct DebuggerClock {
    machine: SystemClock,
    /// Last beat on the machine's clock.
    beat_ns: AtomicU64,
    /// Sum of the times that the clock has left out.
    behind_ns: AtomicU64,
    /// Largest time that the clock has returned.
    latest_ns: AtomicU64,
}

impl DebuggerClock {
    /// Starts a clock with its thread, which ends when the clock is dropped. Each stop of at least
    /// a second is logged at its end.
    ///
    /// # Errors
    ///
    /// If the system does not start the thread.
    pub fn start() -> Result<Arc<Self>, ThreadError> {
        const NAME: &str = "parigot clock";
        let machine = SystemClock::new();
        let clock = Arc::new(DebuggerClock {
            beat_ns: AtomicU64::new(machine.monotonic_ns()),
            machine,
            behind_ns: AtomicU64::new(0),
            latest_ns: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&clock);
        let started = thread::Builder::new()
            .name(NAME.into())
            .spawn(as_here(move || beat(&weak)));
        started.map_err(|error| ThreadError::new(NAME, &error))?;
        Ok(clock)
    }

    /// Beats at a time of the machine's clock. Returns the time that the clock leaves out.
    fn beat_at(&self, machine_ns: u64) -> u64 {
        let since_ns = machine_ns.saturating_sub(self.beat_ns.load(Ordering::SeqCst));
        let left_out_ns = since_ns.saturating_sub(ADVANCE_NS_MAX);
        // In this order: between the two stores the clock would go backwards, which `latest_ns`
        // prevents. In the other order it would jump forward.
        self.behind_ns.fetch_add(left_out_ns, Ordering::SeqCst);
        self.beat_ns.store(machine_ns, Ordering::SeqCst);
        left_out_ns
    }

    /// Returns the time of this clock at a time of the machine's clock.
    fn at(&self, machine_ns: u64) -> u64 {
        let latest_possible_ns = self.beat_ns.load(Ordering::SeqCst) + ADVANCE_NS_MAX;
        let behind_ns = self.behind_ns.load(Ordering::SeqCst);
        let now_ns = machine_ns.min(latest_possible_ns).saturating_sub(behind_ns);
        self.latest_ns
            .fetch_max(now_ns, Ordering::SeqCst)
            .max(now_ns)
    }
}

impl Clock for DebuggerClock {
    fn monotonic_ns(&self) -> u64 {
        self.at(self.machine.monotonic_ns())
    }

    fn wall_ns(&self) -> u64 {
        self.machine.wall_ns()
    }

    fn real_time_until(&self, monotonic_ns: u64) -> Option<Duration> {
        Some(Duration::from_nanos(
            monotonic_ns.saturating_sub(self.monotonic_ns()),
        ))
    }

    fn on_moved(&self, _moved: Box<dyn Fn() + Send>) {}
}

/// Beats as long as the clock exists.
fn beat(clock: &Weak<DebuggerClock>) {
    while let Some(clock) = clock.upgrade() {
        let left_out_ns = clock.beat_at(clock.machine.monotonic_ns());
        drop(clock);
        if left_out_ns >= LOGGED_NS_MIN {
            tracing::info!(
                "time stood still for {} s, while the process was stopped",
                left_out_ns / 1_000_000_000
            );
        }
        thread::sleep(BEAT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Returns a clock without a thread, whose last beat was at 0.
    fn clock() -> DebuggerClock {
        DebuggerClock {
            machine: SystemClock::new(),
            beat_ns: AtomicU64::new(0),
            behind_ns: AtomicU64::new(0),
            latest_ns: AtomicU64::new(0),
        }
    }

    #[test]
    fn a_running_process_loses_no_time() {
        let clock = clock();
        for now_ms in [20, 45, 290, 310] {
            assert_eq!(clock.beat_at(now_ms * MS), 0);
            assert_eq!(clock.at((now_ms + 5) * MS), (now_ms + 5) * MS);
        }
    }

    #[test]
    fn a_stop_is_left_out() {
        let clock = clock();
        assert_eq!(clock.at(10 * MS), 10 * MS);
        let later_ns = 41_000 * MS;
        assert_eq!(clock.at(later_ns), ADVANCE_NS_MAX, "before the first beat");
        assert_eq!(clock.beat_at(later_ns), later_ns - ADVANCE_NS_MAX);
        assert_eq!(clock.at(later_ns + MS), ADVANCE_NS_MAX + MS);
    }

    #[test]
    fn the_clock_never_decreases() {
        let clock = clock();
        let later_ns = 41_000 * MS;
        assert_eq!(clock.at(later_ns), ADVANCE_NS_MAX);
        // The first of the two stores of a beat.
        clock.behind_ns.fetch_add(later_ns, Ordering::SeqCst);
        assert_eq!(clock.at(later_ns), ADVANCE_NS_MAX);
    }
}
