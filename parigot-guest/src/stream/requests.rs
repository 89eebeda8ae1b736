//! The requests of a stream, at their handler.

use alloc::format;
use alloc::rc::Rc;
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{self, Poll};

use futures_lite::Stream;
use parigot_abi::Code;
use prost::Message;

use crate::prost::decode;
use crate::status::{COMPARE_SCHEMAS, Status};
use crate::stream::open_stream::{OpenStream, WaitsForItem};

/// The requests of a call, at the handler of a method whose requests stream.
///
/// Also a [`Stream`] of results, which ends after an error.
///
/// ```
/// # mod feed {
/// #     include!("../../../tests/golden/streams/rust/streams.rs");
/// # }
/// # use feed::*;
/// use parigot_guest::{Context, Failure, Requests};
///
/// # struct Till;
/// # impl Till {
/// async fn upload(
///     &self,
///     _: &Context,
///     requests: &mut Requests<Item>,
/// ) -> Result<Receipt, Failure<FeedErr>> {
///     let mut items = 0;
///     while let Some(_item) = requests.next().await? {
///         items += 1;
///     }
///     Ok(Receipt { items })
/// }
/// # }
/// # fn main() {}
/// ```
#[must_use = "a handler must read its requests"]
pub struct Requests<T> {
    call: Rc<OpenStream>,
    has_failed: bool,
    has_yielded: bool,
    item: PhantomData<fn() -> T>,
}

impl<T: Message + Default> Requests<T> {
    pub(crate) fn new(call: Rc<OpenStream>) -> Self {
        Requests {
            call,
            has_failed: false,
            has_yielded: false,
            item: PhantomData,
        }
    }

    /// Returns the next request; `None` if the caller has sent all. If the future is dropped, no
    /// request is lost.
    ///
    /// # Errors
    ///
    /// A status if the caller cancels the call, if the deadline passes, or if the request cannot be
    /// decoded. An incomplete stream never ends with `None`: after an error, only errors follow.
    pub async fn next(&mut self) -> Result<Option<T>, Status> {
        if self.has_failed {
            let text = "the stream of requests has failed before";
            return Err(Status::new(Code::FailedPrecondition, text));
        }
        let _waits = WaitsForItem::new(&self.call);
        poll_fn(|cx| self.poll_item(cx)).await.transpose()
    }

    fn poll_item(&mut self, cx: &task::Context<'_>) -> Poll<Option<Result<T, Status>>> {
        if self.has_failed {
            return Poll::Ready(None);
        }
        if self.call.stream.is_cancelled.get() {
            return self.fail(Code::Cancelled, "the caller has cancelled the call");
        }
        if self.call.poll_yield(&mut self.has_yielded, cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(item) = self.call.take_item() {
            return match decode(&item) {
                Ok(item) => Poll::Ready(Some(Ok(item))),
                Err(error) => {
                    let text = format!(
                        "a request of the stream cannot be decoded: {error}; {COMPARE_SCHEMAS}"
                    );
                    self.fail(Code::InvalidArgument, &text)
                }
            };
        }
        if self.call.stream.received.is_exhausted() {
            return Poll::Ready(None);
        }
        self.call.wait_for_item(cx);
        Poll::Pending
    }

    fn fail(&mut self, code: Code, text: &str) -> Poll<Option<Result<T, Status>>> {
        self.has_failed = true;
        Poll::Ready(Some(Err(Status::new(code, text))))
    }
}

impl<T: Message + Default> Stream for Requests<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<T> fmt::Debug for Requests<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}
