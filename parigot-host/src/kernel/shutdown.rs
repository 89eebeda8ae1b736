//! The end of a deployment: guests are told to leave, one after the other.

use std::time::{Duration, Instant};

use crate::kernel::scheduler::Kernel;
use crate::log::events;

impl Kernel {
    /// Tells guests to leave in the reverse order of their launch, each when the one before has left, until `limit` is over. So whoever still
    /// has calls to finish finds those that it requires. Returns whether all have left.
    pub(crate) fn shut_down(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let deadline_ns = self
            .clock
            .monotonic_ns()
            .saturating_add(limit.as_nanos() as u64);
        let mut all_left = true;
        for guest in self.lifecycle.stop_order() {
            let instance = &self.instances[guest];
            // Those that come too late are told all the same, so that nobody can call them any more.
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
