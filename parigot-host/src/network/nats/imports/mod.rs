//! Imports: services of other processes that local guests require.

mod calls;
mod compare;
mod sent_stream;
mod streams;

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use parigot_abi::id::CallId;
use tracing::Level;

use self::compare::compare;
use self::sent_stream::SentStream;
use super::chunks::{STALL_MAX, Transfers};
use super::context::NatsContext;
use super::envelope::{
    Announcement, DecodeError, Discovery, PeerId, PeerMessage, SchemaQuery, SchemaReply,
};
use super::peer_registry::{
    Compatibility, FoundPeer, HEARTBEAT, PeerChanges, PeerRegistry, SILENCE_MAX,
    ServiceAvailability,
};
use super::send_budget::Permit;
use super::unexpected::Unexpected;
use crate::error::Failure;
use crate::network::event_queue::{EventQueue, RemoteEvent};
use crate::network::transport::ImportSpec;

/// Imported services by name, with the calls to them.
pub(super) struct Imports {
    services: HashMap<String, Import>,
    /// Sent calls without a reply.
    calls: HashMap<u128, SentCall>,
    /// Replies with missing chunks.
    replies: Transfers<ReplyHeader>,
}

/// An imported service.
struct Import {
    spec: ImportSpec,
    registry: PeerRegistry,
    queue: Arc<EventQueue<RemoteEvent>>,
    /// An exporter has answered a call since the connection was made.
    is_answered: bool,
}

/// A sent call without a reply.
struct SentCall {
    call: CallId,
    service: String,
    deadline_ns: u64,
    /// Body to send in chunks when the callee asks, with its share of the send budget.
    body: Option<(Bytes, Permit)>,
    /// The stream, if the call streams. Boxed, because most calls do not.
    stream: Option<Box<SentStream>>,
}

/// Header of a reply, kept until all chunks have arrived.
struct ReplyHeader {
    status: u32,
    flags: u16,
}

impl Imports {
    pub(super) fn new() -> Self {
        Imports {
            services: HashMap::new(),
            calls: HashMap::new(),
            replies: Transfers::new(),
        }
    }

    /// Adds a service. Discovery follows once the announcements are subscribed.
    pub(super) fn begin(
        &mut self,
        context: &NatsContext,
        spec: ImportSpec,
        queue: Arc<EventQueue<RemoteEvent>>,
    ) {
        context
            .availability
            .set_service(&spec.service, ServiceAvailability::NotOffered);
        let registry = PeerRegistry::new(spec.schema);
        let service = spec.service.clone();
        let import = Import {
            spec,
            registry,
            queue,
            is_answered: false,
        };
        self.services.insert(service, import);
    }

    /// Asks the exporters of a service for an announcement.
    pub(super) fn discover(context: &NatsContext, service: &str) {
        context.send(
            context.subjects.query(service),
            PeerMessage::Discovery(Discovery {
                deployment: context.deployment,
            }),
        );
    }

    /// Reports that the server denies the search for the exporters of a service.
    pub(super) fn undiscoverable(&self, service: &str, reason: &str) {
        if let Some(import) = self.services.get(service) {
            let reason = reason.to_owned();
            import.queue.push(RemoteEvent::Undiscoverable { reason });
        }
    }

    /// Restarts discovery after a time without a connection. No announcement could arrive, so no
    /// peer counts as silent yet.
    pub(super) fn resume(&mut self, context: &NatsContext) {
        for (service, import) in &mut self.services {
            import.registry.reset_silence(context.now_ns());
            import.is_answered = false;
            Self::discover(context, service);
        }
    }

    /// Drops silent peers and fails the calls without a possible callee.
    pub(super) fn expire_peers(&mut self, context: &NatsContext) {
        let now_ns = context.now_ns();
        let services: Vec<_> = self.services.keys().cloned().collect();
        for service in services {
            let Some(import) = self.services.get_mut(&service) else {
                continue;
            };
            let changes = import.registry.expire(now_ns);
            self.apply(context, &service, changes);
            self.fail_abandoned(&service, |service| {
                Failure::process_lost(service, SILENCE_MAX)
            });
        }
    }

    /// Records an announcement of a peer.
    pub(super) fn announced(
        &mut self,
        context: &NatsContext,
        peer: PeerId,
        announcement: Announcement,
    ) -> Result<(), Unexpected> {
        let service = announcement.service.clone();
        let import = self.services.get_mut(&service).ok_or(Unexpected)?;
        let changes = import
            .registry
            .record(peer, announcement, context.now_ns())
            .ok_or(Unexpected)?;
        self.apply(context, &service, changes);
        // A peer announces its end after its last reply. Calls without a reply were sent too late
        // and were dropped with the subscription of the peer.
        self.fail_abandoned(&service, Failure::process_gone);
        Ok(())
    }

