//! One call from outside: request, reply, and the future that yields the reply.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parigot_abi::frame::flags;
use parigot_abi::id::CallId;
use parigot_abi::{Cause, Code, Detail, Frame};
use parking_lot::Mutex;

use crate::error::Failure;

/// Keys and values of metadata, in order. A key may occur several times.
pub type Pairs = Vec<(String, String)>;

/// A call from outside.
#[derive(Clone, Debug)]
pub struct Request {
    /// Id of the call, in the log and in messages: see
    /// [`ServiceClient::new_call_id`](super::ServiceClient::new_call_id).
    pub id: CallId,
    /// Name of the method, as in the `.proto`.
    pub method: String,
    /// Metadata. The host trusts the caller, so keys that begin with `parigot-` are not removed.
    pub metadata: Pairs,
    /// Encoded message.
    pub payload: Vec<u8>,
    /// Time until the deadline; `None` for the default of the method.
    pub timeout: Option<Duration>,
}

/// End of a call from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Response headers.
    pub headers: Pairs,
    /// Response trailers.
    pub trailers: Pairs,
    /// Encoded response, or the failure.
    pub result: Result<Vec<u8>, CallFailure>,
}

/// Failure of a call from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFailure {
    /// An error of the service, or a status.
    pub kind: FailureKind,
    /// Cause. The fate of the call follows from the cause.
    pub cause: Cause,
    /// Text for people, possibly empty. Unless the cause is [`Cause::Answered`], it may name
    /// guests and files.
    pub message: String,
    /// Messages for programs.
    pub details: Vec<ErrorDetail>,
}

/// Kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Number of an error of the service's enum.
    Service(i32),
    /// Status of the host or of the callee.
    Status(Code),
}

/// Message for programs, beside a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDetail {
    /// Full name of the message.
    pub type_name: String,
    /// Encoded message.
    pub value: Vec<u8>,
}

impl Reply {
    /// Reads a reply frame; `headers` are those of the call's `Open`.
    pub(super) fn of_frame(frame: &Frame<'_>, headers: Pairs) -> Self {
        let status = frame.header.status;
        let result = if status == 0 && frame.header.flags & flags::SERVICE_ERROR == 0 {
            Ok(frame.payload.to_vec())
        } else if frame.header.flags & flags::SERVICE_ERROR != 0 {
            // A service error may have no detail.
            let failure = failure(FailureKind::Service(status as i32), frame.detail);
            Err(CallFailure {
                cause: Cause::Answered,
                ..failure
            })
        } else {
            let code = Code::from_number(status).unwrap_or(Code::Unknown);
            Err(failure(FailureKind::Status(code), frame.detail))
        };
        Reply {
            headers,
            trailers: pairs(frame),
            result,
        }
    }

    /// Creates the reply of a call that failed outside of the callee.
    fn of_failure(problem: &Failure) -> Self {
        let (status, detail) = problem.to_parts();
        let code = Code::from_number(status).unwrap_or(Code::Unknown);
        Reply {
            headers: Vec::new(),
            trailers: Vec::new(),
            result: Err(failure(FailureKind::Status(code), &detail)),
        }
    }
}

/// Reads the detail of a failed reply.
fn failure(kind: FailureKind, detail: &[u8]) -> CallFailure {
    let Detail {
        cause,
        message,
        details,
        ..
    } = Detail::read(detail);
    let details = details.iter().map(|detail| ErrorDetail {
        type_name: detail.type_name.to_string(),
        value: detail.value.to_vec(),
    });
    CallFailure {
        kind,
        cause,
        details: details.collect(),
        message: message.into_owned(),
    }
}

/// Returns the metadata of a frame, up to the first invalid pair.
pub(super) fn pairs(frame: &Frame<'_>) -> Pairs {
    let pairs = frame.metadata_pairs().map_while(Result::ok);
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// State of a call, shared by the proxy and the future.
#[derive(Default)]
pub(super) struct CallSlot {
    state: Mutex<SlotState>,
}

#[derive(Default)]
struct SlotState {
    headers: Pairs,
    reply: Option<Reply>,
    waker: Option<Waker>,
}

impl CallSlot {
    /// Keeps the response headers until the reply.
    pub(super) fn put_headers(&self, headers: Pairs) {
        self.state.lock().headers = headers;
    }

    /// Ends the call with a reply frame.
    pub(super) fn put_reply(&self, frame: &Frame<'_>) {
        let headers = std::mem::take(&mut self.state.lock().headers);
        self.put(Reply::of_frame(frame, headers));
    }

    /// Ends the call with a failure.
    pub(super) fn put_failure(&self, failure: &Failure) {
        self.put(Reply::of_failure(failure));
    }

    fn put(&self, reply: Reply) {
        let waker = {
            let mut state = self.state.lock();
            state.reply = Some(reply);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Receiver of cancellations.
pub(super) trait Canceller: Send + Sync {
    /// Cancels the call with a number of the proxy.
    fn cancel(&self, number: u64);
}

/// A call in flight. Resolves to its reply, and cancels the call if it is dropped earlier.
#[must_use = "dropping a call cancels it"]
pub struct PendingCall {
    slot: Arc<CallSlot>,
    /// Receives the cancellation of the number; `None` after the end of the call.
    canceller: Option<(Arc<dyn Canceller>, u64)>,
}

impl PendingCall {
    /// Creates a call with a number of the proxy.
    pub(super) fn new(slot: Arc<CallSlot>, canceller: Arc<dyn Canceller>, number: u64) -> Self {
        PendingCall {
            slot,
            canceller: Some((canceller, number)),
        }
    }

    /// Creates a call that has failed.
    pub(super) fn failed(failure: &Failure) -> Self {
        let slot = Arc::new(CallSlot::default());
        slot.put_failure(failure);
        PendingCall {
            slot,
            canceller: None,
        }
    }
}

impl Future for PendingCall {
    type Output = Reply;

    /// # Panics
    ///
    /// If polled after the reply.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let mut state = self.slot.state.lock();
        match state.reply.take() {
            Some(reply) => {
                drop(state);
                self.canceller = None;
                Poll::Ready(reply)
            }
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        if let Some((canceller, number)) = self.canceller.take()
            && self.slot.state.lock().reply.is_none()
        {
            canceller.cancel(number);
        }
    }
}

impl std::fmt::Debug for PendingCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingCall")
            .field("has_ended", &self.slot.state.lock().reply.is_some())
            .finish_non_exhaustive()
    }
}
