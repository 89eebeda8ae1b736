//! Services that guests here require of other processes, and the calls to them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use parigot_abi::id::CallId;
use parigot_abi::manifest::Service;

use super::chunks::{STALL_MAX, Sender, TransferProgress, Transfers};
use super::context::NatsContext;
use super::envelope::{
    Announcement, Body, CallHeader, Cancel, Chunk, Content, DecodeError, PeerId, PeerMessage,
    Question, ReplyMessage, Request, SchemaAnswer, SchemaQuestion,
};
use super::outbox::Permit;
use super::peer_registry::{
    Compatibility, Found, HEARTBEAT, PeerChanges, PeerRegistry, SILENCE_MAX, ServiceAvailability,
};
use super::subjects::call_of;
use crate::error::Failure;
use crate::network::{EventQueue, RemoteEvent, Reply, Request as Call, Wanted};
use crate::start::schema::{self, Party};

/// So much is told of what does not fit, in bytes.
const MISFIT_BYTES_MAX: usize = 1 << 10;

/// All of them.
pub(super) struct Imports {
    services: HashMap<String, Search>,
    calls: HashMap<u128, Sent>,
    answers: Transfers<ReplyHead>,
}

/// A service that is required.
struct Search {
    wanted: Wanted,
    registry: PeerRegistry,
    queue: Arc<EventQueue<RemoteEvent>>,
}

/// A call that has left and is not answered.
struct Sent {
    call: CallId,
    service: String,
    deadline_ns: u64,
    /// What the callee has not asked for yet.
    body: Option<(Bytes, Permit)>,
}

/// What of an answer comes before its pieces.
struct ReplyHead {
    status: u32,
    flags: u16,
}

/// A letter that is not what belongs where it came: nothing follows from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unexpected;

impl Imports {
    pub(super) fn new() -> Self {
        Imports {
            services: HashMap::new(),
            calls: HashMap::new(),
            answers: Transfers::new(),
        }
    }

    pub(super) fn begin(
        &mut self,
        context: &NatsContext,
        wanted: Wanted,
        queue: Arc<EventQueue<RemoteEvent>>,
    ) {
        context
            .availability
            .expect(&wanted.service, ServiceAvailability::Nobody);
        let registry = PeerRegistry::new(wanted.schema);
        self.services.insert(
            wanted.service.clone(),
            Search {
                wanted,
                registry,
                queue,
            },
        );
    }

    /// Asks who offers a service, now that the answers will be heard.
    pub(super) fn ask(context: &NatsContext, service: &str) {
        context.send(
            context.subjects.who(service),
            PeerMessage::Question(Question {}),
        );
    }

    /// There is a connection again: nothing was heard of anybody.
    pub(super) fn resume(&mut self, context: &NatsContext) {
        for (service, search) in &mut self.services {
            search.registry.forgive(context.now_ns());
            Self::ask(context, service);
        }
    }

    /// Forgets processes of which nothing is heard.
    pub(super) fn expire_hosts(&mut self, context: &NatsContext) {
        let now_ns = context.now_ns();
        let expire = |(service, search): (&String, &mut Search)| {
            (service.clone(), search.registry.expire(now_ns))
        };
        let all_changes: Vec<_> = self.services.iter_mut().map(expire).collect();
        for (service, changes) in all_changes {
            self.follow(context, &service, changes);
            self.end_abandoned(&service, |service| {
                Failure::process_lost(service, SILENCE_MAX)
            });
        }
    }

    /// Frees what belongs to calls whose deadline has passed.
    pub(super) fn expire_calls(&mut self, context: &NatsContext) {
        let now_ns = context.now_ns();
        for call in self.answers.expire(now_ns) {
            // At its deadline whoever has made it ends it.
            if self
                .calls
                .get(&call.key())
                .is_some_and(|sent| sent.deadline_ns > now_ns)
            {
                self.fail(call, Failure::rest_of_answer_missing(STALL_MAX));
            }
        }
        // Whoever made them cancels them at their deadlines, which the callee is told.
        let long_ago_ns = now_ns.saturating_sub(HEARTBEAT.as_nanos() as u64);
        self.calls.retain(|_, sent| sent.deadline_ns > long_ago_ns);
    }
}

