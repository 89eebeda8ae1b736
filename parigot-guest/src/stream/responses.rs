//! The responses of a stream, at their handler.

use alloc::rc::Rc;
use core::fmt;
use core::marker::PhantomData;

use parigot_abi::{Header, Kind};
use prost::Message;

use crate::stream::closed::{Closed, TrySendError};
use crate::stream::item_sender::{ItemSender, sink};
use crate::stream::open_stream::OpenStream;

/// The responses of a call, at the handler of a method whose responses stream.
///
/// The stream ends with the handler: completely if the handler returns `Ok`, with its failure
/// otherwise. If the caller cancels the call or its deadline passes while the handler waits for the
/// stream, the handler sees [`Closed`]; a handler that waits for anything else is dropped, as that
/// of any call.
///
/// ```
/// # mod feed {
/// #     include!("../../../tests/golden/streams/rust/streams.rs");
/// # }
/// # use feed::*;
/// use parigot_guest::{Context, Failure, Responses};
///
/// # struct Till;
/// # impl Till {
/// async fn watch(
///     &self,
///     cx: &Context,
///     request: Item,
///     responses: &mut Responses<Item>,
/// ) -> Result<(), Failure<FeedErr>> {
///     for _ in 0..10 {
///         responses.send(request.clone()).await?;
///         cx.sleep(std::time::Duration::from_secs(1)).await;
///     }
///     Ok(())
/// }
/// # }
/// # fn main() {}
/// ```
#[must_use = "a handler must send its responses"]
pub struct Responses<T> {
    sender: FirstOpens,
    item: PhantomData<fn(T)>,
}

/// Sender that sends the response headers before the first item.
struct FirstOpens(ItemSender);

impl FirstOpens {
    async fn ready(&mut self) -> Result<(), Closed> {
        self.0.ready().await
    }

    fn push(&mut self, item: &impl Message) -> Result<(), Closed> {
        self.open(false);
        self.0.push(item)
    }

    fn try_send<T: Message>(&mut self, item: T) -> Result<(), TrySendError<T>> {
        if !self.0.is_closed() && self.0.call.stream.sending.permits() {
            self.open(false);
        }
        self.0.try_send(item)
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Sends the response headers, unless that was done before; without headers only if `always`.
    fn open(&mut self, always: bool) {
        let call = &self.0.call;
        if call.stream.is_open.replace(true) || self.0.is_closed() {
            return;
        }
        let headers = call.guest.calls.take_headers(call.number);
        if always || !headers.is_empty() {
            let header = Header {
                number: call.number,
                ..Header::new(Kind::Open)
            };
            call.guest.io.send_parts(header, &headers, None, &[]);
        }
    }
}

impl<T: Message> Responses<T> {
    pub(crate) fn new(call: Rc<OpenStream>) -> Self {
        Responses {
            sender: FirstOpens(ItemSender::new(call)),
            item: PhantomData,
        }
    }

    /// Sends the response headers now, which tells the caller that the stream has begun. The first
    /// item does so, too.
    ///
    /// Use it if the first item may take long: the default deadline of the deployment covers only
    /// the time until the first message of the handler. Headers that are set later are dropped, and
    /// the log says so.
    pub fn open(&mut self) {
        self.sender.open(true);
    }
}

sink! {
    impl [T: Message] Responses<T> {
        type Item = T;
    }
    sender: |this| this.sender;
}

impl<T> fmt::Debug for Responses<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses").finish_non_exhaustive()
    }
}
