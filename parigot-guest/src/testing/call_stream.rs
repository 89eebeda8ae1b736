//! State of a call of a test whose method streams.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use parigot_abi::Credit;

/// The test's end of a stream.
pub(super) struct CallStream {
    /// Responses that the test has not taken, encoded.
    pub(super) responses: VecDeque<Vec<u8>>,
    pub(super) taken: Credit,
    /// Requests that the guest has no room for yet, encoded.
    pub(super) requests: VecDeque<Vec<u8>>,
    pub(super) sent: Credit,
    /// Credit of the guest for requests.
    pub(super) granted: Credit,
    pub(super) end: RequestEnd,
    /// Set once the guest has sent a frame.
    pub(super) has_begun: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestEnd {
    Open,
    /// The end follows the requests that wait.
    Due,
    Sent,
}

impl CallStream {
    pub(super) fn new(streams_requests: bool) -> Self {
        CallStream {
            responses: VecDeque::new(),
            taken: Credit::default(),
            requests: VecDeque::new(),
            sent: Credit::default(),
            granted: Credit::INITIAL,
            end: if streams_requests {
                RequestEnd::Open
            } else {
                RequestEnd::Sent
            },
            has_begun: false,
        }
    }

    /// Takes the next response.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let response = self.responses.pop_front()?;
        self.taken = self.taken.with_item(response.len());
        Some(response)
    }
}
