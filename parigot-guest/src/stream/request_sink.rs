//! The requests of a call that streams in both directions, at the caller.

use alloc::rc::Rc;
use core::fmt;

use parigot_abi::Kind;

use crate::method::{Method, rpc};
use crate::status::Status;
use crate::stream::item_sender::{ItemSender, sink};
use crate::stream::open_stream::OpenStream;

/// The requests of a call that streams in both directions, at the caller.
///
/// [`RequestSink::finish`] ends the requests. Dropping the sink without `finish` cancels the call:
/// requests that broke off must not look complete to the callee. The
/// [`ResponseStream`](crate::ResponseStream) then fails.
#[must_use = "dropping a sink without `finish` cancels the call"]
pub struct RequestSink<M: Method> {
    sender: ItemSender,
    is_finished: bool,
    method: core::marker::PhantomData<fn() -> M>,
}

impl<M: Method> RequestSink<M> {
    pub(crate) fn new(call: Rc<OpenStream>) -> Self {
        RequestSink {
            sender: ItemSender::new(call),
            is_finished: false,
            method: core::marker::PhantomData,
        }
    }

    /// Tells the callee that it has all requests.
    pub fn finish(mut self) {
        self.is_finished = true;
        send_end(&self.sender.call);
    }
}

/// Tells the callee that it has all requests, unless the call has ended.
pub(crate) fn send_end(call: &OpenStream) {
    if !call.stream.sending.is_closed() {
        call.guest.io.send_bare(call.header(Kind::End));
    }
}

sink! {
    impl [M: Method] RequestSink<M> {
        type Item = M::Request;
    }
    sender: |this| this.sender;
}

impl<M: Method> Drop for RequestSink<M> {
    fn drop(&mut self) {
        // After the end of the call, the reply may wait to be read and must stay.
        if !self.is_finished && !self.sender.is_closed() {
            let text = "the requests were dropped without `finish`";
            let reason = Status::cancelled(text).with_rpc(rpc::<M>());
            self.sender.call.fail(reason);
        }
    }
}

impl<M: Method> fmt::Debug for RequestSink<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSink")
            .field("method", &M::info().name())
            .finish_non_exhaustive()
    }
}
