//! Exports: services of this process that other processes may call.

mod call_times;
mod calls;
mod progress;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use parigot_abi::manifest::MethodFlags;
use tokio::sync::oneshot;

use super::chunks::Transfers;
use super::context::NatsContext;
use super::envelope::{Announcement, PeerId, PeerMessage, SchemaQuery, SchemaReply, Stage};
use super::inbound_calls::{DedupCache, InboundCalls};
use super::unexpected::Unexpected;
use crate::error::Failure;
use crate::network::event_queue::{EventQueue, GatewayEvent};
use crate::network::transport::ExportSpec;

/// Exported services by name, with the state of their calls.
pub(super) struct Exports {
    services: HashMap<String, Export>,
    /// Requests with missing chunks.
    requests: Transfers<RequestHeader>,
    dedup_cache: DedupCache,
}

/// An exported service.
pub(super) struct Export {
    pub(super) spec: ExportSpec,
    /// Start of the export on the wall clock.
    pub(super) started_ns: u64,
    pub(super) stats: Stats,
    queue: Arc<EventQueue<GatewayEvent>>,
    calls: InboundCalls,
    /// Number of subscriptions to the calls that have not ended. After a short pause, the old
    /// subscription may end after the new one has begun.
    subscriptions: usize,
    state: ExportState,
}

/// Statistics for the NATS tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stats {
    pub(super) requests: u64,
    /// Number of calls with a status as their reply.
    pub(super) errors: u64,
    /// Sum of the times from accepting a call to its reply.
    pub(super) time: Duration,
}

/// Progress of a withdrawal. Each state follows the one before, except that a paused or stalled
/// service may be open again.
enum ExportState {
    /// Calls arrive. The sender ends the subscription.
    Open(oneshot::Sender<()>),
    /// The service restarts. The subscription is ending or has ended.
    Paused,
    /// No worker runs the gateway. The subscription is ending or has ended.
    Stalled,
    /// The subscription is ending. Calls in transit may still arrive.
    Closing,
    /// The subscription has ended. Chunks of accepted calls may still arrive.
    Closed,
    /// The gateway has all accepted calls. Their replies may be missing.
    Drained,
}

/// Header of a request, kept until all chunks have arrived.
struct RequestHeader {
    service: String,
    method: String,
    deadline_ns: u64,
    has_default_deadline: bool,
    streams: MethodFlags,
    covers_first_frame: bool,
}

impl Exports {
    pub(super) fn new() -> Self {
        Exports {
            services: HashMap::new(),
            requests: Transfers::new(),
            dedup_cache: DedupCache::default(),
        }
    }

