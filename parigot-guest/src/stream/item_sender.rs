//! The sending end of a stream.

use alloc::rc::Rc;
use core::future::poll_fn;
use core::task::{self, Poll};

use parigot_abi::{Kind, Outline};
use prost::Message;

use crate::runtime::stream::table::Side;
use crate::status::Status;
use crate::stream::closed::{Closed, TrySendError};
use crate::stream::open_stream::{OpenStream, WaitsForCredit};

/// The sending end of a stream.
pub(crate) struct ItemSender {
    pub(crate) call: Rc<OpenStream>,
    has_yielded: bool,
}

impl ItemSender {
    pub(crate) fn new(call: Rc<OpenStream>) -> Self {
        ItemSender {
            call,
            has_yielded: false,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.call.stream.sending.is_closed()
    }

    /// Waits until an item may be sent.
    pub(crate) async fn ready(&mut self) -> Result<(), Closed> {
        let _waits = WaitsForCredit::new(&self.call);
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    fn poll_ready(&mut self, cx: &task::Context<'_>) -> Poll<Result<(), Closed>> {
        if self.is_closed() {
            return Poll::Ready(Err(Closed));
        }
        if self.call.poll_yield(&mut self.has_yielded, cx).is_pending() {
            return Poll::Pending;
        }
        let sending = &self.call.stream.sending;
        if sending.permits() {
            return Poll::Ready(Ok(()));
        }
        sending.wait(self.call.guest.tasks.executor.waiter(cx.waker()));
        Poll::Pending
    }

    pub(crate) fn try_send<T: Message>(&mut self, item: T) -> Result<(), TrySendError<T>> {
        if self.is_closed() {
            Err(TrySendError::Closed(item))
        } else if !self.call.stream.sending.permits() {
            Err(TrySendError::Full(item))
        } else if self.push(&item).is_err() {
            Err(TrySendError::Closed(item))
        } else {
            Ok(())
        }
    }

    /// Sends an item, for which there must be credit.
    ///
    /// # Errors
    ///
    /// If the item is larger than the host accepts. Then the call fails: a stream that lacks an
    /// item must not look complete.
    pub(crate) fn push(&mut self, item: &impl Message) -> Result<(), Closed> {
        self.push_with(item.encoded_len(), |out| item.encode_raw(out))
    }

    /// Sends an item of `payload_bytes`, which `encode` appends, as [`ItemSender::push`] does.
    pub(crate) fn push_with(
        &mut self,
        payload_bytes: usize,
        encode: impl FnOnce(&mut &mut [u8]),
    ) -> Result<(), Closed> {
        let OpenStream {
            guest,
            side,
            stream,
            ..
        } = &*self.call;
        let bytes_max = guest.io.message_bytes_max.get();
        let outline = Outline {
            header: self.call.header(Kind::Item),
            metadata: &[],
            detail: &[],
            payload_bytes,
        };
        let is_sent = payload_bytes <= bytes_max as usize && guest.io.send(outline, encode).is_ok();
        if !is_sent {
            self.call.fail(match side {
                Side::Caller => Status::item_too_large(payload_bytes, bytes_max),
                Side::Callee => Status::answer_too_large(payload_bytes, bytes_max),
            });
            return Err(Closed);
        }
        stream.sending.count(payload_bytes);
        Ok(())
    }
}

/// Implements the methods of a sink. `$send` sends one item for which there is credit.
macro_rules! sink {
    (
        impl [$($generic:ident: $bound:path)?] $sink:ty {
            type Item = $item:ty;
        }
        sender: |$this:ident| $sender:expr;
    ) => {
        impl<$($generic: $bound)?> $sink {
            /// Sends an item, as soon as the receiver has room for it. Sending is not delivery: the
            /// end of the call tells if the other side has got all items.
            ///
            /// If the future is dropped earlier, the item is not sent. For an item that must not be
            /// lost then, use `ready` and `try_send`.
            ///
            /// # Errors
            ///
            /// [`Closed`](crate::Closed) if the call has ended or is cancelled, or if the item is
            /// larger than the host accepts, which fails the call.
            pub async fn send(&mut self, item: $item) -> Result<(), $crate::Closed> {
                let $this = &mut *self;
                $sender.ready().await?;
                let $this = &mut *self;
                $sender.push(&item)
            }

            /// Sends all items of a stream, as `send` does.
            ///
            /// # Errors
            ///
            /// As for `send`. The remaining items are dropped.
            pub async fn send_all(
                &mut self,
                items: impl $crate::futures_lite::Stream<Item = $item>,
            ) -> Result<(), $crate::Closed> {
                let mut items = core::pin::pin!(items);
                loop {
                    let next = core::future::poll_fn(|cx| {
                        $crate::futures_lite::Stream::poll_next(items.as_mut(), cx)
                    });
                    let Some(item) = next.await else {
                        return Ok(());
                    };
                    self.send(item).await?;
                }
            }

            /// Sends an item without waiting.
            ///
            /// # Errors
            ///
            /// Returns the item if the receiver has no room for it, or if the stream takes no more
            /// items.
            pub fn try_send(&mut self, item: $item) -> Result<(), $crate::TrySendError<$item>> {
                let $this = self;
                $sender.try_send(item)
            }

            /// Waits until the receiver has room for an item, so that `try_send` succeeds.
            ///
            /// # Errors
            ///
            /// As for `send`.
            pub async fn ready(&mut self) -> Result<(), $crate::Closed> {
                let $this = self;
                $sender.ready().await
            }

            /// Returns true if the stream takes no more items, because the call has ended or is
            /// cancelled.
            pub fn is_closed(&self) -> bool {
                let $this = self;
                $sender.is_closed()
            }
        }
    };
}
pub(crate) use sink;
