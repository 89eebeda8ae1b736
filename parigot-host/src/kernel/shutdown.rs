//! Shutdown of a deployment: stops the guests one after the other.

use std::time::{Duration, Instant};

use crate::kernel::scheduler::Kernel;
use crate::log::events;

impl Kernel {
    /// Stops the guests in the reverse order of their launch, each after the previous one has
    /// exited, within `limit` for all of them. Returns `true` if all guests have exited.
    ///
    /// In that order, a guest with calls to finish still has its dependencies.
    pub(crate) fn shut_down(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let deadline_ns = self
            .clock
            .monotonic_ns()
            .saturating_add(limit.as_nanos() as u64);
        let mut all_left = true;
        for guest in self.lifecycle.stop_order() {
            let instance = &self.instances[guest];
            // Sent even after the limit, because the stop also closes the guest for new calls.
            let wake = instance.enqueue_stop(deadline_ns);
            self.wake(instance, wake);
            if !self.lifecycle.wait_until_ended(guest, until) {
                events::killed_at_shutdown(&instance.guest_log(), instance.calls(), limit);
                instance.guest_log().finish();
                all_left = false;
            }
        }
        all_left
    }
}
