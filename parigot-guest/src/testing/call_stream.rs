//! An end of a call whose method streams: of a test that has made the call, or of a fake.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use parigot_abi::frame::flags;
use parigot_abi::{Credit, Header, Kind, StreamContent};

/// A test's end of a stream, or that of a fake, for hosts of tests. The words are those of a test:
/// a fake sends the *requests* here, and receives the *responses*.
#[doc(hidden)]
#[derive(Debug)]
pub struct CallStream {
    /// Flags of the frames that this end sends.
    flags: u16,
    /// Responses that the test has not taken, encoded.
    responses: VecDeque<Vec<u8>>,
    taken: Credit,
    /// Credit that the test has granted for responses.
    granted: Credit,
    /// Requests that the guest has no room for yet, encoded.
    requests: VecDeque<Vec<u8>>,
    sent: Credit,
    /// Credit of the test for requests.
    credit: Credit,
    end: RequestEnd,
    has_begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RequestEnd {
    Open,
    /// The end follows the requests that wait.
    Due,
    Sent,
}

impl CallStream {
    /// Creates the end of a new call.
    pub fn new(streams_requests: bool) -> Self {
        CallStream {
            flags: flags::TO_CALLEE,
            responses: VecDeque::new(),
            taken: Credit::default(),
            granted: Credit::INITIAL,
            requests: VecDeque::new(),
            sent: Credit::default(),
            credit: Credit::INITIAL,
            end: if streams_requests {
                RequestEnd::Open
            } else {
                RequestEnd::Sent
            },
            has_begun: false,
        }
    }

    /// Creates a fake's end of a new call. It sends no end, because the reply is the end.
    pub fn of_fake() -> Self {
        CallStream {
            flags: 0,
            ..CallStream::new(true)
        }
    }

    /// Returns true if this end has sent a request or credit.
    pub fn has_sent(&self) -> bool {
        self.sent.items > 0 || self.granted != Credit::INITIAL
    }

    /// Returns true if no request waits to be sent.
    pub fn is_drained(&self) -> bool {
        self.requests.is_empty()
    }

    /// Notes a frame of the guest; `None` for headers.
    pub fn note(&mut self, content: Option<StreamContent<'_>>) {
        self.has_begun = true;
        match content {
            Some(StreamContent::Item(item)) => self.responses.push_back(item.into()),
            Some(StreamContent::Credit(credit)) => self.credit = self.credit.max(credit),
            Some(StreamContent::End) | None => {}
        }
    }

    /// Returns true once the guest has sent a frame.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Returns the number of responses that wait to be taken.
    pub fn waiting(&self) -> usize {
        self.responses.len()
    }

    /// Takes the next response. Credit for another one is due then.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let response = self.responses.pop_front()?;
        self.taken = self.taken.with_item(response.len());
        Some(response)
    }

    /// Adds a request.
    ///
    /// # Panics
    ///
    /// If the requests of the method do not stream, or have been finished.
    pub fn push(&mut self, request: Vec<u8>) {
        let is_open = self.end == RequestEnd::Open;
        assert!(is_open, "the call takes no more requests");
        self.requests.push_back(request);
    }

    /// Ends the requests.
    pub fn finish(&mut self) {
        if self.end == RequestEnd::Open {
            self.end = RequestEnd::Due;
        }
    }

    /// Sends the frames that are due: credit, the requests that the guest has room for, and their
    /// end. `number` is the number of the call.
    pub fn send_due(&mut self, number: u64, mut send: impl FnMut(Header, &[u8])) {
        let frame_flags = self.flags;
        let header = |kind| Header {
            number,
            flags: frame_flags,
            ..Header::new(kind)
        };
        let granted = Credit {
            items: self.taken.items + Credit::INITIAL.items,
            bytes: self.taken.bytes + Credit::INITIAL.bytes,
        };
        if granted != self.granted {
            self.granted = granted;
            send(header(Kind::Credit), &granted.to_bytes());
        }
        while self.credit.permits(self.sent)
            && let Some(request) = self.requests.pop_front()
        {
            self.sent = self.sent.with_item(request.len());
            send(header(Kind::Item), &request);
        }
        if self.requests.is_empty() && self.end == RequestEnd::Due {
            self.end = RequestEnd::Sent;
            send(header(Kind::End), &[]);
        }
    }
}