/// Those who offer the services.
impl Imports {
    pub(super) fn announced(
        &mut self,
        context: &NatsContext,
        peer: PeerId,
        announcement: Announcement,
    ) -> Result<(), Unexpected> {
        let service = announcement.service.clone();
        let search = self.services.get_mut(&service).ok_or(Unexpected)?;
        let changes = search
            .registry
            .hear(peer, announcement, context.now_ns())
            .ok_or(Unexpected)?;
        self.follow(context, &service, changes);
        // Whoever leaves says so behind its last answer: the calls were lost with its subscription.
        self.end_abandoned(&service, Failure::process_gone);
        Ok(())
    }

    /// Somebody speaks of a service in another version of the protocol.
    pub(super) fn foreign(
        &mut self,
        context: &NatsContext,
        service: &str,
        illegible: &DecodeError,
    ) {
        let Some(search) = self.services.get_mut(service) else {
            return;
        };
        if search
            .registry
            .hear_foreign(illegible.to_string(), context.now_ns())
        {
            context
                .log
                .error(&format!("cannot call {service}: {illegible}"));
            context
                .availability
                .expect(service, search.registry.availability());
        }
    }

    /// Does what follows from a word about those who offer a service.
    fn follow(
        &mut self,
        context: &NatsContext,
        service: &str,
        PeerChanges {
            found,
            leaving,
            lost,
            ask,
        }: PeerChanges,
    ) {
        let Some(search) = self.services.get(service) else {
            return;
        };
        context
            .availability
            .expect(service, search.registry.availability());
        for PeerId { process, .. } in lost {
            context.log.info(&format!(
                "process {process} does not offer {service} any more"
            ));
        }
        for PeerId { process, .. } in leaving {
            context.log.info(&format!(
                "process {process} takes no more calls to {service}"
            ));
        }
        for Found {
            peer: PeerId { process, .. },
            methods,
            deadline_ns,
        } in found
        {
            context
                .log
                .info(&format!("process {process} offers {service}"));
            search.queue.push(RemoteEvent::Found {
                methods,
                deadline_ns,
            });
        }
        if let Some(host) = ask {
            let question = SchemaQuestion {
                service: service.to_owned(),
            };
            context.send(
                context.subjects.schema(host),
                PeerMessage::SchemaQuestion(question),
            );
        }
    }

    /// Ends the calls to a service, if nobody is left who may have taken them. What has become of them is not known: somebody may have that is not
    /// known here yet.
    fn end_abandoned(&mut self, service: &str, why: impl Fn(&str) -> Failure) {
        if self
            .services
            .get(service)
            .is_none_or(|search| search.registry.takers().next().is_some())
        {
            return;
        }
        let abandoned = self.calls.values().filter(|sent| sent.service == service);
        let abandoned: Vec<_> = abandoned.map(|sent| sent.call).collect();
        abandoned
            .into_iter()
            .for_each(|call| self.fail(call, why(service)));
    }

    fn learn_schema(
        &mut self,
        context: &NatsContext,
        peer: &PeerId,
        answer: SchemaAnswer,
    ) -> Result<(), Unexpected> {
        let SchemaAnswer {
            service,
            schema,
            descriptors,
        } = answer;
        let search = self.services.get_mut(&service).ok_or(Unexpected)?;
        if !search.registry.is_asked(schema) {
            return Ok(()); // it was asked twice
        }
        let compatibility = match compare(context, &search.wanted, peer, schema, descriptors) {
            Ok(()) => Compatibility::Fits,
            Err(why) => {
                context.log.error(&why);
                Compatibility::Misfit(why.into())
            }
        };
        let changes = search.registry.decide(schema, compatibility);
        self.follow(context, &service, changes);
        Ok(())
    }
}

