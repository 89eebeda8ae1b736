//! Calls of a test whose method streams.

use alloc::rc::Rc;
use core::cell::RefCell;
use core::fmt;
use core::ops::Deref;

use parigot_abi::{Frame, StreamFrame};
use prost::Message;

use super::call::{PendingCall, TestCall};
use super::call_stream::CallStream;
use super::fake_stream::FakeStream;
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
        self.stream.borrow().waiting()
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
        stream.stream.borrow_mut().push(request.encode_to_vec());
        self.host.send_due(stream.number);
        self.host.run_until_idle();
    }

    /// Ends the requests, and runs the guest until it waits.
    pub fn finish<M: Method>(&mut self, stream: &PendingStream<M>) {
        stream.stream.borrow_mut().finish();
        self.host.send_due(stream.number);
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
        self.host.send_due(stream.number);
        self.host.run_until_idle();
        let response = M::Response::decode(&*response);
        Ok(Some(
            response.expect("a response of the guest must be decodable"),
        ))
    }
}

/// Streams.
impl Host {
    /// Handles a frame of a stream: of a call of the test, or of a call of the guest to a fake.
    pub(super) fn route_stream(&mut self, frame: &Frame<'_>) {
        let frame = StreamFrame::read(frame).expect("a guest must send well-formed frames");
        let number = frame.number;
        if frame.is_to_callee {
            if let Some(stream) = self.fake_streams.get_mut(&number) {
                stream.note(frame.content);
                self.send_of_fake(number);
            }
        } else if let Some(stream) = self.streams.get(&number) {
            stream.borrow_mut().note(Some(frame.content));
            self.send_due(number);
        }
    }

    /// Returns true if a fake has sent a frame in a call of the guest.
    pub(super) fn has_fake_begun(&self, number: u64) -> bool {
        let stream = self.fake_streams.get(&number);
        stream.is_some_and(FakeStream::has_begun)
    }

    /// Sends the frames of a fake that are due, and its answer behind them.
    pub(super) fn send_of_fake(&mut self, number: u64) {
        let Some(mut stream) = self.fake_streams.remove(&number) else {
            return;
        };
        let reply = stream.send_due(number, |header, payload| {
            self.send(header, |frame| frame.payload(payload));
        });
        self.fake_streams.insert(number, stream);
        if let Some(reply) = reply {
            self.answer_later(number, reply);
        }
    }

    /// Notes that the guest has sent the headers of a stream.
    pub(super) fn route_open(&mut self, number: u64) {
        if let Some(stream) = self.streams.get(&number) {
            stream.borrow_mut().note(None);
        }
    }

    /// Returns true if the guest has sent nothing in the stream of a call.
    pub(super) fn is_silent(&self, number: u64) -> bool {
        let stream = self.streams.get(&number);
        stream.is_some_and(|stream| !stream.borrow().has_begun())
    }

    /// Sends the frames of a stream that are due.
    fn send_due(&mut self, number: u64) {
        if let Some(stream) = self.streams.get(&number).cloned() {
            let mut end = stream.borrow_mut();
            end.send_due(number, |header, payload| {
                self.send(header, |frame| frame.payload(payload));
            });
        }
    }
}
