//! Calls of other processes to the exported services.

use std::time::Duration;

use parigot_abi::id::CallId;

use super::call_times::CallTimes;
use super::{Export, Exports, RequestHeader};
use crate::error::Failure;
use crate::network::event_queue::GatewayEvent;
use crate::network::message::{Reply, Request, ReturnAddress};
use crate::network::nats::chunks::{STALL_MAX, TransferId, TransferProgress};
use crate::network::nats::context::NatsContext;
use crate::network::nats::envelope::{
    Body, BodyParts, Chunk, Content, Continue, PeerId, PeerMessage, RequestMessage,
};
use crate::network::nats::inbound_calls::{INBOUND_BYTES_MAX, InboundCall, InboundLimit};
use crate::network::nats::send_budget::SEND_BYTES_MAX;
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
        };
        let host = peer.host;
        match content {
            Content::Whole(body) => self.deliver(context, TransferId { call, host }, header, body),
            Content::Chunked(lengths) => {
                let begun = self.requests.begin(
                    TransferId { call, host },
                    lengths,
                    times.deadline_ns,
                    times.accepted_ns,
                    header,
                );
                match begun {
                    Ok(()) => context.send(to, PeerMessage::Continue(Continue {})),
                    Err(_) => {
                        let failure = Failure::too_many_chunked_requests(&context.me.process);
                        self.refuse(context, call, &failure);
                    }
                }
            }
        }
        Ok(())
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
            context.send_failure(&context.subjects.reply(inbound.from, call), failure);
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
        match Body::with_headers(headers, metadata, detail, payload) {
            Some(body) => context.send_reply(to, *status, *flags, body),
            None => context.send_failure(to, &Failure::reply_send_buffer_full(SEND_BYTES_MAX)),
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
