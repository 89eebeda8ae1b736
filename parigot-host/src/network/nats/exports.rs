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
    post: Arc<EventQueue<GatewayEvent>>,
    visits: InboundCalls,
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
        desk: &NatsContext,
        offer: Offer,
        post: Arc<EventQueue<GatewayEvent>>,
        close: oneshot::Sender<()>,
    ) {
        let (service, started_ns) = (offer.service.clone(), desk.clock.wall_ns());
        let (tally, visits, state) = (
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
                post,
                visits,
                state,
            },
        );
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Offering> {
        self.services.values()
    }

    /// Says what is offered.
    pub(super) fn announce_all(&self, desk: &NatsContext) {
        self.services
            .values()
            .for_each(|offering| offering.announce(desk));
    }

    pub(super) fn announce(&self, desk: &NatsContext, service: &str) {
        self.services
            .get(service)
            .inspect(|offering| offering.announce(desk));
    }

    /// Takes no more calls to a service but those that are under way.
    pub(super) fn withdraw(&mut self, desk: &NatsContext, service: &str) {
        let Some(offering) = self.services.get_mut(service) else {
            return;
        };
        if let ExportState::Open(close) =
            std::mem::replace(&mut offering.state, ExportState::Closing)
        {
            // If nobody listens, the subscription has ended.
            _ = close.send(());
        }
        offering.announce(desk);
    }

    /// No more calls to a service will come, except for pieces of those that have begun to.
    pub(super) fn closed(&mut self, desk: &NatsContext, service: &str) {
        if let Some(offering) = self.services.get_mut(service) {
            offering.state = ExportState::Closed;
            self.settle(desk, service);
        }
    }

    /// Lets a service that takes no more calls go, step by step.
    fn settle(&mut self, desk: &NatsContext, service: &str) {
        let Some(offering) = self.services.get_mut(service) else {
            return;
        };
        if matches!(offering.state, ExportState::Closed)
            && self.requests.heads().all(|head| head.service != service)
        {
            offering.state = ExportState::Drained;
            offering.post.push(GatewayEvent::Drained);
        }
        if matches!(offering.state, ExportState::Drained) && offering.visits.is_empty() {
            offering.announce_as(desk, Stage::Gone);
            self.services.remove(service);
        }
    }

    /// This process ends: whoever waits for an answer is told that there will be none, and everybody that nothing is offered any more.
    pub(super) fn end_all(&mut self, desk: &NatsContext) {
        for offering in self.services.values_mut() {
            for (call, visit) in offering.visits.end_all() {
                refuse(
                    desk,
                    &desk.subjects.answer(visit.from, call),
                    &Failure::process_left(&desk.me.process),
                );
            }
            offering.announce_as(desk, Stage::Gone);
        }
        self.services.clear();
    }

    /// Frees what belongs to calls whose deadline has passed.
    pub(super) fn expire(&mut self, desk: &NatsContext) {
        let now_ns = desk.now_ns();
        self.memory.expire(now_ns);
        self.services
            .values_mut()
            .for_each(|offering| offering.visits.expire(now_ns));
        for call in self.requests.expire(now_ns) {
            self.deny(desk, call, &Failure::pieces_missing(STALL_MAX));
        }
        let services: Vec<_> = self.services.keys().cloned().collect();
        services
            .iter()
            .for_each(|service| self.settle(desk, service));
    }

    /// Tells a process what a service looks like.
    pub(super) fn describe(
        &self,
        desk: &NatsContext,
        writer: &PeerId,
        question: &SchemaQuestion,
    ) -> Result<(), Unexpected> {
        let Offering { offer, .. } = self.services.get(&question.service).ok_or(Unexpected)?;
        // What is too large to be sent is as if there were none.
        let fits = offer.descriptors.len() <= desk.piece_bytes_max();
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
        desk.send(
            desk.subjects.schema_answer(writer.host),
            PeerMessage::SchemaAnswer(answer),
        );
        Ok(())
    }
}

