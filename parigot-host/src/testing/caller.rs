//! Guest that makes the calls of a test.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::{Frame, Kind, Manifest};
use parigot_guest::testing::CallReply;
use parigot_guest::{CallError, Metadata, Method};
use parking_lot::Mutex;

use super::interceptor::Interceptor;
use crate::error::GuestFault;
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};
use crate::guest::code::InstanceFactory;

/// Replies to the test's calls, by the numbers of the calls.
pub(super) type Replies = Arc<Mutex<HashMap<u64, CallReply>>>;

/// Call of a test that [`TestRun::begin`](super::TestRun::begin) has started.
///
/// A call is not cancelled when its `PendingCall` is dropped: use
/// [`TestRun::cancel`](super::TestRun::cancel).
///
/// ```no_run
/// # use std::time::Duration;
/// # use parigot_host::testing::TestRun;
/// # fn test<Bake: parigot_guest::Method>(mut run: TestRun, request: Bake::Request) {
/// let call = run.begin::<Bake>(request);
/// run.advance(Duration::from_secs(30));
/// assert!(!call.has_ended());
/// run.advance(Duration::from_secs(30));
/// assert!(call.outcome().is_some_and(|outcome| outcome.is_ok()));
/// # }
/// ```
pub struct PendingCall<M: Method> {
    pub(super) number: u64,
    replies: Replies,
    method: PhantomData<fn() -> M>,
}

impl<M: Method> PendingCall<M> {
    pub(super) fn new(number: u64, replies: &Replies) -> Self {
        PendingCall {
            number,
            replies: Arc::clone(replies),
            method: PhantomData,
        }
    }

    /// Returns the response or the error of the call; `None` while the call is in flight.
    pub fn outcome(&self) -> Option<Result<M::Response, CallError<M::Error>>> {
        self.replies.lock().get(&self.number)?.outcome::<M>()
    }

    /// Returns the headers that have arrived, and the trailers once the call has ended.
    pub fn metadata(&self) -> Metadata {
        let replies = self.replies.lock();
        let reply = replies.get(&self.number);
        reply.map(CallReply::metadata).unwrap_or_default()
    }

    /// Returns true if the call has ended, with a response or an error.
    pub fn has_ended(&self) -> bool {
        let replies = self.replies.lock();
        let reply = replies.get(&self.number);
        reply.is_some_and(CallReply::has_ended)
    }
}

impl<M: Method> fmt::Debug for PendingCall<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = format_args!("{}/{}", M::SERVICE.name, M::info().name());
        f.debug_struct("PendingCall")
            .field("method", &method)
            .field("has_ended", &self.has_ended())
            .finish()
    }
}

/// Creates the factory of the guest that makes the test's calls.
///
/// The guest must be instantiated after all others: it requires the services that the others have
/// exported by then.
pub(super) fn caller_factory(
    interceptor: Arc<Mutex<Interceptor>>,
    replies: Replies,
) -> impl InstanceFactory {
    BuiltInFactory(move || {
        let manifest = Manifest {
            exports: Vec::new(),
            requires: interceptor.lock().requirements(),
            descriptors: Vec::new(),
        };
        Caller {
            manifest,
            replies: Arc::clone(&replies),
            early: Some(Vec::new()),
        }
    })
}

/// Guest that sends the calls and cancellations that it receives: a test enqueues them as if the
/// host had sent them.
struct Caller {
    manifest: Manifest,
    replies: Replies,
    /// Frames to send after the launch; `None` once the guest is launched.
    early: Option<Vec<u8>>,
}

impl BuiltIn for Caller {
    fn manifest(&self) -> Manifest {
        self.manifest.clone()
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        _now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        match frame.kind() {
            Some(Kind::Launched) => {
                outbox.ready(NO_DEADLINE);
                outbox.pass_on(&self.early.take().unwrap_or_default());
            }
            Some(Kind::Call | Kind::Cancel) => match &mut self.early {
                Some(early) => early.extend_from_slice(frame.bytes),
                None => outbox.pass_on(frame.bytes),
            },
            Some(Kind::Reply) => {
                let mut replies = self.replies.lock();
                let reply = replies.entry(frame.header.number).or_default();
                reply.frame = frame.bytes.into();
            }
            Some(Kind::Open) => {
                let mut replies = self.replies.lock();
                let reply = replies.entry(frame.header.number).or_default();
                reply.headers = frame.metadata.into();
            }
            Some(Kind::Stop) => outbox.exit(),
            _ => {}
        }
        Ok(())
    }
}