/// Whether what guests here were built with fits what a process offers, and if not, why.
fn compare(
    context: &NatsContext,
    Wanted {
        service,
        schema,
        descriptors,
    }: &Wanted,
    peer: &PeerId,
    offered_schema: u64,
    offered_descriptors: Vec<u8>,
) -> Result<(), String> {
    let side = |schema, descriptors| Service {
        name: service.clone(),
        schema,
        methods: Vec::new(),
        descriptors,
    };
    let (wanted, offered) = (
        side(*schema, descriptors.clone()),
        side(offered_schema, offered_descriptors),
    );
    let (here, there) = (&*context.me.process, &*peer.process);
    let client = Party {
        guest: here,
        service: &wanted,
    };
    let exporter = Party {
        guest: there,
        service: &offered,
    };
    schema::fits(client, exporter).map_err(|error| {
        let mut why = error.to_string().replace('\n', "; ");
        why.truncate(why.floor_char_boundary(MISFIT_BYTES_MAX));
        format!(
            "process {here} was built with another {service} than process {there} offers: {why}"
        )
    })
}

/// Calls to them.
impl Imports {
    pub(super) fn call(
        &mut self,
        context: &NatsContext,
        service: &str,
        request: Call,
        weight: Permit,
    ) {
        let Call {
            id,
            method,
            deadline_ns,
            metadata,
            payload,
        } = request;
        let Some(search) = self.services.get_mut(service) else {
            return;
        };
        let Some(schema) = search.registry.choose() else {
            let failure = Failure::unoffered(service);
            return search.queue.push(RemoteEvent::Failed { id, failure });
        };
        let Some(body) = Body::of(&metadata, &[], &payload) else {
            let failure = Failure::request_too_large(payload.len(), context.message_bytes_max);
            return search.queue.push(RemoteEvent::Failed { id, failure });
        };
        let now_ns = context.now_ns();
        let (content, rest) = context.pack(body);
        let sent = Sent {
            call: id,
            service: service.to_owned(),
            deadline_ns,
            body: rest.map(|rest| (rest, weight)),
        };
        self.calls.insert(id.key(), sent);
        let remaining_ns = deadline_ns.saturating_sub(now_ns);
        let header = CallHeader {
            call: id,
            method,
            remaining_ns,
            sent_ns: context.clock.wall_ns(),
        };
        let (subject, reply) = (
            context.subjects.call(service, schema),
            context.subjects.answer(context.me.host, id),
        );
        context.send_request(
            subject,
            reply,
            id,
            PeerMessage::Request(Request::new(header, content)),
        );
    }

    pub(super) fn cancel(&mut self, context: &NatsContext, service: &str, call: CallId) {
        self.answers.drop_of(call);
        let is_out = self.calls.remove(&call.key()).is_some();
        let Some(search) = self.services.get(service).filter(|_| is_out) else {
            return;
        };
        for host in search.registry.takers() {
            context.send(
                context.subjects.cancel(host),
                PeerMessage::Cancel(Cancel::new(call)),
            );
        }
    }

    /// A request could not leave.
    pub(super) fn unsent(&mut self, context: &NatsContext, call: CallId) {
        let down = context.availability.down(context.now_ns());
        self.fail(call, Failure::disconnected(down.unwrap_or(Duration::ZERO)));
    }

    /// Nobody listens where a request went.
    pub(super) fn untaken(&mut self, subject: &str) -> Result<(), Unexpected> {
        let call = call_of(subject).ok_or(Unexpected)?;
        if let Some(Sent { service, .. }) = self.calls.get(&call.key()) {
            let failure = Failure::unoffered(service);
            self.fail(call, failure);
        }
        Ok(())
    }

