//! What all parts of a transport need: who this process is, what time it is, and a way to send.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use hashbrown::HashMap;
use parigot_abi::id::CallId;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tracing::Dispatch;

use super::chunks;
use super::envelope::{Body, Content, PeerId, PeerMessage};
use super::outbox::OutgoingMessage;
use super::peer_registry::ServiceAvailability;
use super::send_budget::SendBudget;
use super::subjects::Subjects;
use crate::clock::Clock;
use crate::error::Failure;

/// What a letter takes of a message besides a body: names and numbers.
const ENVELOPE_BYTES: usize = 4 << 10;

/// What stand-ins must know before they call, kept up to date by the transport's thread.
pub(super) struct Availability {
    /// Since when there is no connection; [`Availability::UP`] if there is one.
    down_since_ns: AtomicU64,
    prospects: Mutex<HashMap<String, ServiceAvailability>>,
}

impl Availability {
    const UP: u64 = u64::MAX;

    pub(super) fn new() -> Self {
        Availability {
            down_since_ns: AtomicU64::new(Self::UP),
            prospects: Mutex::new(HashMap::new()),
        }
    }

    /// Why a call to the service would not run, if that is known.
    pub(super) fn check(&self, service: &str, now_ns: u64) -> Result<(), Failure> {
        if let Some(down) = self.down(now_ns) {
            return Err(Failure::disconnected(down));
        }
        match self.prospects.lock().get(service) {
            Some(ServiceAvailability::Somebody) => Ok(()),
            Some(ServiceAvailability::Misfit(why)) => Err(Failure::misfit(&**why)),
            Some(ServiceAvailability::Nobody) | None => Err(Failure::unoffered(service)),
        }
    }

    /// For how long there has been no connection, if there is none.
    pub(super) fn down(&self, now_ns: u64) -> Option<Duration> {
        let since_ns = self.down_since_ns.load(Ordering::Relaxed);
        (since_ns != Self::UP).then(|| Duration::from_nanos(now_ns.saturating_sub(since_ns)))
    }

    pub(super) fn set_down(&self, since_ns: u64) {
        self.down_since_ns
            .store(since_ns.min(Self::UP - 1), Ordering::Relaxed);
    }

    pub(super) fn set_up(&self) {
        self.down_since_ns.store(Self::UP, Ordering::Relaxed);
    }

    pub(super) fn expect(&self, service: &str, availability: ServiceAvailability) {
        self.prospects
            .lock()
            .insert(service.to_owned(), availability);
    }
}

/// The transport's means, on its thread.
pub(super) struct NatsContext {
    pub(super) me: PeerId,
    pub(super) subjects: Subjects,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) clock_skew: Duration,
    pub(super) message_bytes_max: usize,
    pub(super) availability: Arc<Availability>,
    pub(super) client: Client,
    pub(super) outgoing_messages: mpsc::UnboundedSender<OutgoingMessage>,
    pub(super) load: SendBudget,
    pub(super) log: Log,
}

impl NatsContext {
    pub(super) fn now_ns(&self) -> u64 {
        self.clock.monotonic_ns()
    }

    pub(super) fn is_up(&self) -> bool {
        self.availability.down(0).is_none()
    }

    /// How long after its deadline a request may come a second time, if clocks differ in both directions.
    pub(super) fn repeats_for_ns(&self) -> u64 {
        2 * self.clock_skew.as_nanos() as u64
    }

    /// How much of a body goes into one message.
    pub(super) fn piece_bytes_max(&self) -> usize {
        self.client
            .max_payload()
            .saturating_sub(ENVELOPE_BYTES)
            .max(1)
    }

    /// The body if it goes into one message, and otherwise what is left to be sent in pieces.
    pub(super) fn pack(&self, body: Body) -> (Content, Option<Bytes>) {
        if body.bytes.len() <= self.piece_bytes_max() {
            (Content::Whole(body), None)
        } else {
            (Content::InPieces(body.lengths), Some(body.bytes))
        }
    }

    pub(super) fn send(&self, subject: String, word: PeerMessage) {
        self.put(subject, None, None, self.me.write(word));
    }

    /// Sends a request; the same subject hears that nobody takes it.
    pub(super) fn send_request(
        &self,
        subject: String,
        reply: String,
        call: CallId,
        word: PeerMessage,
    ) {
        self.put(subject, Some(reply), Some(call), self.me.write(word));
    }

    /// Sends a body behind its letter.
    pub(super) fn send_pieces(&self, subject: &str, body: &Bytes) {
        for piece in chunks::cut(body, self.piece_bytes_max()) {
            self.send(subject.to_owned(), PeerMessage::Chunk(piece));
        }
    }

    pub(super) fn put(
        &self,
        subject: String,
        reply: Option<String>,
        call: Option<CallId>,
        payload: Bytes,
    ) {
        let _weight = self.load.take(payload.len());
        // Fails only when this process ends.
        _ = self.outgoing_messages.send(OutgoingMessage {
            subject,
            reply,
            payload,
            call,
            _weight,
        });
    }
}

/// Where the transport's thread logs to: whom its maker logs to. What the client logs on that thread is its own business.
pub(super) struct Log(pub(super) Dispatch);

impl Log {
    pub(super) fn info(&self, text: &str) {
        tracing::dispatcher::with_default(&self.0, || {
            tracing::info!(service = "network", "{text}")
        });
    }

    pub(super) fn warn(&self, text: &str) {
        tracing::dispatcher::with_default(&self.0, || {
            tracing::warn!(service = "network", "{text}")
        });
    }

    pub(super) fn error(&self, text: &str) {
        tracing::dispatcher::with_default(&self.0, || {
            tracing::error!(service = "network", "{text}")
        });
    }
}
