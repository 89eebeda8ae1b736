//! End of an instance: the host notifies the callers and callees, and frees the memory.
//! `Worker::restart_decision` in [`crate::kernel::restart`] decides if a restart follows.

use crate::error::{Ending, Failure};
use crate::kernel::instance::{Inbound, Instance, InstanceState};
use crate::kernel::observer::Observer;
use crate::kernel::scheduler::Worker;
use crate::log::events;

impl<O: Observer> Worker<'_, O> {
    /// Ends an instance, in this order:
    ///
    /// 1. decides about a restart, which gives callers the reason of their failure,
    /// 2. closes the mailbox, so that no later call is accepted,
    /// 3. fails the calls that the instance served, and refuses those that had not begun,
    /// 4. cancels the calls that the instance waited for,
    /// 5. drops the code with its memory,
    /// 6. logs the end,
    /// 7. carries out the restart decision.
    ///
    /// The record of the end comes before the lines of the callers, since the callers run after
    /// this function. The exception is a record whose backtrace takes long, at the first fault of a
    /// module: the other workers run the callers meanwhile, and the calls do not reach the end of
    /// their deadlines.
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
        let callers = active_call
            .and_then(|number| calls.inbound.get_mut(number).copied())
            .map(|call| self.kernel.callers(&call));
        let restart_decision = self.restart_decision(instance, &ending);
        let reason = restart_decision.unavailable_reason(self.now_ns());
        let not_run = instance.close(reason);
        let is_unexpected = self.kernel.lifecycle.must_keep_running(instance.index);
        for (number, call) in calls.inbound.take_if(|_| true) {
            let caused_end = active_call == Some(number);
            let has_begun = code.has_begun(number) || calls.has_sent_frame(number);
            let failure = if caused_end || has_begun {
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
        for (_, call) in calls.outbound.take_if(|_| true) {
            self.cancel_at_callee(&call);
        }
        drop(code);
        if ending.has_slow_stack() {
            self.share_woken();
        }
        events::ending(
            &instance.guest_log(),
            &ending,
            events::EndContext {
                is_unexpected,
                call: logged_call,
                method: method.flatten(),
                callers: callers.unwrap_or_default(),
            },
        );
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
