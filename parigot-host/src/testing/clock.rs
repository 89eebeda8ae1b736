//! Clock of a test: [`TestRun::advance`], and the waits that move the clock from timer to timer.

use std::time::Duration;

use super::run::TestRun;
use super::stepper::{Stepper, on_test_thread};
use crate::clock::Clock;

/// Longest wait on the host's clock, after which a test fails.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

impl TestRun {
    /// Advances the clock, from timer to timer.
    ///
    /// Sleeps end, deadlines pass and services are restarted exactly at their time. All guests are
    /// idle afterwards.
    ///
    /// # Panics
    ///
    /// If guests are still busy after a million turns at one time.
    pub fn advance(&mut self, by: Duration) {
        let until_ns = self.clock.monotonic_ns() + by.as_nanos() as u64;
        self.run_until(until_ns, |_| false);
        self.clock
            .advance(Duration::from_nanos(until_ns - self.clock.monotonic_ns()));
        self.run_until_idle();
    }

    /// Returns the time since the start, on the host's clock.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.monotonic_ns())
    }

    /// Advances the clock until `is_so` holds. `what` names the awaited event in the panic.
    ///
    /// # Panics
    ///
    /// If `is_so` does not hold within an hour on the host's clock.
    pub(super) fn wait_until(&mut self, what: &str, is_so: impl Fn(&Stepper) -> bool + Sync) {
        let until_ns = self.clock.monotonic_ns() + WAIT_MAX.as_nanos() as u64;
        assert!(
            self.run_until(until_ns, is_so),
            "no {what}: no timer is left, or an hour has passed on the host's clock"
        );
    }

    /// Runs guests and advances the clock from timer to timer, until `is_so` holds or `until_ns` is
    /// reached. Returns true if `is_so` holds.
    pub(super) fn run_until(
        &mut self,
        until_ns: u64,
        is_so: impl Fn(&Stepper) -> bool + Sync,
    ) -> bool {
        let TestRun { stepper, clock, .. } = self;
        on_test_thread(|| {
            loop {
                if stepper.run(&is_so) {
                    return true;
                }
                match stepper.next_timer_ns() {
                    Some(next_ns) if next_ns <= until_ns => {
                        clock.advance(Duration::from_nanos(
                            next_ns.saturating_sub(clock.monotonic_ns()),
                        ));
                    }
                    _ => return false,
                }
            }
        })
    }
}
