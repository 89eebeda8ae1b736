//! End of an instance: the host notifies the callers and callees, and frees the memory.
//! `Worker::restart_decision` in [`crate::kernel::restart`] decides if a restart follows.

use crate::error::{Ending, Failure};
use crate::kernel::instance::{Calls, Inbound, Instance, InstanceState};
use crate::kernel::observer::Observer;
use crate::kernel::scheduler::Worker;
use crate::log::events;

impl<O: Observer> Worker<'_, O> {
    /// Ends an instance, in this order:
    ///
    /// 1. decides about a restart, which gives callers the reason of their failure,
    /// 2. closes the mailbox, so that no later call is accepted,
    /// 3. logs the end,
    /// 4. fails the calls that the instance served, and refuses those that had not begun,
    /// 5. cancels the calls that the instance waited for,
    /// 6. drops the code with its memory,
    /// 7. carries out the restart decision.
    #[cold]
    pub(crate) fn end(&mut self, instance: &Instance, state: InstanceState, ending: Ending) {
        let InstanceState {
            code,
            routes,
            mut calls,
            ..
        } = state;
        let (active_call, method) = code
            .active_call()
            .map(|active_call| (active_call.call, active_call.method))
            .unzip();
        let logged_call = active_call.and_then(|number| calls.logged(number));
        let Calls {
            mut outbound,
            mut inbound,
            ..
        } = calls;
        let restart_decision = self.restart_decision(instance, &ending);
        let reason = restart_decision.unavailable_reason(self.now_ns());
        let not_run = instance.close(reason);
        let is_unexpected = self.kernel.lifecycle.must_keep_running(instance.index);
        events::ending(
            &instance.guest_log(),
            &ending,
            events::EndContext {
                is_unexpected,
                call: logged_call,
                method: method.flatten(),
            },
        );
        for (number, call) in inbound.take_if(|_| true) {
            let caused_end = active_call == Some(number);
            let failure = if caused_end || code.has_begun(number) {
                Failure::callee_ended(&instance.name, &ending, caused_end)
            } else {
                Failure::not_begun(&instance.name, &ending)
            };
            self.fail_call(&call, failure.at(instance.id_in_failure()));
        }
        for (_, call) in not_run {
            let failure = Failure::never_given(&instance.name, &ending);
            self.fail_call(&call, failure.at(instance.id_in_failure()));
        }
        for (_, call) in outbound.take_if(|_| true) {
            self.cancel_at_callee(&call);
        }
        drop(code);
        self.carry_out_decision(instance, restart_decision, routes, &ending);
        self.observer.instance_ended(instance.index, &ending);
    }

    /// Sends the failure of a call to its caller.
    pub(crate) fn fail_call(&mut self, call: &Inbound, failure: Failure) {
        // Cancelled calls have no caller.
        let Some(caller) = call.caller else { return };
        let caller = &self.kernel.instances[caller];
        let wake = caller.enqueue_failure(call.number, call.id, &failure);
        self.wake(caller, wake);
    }
}
