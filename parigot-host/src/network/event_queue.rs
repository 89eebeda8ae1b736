//! Queue of the events that the transport reports to a proxy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parigot_abi::id::CallId;
use parking_lot::{Condvar, Mutex};

use super::message::{Reply, Request, ReturnAddress, StreamMessage};
use crate::error::Failure;
use crate::kernel::proxy_waker::ProxyWaker;
use crate::limits::MAILBOX_BYTES_MAX;

/// Bytes that a message of a stream counts besides its content, so that the limit also bounds the
/// number of messages.
const MESSAGE_BYTES: usize = 64;

/// An event for a remote.
#[derive(Debug)]
pub(crate) enum RemoteEvent {
    /// A process offers the service with these methods and this default deadline. Repeated for
    /// each further process, and possibly for the same process.
    Found {
        methods: Vec<String>,
        deadline_ns: u64,
    },
    /// The search for processes cannot succeed.
    Undiscoverable { reason: String },
    /// The reply of the other process to a call.
    Answered { id: CallId, reply: Reply },
    /// The failure of a call without a reply.
    Failed { id: CallId, failure: Failure },
    /// A message of the callee in a stream.
    Stream { id: CallId, message: StreamMessage },
}

/// An event for a gateway.
#[derive(Debug)]
pub(crate) enum GatewayEvent {
    /// A call of another process.
    Call {
        request: Request,
        from: ReturnAddress,
    },
    /// The cancellation of a call by its caller.
    Cancel { id: CallId },
    /// A message of the caller in a stream.
    Stream { id: CallId, message: StreamMessage },
    /// The end of inbound calls.
    Drained,
}

/// Queue of events for a proxy.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `queued` | mutex | transport | proxy |
/// | `arrived` | condition of `queued` | transport | start, before the proxy runs |
/// | `waker` | once-cell | start of the kernel | transport |
pub(crate) struct EventQueue<T> {
    queued: Mutex<Queued<T>>,
    arrived: Condvar,
    waker: Arc<ProxyWaker>,
}

struct Queued<T> {
    events: Vec<T>,
    /// Bytes of the replies and stream messages in the queue.
    bytes: usize,
    /// Time of the first probe since the proxy has taken the events.
    probed: Option<Instant>,
}

impl<T> EventQueue<T> {
    pub(crate) fn new() -> Arc<Self> {
        let queued = Queued {
            events: Vec::new(),
            bytes: 0,
            probed: None,
        };
        Arc::new(EventQueue {
            queued: Mutex::new(queued),
            arrived: Condvar::new(),
            waker: Arc::default(),
        })
    }

    pub(crate) fn waker(&self) -> Arc<ProxyWaker> {
        Arc::clone(&self.waker)
    }

    /// Returns `false` while the service that the proxy requires has no instance that is ready.
    pub(crate) fn is_served(&self) -> bool {
        self.waker.is_served()
    }

    /// Appends an event and wakes the proxy.
    pub(crate) fn push(&self, event: T) {
        self.push_all([event]);
    }

    /// Appends several events and wakes the proxy.
    pub(crate) fn push_all(&self, events: impl IntoIterator<Item = T>) {
        self.queued.lock().events.extend(events);
        self.notify();
    }

    /// Appends a message of a stream and wakes the proxy.
    ///
    /// # Errors
    ///
    /// Beyond the byte limit of a mailbox, with the number of bytes in the queue: a proxy that does
    /// not run does not take its events.
    pub(crate) fn push_stream(&self, bytes: usize, event: T) -> Result<(), usize> {
        let mut queued = self.queued.lock();
        let after = queued.bytes + MESSAGE_BYTES + bytes;
        if after > MAILBOX_BYTES_MAX {
            return Err(queued.bytes);
        }
        queued.bytes = after;
        queued.events.push(event);
        drop(queued);
        self.notify();
        Ok(())
    }

    /// Removes and returns all events.
    pub(crate) fn take(&self) -> Vec<T> {
        let mut queued = self.queued.lock();
        queued.bytes = 0;
        queued.probed = None;
        std::mem::take(&mut queued.events)
    }

    /// Wakes the proxy, which then takes the events. Returns the time since the first probe after
    /// the proxy has taken its events: while no worker runs the proxy, the time grows.
    pub(crate) fn probe(&self) -> Duration {
        let probed = *self.queued.lock().probed.get_or_insert_with(Instant::now);
        self.notify();
        probed.elapsed()
    }

    /// Follows a probe, and leaves the events in the queue.
    #[cfg(test)]
    pub(crate) fn follow_probe(&self) {
        self.queued.lock().probed = None;
    }

    /// Waits for an event until a point in time, then removes and returns all events.
    pub(crate) fn wait_and_take(&self, until: Instant) -> Vec<T> {
        let mut queued = self.queued.lock();
        while queued.events.is_empty() && !self.arrived.wait_until(&mut queued, until).timed_out() {
        }
        drop(queued);
        self.take()
    }

    /// Notifies the proxy. Called without the lock: the waker takes locks of the kernel.
    fn notify(&self) {
        self.arrived.notify_all();
        self.waker.wake();
    }
}

impl EventQueue<GatewayEvent> {
    /// Removes and returns the ids of the calls that the gateway has not taken.
    pub(crate) fn take_calls(&self) -> Vec<CallId> {
        let mut queued = self.queued.lock();
        let calls = queued
            .events
            .extract_if(.., |event| matches!(event, GatewayEvent::Call { .. }));
        calls
            .filter_map(|event| match event {
                GatewayEvent::Call { request, .. } => Some(request.id),
                _ => None,
            })
            .collect()
    }
}

impl EventQueue<RemoteEvent> {
    /// Appends a reply. Beyond the byte limit of a mailbox the caller gets a failure instead.
    ///
    /// The limit is checked here because a proxy that does not run does not take its events.
    pub(crate) fn push_reply(&self, service: &str, id: CallId, reply: Reply) {
        let Reply {
            headers,
            metadata,
            detail,
            payload,
            ..
        } = &reply;
        let bytes = headers.len() + metadata.len() + detail.len() + payload.len();
        let mut queued = self.queued.lock();
        let event = if queued.bytes + bytes > MAILBOX_BYTES_MAX {
            RemoteEvent::Failed {
                id,
                failure: Failure::no_room_for_answer(service, queued.bytes),
            }
        } else {
            queued.bytes += bytes;
            RemoteEvent::Answered { id, reply }
        };
        queued.events.push(event);
        drop(queued);
        self.notify();
    }
}
