//! The responses of a stream, at the caller.

use alloc::rc::Rc;
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{self, Poll, ready};

use futures_lite::Stream;

use crate::error::CallError;
use crate::metadata::Metadata;
use crate::method::{Method, rpc};
use crate::pending::Pending;
use crate::prost::decode;
use crate::status::Status;
use crate::stream::item_reader::ItemReader;
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
    reader: ItemReader,
    method: PhantomData<fn() -> M>,
}

/// Next response, or the end.
type Next<M> = Option<Result<<M as Method>::Response, CallError<<M as Method>::Error>>>;

impl<M: Method> ResponseStream<M> {
    pub(crate) fn new(call: Rc<OpenStream>, pending: Pending) -> Self {
        ResponseStream {
            reader: ItemReader::new(call, pending),
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
        if let Err(status) = self.reader.check() {
            return Err(CallError::Status(status.with_rpc(rpc::<M>())));
        }
        poll_fn(|cx| self.poll_item(cx)).await.transpose()
    }

    /// Returns the headers and trailers of a stream that has ended with success; `None` before. The
    /// metadata of a failure is in the error: see [`CallError::metadata`].
    pub fn metadata(&self) -> Option<&Metadata> {
        self.reader.metadata()
    }

    fn poll_item(&mut self, cx: &mut task::Context<'_>) -> Poll<Next<M>> {
        let item = match ready!(self.reader.poll(cx, rpc::<M>)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            Some(Ok(item)) => item,
        };
        match decode(&item) {
            Ok(response) => Poll::Ready(Some(Ok(response))),
            Err(error) => {
                let status = Status::undecodable_item(&error).with_rpc(rpc::<M>());
                let failed = self.reader.cancel(status);
                Poll::Ready(Some(Err(failed)))
            }
        }
    }
}

impl<M: Method> Stream for ResponseStream<M> {
    type Item = Result<M::Response, CallError<M::Error>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<M: Method> fmt::Debug for ResponseStream<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseStream")
            .field("method", &M::info().name())
            .finish_non_exhaustive()
    }
}