impl Offering {
    /// The subject on which it is called.
    pub(super) fn subject(&self, desk: &NatsContext) -> String {
        desk.subjects.call(&self.offer.service, self.offer.schema)
    }

    fn announce(&self, desk: &NatsContext) {
        self.announce_as(
            desk,
            if matches!(self.state, ExportState::Open(_)) {
                Stage::Ready
            } else {
                Stage::Leaving
            },
        );
    }

    fn announce_as(&self, desk: &NatsContext, stage: Stage) {
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
        desk.send(
            desk.subjects.ready(service),
            PeerMessage::Announcement(announcement),
        );
    }
}

/// Calls to them.
impl Exports {
    pub(super) fn request(
        &mut self,
        desk: &NatsContext,
        service: &str,
        writer: &PeerId,
        request: &Request,
    ) -> Result<(), Unexpected> {
        let offering = self.services.get_mut(service).ok_or(Unexpected)?;
        let call = request.call().ok_or(Unexpected)?;
        let content = request.content().ok_or(Unexpected)?;
        let times = Times::of(desk, request);
        // Whatever becomes of it now, it is that for good.
        if !self.memory.is_first(call, times.until_ns) {
            return Err(Unexpected);
        }
        offering.tally.requests += 1;
        let to = desk.subjects.answer(writer.host, call);
        let Times {
            taken_ns,
            deadline_ns,
            ..
        } = times;
        let visit = InboundCall {
            from: writer.host,
            bytes: content.lengths().bytes(),
            taken_ns,
            deadline_ns,
        };
        if let Err(failure) = offering.take(desk, call, visit, &times) {
            offering.tally.errors += 1;
            refuse(desk, &to, &failure);
            return Ok(());
        }
        let head = RequestHead {
            service: service.to_owned(),
            method: request.method.clone(),
            deadline_ns,
        };
        match content {
            Content::Whole(body) => self.arrive(desk, call, writer, head, body),
            Content::InPieces(lengths) => {
                let sender = Sender {
                    call,
                    host: writer.host,
                };
                match self
                    .requests
                    .begin(sender, lengths, deadline_ns, taken_ns, head)
                {
                    Ok(()) => desk.send(to, PeerMessage::Continue(Continue {})),
                    Err(_) => self.deny(desk, call, &Failure::too_many_pieces(&desk.me.process)),
                }
            }
        }
        Ok(())
    }

    /// A part of a request has come.
    pub(super) fn piece(
        &mut self,
        desk: &NatsContext,
        subject: &str,
        writer: &PeerId,
        piece: &Chunk,
    ) -> Result<(), Unexpected> {
        let call = call_of(subject).ok_or(Unexpected)?;
        match self.requests.add(
            Sender {
                call,
                host: writer.host,
            },
            piece,
            desk.now_ns(),
        ) {
            TransferProgress::Partial => {}
            TransferProgress::Whole(head, body) => self.arrive(desk, call, writer, head, body),
            TransferProgress::Broken(_) => self.deny(desk, call, &Failure::broken_pieces()),
            TransferProgress::Unknown => return Err(Unexpected),
        }
        Ok(())
    }

