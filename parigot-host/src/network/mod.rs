//! Other processes of the same deployment, as this one sees them.
//!
//! What stands here for others is a guest like any other, a *stand-in*: a `remote` exports a service that another process has, a `gateway` requires one that
//! others may call. Between stand-ins and other processes there is a [`Transport`]. So the kernel knows nothing of networks, and what holds for calls
//! in a process (deadlines, cancellation, bounds, a typed end) holds for these.

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

/// Carries words between the stand-ins of this process and those of others. Nothing of it blocks, but [`Transport::close`].
pub(crate) trait Transport: Send + Sync {
    /// Looks for processes that export a service, from now on. What is heard of them, and how calls to them end, goes to `post`.
    fn look_for(&self, wanted: Wanted, queue: Arc<EventQueue<RemoteEvent>>);

    /// Sends a call to one of the processes that export the service, or says why not: then it has not run. What has left ends once, unless nobody waits for it
    /// any more: with an answer, or with what is known when whoever has it is lost.
    fn call(&self, service: &str, request: Request) -> Result<(), Failure>;

    /// Tells whoever has it that nobody waits for that call any more.
    fn cancel(&self, service: &str, id: CallId);

    /// Takes calls to a service from others from now on, and lets them know that it is there. Each call comes to `post` once, however often it was sent, and
    /// there are no more at a time that are not answered than an instance may have.
    fn serve(&self, offer: Offer, queue: Arc<EventQueue<GatewayEvent>>);

    /// Answers a call of another process.
    fn answer(&self, to: ReturnAddress, reply: Reply);

    /// Takes no more calls to a service, and lets others know. [`GatewayEvent::Drained`] comes when the last that was taken is in the post, and in any
    /// case: a service that is drained can leave.
    fn withdraw(&self, service: &str);

    /// Sends what is left, for a bounded time, and ends.
    fn close(&self);
}

/// A service that guests of this process require, as they were built with it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) service: String,
    /// The hash of its schema; 0 if they know no more of it than its name: whatever is offered fits.
    pub(crate) schema: u64,
    /// A `FileDescriptorSet`, or nothing.
    pub(crate) descriptors: Vec<u8>,
}

/// A service that guests of this process export.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) service: String,
    /// The hash of its schema.
    pub(crate) schema: u64,
    /// A `FileDescriptorSet`, or nothing.
    pub(crate) descriptors: Vec<u8>,
    /// The names of its methods.
    pub(crate) methods: Vec<String>,
    /// How long a call may take if neither its caller nor its method says.
    pub(crate) deadline_ns: u64,
}

/// A call on its way.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: CallId,
    /// The method's name.
    pub(crate) method: String,
    /// On the monotonic clock of the host in which it is.
    pub(crate) deadline_ns: u64,
    /// As in the frame.
    pub(crate) metadata: Bytes,
    pub(crate) payload: Bytes,
}

/// The answer to a call on its way: the parts of its frame.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u32,
    pub(crate) flags: u16,
    pub(crate) metadata: Bytes,
    pub(crate) detail: Bytes,
    pub(crate) payload: Bytes,
}

/// Where the answer to a call of another process goes: something of the transport's own.
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

/// What a remote hears.
#[derive(Debug)]
pub(crate) enum RemoteEvent {
    /// A process offers the service, with these methods and that deadline of calls that bring none. It may be found again, and others besides.
    Found {
        methods: Vec<String>,
        deadline_ns: u64,
    },
    /// A call was answered there.
    Answered { id: CallId, reply: Reply },
    /// A call has no answer.
    Failed { id: CallId, failure: Failure },
}

/// What a gateway hears.
#[derive(Debug)]
pub(crate) enum GatewayEvent {
    /// Another process calls.
    Call {
        request: Request,
        from: ReturnAddress,
    },
    /// It does not wait for that call any more.
    Cancel { id: CallId },
    /// No more calls will come.
    Drained,
}

/// What waits for a stand-in.
pub(crate) struct EventQueue<T> {
    waiting: Mutex<Waiting<T>>,
    arrived: Condvar,
    waker: Arc<ProxyWaker>,
}

struct Waiting<T> {
    words: Vec<T>,
    /// Of answers in them.
    bytes: usize,
}

/// Gives a stand-in a turn, once it is known how.
#[derive(Default)]
pub(crate) struct ProxyWaker(OnceLock<Box<dyn Fn() + Send + Sync>>);

impl ProxyWaker {
    /// Learns how the stand-in gets a turn. It gets one at once, for what came before.
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

    /// Leaves a word, and wakes the stand-in.
    pub(crate) fn push(&self, word: T) {
        self.push_all([word]);
    }

    /// Leaves several.
    pub(crate) fn push_all(&self, words: impl IntoIterator<Item = T>) {
        self.waiting.lock().words.extend(words);
        self.tell();
    }

    /// Takes all that waits.
    pub(crate) fn take(&self) -> Vec<T> {
        let mut waiting = self.waiting.lock();
        waiting.bytes = 0;
        std::mem::take(&mut waiting.words)
    }

    /// Waits until there is something, or until then, and takes it.
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
    /// Leaves an answer; if as much waits as may wait in a mailbox, the caller is told that it was lost.
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
