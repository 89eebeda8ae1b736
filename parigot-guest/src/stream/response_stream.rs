//! The responses of a stream, at the caller.

use alloc::rc::Rc;
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::num::NonZeroU64;
use core::pin::Pin;
use core::task::{self, Poll};

use futures_lite::Stream;
use parigot_abi::Code;

use crate::error::{CallError, with_headers};
use crate::metadata::Metadata;
use crate::method::{Method, rpc};
use crate::pending::{Pending, trailers};
use crate::prost::decode;
use crate::runtime::outbound::{Reply, frame_at, has_response};
use crate::status::Status;
use crate::stream::open_stream::OpenStream;

/// The responses of a call, at the caller of a method whose responses stream.
///
/// Also a [`Stream`] of results, which ends after an error. Dropping it before its end cancels the
/// call.
///
/// ```no_run
/// # mod feed {
/// #     include!("../../../tests/golden/streams/rust/streams.rs");
/// # }
/// # use feed::*;
/// # async fn example(feed: &FeedClient) -> Result<(), parigot_guest::Error> {
/// let mut items = feed.watch(Item::default());
/// while let Some(item) = items.next().await? {
///     // …
/// }
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
#[must_use = "dropping a stream cancels its call"]
pub struct ResponseStream<M: Method> {
    call: Rc<OpenStream>,
    pending: Pending,
    state: State,
    has_yielded: bool,
    method: PhantomData<fn() -> M>,
}

enum State {
    Running,
    /// The callee has ended the stream with success, and with this metadata.
    Complete(Metadata),
    Failed,
}

/// Next response, or the end.
type Next<M> = Option<Result<<M as Method>::Response, CallError<<M as Method>::Error>>>;

impl<M: Method> ResponseStream<M> {
    pub(crate) fn new(call: Rc<OpenStream>, pending: Pending) -> Self {
        ResponseStream {
            call,
            pending,
            state: State::Running,
            has_yielded: false,
            method: PhantomData,
        }
    }

    /// Returns the next response; `None` if the callee has sent all. If the future is dropped, no
    /// response is lost.
    ///
    /// # Errors
    ///
    /// The failure of the call. Responses that came before it are returned first. An incomplete
    /// stream never ends with `None`: after an error, only errors follow.
    pub async fn next(&mut self) -> Result<Option<M::Response>, CallError<M::Error>> {
        if let State::Failed = self.state {
            let text = "the stream of responses has failed before";
            let status = Status::new(Code::FailedPrecondition, text);
            return Err(CallError::Status(status.with_rpc(rpc::<M>())));
        }
        poll_fn(|cx| self.poll_item(cx)).await.transpose()
    }

    /// Returns the headers and trailers of a stream that has ended with success; `None` before. The
    /// metadata of a failure is in the error: see [`CallError::metadata`].
    pub fn metadata(&self) -> Option<&Metadata> {
        match &self.state {
            State::Complete(metadata) => Some(metadata),
            State::Running | State::Failed => None,
        }
    }

    fn poll_item(&mut self, cx: &mut task::Context<'_>) -> Poll<Next<M>> {
        let State::Running = self.state else {
            return Poll::Ready(None);
        };
        if self.call.poll_yield(&mut self.has_yielded, cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(item) = self.call.take_item() {
            return match decode(&item) {
                Ok(response) => Poll::Ready(Some(Ok(response))),
                Err(error) => {
                    let status = Status::undecodable_item(&error).with_rpc(rpc::<M>());
                    self.call.fail(status.clone());
                    self.fail(CallError::Status(status))
                }
            };
        }
        if let Some(reason) = self.call.stream.failure.take() {
            return self.fail(CallError::Status(reason.with_rpc(rpc::<M>())));
        }
        match self.pending.poll_reply(cx) {
            Poll::Pending => {
                self.call.wait_for_item(cx);
                Poll::Pending
            }
            Poll::Ready(Err(refused)) => self.fail(CallError::Status(refused.with_rpc(rpc::<M>()))),
            Poll::Ready(Ok((number, reply))) => self.end(number, &reply),
        }
    }

    /// Ends the stream with the reply to its call. All items have been taken: they arrive before
    /// the reply.
    fn end(&mut self, number: NonZeroU64, reply: &Reply) -> Poll<Next<M>> {
        let guest = &self.call.guest;
        let headers = guest.calls.outbound.take_headers(number);
        let headers = headers.unwrap_or_default();
        if let Reply::Copied(bytes) = reply
            && let frame = frame_at(bytes, 0)
            && !has_response(&frame)
        {
            let failed = with_headers(Err(CallError::of_reply::<M>(&frame)), headers);
            self.state = State::Failed;
            return Poll::Ready(Some(failed));
        }
        self.state = State::Complete(Metadata::new(headers, &trailers(guest, reply)));
        Poll::Ready(None)
    }

    fn fail(&mut self, error: CallError<M::Error>) -> Poll<Next<M>> {
        self.state = State::Failed;
        Poll::Ready(Some(Err(error)))
    }
}

impl<M: Method> Stream for ResponseStream<M> {
    type Item = Result<M::Response, CallError<M::Error>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

/// The call is cancelled by its `Pending`; the sink of its requests must see it, too.
impl<M: Method> Drop for ResponseStream<M> {
    fn drop(&mut self) {
        self.call.close_sending();
    }
}

impl<M: Method> fmt::Debug for ResponseStream<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseStream")
            .field("method", &M::info().name())
            .finish_non_exhaustive()
    }
}
