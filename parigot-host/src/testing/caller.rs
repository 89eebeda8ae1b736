//! Guest that makes the calls of a test.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use parigot_abi::control::NEVER;
use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::{Frame, Kind, Manifest, StreamContent, StreamFrame};
use parigot_guest::testing::{CallReply, CallStream};
use parigot_guest::{CallError, Metadata, Method};
use parking_lot::Mutex;

use super::interceptor::Interceptor;
use crate::error::GuestFault;
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};
use crate::guest::code::InstanceFactory;

/// Replies to the test's calls, by the numbers of the calls.
pub(super) type Replies = Arc<Mutex<HashMap<u64, CallReply>>>;

/// The test's ends of streams, by the numbers of the calls.
pub(super) type Streams = Arc<Mutex<BTreeMap<u64, CallStream>>>;

/// Number of a cancellation that cancels nothing: it gives the test's guest a turn.
pub(super) const NO_CALL: u64 = 0;

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

/// Call of a test that streams, started by [`TestRun::open`](super::TestRun::open) or
/// [`TestRun::open_requests`](super::TestRun::open_requests). It is also a [`PendingCall`]. A drop
/// does not cancel the call.
pub struct PendingStream<M: Method> {
    pub(super) call: PendingCall<M>,
    streams: Streams,
}

impl<M: Method> PendingStream<M> {
    pub(super) fn new(call: PendingCall<M>, streams: &Streams) -> Self {
        PendingStream {
            call,
            streams: Arc::clone(streams),
        }
    }

    /// Returns the number of responses that wait to be taken by
    /// [`TestRun::next`](super::TestRun::next).
    pub fn waiting(&self) -> usize {
        self.with(|stream| stream.waiting())
    }

    /// Gives access to the test's end of the stream.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut CallStream) -> R) -> R {
        let mut streams = self.streams.lock();
        let stream = streams.get_mut(&self.call.number);
        work(stream.expect("the stream of each call is kept"))
    }
}

impl<M: Method> Deref for PendingStream<M> {
    type Target = PendingCall<M>;

    fn deref(&self) -> &PendingCall<M> {
        &self.call
    }
}

impl<M: Method> fmt::Debug for PendingStream<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.call, f)
    }
}

/// Creates the factory of the guest that makes the test's calls.
///
/// The guest must be instantiated after all others: it requires the services that the others have
/// exported by then.
pub(super) fn caller_factory(
    interceptor: Arc<Mutex<Interceptor>>,
    replies: Replies,
    streams: Streams,
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
            streams: Arc::clone(&streams),
            early: Some(Vec::new()),
        }
    })
}

/// Guest that sends the calls and cancellations that it receives: a test enqueues them as if the
/// host had sent them.
struct Caller {
    manifest: Manifest,
    replies: Replies,
    streams: Streams,
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
            Some(Kind::Cancel) if frame.header.number == NO_CALL => {}
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
                drop(replies);
                self.note(frame.header.number, None);
            }
            Some(Kind::Item | Kind::Credit) => {
                let frame = StreamFrame::read(frame).expect("the host must send valid frames");
                self.note(frame.number, Some(frame.content));
            }
            Some(Kind::Stop) => outbox.exit(),
            _ => {}
        }
        Ok(())
    }

    fn end_turn(&mut self, _now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        if self.early.is_none() {
            for (number, stream) in self.streams.lock().iter_mut() {
                stream.send_due(*number, |header, payload| outbox.send(header, payload));
            }
        }
        Ok(NEVER)
    }
}

impl Caller {
    fn note(&self, number: u64, content: Option<StreamContent<'_>>) {
        if let Some(stream) = self.streams.lock().get_mut(&number) {
            stream.note(content);
        }
    }
}