    /// Records an exporter with another protocol version.
    pub(super) fn other_version_exporter(
        &mut self,
        context: &NatsContext,
        service: &str,
        error: &DecodeError,
    ) {
        let Some(import) = self.services.get_mut(service) else {
            return;
        };
        if import
            .registry
            .record_other_version(error.to_string(), context.now_ns())
        {
            let text = format!("cannot call {service}: {error}");
            context.log.about_peer(Level::ERROR, &text);
            context
                .availability
                .set_service(service, import.registry.availability());
        }
    }

    /// Reports changes of the exporters of a service to the log and the remote.
    fn apply(
        &mut self,
        context: &NatsContext,
        service: &str,
        PeerChanges {
            found,
            leaving,
            lost,
            request_schema,
        }: PeerChanges,
    ) {
        let Some(import) = self.services.get(service) else {
            return;
        };
        // Before the events: a caller that reacts to an event must find the new availability.
        context
            .availability
            .set_service(service, import.registry.availability());
        let info = |text: String| context.log.about_peer(Level::INFO, &text);
        for PeerId { process, .. } in lost {
            info(format!("process {process} no longer offers {service}"));
        }
        for PeerId { process, .. } in leaving {
            info(format!(
                "process {process} accepts no more calls to {service}"
            ));
        }
        for FoundPeer {
            peer: PeerId { process, .. },
            methods,
            deadline_ns,
        } in found
        {
            info(format!("process {process} offers {service}"));
            import.queue.push(RemoteEvent::Found {
                methods,
                deadline_ns,
            });
        }
        if let Some(host) = request_schema {
            let query = SchemaQuery {
                service: service.to_owned(),
            };
            context.send(
                context.subjects.schema(host),
                PeerMessage::SchemaQuery(query),
            );
        }
    }

    /// Fails the calls to a service if no known peer can have them.
    ///
    /// Their fate is unknown: a peer that this process has not discovered yet may have a call.
    fn fail_abandoned(&mut self, service: &str, failure: impl Fn(&str) -> Failure) {
        if self
            .services
            .get(service)
            .is_none_or(|import| import.registry.possible_callees().next().is_some())
        {
            return;
        }
        let calls = self.calls.values().filter(|sent| sent.service == service);
        let abandoned: Vec<_> = calls.map(|sent| sent.call).collect();
        for call in abandoned {
            self.fail(call, failure(service));
        }
    }

    /// Compares the schema of a peer with the schema of the local guests.
    fn compare_schema(
        &mut self,
        context: &NatsContext,
        peer: &PeerId,
        reply: SchemaReply,
    ) -> Result<(), Unexpected> {
        let service = reply.service.clone();
        let schema = reply.schema;
        let import = self.services.get_mut(&service).ok_or(Unexpected)?;
        if !import.registry.is_requested(schema) {
            return Ok(()); // the reply to a repeated request
        }
        let compatibility = match compare(&context.me, &import.spec, peer, reply) {
            Ok(warning) => {
                if let Some(warning) = warning {
                    context.log.about_peer(Level::WARN, &warning);
                }
                Compatibility::Compatible
            }
            Err(reason) => {
                context.log.about_peer(Level::ERROR, &reason);
                Compatibility::Incompatible(reason.into())
            }
        };
        let changes = import.registry.set_compatibility(schema, compatibility);
        self.apply(context, &service, changes);
        Ok(())
    }

    /// Frees the memory of calls past their deadline and of stalled replies.
    pub(super) fn expire_calls(&mut self, context: &NatsContext) {
        let now_ns = context.now_ns();
        for call in self.replies.expire(now_ns) {
            // At the deadline the kernel ends the call itself.
            if self
                .calls
                .get(&call.key())
                .is_some_and(|sent| sent.deadline_ns > now_ns)
            {
                self.fail(call, Failure::reply_chunks_missing(STALL_MAX));
            }
        }
        // The remote cancels each call at its deadline, and the cancellation needs the entry to
        // notify the callee. One heartbeat later the cancellation has been handled. A stream ends
        // when its callee is silent.
        let removed_before_ns = now_ns.saturating_sub(HEARTBEAT.as_nanos() as u64);
        self.calls
            .retain(|_, sent| sent.stream.is_some() || sent.deadline_ns > removed_before_ns);
    }
}
