//! Calls of a test whose method streams.

use alloc::rc::Rc;
use core::cell::RefCell;
use core::fmt;
use core::ops::Deref;

use parigot_abi::frame::flags;
use parigot_abi::{Credit, Frame, Header, Kind, StreamContent, StreamFrame};
use prost::Message;

use super::call::{PendingCall, TestCall};
use super::call_stream::{CallStream, RequestEnd};
use super::host::Host;
use super::run::GuestRun;
use crate::error::CallError;
use crate::method::Method;

/// Call of a method that streams, made by [`GuestRun::open`]. It is also a [`PendingCall`], so that
/// [`GuestRun::wait`] and [`GuestRun::cancel`] take it. A drop does not cancel the call.
///
/// ```no_run
/// # use parigot_guest::testing::{GuestRun, TestCall};
/// # fn test<Watch: parigot_guest::Method>(mut oven: GuestRun, request: Watch::Request) {
/// let stream = oven.open(TestCall::<Watch>::new(request));
/// while let Some(response) = oven.next(&stream).unwrap() {
///     // …
/// }
/// # }
/// ```
pub struct PendingStream<M: Method> {
    call: PendingCall<M>,
    stream: Rc<RefCell<CallStream>>,
}

impl<M: Method> PendingStream<M> {
    /// Returns the responses that wait to be taken by [`GuestRun::next`].
    pub fn waiting(&self) -> usize {
        self.stream.borrow().responses.len()
    }
}

impl<M: Method> Deref for PendingStream<M> {
    type Target = PendingCall<M>;

    fn deref(&self) -> &PendingCall<M> {
        &self.call
    }
}

impl<M: Method> fmt::Debug for PendingStream<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.call, f)
    }
}

/// Calls of methods that stream.
impl GuestRun {
    /// Calls a method that streams, and runs the guest until it waits. The clock does not advance.
    ///
    /// The test takes the responses by [`GuestRun::next`]; the handler is at most four responses
    /// ahead. The deadline of the method covers the whole call. If neither method nor call has a
    /// deadline, 3 seconds cover the time until the first response or [`Responses::open`].
    ///
    /// [`Responses::open`]: crate::Responses::open
    ///
    /// # Panics
    ///
    /// If the guest does not export the method, or if the method does not stream.
    pub fn open<M: Method>(&mut self, call: TestCall<M>) -> PendingStream<M> {
        let info = M::info();
        assert!(
            info.streams(),
            "{} does not stream: use `begin`",
            info.name()
        );
        let stream = Rc::new(RefCell::new(CallStream::new(info.streams_requests())));
        self.host.next_stream = Some(Rc::clone(&stream));
        let call = self.begin_call(call);
        PendingStream { call, stream }
    }

    /// Sends a request, as soon as the guest has room for it, and runs the guest until it waits.
    /// Requests that wait are not lost: they follow in order.
    ///
    /// # Panics
    ///
    /// If the requests of the method do not stream, or have been finished.
    pub fn send<M: Method>(&mut self, stream: &PendingStream<M>, request: M::Request) {
        let mut end = stream.stream.borrow_mut();
        let is_open = end.end == RequestEnd::Open;
        assert!(is_open, "the call takes no more requests");
        end.requests.push_back(request.encode_to_vec());
        drop(end);
        self.host.send_requests(stream.number);
        self.host.run_until_idle();
    }

    /// Ends the requests, and runs the guest until it waits.
    pub fn finish<M: Method>(&mut self, stream: &PendingStream<M>) {
        let mut end = stream.stream.borrow_mut();
        if end.end == RequestEnd::Open {
            end.end = RequestEnd::Due;
        }
        drop(end);
        self.host.send_requests(stream.number);
        self.host.run_until_idle();
    }

    /// Advances the clock until the next response, and takes the response; `None` if the call has
    /// ended with success.
    ///
    /// # Errors
    ///
    /// The service's error, or the status of a call that failed.
    pub fn next<M: Method>(
        &mut self,
        stream: &PendingStream<M>,
    ) -> Result<Option<M::Response>, CallError<M::Error>> {
        let has_next = || stream.waiting() > 0 || stream.has_ended();
        self.host
            .wait_until("next response of the stream", |_| has_next());
        let Some(response) = stream.stream.borrow_mut().take() else {
            let outcome = stream.outcome();
            return outcome.expect("the call has ended").map(|_| None);
        };
        self.host.send_credit(stream.number);
        self.host.run_until_idle();
        let response = M::Response::decode(&*response);
        Ok(Some(
            response.expect("a response of the guest must be decodable"),
        ))
    }
}

/// Streams.
impl Host {
    /// Handles an item or a credit of a call of the test. Calls of the guest do not stream: fakes
    /// have no such methods.
    pub(super) fn route_stream(&mut self, frame: &Frame<'_>) {
        let frame = StreamFrame::read(frame).expect("a guest must send well-formed frames");
        let Some(stream) = self.streams.get(&frame.number) else {
            return;
        };
        let mut end = stream.borrow_mut();
        end.has_begun = true;
        match frame.content {
            StreamContent::Item(item) => end.responses.push_back(item.into()),
            StreamContent::Credit(credit) => end.granted = end.granted.max(credit),
            StreamContent::End => {}
        }
        drop(end);
        self.send_requests(frame.number);
    }

    /// Notes that the guest has sent the headers of a stream.
    pub(super) fn route_open(&mut self, number: u64) {
        if let Some(stream) = self.streams.get(&number) {
            stream.borrow_mut().has_begun = true;
        }
    }

    /// Returns true if the guest has sent nothing in the stream of a call.
    pub(super) fn is_silent(&self, number: u64) -> bool {
        let stream = self.streams.get(&number);
        stream.is_some_and(|stream| !stream.borrow().has_begun)
    }

    /// Sends the requests that the guest has room for, and then their end if it is due.
    fn send_requests(&mut self, number: u64) {
        let Some(stream) = self.streams.get(&number).cloned() else {
            return;
        };
        let mut end = stream.borrow_mut();
        let header = |kind| Header {
            number,
            flags: flags::TO_CALLEE,
            ..Header::new(kind)
        };
        while end.granted.permits(end.sent)
            && let Some(request) = end.requests.pop_front()
        {
            end.sent = end.sent.with_item(request.len());
            self.send(header(Kind::Item), |frame| frame.payload(&request));
        }
        if end.requests.is_empty() && end.end == RequestEnd::Due {
            end.end = RequestEnd::Sent;
            self.send(header(Kind::End), |frame| frame);
        }
    }

    /// Grants the guest a window behind the responses that the test has taken.
    fn send_credit(&mut self, number: u64) {
        let Some(stream) = self.streams.get(&number) else {
            return;
        };
        let taken = stream.borrow().taken;
        let credit = Credit {
            items: taken.items + Credit::INITIAL.items,
            bytes: taken.bytes + Credit::INITIAL.bytes,
        };
        let header = Header {
            number,
            flags: flags::TO_CALLEE,
            ..Header::new(Kind::Credit)
        };
        self.send(header, |frame| frame.payload(&credit.to_bytes()));
    }
}
