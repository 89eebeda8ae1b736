//! Ends of calls at their deadlines.
//!
//! A call whose handler was never entered must not end with an unknown fate, and only the worker
//! that has the state of the callee knows which handlers were entered. So a call ends in two steps:
//!
//! | state of the call at its deadline | end |
//! |---|---|
//! | in the callee's mailbox | refused at once: the callee never receives the call |
//! | received by a callee of this process | the next turn of the callee decides |
//! | received by a callee of another process | the kernel of that process decides, and replies |
//! | no decision within the wait for the fate | unknown, and the call is cancelled |
//!
//! The decision is final: the callee is cancelled in the same turn, before any task is polled, and
//! a guest drops cancelled calls that have not begun. A reply that arrives before the decision
//! still answers the call.

use crate::error::Failure;
use crate::kernel::instance::{Calls, Instance, InstanceState, Outbound};
use crate::kernel::observer::Observer;
use crate::kernel::scheduler::Worker;
use crate::limits::{FATE_WAIT, REMOTE_FATE_WAIT};

impl<O: Observer> Worker<'_, O> {
    /// Ends the outbound calls of an instance whose deadline has passed.
    pub(crate) fn expire_calls(&mut self, calls: &mut Calls) {
        if calls.next_deadline_ns > self.now_ns() {
            return;
        }
        for (number, call) in calls.expire(self.now_ns()) {
            let callee = &self.kernel.instances[call.callee];
            let failure = if call.is_overdue {
                // Other callees were cancelled when they were asked.
                if callee.is_proxy {
                    self.cancel_at_callee(&call);
                }
                Failure::timed_out()
            } else {
                let (is_undelivered, wake) = callee.expire(call.inbound, call.id);
                self.wake(callee, wake);
                if !is_undelivered {
                    calls.keep(number, overdue(call, callee));
                    continue;
                }
                Failure::expired()
            };
            if call.is_stream {
                calls.forget_stream(number);
            }
            let failure = failure.at(callee.id_in_failure());
            failure.push(number, call.id, &mut self.batch.frames);
        }
    }

    /// Decides the fates of calls to an instance whose deadline has passed, before the turn in
    /// which the instance receives their cancellations.
    #[cold]
    pub(crate) fn decide_fates(&mut self, instance: &Instance, state: &mut InstanceState) {
        for (number, call) in std::mem::take(&mut state.calls.overdue) {
            let has_begun = state.code.has_begun(number) || state.calls.has_sent_frame(number);
            let failure = if has_begun {
                Failure::timed_out()
            } else {
                Failure::expired()
            };
            self.fail_call(&call, failure.at(instance.id_in_failure()));
        }
    }
}

/// Returns a call past its deadline that waits for the decision of its callee.
fn overdue(call: Outbound, callee: &Instance) -> Outbound {
    let wait = if callee.is_proxy {
        REMOTE_FATE_WAIT
    } else {
        FATE_WAIT
    };
    Outbound {
        deadline_ns: call.deadline_ns.saturating_add(wait.as_nanos() as u64),
        is_overdue: true,
        ..call
    }
}
