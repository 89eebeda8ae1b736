//! Calls to the imported services.

use std::time::Duration;

use parigot_abi::id::CallId;

use super::sent_stream::SentStream;
use super::{Import, Imports, ReplyHeader, SentCall};
use crate::error::Failure;
use crate::network::event_queue::RemoteEvent;
use crate::network::message::{Reply, Request};
use crate::network::nats::chunks::{TransferId, TransferProgress};
use crate::network::nats::context::NatsContext;
use crate::network::nats::envelope::{
    Body, BodyParts, CallHeader, Chunk, Content, DecodeError, PeerId, PeerMessage, ReplyMessage,
    RequestMessage,
};
use crate::network::nats::send_budget::Permit;
use crate::network::nats::subjects::call_of;
use crate::network::nats::unexpected::Unexpected;

impl Imports {
    /// Sends a call to one of the exporters.
    pub(crate) fn call(
        &mut self,
        context: &NatsContext,
        service: &str,
        request: Request,
        permit: Permit,
    ) {
        let Request {
            id,
            method,
            deadline_ns,
            has_default_deadline,
            streams,
            covers_first_frame,
            metadata,
            payload,
        } = request;
        let Some(import) = self.services.get_mut(service) else {
            return;
        };
        // The exporter may have left after the proxy's check.
        let Some(schema) = import.registry.next_schema() else {
            let failure = Failure::unoffered(service);
            return import.queue.push(RemoteEvent::Failed { id, failure });
        };
        let Some(body) = Body::of(&metadata, &[], &payload) else {
            let failure = Failure::request_too_large(payload.len(), context.message_bytes_max);
            return import.queue.push(RemoteEvent::Failed { id, failure });
        };
        let (content, rest) = context.pack(body);
        let now_ns = context.now_ns();
        let sent = SentCall {
            call: id,
            service: service.to_owned(),
            deadline_ns: if covers_first_frame {
                u64::MAX
            } else {
                deadline_ns
            },
            // Without chunks the permit ends here: the encoded message has its own permit.
            body: rest.map(|rest| (rest, permit)),
            stream: SentStream::new(streams, now_ns),
        };
        // Before the message: a reply must find the call.
        self.calls.insert(id.key(), sent);
        let header = CallHeader {
            call: id,
            method,
            remaining_ns: deadline_ns.saturating_sub(now_ns),
            sent_ns: context.clock.wall_ns(),
            has_default_deadline,
            streams,
            covers_first_frame,
        };
        let subject = context.subjects.call(service, schema);
        context.send_request(subject, id, RequestMessage::new(header, content));
    }

    /// Notifies the possible callees of a cancellation. NATS chose the callee, so this process does
    /// not know which of them has the call, unless the callee of a stream has accepted it.
    pub(crate) fn cancel(&mut self, context: &NatsContext, service: &str, call: CallId) {
        self.replies.drop_of(call);
        let Some(sent) = self.calls.remove(&call.key()) else {
            return;
        };
        if let Some(callee) = sent.stream.and_then(|stream| stream.callee) {
            return context.send_cancel(callee, call);
        }
        let Some(import) = self.services.get(service) else {
            return;
        };
        for host in import.registry.possible_callees() {
            context.send_cancel(host, call);
        }
    }

    /// Fails a call whose request could not be sent.
    pub(crate) fn unsent(&mut self, context: &NatsContext, call: CallId) {
        let down = context.availability.down_for(context.now_ns());
        self.fail(call, Failure::disconnected(down.unwrap_or(Duration::ZERO)));
    }

    /// Fails the calls to a service, because the server denies messages to its exporters.
    pub(crate) fn denied(&mut self, service: &str, reason: &str) {
        // After an answer, the permission was removed while calls were running. They end at their
        // deadline, because they may have run.
        if self
            .services
            .get(service)
            .is_none_or(|import| import.is_answered)
        {
            return;
        }
        let calls = self.calls.values().filter(|sent| sent.service == service);
        let denied: Vec<_> = calls.map(|sent| sent.call).collect();
        for call in denied {
            self.fail(call, Failure::denied(reason));
        }
    }

    /// Fails a call whose request had no subscriber.
    pub(crate) fn no_responders(&mut self, subject: &str) -> Result<(), Unexpected> {
        let call = call_of(subject).ok_or(Unexpected)?;
        if let Some(SentCall { service, .. }) = self.calls.get(&call.key()) {
            let failure = Failure::unoffered(service);
            self.fail(call, failure);
        }
        Ok(())
    }

