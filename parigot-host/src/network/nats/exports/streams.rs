//! Calls that stream, at their callees.

use parigot_abi::id::CallId;

use super::Exports;
use crate::error::Failure;
use crate::network::event_queue::GatewayEvent;
use crate::network::message::StreamMessage;
use crate::network::nats::context::NatsContext;
use crate::network::nats::envelope::{OpenStream, OpenStreams, PeerId, StreamFrame};
use crate::network::nats::open_streams::send_open_streams;
use crate::network::nats::peer_registry::SILENCE_MAX;
use crate::network::nats::subjects::call_of;
use crate::network::nats::unexpected::Unexpected;

impl Exports {
    /// Sends a message of a stream to the caller.
    pub(crate) fn send_to_caller(
        &mut self,
        context: &NatsContext,
        call: CallId,
        message: StreamMessage,
    ) {
        let mut exports = self.services.values_mut();
        // The call may have ended while the message was in the queue.
        if let Some((caller, stream)) = exports.find_map(|export| export.calls.stream(call)) {
            let subject = context.subjects.reply(caller, call);
            stream.send(context, &subject, message);
        }
    }

    /// Handles a frame of the caller.
    pub(crate) fn stream_frame(
        &mut self,
        context: &NatsContext,
        subject: &str,
        peer: &PeerId,
        frame: StreamFrame,
    ) -> Result<(), Unexpected> {
        let id = call_of(subject).ok_or(Unexpected)?;
        let mut exports = self.services.values_mut();
        let found = exports.find(|export| export.calls.is_from(id, peer.host));
        // The call may have ended while the frame was in transit.
        let Some(export) = found else { return Ok(()) };
        let (_, stream) = export.calls.stream(id).ok_or(Unexpected)?;
        let failure = match stream.receive(context, frame) {
            Ok(None) => return Ok(()),
            Ok(Some(message)) => {
                let bytes = message.len();
                let event = GatewayEvent::Stream { id, message };
                match export.queue.push_stream(bytes, event) {
                    Ok(()) => return Ok(()),
                    Err(bytes) => Failure::no_room_for_item(&export.spec.service, bytes),
                }
            }
            Err(broken) => broken.failure(context, &peer.process),
        };
        self.break_stream(context, id, &failure);
        Ok(())
    }

    /// Handles the heartbeat of streams.
    pub(crate) fn open_streams(&mut self, context: &NatsContext, peer: &PeerId, open: OpenStreams) {
        for heard in open.streams {
            let Some(call) = heard.call() else { continue };
            let mut exports = self.services.values_mut();
            let found = exports.find_map(|export| export.calls.stream(call));
            let Some((caller, stream)) = found else {
                continue;
            };
            if caller.key() == peer.host.key()
                && let Err(broken) = stream.hear(heard.frames, context.now_ns())
            {
                self.break_stream(context, call, &broken.failure(context, &peer.process));
            }
        }
    }

    /// Sends the heartbeat of all streams.
    pub(crate) fn announce_streams(&self, context: &NatsContext) {
        let exports = self.services.values();
        let calls = exports.flat_map(|export| export.calls.streams());
        let streams = calls.filter_map(|(call, inbound)| {
            let stream = inbound.stream.as_deref()?;
            Some((inbound.from, OpenStream::new(call, stream.sent())))
        });
        let subject = |caller| context.subjects.open_streams_of_callee(caller);
        send_open_streams(context, subject, streams);
    }

    /// Ends the streams whose caller is silent.
    pub(crate) fn expire_streams(&mut self, context: &NatsContext) {
        let now_ns = context.now_ns();
        let exports = self.services.values();
        let streams = exports.flat_map(|export| export.calls.streams());
        let silent: Vec<_> = streams
            .filter(|(_, inbound)| {
                inbound
                    .stream
                    .as_deref()
                    .is_some_and(|stream| stream.is_silent(now_ns))
            })
            .map(|(call, _)| call)
            .collect();
        for call in silent {
            self.break_stream(context, call, &Failure::stream_silent(SILENCE_MAX));
        }
    }

    /// Begins the time of silence of all streams again.
    pub(crate) fn reset_silence_of_streams(&mut self, context: &NatsContext) {
        for export in self.services.values_mut() {
            export.calls.reset_silence(context.now_ns());
        }
    }

    /// Ends a stream that cannot go on: cancels the call at the gateway, and replies to the caller.
    fn break_stream(&mut self, context: &NatsContext, id: CallId, failure: &Failure) {
        // The gateway does not know a call whose chunks are missing.
        if self.requests.drop_of(id).is_none() {
            let mut exports = self.services.values();
            if let Some(export) = exports.find(|export| export.calls.contains(id)) {
                export.queue.push(GatewayEvent::Cancel { id });
            }
        }
        self.refuse(context, id, failure);
    }
}
