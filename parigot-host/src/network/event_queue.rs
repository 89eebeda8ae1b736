//! Queue of the events that the transport reports to a proxy.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parigot_abi::id::CallId;
use parking_lot::{Condvar, Mutex};

use super::message::{Reply, Request, ReturnAddress};
use crate::error::Failure;
use crate::limits::MAILBOX_BYTES_MAX;

/// An event for a remote.
#[derive(Debug)]
pub(crate) enum RemoteEvent {
    /// A process offers the service with these methods and this default deadline. Repeated for
    /// each further process, and possibly for the same process.
    Found {
        methods: Vec<String>,
        deadline_ns: u64,
    },
    /// The reply of the other process to a call.
    Answered { id: CallId, reply: Reply },
    /// The failure of a call without a reply.
    Failed { id: CallId, failure: Failure },
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
    /// The end of inbound calls.
    Drained,
}

/// Queue of events for a proxy.
pub(crate) struct EventQueue<T> {
    waiting: Mutex<Waiting<T>>,
    arrived: Condvar,
    waker: Arc<ProxyWaker>,
}

struct Waiting<T> {
    words: Vec<T>,
    /// Bytes of the replies in the queue.
    bytes: usize,
}

/// Callback that schedules a turn of a proxy, set after the kernel has started.
#[derive(Default)]
pub(crate) struct ProxyWaker(OnceLock<Box<dyn Fn() + Send + Sync>>);

impl ProxyWaker {
    /// Sets the callback and calls it at once, because events may have arrived before.
    pub(crate) fn connect(&self, ring: impl Fn() + Send + Sync + 'static) {
        self.0.get_or_init(|| Box::new(ring));
        self.ring();
    }

    fn ring(&self) {
        if let Some(ring) = self.0.get() {
            ring();
        }
    }
}

impl<T> EventQueue<T> {
    pub(crate) fn new() -> Arc<Self> {
        let waiting = Mutex::new(Waiting {
            words: Vec::new(),
            bytes: 0,
        });
        Arc::new(EventQueue {
            waiting,
            arrived: Condvar::new(),
            waker: Arc::default(),
        })
    }

    pub(crate) fn waker(&self) -> Arc<ProxyWaker> {
        Arc::clone(&self.waker)
    }

    /// Appends an event and wakes the proxy.
    pub(crate) fn push(&self, word: T) {
        self.push_all([word]);
    }

    /// Appends several events and wakes the proxy.
    pub(crate) fn push_all(&self, words: impl IntoIterator<Item = T>) {
        self.waiting.lock().words.extend(words);
        self.tell();
    }

    /// Removes and returns all events.
    pub(crate) fn take(&self) -> Vec<T> {
        let mut waiting = self.waiting.lock();
        waiting.bytes = 0;
        std::mem::take(&mut waiting.words)
    }

    /// Waits for an event until a point in time, then removes and returns all events.
    pub(crate) fn wait_and_take(&self, until: Instant) -> Vec<T> {
        let mut waiting = self.waiting.lock();
        while waiting.words.is_empty() && !self.arrived.wait_until(&mut waiting, until).timed_out()
        {
        }
        drop(waiting);
        self.take()
    }

    fn tell(&self) {
        self.arrived.notify_all();
        self.waker.ring();
    }
}

impl EventQueue<RemoteEvent> {
    /// Appends a reply. Beyond the byte limit of a mailbox the caller gets a failure instead.
    pub(crate) fn answered(&self, service: &str, id: CallId, reply: Reply) {
        let bytes = reply.metadata.len() + reply.detail.len() + reply.payload.len();
        let mut waiting = self.waiting.lock();
        let word = if waiting.bytes + bytes > MAILBOX_BYTES_MAX {
            RemoteEvent::Failed {
                id,
                failure: Failure::no_room_for_answer(service, waiting.bytes),
            }
        } else {
            waiting.bytes += bytes;
            RemoteEvent::Answered { id, reply }
        };
        waiting.words.push(word);
        drop(waiting);
        self.tell();
    }
}
