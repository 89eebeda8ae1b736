//! The calls of a guest, in both directions.

use core::cell::RefCell;

use crate::runtime::inbound::InboundCalls;
use crate::runtime::outbound::OutboundCalls;
use crate::runtime::response_metadata::{CallMetadata, ResponseMetadata};

/// The calls of a guest, in both directions. Each direction has call numbers of its own.
#[derive(Default)]
pub(crate) struct Calls {
    /// Calls that the guest has made and that have not ended.
    pub(crate) outbound: OutboundCalls,
    /// Calls that have arrived and are not answered, except those in their first poll.
    pub(crate) inbound: RefCell<InboundCalls>,
    /// Response metadata of inbound calls, until their replies.
    pub(crate) responses: RefCell<ResponseMetadata>,
}

impl Calls {
    /// Removes an inbound call, which the caller of this function answers.
    pub(crate) fn end_inbound(&self, number: u64) {
        self.inbound.borrow_mut().remove(number);
    }

    /// Removes the response metadata of an inbound call that is answered now.
    #[inline]
    pub(crate) fn take_response_metadata(&self, number: u64) -> Option<CallMetadata> {
        let mut responses = self.responses.borrow_mut();
        if responses.is_empty() {
            None
        } else {
            responses.remove(number)
        }
    }
}
