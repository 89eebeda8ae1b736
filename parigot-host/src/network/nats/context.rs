//! State that all modules of the transport need: identity, clock, connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use hashbrown::HashMap;
use parigot_abi::id::{CallId, HostId};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::chunks;
use super::envelope::{Body, Cancel, Content, PeerId, PeerMessage, ReplyMessage, RequestMessage};
use super::log::Log;
use super::outbox::OutgoingMessage;
use super::peer_registry::ServiceAvailability;
use super::send_budget::SendBudget;
use super::subjects::Subjects;
use crate::clock::Clock;
use crate::error::Failure;
use crate::limits::Size;

/// Space for the envelope in a NATS message: names and numbers besides the body.
const ENVELOPE_BYTES: usize = 4 << 10;
/// Smallest accepted limit of a server for a NATS message: half of each is left for the body.
pub(super) const MAX_PAYLOAD_MIN: usize = 2 * ENVELOPE_BYTES;

/// State that a proxy checks before a call.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `down_since_ns` | atomic | connection task | proxies, connection task |
/// | `services` | mutex | connection task | proxies |
///
/// Both values are hints: a process can be lost right after the check. The connection task then
/// fails the call. So relaxed ordering suffices, and the two fields need not be consistent.
pub(super) struct Availability {
    /// Start of the outage on the monotonic clock; [`Availability::UP`] while connected.
    down_since_ns: AtomicU64,
    services: Mutex<HashMap<String, ServiceAvailability>>,
}

impl Availability {
    const UP: u64 = u64::MAX;

    pub(super) fn new() -> Self {
        Availability {
            down_since_ns: AtomicU64::new(Self::UP),
            services: Mutex::new(HashMap::new()),
        }
    }

    /// Checks if a call to the service can run.
    ///
    /// # Errors
    ///
    /// Without a connection, and without a process that offers a compatible service.
    pub(super) fn check(&self, service: &str, now_ns: u64) -> Result<(), Failure> {
        if let Some(down) = self.down_for(now_ns) {
            return Err(Failure::disconnected(down));
        }
        match self.services.lock().get(service) {
            Some(ServiceAvailability::Available) => Ok(()),
            Some(ServiceAvailability::Restarting) => Err(Failure::away_elsewhere(service)),
            Some(ServiceAvailability::Incompatible(reason)) => {
                Err(Failure::incompatible(&**reason))
            }
            Some(ServiceAvailability::NotOffered) | None => Err(Failure::unoffered(service)),
        }
    }

    /// Returns the duration of the current outage; `None` while connected.
    pub(super) fn down_for(&self, now_ns: u64) -> Option<Duration> {
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

    pub(super) fn set_service(&self, service: &str, availability: ServiceAvailability) {
        self.services
            .lock()
            .insert(service.to_owned(), availability);
    }
}

/// Fields of a reply besides its body.
#[derive(Clone, Copy)]
pub(super) struct ReplyHead {
    pub(super) status: u32,
    pub(super) flags: u16,
    /// Number of stream frames before the reply.
    pub(super) frames: u64,
}

/// State that the modules of the connection task share.
pub(super) struct NatsContext {
    pub(super) me: PeerId,
    pub(super) subjects: Subjects,
    /// Hash of the process names of the deployment.
    pub(super) deployment: u64,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) clock_skew: Duration,
    pub(super) message_bytes_max: usize,
    pub(super) availability: Arc<Availability>,
    pub(super) client: Client,
    pub(super) outgoing_messages: mpsc::UnboundedSender<OutgoingMessage>,
    pub(super) send_budget: SendBudget,
    /// Parts of stream messages whose other parts have not arrived.
    pub(super) parts_budget: SendBudget,
    pub(super) log: Log,
}

impl NatsContext {
    pub(super) fn now_ns(&self) -> u64 {
        self.clock.monotonic_ns()
    }

    pub(super) fn is_up(&self) -> bool {
        self.availability.down_for(0).is_none()
    }

