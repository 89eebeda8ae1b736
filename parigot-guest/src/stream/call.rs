//! Calls of methods that stream.

use alloc::rc::Rc;

use crate::call::Channel;
use crate::method::Method;
use crate::pending::Pending;
use crate::runtime::stream::table::Side;
use crate::stream::client_stream::ClientStream;
use crate::stream::open_stream::OpenStream;
use crate::stream::request_sink::RequestSink;
use crate::stream::response_stream::ResponseStream;

/// Calls of methods that stream, for generated clients. As other calls, they begin at once.
impl Channel {
    /// Sends a request at once. Returns the stream of the responses.
    ///
    /// The deadline of the channel, and that of the inbound call that the running task belongs to,
    /// cover the whole stream.
    pub fn server_stream<M: Method>(&self, request: M::Request) -> ResponseStream<M> {
        let pending = self.begin::<M>(&request);
        ResponseStream::new(open(&pending), pending)
    }

    /// Begins a call whose requests stream. See [`Channel::server_stream`] for the deadline.
    pub fn client_stream<M: Method>(&self) -> ClientStream<M> {
        let pending = self.begin_stream::<M>();
        ClientStream::new(open(&pending), pending)
    }

    /// Begins a call that streams in both directions. Returns the two ends, which may be used in
    /// different tasks. See [`Channel::server_stream`] for the deadline.
    pub fn bidi_stream<M: Method>(&self) -> (RequestSink<M>, ResponseStream<M>) {
        let pending = self.begin_stream::<M>();
        let call = open(&pending);
        (
            RequestSink::new(Rc::clone(&call)),
            ResponseStream::new(call, pending),
        )
    }
}

/// Opens the stream of a call that was sent, or a closed one if the call was refused.
pub(crate) fn open(pending: &Pending) -> Rc<OpenStream> {
    let number = pending.number();
    let call = OpenStream::new(&pending.guest, Side::Caller, number);
    if number == 0 {
        call.close_sending();
    }
    call
}
