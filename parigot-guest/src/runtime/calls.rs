//! The calls of a guest, in both directions.

use core::cell::RefCell;

use crate::runtime::inbound::InboundCalls;
use crate::runtime::outbound::OutboundCalls;

/// The calls of a guest, in both directions. Each direction has call numbers of its own.
#[derive(Default)]
pub(crate) struct Calls {
    /// Calls that the guest has made and that have not ended.
    pub(crate) outbound: OutboundCalls,
    /// Calls that have arrived and are not answered, except those in their first poll.
    pub(crate) inbound: RefCell<InboundCalls>,
}

impl Calls {
    /// Removes an inbound call, which the caller of this function answers.
    pub(crate) fn end_inbound(&self, number: u64) {
        self.inbound.borrow_mut().remove(number);
    }
}