    /// Returns the time after the deadline in which a request could arrive again. The clocks of
    /// the two hosts may differ in either direction, so the skew counts twice.
    pub(super) fn repeat_window_ns(&self) -> u64 {
        2 * self.clock_skew.as_nanos() as u64
    }

    /// Returns the largest part of a body that fits into one NATS message, in bytes.
    pub(super) fn chunk_bytes_max(&self) -> usize {
        self.client
            .max_payload()
            .saturating_sub(ENVELOPE_BYTES)
            .max(1)
    }

    /// Warns of a server with a smaller limit for messages than the first server had to have.
    pub(super) fn warn_of_small_messages(&self) {
        let bytes_max = self.client.max_payload();
        if bytes_max < MAX_PAYLOAD_MIN {
            self.log.warn(&format!(
                "the NATS server accepts messages of at most {bytes_max} bytes, expected at \
                 least {}: raise its `max_payload`",
                Size(MAX_PAYLOAD_MIN)
            ));
        }
    }

    /// Packs a body into an envelope. Returns the bytes to send in chunks if the body is too
    /// large.
    pub(super) fn pack(&self, body: Body) -> (Content, Option<Bytes>) {
        if body.bytes.len() <= self.chunk_bytes_max() {
            (Content::Whole(body), None)
        } else {
            (Content::Chunked(body.lengths), Some(body.bytes))
        }
    }

    pub(super) fn send(&self, subject: String, message: PeerMessage) {
        self.publish(subject, None, None, self.me.write(message));
    }

    /// Sends a request. NATS reports a missing subscriber on the subject of the reply.
    pub(super) fn send_request(&self, subject: String, call: CallId, request: RequestMessage) {
        let reply = self.subjects.reply(self.me.host, call);
        let message = self.me.write(PeerMessage::Request(request));
        self.publish(subject, Some(reply), Some(call), message);
    }

    /// Notifies a callee that the caller no longer waits for a call.
    pub(super) fn send_cancel(&self, callee: HostId, call: CallId) {
        let subject = self.subjects.cancel(callee);
        self.send(subject, PeerMessage::Cancel(Cancel::new(call)));
    }

    /// Sends the reply to a call, in chunks if necessary.
    pub(super) fn send_reply(&self, subject: &str, head: ReplyHead, body: Body) {
        let (content, rest) = self.pack(body);
        let mut reply = ReplyMessage::new(head.status, head.flags, content);
        reply.frames = head.frames;
        self.send(subject.to_owned(), PeerMessage::Reply(reply));
        if let Some(rest) = rest {
            // The caller has not asked for the chunks. It has a deadline and a limit instead.
            self.send_chunks(subject, &rest);
        }
    }

    /// Sends a failure as the reply to a call without stream frames.
    pub(super) fn send_failure(&self, subject: &str, failure: &Failure) {
        self.send_failure_after(subject, failure, 0);
    }

    /// Sends a failure as the reply to a call, after so many stream frames.
    pub(super) fn send_failure_after(&self, subject: &str, failure: &Failure, frames: u64) {
        let (status, detail) = failure.to_parts();
        let head = ReplyHead {
            status,
            flags: 0,
            frames,
        };
        let body = Body::of(&[], &detail, &[]).expect("the text of a failure must be short");
        self.send_reply(subject, head, body);
    }

    /// Sends a body in chunks.
    pub(super) fn send_chunks(&self, subject: &str, body: &Bytes) {
        for chunk in chunks::split(body, self.chunk_bytes_max()) {
            self.send(subject.to_owned(), PeerMessage::Chunk(chunk));
        }
    }

    /// Passes an encoded message to the outbox.
    pub(super) fn publish(
        &self,
        subject: String,
        reply: Option<String>,
        call: Option<CallId>,
        payload: Bytes,
    ) {
        // The limit was checked when the proxy sent the call or reply. Messages of the protocol
        // itself are counted without a check, because peers depend on them.
        let permit = self.send_budget.acquire(payload.len());
        // Sending fails only when this process ends.
        _ = self.outgoing_messages.send(OutgoingMessage {
            subject,
            reply,
            payload,
            call,
            _permit: permit,
        });
    }
}
