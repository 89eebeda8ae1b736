//! Streams of a [`DynamicClient`](crate::DynamicClient): items are messages in their wire form.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{self, Poll};

use futures_lite::Stream;
use prost::bytes::BufMut;

use crate::error::CallError;
use crate::error_number::ErrorNumber;
use crate::metadata::Metadata;
use crate::pending::Pending;
use crate::status::{Rpc, Status};
use crate::stream::closed::Closed;
use crate::stream::item_reader::ItemReader;
use crate::stream::item_sender::ItemSender;
use crate::stream::open_stream::OpenStream;
use crate::stream::request_sink::send_end;

/// The requests of a call of [`DynamicClient::stream`](crate::DynamicClient::stream), in their wire
/// form.
///
/// Dropping it without [`DynamicRequests::finish`] cancels the call, as for
/// [`RequestSink`](crate::RequestSink).
#[must_use = "dropping a sink without `finish` cancels the call"]
pub struct DynamicRequests {
    sender: ItemSender,
    rpc: Rpc,
    is_finished: bool,
}

impl DynamicRequests {
    pub(crate) fn new(call: &Rc<OpenStream>, rpc: Rpc) -> Self {
        DynamicRequests {
            sender: ItemSender::new(Rc::clone(call)),
            rpc,
            is_finished: false,
        }
    }

    /// Sends a request, as soon as the receiver has room for it. Sending is not delivery.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the call has ended or is cancelled, or if the request is larger than the host
    /// accepts, which fails the call.
    pub async fn send(&mut self, request: &[u8]) -> Result<(), Closed> {
        self.sender.ready().await?;
        self.sender
            .push_with(request.len(), |out| out.put_slice(request))
    }

    /// Returns true if the stream takes no more requests, because the call has ended or is
    /// cancelled.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Tells the callee that it has all requests.
    pub fn finish(mut self) {
        self.is_finished = true;
        send_end(&self.sender.call);
    }
}

impl Drop for DynamicRequests {
    fn drop(&mut self) {
        if !self.is_finished && !self.sender.is_closed() {
            let text = "the requests were dropped without `finish`";
            let reason = Status::cancelled(text).with_rpc(self.rpc.clone());
            self.sender.call.fail(reason);
        }
    }
}

impl fmt::Debug for DynamicRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicRequests").finish_non_exhaustive()
    }
}

/// The responses of a call of a [`DynamicClient`](crate::DynamicClient), in their wire form.
///
/// Also a [`Stream`] of results, which ends after an error. Dropping it before its end cancels the
/// call.
#[must_use = "dropping a stream cancels its call"]
pub struct DynamicResponses {
    reader: ItemReader,
    rpc: Rpc,
}

impl DynamicResponses {
    pub(crate) fn new(call: &Rc<OpenStream>, pending: Pending, rpc: Rpc, is_stream: bool) -> Self {
        let call = Rc::clone(call);
        let reader = if is_stream {
            ItemReader::new(call, pending)
        } else {
            ItemReader::of_one_response(call, pending)
        };
        DynamicResponses { reader, rpc }
    }

    /// Returns the next response; `None` if the callee has sent all. If the future is dropped, no
    /// response is lost.
    ///
    /// # Errors
    ///
    /// The failure of the call, as for [`ResponseStream::next`](crate::ResponseStream::next).
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, CallError<ErrorNumber>> {
        if let Err(status) = self.reader.check() {
            return Err(CallError::Status(status.with_rpc(self.rpc.clone())));
        }
        poll_fn(|cx| self.poll_item(cx)).await.transpose()
    }

    /// Returns the headers and trailers of a stream that has ended with success; `None` before.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.reader.metadata()
    }

    fn poll_item(
        &mut self,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Vec<u8>, CallError<ErrorNumber>>>> {
        let rpc = &self.rpc;
        self.reader
            .poll(cx, || rpc.clone())
            .map(|next| next.map(|item| item.map(Vec::from)))
    }
}

impl Stream for DynamicResponses {
    type Item = Result<Vec<u8>, CallError<ErrorNumber>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl fmt::Debug for DynamicResponses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicResponses").finish_non_exhaustive()
    }
}
