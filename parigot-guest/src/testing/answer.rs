//! Answers of fakes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use parigot_abi::frame::push_pair;
use parigot_abi::{Cause, Code, Detail};
use prost::Message;

use crate::answer::HandlerError;
use crate::method::Method;
use crate::status::ServiceError;

/// Answer of a [`Fake`](super::Fake) to one call.
///
/// ```no_run
/// # use std::time::Duration;
/// # use parigot_guest::testing::{Answer, Fake};
/// # fn test<Bake: parigot_guest::Method>(oven: Fake) {
/// // The oven takes half an hour, on the clock of the test.
/// oven.answer::<Bake>(|request| {
///     Answer::ok(Bake::Response::default()).after(Duration::from_secs(1_800))
/// });
/// // From now on the oven does not answer.
/// oven.answer::<Bake>(|_| Answer::never());
/// # }
/// ```
#[must_use = "an answer has an effect only as the closure's return value"]
pub struct Answer<M: Method> {
    pub(super) reply: FakeReply,
    method: PhantomData<fn() -> M>,
}

/// Answer without the type of its method, for hosts of tests.
#[doc(hidden)]
#[derive(Debug)]
pub struct FakeReply {
    pub delay: Duration,
    pub outcome: FakeOutcome,
    /// Response headers and trailers in the encoding of a frame.
    pub headers: Vec<u8>,
    pub trailers: Vec<u8>,
    /// Encoded responses of a stream, which come before the outcome.
    pub responses: Vec<Vec<u8>>,
}

/// Outcome of a call of a [`Fake`](super::Fake), for hosts of tests.
#[doc(hidden)]
#[derive(Debug)]
pub enum FakeOutcome {
    /// Encoded response.
    Response(Vec<u8>),
    Failure {
        /// Flags of the reply frame.
        flags: u16,
        /// Code, or number in the service's error enum.
        status: u32,
        /// Encoded [`Detail`], or empty.
        detail: Vec<u8>,
    },
    Never,
    /// Crash with this panic text.
    Crash(String),
}

impl FakeOutcome {
    /// Creates a failure.
    pub fn failure(code: Code, cause: Cause, message: impl Into<String>) -> Self {
        let mut detail = Vec::new();
        Detail::new(cause, &message.into()).write(&mut detail);
        FakeOutcome::Failure {
            flags: 0,
            status: code.number(),
            detail,
        }
    }
}

impl<M: Method> Answer<M> {
    fn new(outcome: FakeOutcome) -> Self {
        Answer {
            reply: outcome.into(),
            method: PhantomData,
        }
    }

    /// Creates an answer with a response.
    pub fn ok(response: M::Response) -> Self {
        Answer::new(FakeOutcome::Response(response.encode_to_vec()))
    }

    /// Creates an answer of a method whose responses stream: these responses, then the end.
    pub fn stream(responses: impl IntoIterator<Item = M::Response>) -> Self {
        Answer::new(FakeOutcome::Response(Vec::new())).after_responses(responses)
    }

    /// Sends responses before the answer, for a method whose responses stream. They are sent as
    /// soon as the caller has room for them, also before an answer that is late or missing.
    pub fn after_responses(mut self, responses: impl IntoIterator<Item = M::Response>) -> Self {
        let responses = responses.into_iter();
        let encoded = responses.map(|response| response.encode_to_vec());
        self.reply.responses.extend(encoded);
        self
    }

    /// Creates an answer with an error of the service, or with another failure that a handler may
    /// return: an error with a message and details, or a [`Status`](crate::Status).
    ///
    /// # Panics
    ///
    /// If the error's number is 0, which stands for success.
    pub fn error(error: impl Into<<M::Error as ServiceError>::Failure>) -> Self {
        let failure = error.into();
        let answer = failure.answer();
        assert!(
            !answer.is_zero(),
            "`{failure}` has the number 0, which is no error"
        );
        let (flags, status, detail) = answer.reply_parts();
        Answer::new(FakeOutcome::Failure {
            flags,
            status,
            detail,
        })
    }

    /// Adds a response header. The caller receives it with the outcome of the call.
    pub fn with_header(mut self, key: &str, value: &str) -> Self {
        push_pair(&mut self.reply.headers, key, value);
        self
    }

    /// Adds a response trailer.
    pub fn with_trailer(mut self, key: &str, value: &str) -> Self {
        push_pair(&mut self.reply.trailers, key, value);
        self
    }

    /// Creates an answer with a status, as if the host or the service's SDK had failed the call.
    ///
    /// `cause` determines the call's fate as its caller sees it. `message` is for people and logs.
    pub fn status(code: Code, cause: Cause, message: impl Into<String>) -> Self {
        Answer::new(FakeOutcome::failure(code, cause, message))
    }

    /// Leaves the call without an answer. The call ends at its deadline or by a cancellation.
    pub fn never() -> Self {
        Answer::new(FakeOutcome::Never)
    }

    /// Crashes the fake, as a guest that panics with `text`.
    pub fn crash(text: impl Into<String>) -> Self {
        Answer::new(FakeOutcome::Crash(text.into()))
    }

    /// Delays the answer or the crash by a time on the clock of the test, from the arrival of the
    /// call.
    pub fn after(self, delay: Duration) -> Self {
        Answer {
            reply: FakeReply {
                delay,
                ..self.reply
            },
            ..self
        }
    }
}

impl<M: Method> fmt::Debug for Answer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("method", &M::info().name())
            .finish_non_exhaustive()
    }
}

impl From<FakeOutcome> for FakeReply {
    fn from(outcome: FakeOutcome) -> Self {
        FakeReply {
            delay: Duration::ZERO,
            outcome,
            headers: Vec::new(),
            trailers: Vec::new(),
            responses: Vec::new(),
        }
    }
}