    /// A call is there as a whole.
    fn arrive(
        &mut self,
        desk: &NatsContext,
        id: CallId,
        writer: &PeerId,
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
            let from = ReturnAddress(desk.subjects.answer(writer.host, id));
            offering.post.push(GatewayEvent::Call { request, from });
        }
        self.settle(desk, &service);
    }

    /// A call that was taken does not run after all.
    fn deny(&mut self, desk: &NatsContext, call: CallId, failure: &Failure) {
        if let Some((service, visit)) = self.end(call) {
            refuse(desk, &desk.subjects.answer(visit.from, call), failure);
            self.settle(desk, &service);
        }
    }

    /// Nobody waits for a call any more.
    pub(super) fn cancel(&mut self, desk: &NatsContext, writer: &PeerId, id: CallId) {
        let has_it = |offering: &&mut Offering| offering.visits.is_from(id, writer.host);
        let Some(offering) = self.services.values_mut().find(has_it) else {
            // It has ended, or another process has it, or it comes yet, for the ways are two: then it need not run.
            self.memory
                .is_first(id, desk.now_ns().saturating_add(desk.repeats_for_ns()));
            return;
        };
        if self.requests.drop_of(id).is_none() {
            offering.post.push(GatewayEvent::Cancel { id });
        }
        if let Some((service, _)) = self.end(id) {
            self.settle(desk, &service);
        }
    }

    /// A guest has answered.
    pub(super) fn answer(
        &mut self,
        desk: &NatsContext,
        ReturnAddress(to): &ReturnAddress,
        reply: Reply,
    ) {
        let Some(call) = call_of(to) else { return };
        // The caller may have cancelled it.
        let Some((service, visit)) = self.end(call) else {
            return;
        };
        if let Some(offering) = self.services.get_mut(&service) {
            offering.tally.errors += u64::from(reply.status != 0);
            offering.tally.time +=
                Duration::from_nanos(desk.now_ns().saturating_sub(visit.taken_ns));
        }
        let Reply {
            status,
            flags,
            metadata,
            detail,
            payload,
        } = reply;
        match Body::of(&metadata, &detail, &payload) {
            Some(body) => reply_with(desk, to, status, flags, body),
            None => refuse(desk, to, &Failure::no_room_to_answer(outbox::BYTES_MAX)),
        }
        self.settle(desk, &service);
    }

    /// A call has an end here; says to which service it was.
    fn end(&mut self, call: CallId) -> Option<(String, InboundCall)> {
        self.services.iter_mut().find_map(|(service, offering)| {
            let visit = offering.visits.end(call)?;
            Some((service.clone(), visit))
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
    fn of(desk: &NatsContext, request: &Request) -> Self {
        let taken_ns = desk.now_ns();
        let behind = Duration::from_nanos(desk.clock.wall_ns().saturating_sub(request.sent_ns));
        let remaining = Duration::from_nanos(request.remaining_ns);
        // The way took at least what is beyond the difference that clocks may have.
        let left = remaining.saturating_sub(behind.saturating_sub(desk.clock_skew));
        let deadline_ns = taken_ns.saturating_add(left.as_nanos() as u64);
        let until_ns = deadline_ns.saturating_add(desk.repeats_for_ns());
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
        desk: &NatsContext,
        call: CallId,
        visit: InboundCall,
        times: &Times,
    ) -> Result<(), Failure> {
        if visit.bytes > desk.message_bytes_max {
            return Err(Failure::request_too_large(
                visit.bytes,
                desk.message_bytes_max,
            ));
        }
        if visit.deadline_ns <= visit.taken_ns {
            return Err(Failure::came_too_late(times.behind, times.remaining));
        }
        self.visits
            .take(call, visit)
            .map_err(|denial| match denial {
                Denial::TooMany => Failure::too_many_inbound(&self.offer.service),
                Denial::TooLarge => Failure::too_much_taken(&self.offer.service),
            })
    }
}

/// Tells a caller why its call does not run.
pub(super) fn refuse(desk: &NatsContext, to: &str, failure: &Failure) {
    let (status, detail) = failure.to_parts();
    let body = Body::of(&[], &detail, &[]).expect("a failure has a short text");
    reply_with(desk, to, status, 0, body);
}

fn reply_with(desk: &NatsContext, to: &str, status: u32, flags: u16, body: Body) {
    let (content, rest) = desk.pack(body);
    desk.send(
        to.to_owned(),
        PeerMessage::ReplyMessage(ReplyMessage::new(status, flags, content)),
    );
    if let Some(rest) = rest {
        desk.send_pieces(to, &rest);
    }
}
