//! Services of guests here that other processes may call, and their calls.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use parigot_abi::id::CallId;
use tokio::sync::oneshot;

use super::chunks::{STALL_MAX, Sender, TransferProgress, Transfers};
use super::context::NatsContext;
use super::envelope::{
    Announcement, Body, Chunk, Content, Continue, PeerId, PeerMessage, ReplyMessage, Request,
    SchemaAnswer, SchemaQuestion, Stage,
};
use super::imports::Unexpected;
use super::inbound_calls::{DedupCache, Denial, InboundCall, InboundCalls};
use super::outbox;
use super::subjects::call_of;
use crate::error::Failure;
use crate::network::{
    EventQueue, GatewayEvent, Offer, Reply, Request as OutgoingRequest, ReturnAddress,
};

/// All of them, by their services.
pub(super) struct Exports {
    services: HashMap<String, Offering>,
    requests: Transfers<RequestHead>,
    memory: DedupCache,
}

/// A service that is offered.
pub(super) struct Offering {
    pub(super) offer: Offer,
    pub(super) started_ns: u64,
    pub(super) tally: Stats,
    queue: Arc<EventQueue<GatewayEvent>>,
    inbound_calls: InboundCalls,
    state: ExportState,
}

/// What has been done for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stats {
    pub(super) requests: u64,
    /// Those that ended with a status.
    pub(super) errors: u64,
    /// From when they were taken until they were answered.
    pub(super) time: Duration,
}

enum ExportState {
    /// Calls come, until this is told.
    Open(oneshot::Sender<()>),
    /// Calls that were under way may still come.
    Closing,
    /// Pieces of calls may still come.
    Closed,
    /// All that were taken are in the post.
    Drained,
}

/// What of a request comes before its pieces.
struct RequestHead {
    service: String,
    method: String,
    deadline_ns: u64,
}

impl Exports {
    pub(super) fn new() -> Self {
        Exports {
            services: HashMap::new(),
            requests: Transfers::new(),
            memory: DedupCache::default(),
        }
    }

    /// `close` ends the subscription.
    pub(super) fn begin(
        &mut self,
        context: &NatsContext,
        offer: Offer,
        queue: Arc<EventQueue<GatewayEvent>>,
        close: oneshot::Sender<()>,
    ) {
        let (service, started_ns) = (offer.service.clone(), context.clock.wall_ns());
        let (tally, inbound_calls, state) = (
            Stats::default(),
            InboundCalls::default(),
            ExportState::Open(close),
        );
        self.services.insert(
            service,
            Offering {
                offer,
                started_ns,
                tally,
                queue,
                inbound_calls,
                state,
            },
        );
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Offering> {
        self.services.values()
    }

    /// Says what is offered.
    pub(super) fn announce_all(&self, context: &NatsContext) {
        self.services
            .values()
            .for_each(|offering| offering.announce(context));
    }

    pub(super) fn announce(&self, context: &NatsContext, service: &str) {
        self.services
            .get(service)
            .inspect(|offering| offering.announce(context));
    }

    /// Takes no more calls to a service but those that are under way.
    pub(super) fn withdraw(&mut self, context: &NatsContext, service: &str) {
        let Some(offering) = self.services.get_mut(service) else {
            return;
        };
        if let ExportState::Open(close) =
            std::mem::replace(&mut offering.state, ExportState::Closing)
        {
            // If nobody listens, the subscription has ended.
            _ = close.send(());
        }
        offering.announce(context);
    }

    /// No more calls to a service will come, except for pieces of those that have begun to.
    pub(super) fn closed(&mut self, context: &NatsContext, service: &str) {
        if let Some(offering) = self.services.get_mut(service) {
            offering.state = ExportState::Closed;
            self.settle(context, service);
        }
    }

    /// Lets a service that takes no more calls go, step by step.
    fn settle(&mut self, context: &NatsContext, service: &str) {
        let Some(offering) = self.services.get_mut(service) else {
            return;
        };
        if matches!(offering.state, ExportState::Closed)
            && self.requests.heads().all(|head| head.service != service)
        {
            offering.state = ExportState::Drained;
            offering.queue.push(GatewayEvent::Drained);
        }
        if matches!(offering.state, ExportState::Drained) && offering.inbound_calls.is_empty() {
            offering.announce_as(context, Stage::Gone);
            self.services.remove(service);
        }
    }

    /// This process ends: whoever waits for an answer is told that there will be none, and everybody that nothing is offered any more.
    pub(super) fn end_all(&mut self, context: &NatsContext) {
        for offering in self.services.values_mut() {
            for (call, inbound_call) in offering.inbound_calls.end_all() {
                refuse(
                    context,
                    &context.subjects.answer(inbound_call.from, call),
                    &Failure::process_left(&context.me.process),
                );
            }
            offering.announce_as(context, Stage::Gone);
        }
        self.services.clear();
    }

    /// Frees what belongs to calls whose deadline has passed.
    pub(super) fn expire(&mut self, context: &NatsContext) {
        let now_ns = context.now_ns();
        self.memory.expire(now_ns);
        self.services
            .values_mut()
            .for_each(|offering| offering.inbound_calls.expire(now_ns));
        for call in self.requests.expire(now_ns) {
            self.deny(context, call, &Failure::pieces_missing(STALL_MAX));
        }
        let services: Vec<_> = self.services.keys().cloned().collect();
        services
            .iter()
            .for_each(|service| self.settle(context, service));
    }

    /// Tells a process what a service looks like.
    pub(super) fn describe(
        &self,
        context: &NatsContext,
        peer: &PeerId,
        question: &SchemaQuestion,
    ) -> Result<(), Unexpected> {
        let Offering { offer, .. } = self.services.get(&question.service).ok_or(Unexpected)?;
        // What is too large to be sent is as if there were none.
        let fits = offer.descriptors.len() <= context.piece_bytes_max();
        let descriptors = if fits {
            offer.descriptors.clone()
        } else {
            Vec::new()
        };
        let answer = SchemaAnswer {
            service: offer.service.clone(),
            schema: offer.schema,
            descriptors,
        };
        context.send(
            context.subjects.schema_answer(peer.host),
            PeerMessage::SchemaAnswer(answer),
        );
        Ok(())
    }
}

impl Offering {
    /// The subject on which it is called.
    pub(super) fn subject(&self, context: &NatsContext) -> String {
        context
            .subjects
            .call(&self.offer.service, self.offer.schema)
    }

