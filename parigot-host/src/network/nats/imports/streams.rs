//! Calls that stream, at their callers.

use parigot_abi::id::CallId;

use super::Imports;
use crate::error::Failure;
use crate::network::event_queue::RemoteEvent;
use crate::network::message::StreamMessage;
use crate::network::nats::context::NatsContext;
use crate::network::nats::envelope::{OpenStream, OpenStreams, PeerId, StreamFrame};
use crate::network::nats::open_streams::send_open_streams;
use crate::network::nats::peer_registry::SILENCE_MAX;
use crate::network::nats::send_budget::Permit;
use crate::network::nats::unexpected::Unexpected;

impl Imports {
    /// Sends a message of a stream to the callee.
    pub(crate) fn send_to_callee(
        &mut self,
        context: &NatsContext,
        call: CallId,
        message: StreamMessage,
        permit: Permit,
    ) {
        let sent = self.calls.get_mut(&call.key());
        // The call may have ended while the message was in the queue.
        let Some(sent) = sent.and_then(|sent| sent.stream.as_deref_mut()) else {
            return;
        };
        match sent.callee {
            Some(callee) => {
                let subject = context.subjects.chunk(callee, call);
                sent.stream.send(context, &subject, message);
            }
            None => sent.waiting.push((message, permit)),
        }
    }

    /// Handles a frame of the callee.
    pub(super) fn stream_frame(
        &mut self,
        context: &NatsContext,
        call: CallId,
        peer: &PeerId,
        frame: StreamFrame,
    ) -> Result<(), Unexpected> {
        let sent = self.calls.get_mut(&call.key()).ok_or(Unexpected)?;
        let stream = sent.stream.as_deref_mut().ok_or(Unexpected)?;
        if !stream.is_from(peer) {
            return Err(Unexpected);
        }
        let message = match stream.stream.receive(context, frame) {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(()),
            Err(broken) => {
                self.break_stream(context, call, broken.failure(context, &peer.process));
                return Ok(());
            }
        };
        let Some(import) = self.services.get(&sent.service) else {
            return Ok(());
        };
        let (id, bytes) = (call, message.len());
        let event = RemoteEvent::Stream { id, message };
        if let Err(bytes) = import.queue.push_stream(bytes, event) {
            let failure = Failure::no_room_for_item(&import.spec.service, bytes);
            self.break_stream(context, call, failure);
        }
        Ok(())
    }

    /// Handles the heartbeat of streams.
    pub(crate) fn open_streams(&mut self, context: &NatsContext, peer: &PeerId, open: OpenStreams) {
        for heard in open.streams {
            let Some(call) = heard.call() else { continue };
            let sent = self.calls.get_mut(&call.key());
            let stream = sent.and_then(|sent| sent.stream.as_deref_mut());
            let Some(stream) = stream.filter(|stream| stream.is_from(peer)) else {
                continue;
            };
            if let Err(broken) = stream.stream.hear(heard.frames, context.now_ns()) {
                self.break_stream(context, call, broken.failure(context, &peer.process));
            }
        }
    }

    /// Sends the heartbeat of all streams.
    pub(crate) fn announce_streams(&self, context: &NatsContext) {
        let streams = self.calls.values().filter_map(|sent| {
            let stream = sent.stream.as_deref()?;
            let open = OpenStream::new(sent.call, stream.stream.sent());
            Some((stream.callee?, open))
        });
        let subject = |callee| context.subjects.open_streams_of_caller(callee);
        send_open_streams(context, subject, streams);
    }

    /// Ends the streams whose callee is silent.
    pub(crate) fn expire_streams(&mut self, context: &NatsContext) {
        let now_ns = context.now_ns();
        let streams = self.calls.values().filter(|sent| {
            sent.stream
                .as_deref()
                .is_some_and(|stream| stream.stream.is_silent(now_ns))
        });
        let silent: Vec<_> = streams.map(|sent| sent.call).collect();
        for call in silent {
            self.break_stream(context, call, Failure::stream_silent(SILENCE_MAX));
        }
    }

    /// Begins the time of silence of all streams again.
    pub(crate) fn reset_silence_of_streams(&mut self, context: &NatsContext) {
        for sent in self.calls.values_mut() {
            if let Some(stream) = &mut sent.stream {
                stream.stream.reset_silence(context.now_ns());
            }
        }
    }

    /// Ends a stream that cannot go on, and cancels the call at its callee.
    pub(super) fn break_stream(&mut self, context: &NatsContext, call: CallId, failure: Failure) {
        let sent = self.calls.get(&call.key());
        if let Some(callee) = sent.and_then(|sent| sent.stream.as_deref()?.callee) {
            context.send_cancel(callee, call);
        }
        self.fail(call, failure);
    }
}
