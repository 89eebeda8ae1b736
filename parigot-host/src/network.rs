//! Other processes of the same deployment, as this one sees them.
//!
//! What stands here for others is a guest like any other, a *stand-in*: a `remote` exports a service that another process has, a `gateway` requires one that
//! others may call. Between stand-ins and other processes there is a [`Carrier`]. So the kernel knows nothing of networks, and what holds for calls
//! in a process (deadlines, cancellation, bounds, a typed end) holds for these.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parigot_abi::id::{CallId, HostId};
use parking_lot::Mutex;

use crate::error::Failure;

/// Carries words between the stand-ins of this process and those of others. Nothing of it blocks.
pub(crate) trait Carrier: Send + Sync {
    /// Looks for processes that export a service, from now on. What is heard of them, and of calls to them, goes to `post`.
    fn look_for(&self, wanted: Wanted, post: Arc<Post<News>>);

    /// Sends a call to one of the processes that export the service, or says why not: then it has not run.
    fn call(&self, service: &str, request: Request) -> Result<(), Failure>;

    /// Tells whoever has it that nobody waits for that call any more.
    fn cancel(&self, service: &str, id: CallId);

    /// Takes calls to a service from others from now on, and lets them know that it is there.
    fn serve(&self, offer: Offer, post: Arc<Post<Visit>>);

    /// Answers a call of another process.
    fn answer(&self, to: ReturnAddress, reply: Reply);

    /// Takes no more calls to a service. [`Visit::Drained`] comes when the last that was taken is in the post.
    fn withdraw(&self, service: &str);

    /// Sends what is left, for a bounded time, and ends.
    fn close(&self);
}

/// A service that guests of this process require, as they were built with it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) service: String,
    /// The hash of its schema.
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

/// Where the answer to a call of another process goes: something of the carrier's own.
#[derive(Clone, Debug)]
pub(crate) struct ReturnAddress(pub(crate) String);

/// What a remote hears.
#[derive(Debug)]
pub(crate) enum News {
    /// A process exports the service.
    Found {
        host: HostId,
    },
    /// That process does no more, or has not been heard of for a while.
    Lost {
        host: HostId,
    },
    Answered {
        id: CallId,
        reply: Reply,
    },
    Failed {
        id: CallId,
        failure: Failure,
    },
}

/// What a gateway hears.
#[derive(Debug)]
pub(crate) enum Visit {
    Call {
        request: Request,
        from: ReturnAddress,
    },
    Cancel {
        id: CallId,
    },
    /// No more calls will come.
    Drained,
}

/// What waits for a stand-in.
pub(crate) struct Post<T> {
    waiting: Mutex<Vec<T>>,
    /// Gives the stand-in a turn.
    nudge: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl<T> Post<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Post { waiting: Mutex::new(Vec::new()), nudge: OnceLock::new() })
    }

    /// Learns how the stand-in is told that something waits; what came before is told at once.
    pub(crate) fn nudge_by(&self, nudge: impl Fn() + Send + Sync + 'static) {
        self.nudge.get_or_init(|| Box::new(nudge));
        self.tell();
    }

    /// Leaves something, and tells the stand-in.
    pub(crate) fn push(&self, word: T) {
        self.waiting.lock().push(word);
        self.tell();
    }

    /// Takes all that waits.
    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.waiting.lock())
    }

    fn tell(&self) {
        if let Some(nudge) = self.nudge.get() {
            nudge();
        }
    }
}
