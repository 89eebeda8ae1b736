//! Mailbox of an instance: everything that senders store while a worker has the instance.

use parigot_abi::id::CallId;
use parigot_abi::{Frame, Header};

use super::calls::{Batch, CallName, Inbound};
use crate::error::{Failure, GuestFault, Unavailable};
use crate::log::trace_id::TraceId;

/// First number of the calls that come through the mailbox; calls with a handoff count from 1.
///
/// With two ranges, the lock of the mailbox guards one counter and the owner of the instance's
/// state has the other. So neither path needs the lock of the other.
pub(super) const FIRST_NUMBER_IN_MAILBOX: u64 = 1 << 63;

/// Mailbox of an instance. All fields are guarded by the lock around it.
pub(super) struct Mailbox {
    /// Batch for the next turn.
    pub(super) batch: Box<Batch>,
    /// Number of the last call that was stored here.
    pub(super) last_number: u64,
    /// Reason why the instance takes no calls, if it takes none.
    pub(super) unavailable_reason: Option<Unavailable>,
    /// Set while there is no instance: after its end, and until a restart.
    pub(super) has_ended: bool,
    /// Fault that ends the instance instead of its next turn.
    pub(super) kill_reason: Option<Box<GuestFault>>,
}

impl Mailbox {
    pub(super) fn new() -> Self {
        Mailbox {
            batch: Box::default(),
            last_number: FIRST_NUMBER_IN_MAILBOX,
            unavailable_reason: None,
            has_ended: false,
            kill_reason: None,
        }
    }

    /// Stores a call and returns its number.
    pub(super) fn push_call(&mut self, call: Inbound, header: Header, frame: &Frame<'_>) -> u64 {
        self.last_number += 1;
        let number = self.last_number;
        self.batch.push_call(number, &call, header, frame);
        self.batch.arrivals.push((number, call));
        if !frame.metadata.is_empty()
            && let Some(trace) = TraceId::of(frame.metadata)
        {
            self.batch.traces.push((number, trace));
        }
        number
    }

    /// Stores the reply that ends a call.
    pub(super) fn push_reply(&mut self, call: &Inbound, reply: &Frame<'_>, detail: Option<&[u8]>) {
        self.batch.push_reply(call, reply, detail);
        self.batch.answered.push(CallName {
            number: call.number,
            id: call.id,
        });
    }

    /// Stores the failure that ends a call.
    pub(super) fn push_failure(&mut self, number: u64, id: CallId, failure: &Failure) {
        failure.push(number, id, &mut self.batch.frames);
        self.batch.answered.push(CallName { number, id });
    }
}