    fn announce(&self, context: &NatsContext) {
        self.announce_as(
            context,
            if matches!(self.state, ExportState::Open(_)) {
                Stage::Ready
            } else {
                Stage::Leaving
            },
        );
    }

    fn announce_as(&self, context: &NatsContext, stage: Stage) {
        let Offer {
            service,
            schema,
            methods,
            deadline_ns,
            ..
        } = &self.offer;
        let announcement = Announcement::new(service.clone(), *schema, methods.clone(), stage);
        let announcement = Announcement {
            deadline_ns: *deadline_ns,
            ..announcement
        };
        context.send(
            context.subjects.ready(service),
            PeerMessage::Announcement(announcement),
        );
    }
}

/// Calls to them.
impl Exports {
    pub(super) fn request(
        &mut self,
        context: &NatsContext,
        service: &str,
        peer: &PeerId,
        request: &Request,
    ) -> Result<(), Unexpected> {
        let offering = self.services.get_mut(service).ok_or(Unexpected)?;
        let call = request.call().ok_or(Unexpected)?;
        let content = request.content().ok_or(Unexpected)?;
        let times = Times::of(context, request);
        // Whatever becomes of it now, it is that for good.
        if !self.memory.is_first(call, times.until_ns) {
            return Err(Unexpected);
        }
        offering.tally.requests += 1;
        let to = context.subjects.answer(peer.host, call);
        let Times {
            taken_ns,
            deadline_ns,
            ..
        } = times;
        let inbound_call = InboundCall {
            from: peer.host,
            bytes: content.lengths().bytes(),
            taken_ns,
            deadline_ns,
        };
        if let Err(failure) = offering.take(context, call, inbound_call, &times) {
            offering.tally.errors += 1;
            refuse(context, &to, &failure);
            return Ok(());
        }
        let head = RequestHead {
            service: service.to_owned(),
            method: request.method.clone(),
            deadline_ns,
        };
        match content {
            Content::Whole(body) => self.arrive(context, call, peer, head, body),
            Content::InPieces(lengths) => {
                let sender = Sender {
                    call,
                    host: peer.host,
                };
                match self
                    .requests
                    .begin(sender, lengths, deadline_ns, taken_ns, head)
                {
                    Ok(()) => context.send(to, PeerMessage::Continue(Continue {})),
                    Err(_) => self.deny(
                        context,
                        call,
                        &Failure::too_many_pieces(&context.me.process),
                    ),
                }
            }
        }
        Ok(())
    }

    /// A part of a request has come.
    pub(super) fn piece(
        &mut self,
        context: &NatsContext,
        subject: &str,
        peer: &PeerId,
        piece: &Chunk,
    ) -> Result<(), Unexpected> {
        let call = call_of(subject).ok_or(Unexpected)?;
        match self.requests.add(
            Sender {
                call,
                host: peer.host,
            },
            piece,
            context.now_ns(),
        ) {
            TransferProgress::Partial => {}
            TransferProgress::Whole(head, body) => self.arrive(context, call, peer, head, body),
            TransferProgress::Broken(_) => self.deny(context, call, &Failure::broken_pieces()),
            TransferProgress::Unknown => return Err(Unexpected),
        }
        Ok(())
    }

    /// A call is there as a whole.
    fn arrive(
        &mut self,
        context: &NatsContext,
        id: CallId,
        peer: &PeerId,
        head: RequestHead,
        body: Body,
    ) {
        let RequestHead {
            service,
            method,
            deadline_ns,
        } = head;
        if let Some(offering) = self.services.get_mut(&service) {
            let (metadata, _, payload) = body.parts();
            let request = OutgoingRequest {
                id,
                method,
                deadline_ns,
                metadata,
                payload,
            };
            let from = ReturnAddress(context.subjects.answer(peer.host, id));
            offering.queue.push(GatewayEvent::Call { request, from });
        }
        self.settle(context, &service);
    }

