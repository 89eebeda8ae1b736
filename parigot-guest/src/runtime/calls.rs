//! The calls of a guest, in both directions.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use crate::runtime::inbound::InboundCalls;
use crate::runtime::outbound::OutboundCalls;
use crate::runtime::response_metadata::{CallMetadata, Part, ResponseMetadata};
use crate::runtime::stream::table::Streams;

/// The calls of a guest, in both directions. Each direction has call numbers of its own.
#[derive(Default)]
pub(crate) struct Calls {
    /// Calls that the guest has made and that have not ended.
    pub(crate) outbound: OutboundCalls,
    /// Calls that have arrived and are not answered, except those in their first poll.
    pub(crate) inbound: RefCell<InboundCalls>,
    /// Streams of calls in both directions.
    pub(crate) streams: Streams,
    /// Response metadata of inbound calls, until their replies.
    responses: RefCell<ResponseMetadata>,
    /// Set if `responses` has any. A flag of its own, because each reply reads it.
    has_responses: Cell<bool>,
}

impl Calls {
    /// Removes an inbound call, which the caller of this function answers.
    pub(crate) fn end_inbound(&self, number: u64) {
        self.inbound.borrow_mut().remove(number);
    }

    /// Removes the response metadata of an inbound call that is answered now.
    #[inline]
    pub(crate) fn take_response_metadata(&self, number: u64) -> Option<CallMetadata> {
        if self.has_responses.get() {
            self.take_present_response_metadata(number)
        } else {
            None
        }
    }

    #[cold]
    fn take_present_response_metadata(&self, number: u64) -> Option<CallMetadata> {
        let mut responses = self.responses.borrow_mut();
        let call = responses.remove(number);
        self.has_responses.set(!responses.is_empty());
        call
    }

    /// Removes the headers in the response metadata of an inbound call, which keeps its trailers.
    pub(crate) fn take_headers(&self, number: u64) -> Vec<u8> {
        self.responses.borrow_mut().take_headers(number)
    }

    /// Adds an entry to the response metadata of an unanswered inbound call.
    pub(crate) fn add_response_metadata(&self, number: u64, part: Part, key: &str, value: &str) {
        self.responses.borrow_mut().add(number, part, key, value);
        self.has_responses.set(true);
    }
}
