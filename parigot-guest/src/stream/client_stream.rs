//! A call whose requests stream and which has one response, at the caller.

use alloc::rc::Rc;
use core::fmt;
use core::marker::PhantomData;

use crate::call::Call;
use crate::method::Method;
use crate::pending::Pending;
use crate::stream::item_sender::{ItemSender, sink};
use crate::stream::open_stream::OpenStream;
use crate::stream::request_sink::send_end;

/// A call whose requests stream and which has one response, at the caller.
///
/// Dropping it without [`ClientStream::finish`] cancels the call, so that requests which broke off
/// do not look complete to the callee. If the callee ends the call early, sending fails with
/// [`Closed`](crate::Closed), and `finish` returns the result.
///
/// ```no_run
/// # mod feed {
/// #     include!("../../../tests/golden/streams/rust/streams.rs");
/// # }
/// # use feed::*;
/// # async fn example(feed: &FeedClient, items: Vec<Item>) -> Result<(), parigot_guest::Error> {
/// let mut upload = feed.upload();
/// for item in items {
///     if upload.send(item).await.is_err() {
///         break;
///     }
/// }
/// let receipt = upload.finish().await?;
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
#[must_use = "dropping a client stream without `finish` cancels the call"]
pub struct ClientStream<M: Method> {
    sender: ItemSender,
    pending: Pending,
    method: PhantomData<fn() -> M>,
}

impl<M: Method> ClientStream<M> {
    pub(crate) fn new(call: Rc<OpenStream>, pending: Pending) -> Self {
        ClientStream {
            sender: ItemSender::new(call),
            pending,
            method: PhantomData,
        }
    }

    /// Tells the callee that it has all requests. Returns the call, which completes with the
    /// response.
    pub fn finish(self) -> Call<M> {
        let call = &self.sender.call;
        send_end(call);
        match call.stream.failure.take() {
            None => Call::of(self.pending),
            Some(reason) => Call::of(self.pending.refused(reason)),
        }
    }
}

sink! {
    impl [M: Method] ClientStream<M> {
        type Item = M::Request;
    }
    sender: |this| this.sender;
}

impl<M: Method> fmt::Debug for ClientStream<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStream")
            .field("method", &M::info().name())
            .finish_non_exhaustive()
    }
}
