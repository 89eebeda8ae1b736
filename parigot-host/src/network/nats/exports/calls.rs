//! Calls of other processes to the exported services.

use std::time::Duration;

use parigot_abi::id::CallId;
use parigot_abi::manifest::MethodFlags;

use super::call_times::CallTimes;
use super::{Export, Exports, RequestHeader};
use crate::error::Failure;
use crate::network::event_queue::GatewayEvent;
use crate::network::message::{Reply, Request, ReturnAddress};
use crate::network::nats::chunks::{STALL_MAX, TransferId, TransferProgress};
use crate::network::nats::context::{NatsContext, ReplyHead};
use crate::network::nats::envelope::{
    Body, BodyParts, Chunk, Content, Continue, PeerId, PeerMessage, RequestMessage,
};
use crate::network::nats::inbound_calls::{INBOUND_BYTES_MAX, InboundCall, InboundLimit};
use crate::network::nats::send_budget::SEND_BYTES_MAX;
use crate::network::nats::stream::{NatsStream, Part};
use crate::network::nats::subjects::call_of;
use crate::network::nats::unexpected::Unexpected;

impl Exports {
    /// Accepts a request, or replies with a failure. A duplicate is dropped.
    pub(crate) fn request(
        &mut self,
        context: &NatsContext,
        service: &str,
        peer: &PeerId,
        request: &RequestMessage,
    ) -> Result<(), Unexpected> {
        let export = self.services.get_mut(service).ok_or(Unexpected)?;
        let call = request.call().ok_or(Unexpected)?;
        let content = request.content().ok_or(Unexpected)?;
        let times = CallTimes::of(context, request);
        // Before all other checks: the outcome of the first arrival also holds for duplicates.
        if !self.dedup_cache.is_first(call, times.repeatable_until_ns) {
            return Err(Unexpected);
        }
        export.stats.requests += 1;
        let to = context.subjects.reply(peer.host, call);
        let inbound = InboundCall {
            from: peer.host,
            bytes: content.lengths().bytes(),
            is_whole: matches!(content, Content::Whole(_)),
            accepted_ns: times.accepted_ns,
            deadline_ns: times.deadline_ns,
            stream: new_stream(request.streams(), times.accepted_ns),
        };
        if let Err(failure) = export.accept(context, call, inbound, &times) {
            export.stats.errors += 1;
            context.send_failure(&to, &failure);
            return Ok(());
        }
        let header = RequestHeader {
            service: service.to_owned(),
            method: request.method.clone(),
            deadline_ns: times.deadline_ns,
            has_default_deadline: request.has_default_deadline,
            streams: request.streams(),
            covers_first_frame: request.covers_first_frame,
        };
        if header.covers_first_frame {
            // The kernel has the deadline, and ends it at the first frame.
            export.calls.forget_deadline(call);
        }
        let host = peer.host;
        self.begin_request(context, TransferId { call, host }, header, content);
        Ok(())
    }

    /// Passes an accepted request to the gateway, or asks for its chunks.
    fn begin_request(
        &mut self,
        context: &NatsContext,
        id: TransferId,
        header: RequestHeader,
        content: Content,
    ) {
        let TransferId { call, host } = id;
        let to = context.subjects.reply(host, call);
        match content {
            Content::Whole(body) => {
                // A caller that streams waits for the name of the callee.
                if !header.streams.is_unary() {
                    context.send(to, PeerMessage::Continue(Continue {}));
                }
                self.deliver(context, id, header, body);
            }
            Content::Chunked(lengths) => {
                let now_ns = context.now_ns();
                let deadline_ns = header.deadline_ns;
                let begun = self
                    .requests
                    .begin(id, lengths, deadline_ns, now_ns, header);
                match begun {
                    Ok(()) => context.send(to, PeerMessage::Continue(Continue {})),
                    Err(_) => {
                        let failure = Failure::too_many_chunked_requests(&context.me.process);
                        self.refuse(context, call, &failure);
                    }
                }
            }
        }
    }

    /// Adds a chunk to a request.
    pub(crate) fn chunk(
        &mut self,
        context: &NatsContext,
        subject: &str,
        peer: &PeerId,
        chunk: &Chunk,
    ) -> Result<(), Unexpected> {
        let call = call_of(subject).ok_or(Unexpected)?;
        let id = TransferId {
            call,
            host: peer.host,
        };
        match self.requests.add(id, chunk, context.now_ns()) {
            TransferProgress::Partial => {}
            TransferProgress::Whole(header, body) => self.complete(context, id, header, body),
            TransferProgress::Full(_) => {
                let failure = Failure::too_many_chunked_requests(&context.me.process);
                self.refuse(context, call, &failure);
            }
            TransferProgress::Broken(_) => {
                self.refuse(context, call, &Failure::request_chunks_invalid());
            }
            TransferProgress::Unknown => return Err(Unexpected),
        }
        Ok(())
    }

    /// Passes a request to the gateway after its last chunk, within the limit of its service.
    fn complete(
        &mut self,
        context: &NatsContext,
        id: TransferId,
        header: RequestHeader,
        body: Body,
    ) {
        let mut export = self.services.get_mut(&header.service);
        let is_within = export
            .as_mut()
            .is_none_or(|export| export.calls.complete(id.call));
        if is_within {
            self.deliver(context, id, header, body);
        } else {
            let failure = Failure::too_much_inbound(&header.service, INBOUND_BYTES_MAX);
            self.refuse(context, id.call, &failure);
        }
    }

