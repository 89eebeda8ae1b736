//! Shutdown of a deployment: stops the guests one after the other.

use std::time::{Duration, Instant};

use crate::kernel::index::InstanceIndex;
use crate::kernel::scheduler::Kernel;
use crate::log::events;

impl Kernel {
    /// Stops the guests in the reverse order of their launch, each after the previous one has
    /// exited, within `limit` for all of them. Returns `true` if all guests have exited.
    ///
    /// In that order, a guest with calls to finish still has its dependencies.
    pub(crate) fn shut_down(&self, limit: Duration) -> bool {
        let deadline_ns = self
            .clock
            .monotonic_ns()
            .saturating_add(limit.as_nanos() as u64);
        let until = Instant::now() + limit;
        let mut all_left = true;
        for guest in self.lifecycle.stop_order() {
            let instance = &self.instances[guest];
            // Sent even after the limit, because the stop also closes the guest for new calls.
            let had_time = Instant::now() < until;
            let wake = instance.enqueue_stop(deadline_ns);
            self.wake(instance, wake);
            if !self.wait_until_ended(guest, until, deadline_ns) {
                let log = instance.guest_log();
                events::killed_at_shutdown(&log, instance.calls(), limit, had_time);
                instance.guest_log().finish();
                all_left = false;
            }
        }
        all_left
    }

    /// Blocks until the guest has ended, at most until `until`, and longer if the host's clock has
    /// stood still: a debugger may have stopped the process. Returns `true` if the guest has ended.
    fn wait_until_ended(&self, guest: InstanceIndex, until: Instant, deadline_ns: u64) -> bool {
        let mut until = until;
        loop {
            if self.lifecycle.wait_until_ended(guest, until) {
                return true;
            }
            match self.clock.real_time_until(deadline_ns) {
                Some(left) if !left.is_zero() => until = Instant::now() + left,
                _ => return false,
            }
        }
    }
}