    /// Something has come to the inbox.
    pub(super) fn hear(
        &mut self,
        context: &NatsContext,
        subject: &str,
        peer: &PeerId,
        word: PeerMessage,
    ) -> Result<(), Unexpected> {
        if let PeerMessage::SchemaAnswer(answer) = word {
            return self.learn_schema(context, peer, answer);
        }
        let call = call_of(subject).ok_or(Unexpected)?;
        // It may have ended while this was on its way.
        let Some(sent) = self.calls.get_mut(&call.key()) else {
            return Ok(());
        };
        match word {
            PeerMessage::Continue(_) => {
                let (body, _weight) = sent.body.take().ok_or(Unexpected)?;
                context.send_pieces(&context.subjects.piece(peer.host, call), &body);
            }
            PeerMessage::Reply(answer) => self.answer(context, call, peer, &answer)?,
            PeerMessage::Chunk(piece) => self.answer_piece(context, call, peer, &piece)?,
            _ => return Err(Unexpected),
        }
        Ok(())
    }

    /// An answer has come that cannot be read.
    pub(super) fn illegible(&mut self, subject: &str, illegible: &DecodeError) {
        if let Some(call) = call_of(subject) {
            self.fail(call, Failure::misfit(illegible.to_string()));
        }
    }

    fn answer(
        &mut self,
        context: &NatsContext,
        call: CallId,
        peer: &PeerId,
        answer: &ReplyMessage,
    ) -> Result<(), Unexpected> {
        let head = ReplyHead {
            status: answer.status,
            flags: answer.flags(),
        };
        match answer.content().ok_or(Unexpected)? {
            Content::Whole(body) => self.finish(call, head, body),
            Content::InPieces(lengths) if lengths.bytes() > context.message_bytes_max => {
                self.fail(
                    call,
                    Failure::response_too_large(lengths.bytes(), context.message_bytes_max),
                );
            }
            Content::InPieces(lengths) => {
                let deadline_ns = self.calls.get(&call.key()).ok_or(Unexpected)?.deadline_ns;
                let sender = Sender {
                    call,
                    host: peer.host,
                };
                if self
                    .answers
                    .begin(sender, lengths, deadline_ns, context.now_ns(), head)
                    .is_err()
                {
                    self.fail(call, Failure::no_room_for_pieces(lengths.bytes()));
                }
            }
        }
        Ok(())
    }

    fn answer_piece(
        &mut self,
        context: &NatsContext,
        call: CallId,
        peer: &PeerId,
        piece: &Chunk,
    ) -> Result<(), Unexpected> {
        match self.answers.add(
            Sender {
                call,
                host: peer.host,
            },
            piece,
            context.now_ns(),
        ) {
            TransferProgress::Partial => {}
            TransferProgress::Whole(head, body) => self.finish(call, head, body),
            TransferProgress::Broken(_) => self.fail(call, Failure::answer_broken()),
            TransferProgress::Unknown => return Err(Unexpected),
        }
        Ok(())
    }

    fn finish(&mut self, call: CallId, ReplyHead { status, flags }: ReplyHead, body: Body) {
        let (metadata, detail, payload) = body.parts();
        let reply = Reply {
            status,
            flags,
            metadata,
            detail,
            payload,
        };
        if let Some(Search { wanted, queue, .. }) = self.end(call) {
            queue.answered(&wanted.service, call, reply);
        }
    }

    fn fail(&mut self, id: CallId, failure: Failure) {
        if let Some(Search { queue, .. }) = self.end(id) {
            queue.push(RemoteEvent::Failed { id, failure });
        }
    }

    /// A call has ended, if it had not before; says which service it was to.
    fn end(&mut self, call: CallId) -> Option<&Search> {
        self.answers.drop_of(call);
        let Sent { service, .. } = self.calls.remove(&call.key())?;
        self.services.get(&service)
    }
}