    /// Passes a complete request to the gateway.
    fn deliver(
        &mut self,
        context: &NatsContext,
        id: TransferId,
        header: RequestHeader,
        body: Body,
    ) {
        if let Some(export) = self.services.get_mut(&header.service) {
            let BodyParts {
                metadata, payload, ..
            } = body.parts();
            let request = Request {
                id: id.call,
                method: header.method,
                deadline_ns: header.deadline_ns,
                has_default_deadline: header.has_default_deadline,
                streams: header.streams,
                covers_first_frame: header.covers_first_frame,
                metadata,
                payload,
            };
            let from = ReturnAddress(context.subjects.reply(id.host, id.call));
            export.queue.push(GatewayEvent::Call { request, from });
        }
        self.continue_withdrawal(context, &header.service);
    }

    /// Ends an accepted call that cannot run.
    pub(super) fn refuse(&mut self, context: &NatsContext, call: CallId, failure: &Failure) {
        if let Some((service, inbound)) = self.end(call) {
            inbound.fail(context, call, failure);
            self.continue_withdrawal(context, &service);
        }
    }

    /// Cancels a call of a peer.
    pub(crate) fn cancel(&mut self, context: &NatsContext, peer: &PeerId, id: CallId) {
        let mut exports = self.services.values_mut();
        let Some(export) = exports.find(|export| export.calls.is_from(id, peer.host)) else {
            // The call has ended, or another exporter has it, or the request arrives later: it
            // takes another subscription. Remembering the id keeps the request from running then.
            let until_ns = context.now_ns().saturating_add(context.repeat_window_ns());
            self.dedup_cache.is_first(id, until_ns);
            return;
        };
        // The gateway does not know a call whose chunks are missing.
        if self.requests.drop_of(id).is_none() {
            export.queue.push(GatewayEvent::Cancel { id });
        }
        if let Some((service, _)) = self.end(id) {
            self.continue_withdrawal(context, &service);
        }
    }

    /// Sends the reply of a local guest to the caller.
    pub(crate) fn reply(
        &mut self,
        context: &NatsContext,
        ReturnAddress(to): &ReturnAddress,
        reply: Reply,
    ) {
        let Some(call) = call_of(to) else { return };
        // A cancelled call has no entry, and its caller expects no reply.
        let Some((service, inbound)) = self.end(call) else {
            return;
        };
        if let Some(export) = self.services.get_mut(&service) {
            let time_ns = context.now_ns().saturating_sub(inbound.accepted_ns);
            export.stats.errors += u64::from(reply.status != 0);
            export.stats.time += Duration::from_nanos(time_ns);
        }
        let Reply {
            status,
            flags,
            headers,
            metadata,
            detail,
            payload,
        } = &reply;
        let head = ReplyHead {
            status: *status,
            flags: *flags,
            frames: inbound.frames(),
        };
        match Body::with_headers(headers, metadata, detail, payload) {
            Some(body) => context.send_reply(to, head, body),
            None => {
                let failure = Failure::reply_send_buffer_full(SEND_BYTES_MAX);
                inbound.fail(context, call, &failure);
            }
        }
        self.continue_withdrawal(context, &service);
    }

    /// Frees the memory of calls past their deadline and of stalled requests.
    pub(crate) fn expire(&mut self, context: &NatsContext) {
        let now_ns = context.now_ns();
        self.dedup_cache.expire(now_ns);
        for export in self.services.values_mut() {
            export.calls.expire(now_ns);
        }
        for call in self.requests.expire(now_ns) {
            self.refuse(context, call, &Failure::request_chunks_missing(STALL_MAX));
        }
        let services: Vec<_> = self.services.keys().cloned().collect();
        for service in services {
            self.continue_withdrawal(context, &service);
        }
    }

    /// Removes a call that has ended, and returns it with its service.
    fn end(&mut self, call: CallId) -> Option<(String, InboundCall)> {
        self.services.iter_mut().find_map(|(service, export)| {
            let inbound = export.calls.end(call)?;
            Some((service.clone(), inbound))
        })
    }
}

/// Returns the stream of a call, if the call streams.
fn new_stream(streams: MethodFlags, now_ns: u64) -> Option<Box<NatsStream>> {
    let stream = || Box::new(NatsStream::new(Part::Caller, streams, now_ns));
    (!streams.is_unary()).then(stream)
}

impl InboundCall {
    /// Returns the number of stream frames that were sent to the caller.
    fn frames(&self) -> u64 {
        self.stream.as_deref().map_or(0, NatsStream::sent)
    }

    /// Sends a failure as the reply.
    pub(super) fn fail(&self, context: &NatsContext, call: CallId, failure: &Failure) {
        let subject = context.subjects.reply(self.from, call);
        context.send_failure_after(&subject, failure, self.frames());
    }
}

impl Export {
    /// Accepts a call within the limits.
    ///
    /// # Errors
    ///
    /// With the limit that the call exceeds. The call does not run then.
    fn accept(
        &mut self,
        context: &NatsContext,
        call: CallId,
        inbound: InboundCall,
        times: &CallTimes,
    ) -> Result<(), Failure> {
        if inbound.bytes > context.message_bytes_max {
            return Err(Failure::request_too_large(
                inbound.bytes,
                context.message_bytes_max,
            ));
        }
        if inbound.deadline_ns <= inbound.accepted_ns {
            return Err(Failure::late_arrival(times.transit, times.remaining));
        }
        let service = &self.spec.service;
        self.calls
            .accept(call, inbound)
            .map_err(|limit| match limit {
                InboundLimit::Calls => Failure::too_many_inbound(service),
                InboundLimit::Bytes => Failure::too_much_inbound(service, INBOUND_BYTES_MAX),
            })
    }
}