    /// A call that was taken does not run after all.
    fn deny(&mut self, context: &NatsContext, call: CallId, failure: &Failure) {
        if let Some((service, inbound_call)) = self.end(call) {
            refuse(
                context,
                &context.subjects.answer(inbound_call.from, call),
                failure,
            );
            self.settle(context, &service);
        }
    }

    /// Nobody waits for a call any more.
    pub(super) fn cancel(&mut self, context: &NatsContext, peer: &PeerId, id: CallId) {
        let has_it = |offering: &&mut Offering| offering.inbound_calls.is_from(id, peer.host);
        let Some(offering) = self.services.values_mut().find(has_it) else {
            // It has ended, or another process has it, or it comes yet, for the ways are two: then it need not run.
            self.memory.is_first(
                id,
                context.now_ns().saturating_add(context.repeats_for_ns()),
            );
            return;
        };
        if self.requests.drop_of(id).is_none() {
            offering.queue.push(GatewayEvent::Cancel { id });
        }
        if let Some((service, _)) = self.end(id) {
            self.settle(context, &service);
        }
    }

    /// A guest has answered.
    pub(super) fn answer(
        &mut self,
        context: &NatsContext,
        ReturnAddress(to): &ReturnAddress,
        reply: Reply,
    ) {
        let Some(call) = call_of(to) else { return };
        // The caller may have cancelled it.
        let Some((service, inbound_call)) = self.end(call) else {
            return;
        };
        if let Some(offering) = self.services.get_mut(&service) {
            offering.tally.errors += u64::from(reply.status != 0);
            offering.tally.time +=
                Duration::from_nanos(context.now_ns().saturating_sub(inbound_call.taken_ns));
        }
        let Reply {
            status,
            flags,
            metadata,
            detail,
            payload,
        } = reply;
        match Body::of(&metadata, &detail, &payload) {
            Some(body) => reply_with(context, to, status, flags, body),
            None => refuse(
                context,
                to,
                &Failure::no_room_to_answer(outbox::SEND_BYTES_MAX),
            ),
        }
        self.settle(context, &service);
    }

    /// A call has an end here; says to which service it was.
    fn end(&mut self, call: CallId) -> Option<(String, InboundCall)> {
        self.services.iter_mut().find_map(|(service, offering)| {
            let inbound_call = offering.inbound_calls.end(call)?;
            Some((service.clone(), inbound_call))
        })
    }
}

/// What two clocks can tell of a call's time, on this host's monotonic clock.
struct Times {
    taken_ns: u64,
    deadline_ns: u64,
    /// Until when it may come a second time.
    until_ns: u64,
    /// How long it was on its way, by both wall clocks.
    behind: Duration,
    /// How long its caller waits, from when it was sent.
    remaining: Duration,
}

impl Times {
    fn of(context: &NatsContext, request: &Request) -> Self {
        let taken_ns = context.now_ns();
        let behind = Duration::from_nanos(context.clock.wall_ns().saturating_sub(request.sent_ns));
        let remaining = Duration::from_nanos(request.remaining_ns);
        // The way took at least what is beyond the difference that clocks may have.
        let left = remaining.saturating_sub(behind.saturating_sub(context.clock_skew));
        let deadline_ns = taken_ns.saturating_add(left.as_nanos() as u64);
        let until_ns = deadline_ns.saturating_add(context.repeats_for_ns());
        Times {
            taken_ns,
            deadline_ns,
            until_ns,
            behind,
            remaining,
        }
    }
}

impl Offering {
    /// Takes a call, or says why not.
    fn take(
        &mut self,
        context: &NatsContext,
        call: CallId,
        inbound_call: InboundCall,
        times: &Times,
    ) -> Result<(), Failure> {
        if inbound_call.bytes > context.message_bytes_max {
            return Err(Failure::request_too_large(
                inbound_call.bytes,
                context.message_bytes_max,
            ));
        }
        if inbound_call.deadline_ns <= inbound_call.taken_ns {
            return Err(Failure::came_too_late(times.behind, times.remaining));
        }
        self.inbound_calls
            .take(call, inbound_call)
            .map_err(|denial| match denial {
                Denial::TooMany => Failure::too_many_inbound(&self.offer.service),
                Denial::TooLarge => Failure::too_much_taken(&self.offer.service),
            })
    }
}

/// Tells a caller why its call does not run.
pub(super) fn refuse(context: &NatsContext, to: &str, failure: &Failure) {
    let (status, detail) = failure.to_parts();
    let body = Body::of(&[], &detail, &[]).expect("a failure has a short text");
    reply_with(context, to, status, 0, body);
}

fn reply_with(context: &NatsContext, to: &str, status: u32, flags: u16, body: Body) {
    let (content, rest) = context.pack(body);
    context.send(
        to.to_owned(),
        PeerMessage::Reply(ReplyMessage::new(status, flags, content)),
    );
    if let Some(rest) = rest {
        context.send_pieces(to, &rest);
    }
}
