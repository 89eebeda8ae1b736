//! Callers of a call, over services: the cause of the work during which a guest has failed.
//!
//! A guest that makes a call names the inbound call on whose behalf it makes it. The host follows
//! these numbers from the failed call to the first one. Callers are usually idle, since they wait;
//! the chain ends at a caller that runs at this moment, and at the border of the process.

use crate::kernel::instance::{Inbound, Instance};
use crate::kernel::scheduler::Kernel;

/// Most callers of a chain. Guests that call each other in a cycle make long chains.
const CALLERS_MAX: usize = 16;

impl Kernel {
    /// Returns the callers of a call that an instance serves, the nearest first, one line for each.
    ///
    /// ```text
    /// called by orders, which serves orders.v1.Orders/Place, cal_4vdmrj…
    /// called by hello
    /// ```
    pub(crate) fn callers(&self, call: &Inbound) -> String {
        let mut lines = Vec::new();
        let mut next = Some(*call);
        while let Some(call) = next.take()
            && let Some(caller) = call.caller
            && lines.len() < CALLERS_MAX
        {
            let caller = &self.instances[caller];
            next = self.parent(&call, caller);
            let serves = next.map(|parent| {
                let method = self.method(&parent, caller);
                format!(
                    ", which serves {}{}",
                    method.map(|name| name + ", ").unwrap_or_default(),
                    parent.id
                )
            });
            lines.push(format!(
                "called by {}{}",
                caller.name,
                serves.unwrap_or_default()
            ));
        }
        lines.join("\n")
    }

    /// Returns the call on whose behalf the caller has made a call.
    fn parent(&self, call: &Inbound, caller: &Instance) -> Option<Inbound> {
        self.peek(caller, |state| {
            let made = state.calls.outbound.get_mut(call.number)?;
            let parent = made.origin.parent;
            state.calls.inbound.get_mut(parent).copied()
        })?
    }

    /// Returns the name of the method of a call that an idle instance serves.
    fn method(&self, call: &Inbound, callee: &Instance) -> Option<String> {
        let caller = &self.instances[call.caller?];
        let origin = self.peek(caller, |state| {
            let made = state.calls.outbound.get_mut(call.number)?;
            Some(made.origin)
        })??;
        self.peek(callee, |state| {
            state.code.method_name(origin.service, origin.method)
        })?
    }
}
