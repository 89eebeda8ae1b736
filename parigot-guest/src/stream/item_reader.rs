//! The receiving end of a stream of responses, in their wire form.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::num::NonZeroU64;
use core::task::{self, Poll};

use parigot_abi::Code;

use crate::error::{CallError, with_headers};
use crate::metadata::Metadata;
use crate::pending::{Pending, trailers};
use crate::runtime::outbound::{Reply, frame_at, has_response};
use crate::status::{Rpc, ServiceError, Status};
use crate::stream::open_stream::OpenStream;

/// The receiving end of a stream of responses.
pub(crate) struct ItemReader {
    call: Rc<OpenStream>,
    pending: Pending,
    state: State,
    has_yielded: bool,
    /// Set if the reply has a response, because responses do not stream.
    yields_reply: bool,
}

enum State {
    Running,
    /// The callee has ended the stream with success, and with this metadata.
    Complete(Metadata),
    Failed,
}

/// Next response, or the end.
pub(crate) type Next<E> = Option<Result<Box<[u8]>, CallError<E>>>;

impl ItemReader {
    pub(crate) fn new(call: Rc<OpenStream>, pending: Pending) -> Self {
        ItemReader {
            call,
            pending,
            state: State::Running,
            has_yielded: false,
            yields_reply: false,
        }
    }

    /// Creates the end of a call with one response, which the reader returns like an item.
    pub(crate) fn of_one_response(call: Rc<OpenStream>, pending: Pending) -> Self {
        let mut reader = ItemReader::new(call, pending);
        reader.yields_reply = true;
        reader
    }

    /// Returns the error of a stream that is read after its failure.
    pub(crate) fn check(&self) -> Result<(), Status> {
        match self.state {
            State::Failed => {
                let text = "the stream of responses has failed before";
                Err(Status::new(Code::FailedPrecondition, text))
            }
            State::Running | State::Complete(_) => Ok(()),
        }
    }

    /// Returns the metadata of a stream that has ended with success.
    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        match &self.state {
            State::Complete(metadata) => Some(metadata),
            State::Running | State::Failed => None,
        }
    }

    /// Returns the next response. `rpc` names the method in errors.
    pub(crate) fn poll<E: ServiceError>(
        &mut self,
        cx: &mut task::Context<'_>,
        rpc: impl Fn() -> Rpc,
    ) -> Poll<Next<E>> {
        let State::Running = self.state else {
            return Poll::Ready(None);
        };
        if self.call.poll_yield(&mut self.has_yielded, cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(item) = self.call.take_item() {
            return Poll::Ready(Some(Ok(item)));
        }
        if let Some(reason) = self.call.stream.failure.take() {
            return Poll::Ready(Some(Err(self.fail(reason.with_rpc(rpc())))));
        }
        match self.pending.poll_reply(cx) {
            Poll::Pending => {
                self.call.wait_for_item(cx);
                Poll::Pending
            }
            Poll::Ready(Err(refused)) => Poll::Ready(Some(Err(self.fail(refused.with_rpc(rpc()))))),
            Poll::Ready(Ok((number, reply))) => Poll::Ready(self.end(number, &reply, rpc)),
        }
    }

    /// Ends the stream with the reply to its call. All items have been taken: they arrive before
    /// the reply.
    fn end<E: ServiceError>(
        &mut self,
        number: NonZeroU64,
        reply: &Reply,
        rpc: impl Fn() -> Rpc,
    ) -> Next<E> {
        let guest = &self.call.guest;
        let headers = guest.calls.outbound.take_headers(number);
        let headers = headers.unwrap_or_default();
        if let Reply::Copied(bytes) = reply
            && let frame = frame_at(bytes, 0)
            && !has_response(&frame)
        {
            let failed = with_headers(Err(CallError::of_frame(&frame, rpc())), headers);
            self.state = State::Failed;
            return Some(failed);
        }
        self.state = State::Complete(Metadata::new(headers, &trailers(guest, reply)));
        let payload = || match reply {
            Reply::InInbox { response, .. } => guest.io.inbox()[response.clone()].into(),
            Reply::Copied(bytes) => frame_at(bytes, 0).payload.into(),
        };
        self.yields_reply.then(|| Ok(payload()))
    }

    /// Cancels the call, since a response cannot be used, and returns the error.
    pub(crate) fn cancel<E>(&mut self, reason: Status) -> CallError<E> {
        self.call.fail(reason.clone());
        self.fail(reason)
    }

    fn fail<E>(&mut self, status: Status) -> CallError<E> {
        self.state = State::Failed;
        CallError::Status(status)
    }
}

/// The call is cancelled by its `Pending`; the sink of its requests must see it, too.
impl Drop for ItemReader {
    fn drop(&mut self) {
        self.call.close_sending();
    }
}
