//! Calls of a test.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use parigot_abi::frame::{flags, push_pair};
use parigot_abi::{Frame, Frames};
use prost::Message;

use crate::error::CallError;
use crate::metadata::Metadata;
use crate::method::Method;

/// Call that a test makes: see [`GuestRun::begin`](super::GuestRun::begin).
///
/// ```no_run
/// # use std::time::Duration;
/// # use parigot_guest::testing::{GuestRun, TestCall};
/// # fn test<Bake: parigot_guest::Method>(mut oven: GuestRun, request: Bake::Request) {
/// let call = TestCall::<Bake>::new(request)
///     .with_metadata("user", "ann")
///     .within(Duration::from_secs(10));
/// let call = oven.begin(call);
/// # }
/// ```
#[must_use = "a call is made by `GuestRun::begin`"]
pub struct TestCall<M: Method> {
    /// `None` if requests stream.
    pub(super) request: Option<M::Request>,
    /// In the encoding of a frame.
    pub(super) metadata: Vec<u8>,
    pub(super) deadline: Option<Duration>,
}

impl<M: Method> TestCall<M> {
    /// Creates a call without metadata, with the deadline of the method, else 3 seconds.
    pub fn new(request: M::Request) -> Self {
        TestCall::of(Some(request))
    }

    /// Creates a call whose requests stream, for [`GuestRun::open`](super::GuestRun::open).
    pub fn streaming() -> Self {
        TestCall::of(None)
    }

    fn of(request: Option<M::Request>) -> Self {
        TestCall {
            request,
            metadata: Vec::new(),
            deadline: None,
        }
    }

    /// Adds a metadata entry. A key may have several values, in order.
    pub fn with_metadata(mut self, key: &str, value: &str) -> Self {
        push_pair(&mut self.metadata, key, value);
        self
    }

    /// Sets the deadline as the caller does, as a duration from the call.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

impl<M: Method> fmt::Debug for TestCall<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCall")
            .field("method", &M::info().name())
            .finish_non_exhaustive()
    }
}

/// Call that [`GuestRun::begin`](super::GuestRun::begin) has made. A drop does not cancel the call.
pub struct PendingCall<M: Method> {
    pub(super) number: u64,
    pub(super) reply: Rc<RefCell<CallReply>>,
    method: PhantomData<fn() -> M>,
}

impl<M: Method> PendingCall<M> {
    pub(super) fn new(number: u64) -> Self {
        PendingCall {
            number,
            reply: Rc::default(),
            method: PhantomData,
        }
    }

    /// Returns the response or the error of the call; `None` while the call is in flight.
    pub fn outcome(&self) -> Option<Result<M::Response, CallError<M::Error>>> {
        self.reply.borrow().outcome::<M>()
    }

    /// Returns the headers that have arrived, and the trailers once the call has ended.
    pub fn metadata(&self) -> Metadata {
        self.reply.borrow().metadata()
    }

    /// Returns true if the call has ended, with a response or an error.
    pub fn has_ended(&self) -> bool {
        self.reply.borrow().has_ended()
    }
}

impl<M: Method> fmt::Debug for PendingCall<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = format_args!("{}/{}", M::SERVICE.name, M::info().name());
        f.debug_struct("PendingCall")
            .field("method", &method)
            .field("has_ended", &self.has_ended())
            .finish()
    }
}

/// Reply to a call, for hosts of tests.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct CallReply {
    /// Response headers in the encoding of a frame.
    pub headers: Vec<u8>,
    /// Encoded reply frame; empty while the call is in flight.
    pub frame: Vec<u8>,
}

impl CallReply {
    /// Returns the response or the error of the call; `None` while the call is in flight.
    pub fn outcome<M: Method>(&self) -> Option<Result<M::Response, CallError<M::Error>>> {
        let frame = self.reply()?;
        let is_response =
            frame.header.status == 0 && frame.header.flags & flags::SERVICE_ERROR == 0;
        Some(if is_response {
            M::Response::decode(frame.payload)
                .map_err(|error| CallError::undecodable::<M>(&frame, &error))
        } else {
            Err(CallError::of_reply::<M>(&frame))
        })
    }

    /// Returns the headers that have arrived, and the trailers once the call has ended.
    pub fn metadata(&self) -> Metadata {
        let trailers = self.reply().map_or(&[][..], |frame| frame.metadata);
        Metadata::new(self.headers.clone(), trailers)
    }

    /// Returns true if the call has ended, with a response or an error.
    pub fn has_ended(&self) -> bool {
        !self.frame.is_empty()
    }

    fn reply(&self) -> Option<Frame<'_>> {
        let frame = Frames::new(&self.frame).next()?;
        Some(frame.expect("a reply must be a well-formed frame"))
    }
}