    /// Adds a service. `close` ends the subscription to its calls.
    pub(super) fn begin(
        &mut self,
        context: &NatsContext,
        spec: ExportSpec,
        queue: Arc<EventQueue<GatewayEvent>>,
        close: oneshot::Sender<()>,
    ) {
        let service = spec.service.clone();
        let export = Export {
            spec,
            started_ns: context.clock.wall_ns(),
            stats: Stats::default(),
            queue,
            calls: InboundCalls::default(),
            subscriptions: 1,
            state: ExportState::Open(close),
        };
        self.services.insert(service, export);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Export> {
        self.services.values()
    }

    /// Announces all services.
    pub(super) fn announce_all(&self, context: &NatsContext) {
        for export in self.services.values() {
            export.announce(context);
        }
    }

    /// Announces a service.
    pub(super) fn announce(&self, context: &NatsContext, service: &str) {
        if let Some(export) = self.services.get(service) {
            export.announce(context);
        }
    }

    /// Stops accepting calls to a service for the time of its restart.
    pub(super) fn pause(&mut self, context: &NatsContext, service: &str) {
        if let Some(export) = self.services.get_mut(service)
            && matches!(export.state, ExportState::Open(_) | ExportState::Stalled)
        {
            export.leave(ExportState::Paused);
            export.announce(context);
        }
    }

    /// Opens a paused or stalled service again, and returns the subject of its calls. `close` ends
    /// the new subscription. The announcement follows once the subscription is active.
    pub(super) fn resume(
        &mut self,
        context: &NatsContext,
        service: &str,
        close: oneshot::Sender<()>,
    ) -> Option<String> {
        let export = self.services.get_mut(service)?;
        if !matches!(export.state, ExportState::Paused | ExportState::Stalled) {
            return None;
        }
        export.state = ExportState::Open(close);
        export.subscriptions += 1;
        Some(export.subject(context))
    }

    /// Starts to withdraw a service: ends the subscription to its calls.
    pub(super) fn withdraw(&mut self, context: &NatsContext, service: &str) {
        let Some(export) = self.services.get_mut(service) else {
            return;
        };
        export.leave(ExportState::Closing);
        export.announce(context);
        self.close_if_unsubscribed(context, service);
    }

    /// Continues to withdraw a service after the end of the subscription to its calls.
    pub(super) fn unsubscribed(&mut self, context: &NatsContext, service: &str) {
        if let Some(export) = self.services.get_mut(service) {
            export.subscriptions -= 1;
            self.close_if_unsubscribed(context, service);
        }
    }

    fn close_if_unsubscribed(&mut self, context: &NatsContext, service: &str) {
        if let Some(export) = self.services.get_mut(service)
            && matches!(export.state, ExportState::Closing)
            && export.subscriptions == 0
        {
            export.state = ExportState::Closed;
            self.continue_withdrawal(context, service);
        }
    }

    /// Moves a withdrawn service to its next state if the conditions hold. Called after each end
    /// of a call or transfer.
    fn continue_withdrawal(&mut self, context: &NatsContext, service: &str) {
        let Some(export) = self.services.get_mut(service) else {
            return;
        };
        if matches!(export.state, ExportState::Closed)
            && self
                .requests
                .headers()
                .all(|header| header.service != service)
        {
            export.state = ExportState::Drained;
            export.queue.push(GatewayEvent::Drained);
        }
        if matches!(export.state, ExportState::Drained) && export.calls.is_empty() {
            // After the last reply: importers fail the remaining calls at this announcement.
            export.announce_as(context, Stage::Gone);
            self.services.remove(service);
        }
    }

    /// Ends all services at the end of this process: fails the pending calls and announces the
    /// end.
    pub(super) fn end_all(&mut self, context: &NatsContext) {
        for export in self.services.values_mut() {
            for (call, inbound) in export.calls.end_all() {
                inbound.fail(context, call, &Failure::process_left(&context.me.process));
            }
            export.announce_as(context, Stage::Gone);
        }
        self.services.clear();
    }

    /// Sends the schema of a service to a peer.
    pub(super) fn send_schema(
        &self,
        context: &NatsContext,
        peer: &PeerId,
        query: &SchemaQuery,
    ) -> Result<(), Unexpected> {
        let Export { spec, .. } = self.services.get(&query.service).ok_or(Unexpected)?;
        // Schemas are never chunked. Without descriptors the importer treats the schema as
        // unknown.
        let fits = spec.descriptors.len() <= context.chunk_bytes_max();
        let descriptors = if fits {
            spec.descriptors.clone()
        } else {
            Vec::new()
        };
        let reply = SchemaReply {
            service: spec.service.clone(),
            schema: spec.schema,
            descriptors,
        };
        context.send(
            context.subjects.schema_reply(peer.host),
            PeerMessage::SchemaReply(reply),
        );
        Ok(())
    }
}

impl Export {
    /// Returns the subject of calls to the service.
    pub(super) fn subject(&self, context: &NatsContext) -> String {
        context.subjects.call(&self.spec.service, self.spec.schema)
    }

    /// Moves to a state without a subscription, and ends the subscription.
    fn leave(&mut self, state: ExportState) {
        if let ExportState::Open(close) = std::mem::replace(&mut self.state, state) {
            // Without a receiver the subscription has ended already.
            _ = close.send(());
        }
    }

    fn announce(&self, context: &NatsContext) {
        let stage = if matches!(self.state, ExportState::Open(_)) {
            Stage::Ready
        } else {
            Stage::Leaving
        };
        self.announce_as(context, stage);
    }

    fn announce_as(&self, context: &NatsContext, stage: Stage) {
        let ExportSpec {
            service,
            schema,
            methods,
            deadline_ns,
            ..
        } = &self.spec;
        let mut announcement = Announcement::new(service.clone(), *schema, methods.clone(), stage);
        announcement.deadline_ns = *deadline_ns;
        announcement.deployment = context.deployment;
        announcement.sent_ns = context.clock.wall_ns();
        announcement.is_away = matches!(self.state, ExportState::Paused | ExportState::Stalled);
        context.send(
            context.subjects.ready(service),
            PeerMessage::Announcement(announcement),
        );
    }
}
