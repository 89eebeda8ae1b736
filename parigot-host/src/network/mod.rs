//! Proxies and transport for the other processes of the same deployment.
//!
//! A *proxy* is a built-in guest that represents other processes. A `remote` exports a service of
//! another process. A `gateway` requires a local service that other processes may call. A
//! [`Transport`] connects proxies with other processes. The kernel therefore needs no network
//! code, and calls between processes have the guarantees of local calls: deadlines, cancellation,
//! bounds and a typed end.

mod gateway;
mod in_flight;
mod nats;
mod peers;
mod remote;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use parigot_abi::id::CallId;
use parking_lot::{Condvar, Mutex};

use crate::error::Failure;
use crate::limits::MAILBOX_BYTES_MAX;

pub(crate) use peers::Peers;

/// Transport of messages between the proxies of this process and other processes. Only
/// [`Transport::close`] blocks.
pub(crate) trait Transport: Send + Sync {
    /// Starts the search for processes that export a service. Found processes and the outcomes of
    /// calls arrive in `queue`.
    fn look_for(&self, wanted: Wanted, queue: Arc<EventQueue<RemoteEvent>>);

    /// Sends a call to one of the processes that export the service.
    ///
    /// Each sent call ends once with a reply or a failure, unless the caller has cancelled the
    /// call.
    ///
    /// # Errors
    ///
    /// If the call cannot be sent. The call has not run then.
    fn call(&self, service: &str, request: Request) -> Result<(), Failure>;

    /// Notifies the callee that the caller has cancelled a call.
    fn cancel(&self, service: &str, id: CallId);

    /// Accepts calls to a service from other processes and announces the service. Each call
    /// arrives in `queue` once, however often it was sent. The number of pending calls is at most
    /// the limit of an instance.
    fn serve(&self, offer: Offer, queue: Arc<EventQueue<GatewayEvent>>);

    /// Sends the reply to a call of another process.
    fn answer(&self, to: ReturnAddress, reply: Reply);

    /// Stops accepting calls to a service and announces that. [`GatewayEvent::Drained`] always
    /// follows, after the last accepted call is in the queue.
    fn withdraw(&self, service: &str);

    /// Sends the pending messages within a bounded time and closes the connection.
    fn close(&self);
}

/// A service that guests of this process require, as declared at their build.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) service: String,
    /// Schema hash; 0 if the guests know only the name, so any schema is compatible.
    pub(crate) schema: u64,
    /// A `FileDescriptorSet`, or empty.
    pub(crate) descriptors: Vec<u8>,
}

/// A service that guests of this process export.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) service: String,
    /// Schema hash.
    pub(crate) schema: u64,
    /// A `FileDescriptorSet`, or empty.
    pub(crate) descriptors: Vec<u8>,
    /// Names of the methods.
    pub(crate) methods: Vec<String>,
    /// Default deadline of a call in ns, used if neither caller nor method sets one.
    pub(crate) deadline_ns: u64,
}

/// A call between processes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: CallId,
    /// Name of the method.
    pub(crate) method: String,
    /// Deadline on the monotonic clock of the host that holds this value.
    pub(crate) deadline_ns: u64,
    /// Metadata in the encoding of a frame.
    pub(crate) metadata: Bytes,
    pub(crate) payload: Bytes,
}

/// The reply to a call between processes: the parts of its frame.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u32,
    pub(crate) flags: u16,
    pub(crate) metadata: Bytes,
    pub(crate) detail: Bytes,
    pub(crate) payload: Bytes,
}

/// Destination of the reply to a call of another process; only the transport reads the text.
#[derive(Clone, Debug)]
pub(crate) struct ReturnAddress(pub(crate) String);

impl From<&Failure> for Reply {
    fn from(failure: &Failure) -> Self {
        let (status, detail) = failure.to_parts();
        Reply {
            status,
            flags: 0,
            metadata: Bytes::new(),
            detail: detail.into(),
            payload: Bytes::new(),
        }
    }
}

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