    /// Handles a message in the inbox.
    pub(crate) fn receive(
        &mut self,
        context: &NatsContext,
        subject: &str,
        peer: &PeerId,
        message: PeerMessage,
    ) -> Result<(), Unexpected> {
        match message {
            PeerMessage::SchemaReply(reply) => return self.compare_schema(context, peer, reply),
            PeerMessage::OpenStreams(open) => {
                self.open_streams(context, peer, open);
                return Ok(());
            }
            _ => {}
        }
        let call = call_of(subject).ok_or(Unexpected)?;
        // The call may have ended while the message was in transit.
        let Some(sent) = self.calls.get_mut(&call.key()) else {
            return Ok(());
        };
        if let Some(import) = self.services.get_mut(&sent.service) {
            import.is_answered = true;
        }
        match message {
            PeerMessage::Continue(_) => {
                // Taken, so that a repeated message does not send the chunks again.
                let body = sent.body.take();
                if let Some((body, _permit)) = &body {
                    context.send_chunks(&context.subjects.chunk(peer.host, call), body);
                }
                match &mut sent.stream {
                    Some(stream) => stream.accepted(context, peer, call)?,
                    None => _ = body.ok_or(Unexpected)?,
                }
            }
            PeerMessage::Stream(frame) => self.stream_frame(context, call, peer, frame)?,
            PeerMessage::Reply(reply) => self.reply(context, call, peer, &reply)?,
            PeerMessage::Chunk(chunk) => self.reply_chunk(context, call, peer, &chunk)?,
            _ => return Err(Unexpected),
        }
        Ok(())
    }

    /// Fails a call whose reply has another protocol version.
    pub(crate) fn other_version_reply(&mut self, subject: &str, error: &DecodeError) {
        if let Some(call) = call_of(subject) {
            self.fail(call, Failure::incompatible(error.to_string()));
        }
    }

    fn reply(
        &mut self,
        context: &NatsContext,
        call: CallId,
        peer: &PeerId,
        reply: &ReplyMessage,
    ) -> Result<(), Unexpected> {
        let sent = self.calls.get(&call.key());
        if let Some(stream) = sent.and_then(|sent| sent.stream.as_deref()) {
            if stream.callee.is_some() && !stream.is_from(peer) {
                return Err(Unexpected);
            }
            if let Err(broken) = stream.stream.check_frames(reply.frames) {
                self.break_stream(context, call, broken.failure(context, &peer.process));
                return Ok(());
            }
        }
        let header = ReplyHeader {
            status: reply.status,
            flags: reply.flags(),
        };
        let lengths = match reply.content().ok_or(Unexpected)? {
            Content::Whole(body) => {
                self.finish(call, &header, body);
                return Ok(());
            }
            Content::Chunked(lengths) => lengths,
        };
        let bytes = lengths.bytes();
        if bytes > context.message_bytes_max {
            let failure = Failure::response_too_large(bytes, context.message_bytes_max);
            self.fail(call, failure);
            return Ok(());
        }
        let deadline_ns = self.calls.get(&call.key()).ok_or(Unexpected)?.deadline_ns;
        let id = TransferId {
            call,
            host: peer.host,
        };
        let begun = self
            .replies
            .begin(id, lengths, deadline_ns, context.now_ns(), header);
        if begun.is_err() {
            self.fail(call, Failure::too_many_chunked_replies());
        }
        Ok(())
    }

    fn reply_chunk(
        &mut self,
        context: &NatsContext,
        call: CallId,
        peer: &PeerId,
        chunk: &Chunk,
    ) -> Result<(), Unexpected> {
        let id = TransferId {
            call,
            host: peer.host,
        };
        match self.replies.add(id, chunk, context.now_ns()) {
            TransferProgress::Partial => {}
            TransferProgress::Whole(header, body) => self.finish(call, &header, body),
            TransferProgress::Full(_) => self.fail(call, Failure::too_many_chunked_replies()),
            TransferProgress::Broken(_) => self.fail(call, Failure::reply_chunks_invalid()),
            TransferProgress::Unknown => return Err(Unexpected),
        }
        Ok(())
    }

    /// Ends a call with a complete reply.
    fn finish(&mut self, call: CallId, header: &ReplyHeader, body: Body) {
        let BodyParts {
            headers,
            metadata,
            detail,
            payload,
        } = body.parts();
        let reply = Reply {
            status: header.status,
            flags: header.flags,
            headers,
            metadata,
            detail,
            payload,
        };
        if let Some(Import { spec, queue, .. }) = self.end(call) {
            queue.push_reply(&spec.service, call, reply);
        }
    }

    /// Ends a call with a failure, unless the call has ended before.
    pub(super) fn fail(&mut self, id: CallId, failure: Failure) {
        if let Some(Import { queue, .. }) = self.end(id) {
            queue.push(RemoteEvent::Failed { id, failure });
        }
    }

    /// Removes a call and returns its service, unless the call has ended before.
    fn end(&mut self, call: CallId) -> Option<&Import> {
        self.replies.drop_of(call);
        let SentCall { service, .. } = self.calls.remove(&call.key())?;
        self.services.get(&service)
    }
}
