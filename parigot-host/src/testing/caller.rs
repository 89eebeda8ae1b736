//! The guest through which a test calls services.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use parigot_abi::frame::{NO_DEADLINE, flags};
use parigot_abi::{Frame, Frames, Kind, Manifest};
use parigot_guest::prost::Message;
use parigot_guest::{CallError, Method};
use parking_lot::Mutex;

use super::interceptor::Interceptor;
use crate::error::GuestFault;
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};
use crate::guest::code::InstanceFactory;

/// How the calls of a test have ended: whole frames, by the calls' numbers.
pub(super) type Replies = Arc<Mutex<HashMap<u64, Vec<u8>>>>;

/// A call that a test has made.
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

    /// How it has ended, if it has.
    pub fn outcome(&self) -> Option<Result<M::Response, CallError<M::Error>>> {
        let replies = self.replies.lock();
        let frame = Frames::new(replies.get(&self.number)?)
            .next()?
            .expect("the host writes frames");
        let is_response =
            frame.header.status == 0 && frame.header.flags & flags::SERVICE_ERROR == 0;
        Some(if is_response {
            M::Response::decode(frame.payload)
                .map_err(|error| CallError::undecodable::<M>(&frame, &error))
        } else {
            Err(CallError::of_reply::<M>(&frame))
        })
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.replies.lock().contains_key(&self.number)
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

/// What the test itself is made from: it requires all that is exported by the time that it is made.
pub(super) fn caller_factory(
    interceptor: Arc<Mutex<Interceptor>>,
    replies: Replies,
) -> impl InstanceFactory {
    BuiltInFactory(move || {
        let requires = interceptor.lock().exports.clone();
        let manifest = Manifest {
            exports: Vec::new(),
            requires,
        };
        Caller {
            manifest,
            replies: Arc::clone(&replies),
            early: Some(Vec::new()),
        }
    })
}

/// Sends on what the test sends it: a call or a cancellation that arrives leaves.
struct Caller {
    manifest: Manifest,
    replies: Replies,
    /// What is to leave once it is launched, until then.
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
                _ = self
                    .replies
                    .lock()
                    .insert(frame.header.number, frame.bytes.into())
            }
            Some(Kind::Stop) => outbox.exit(),
            _ => {}
        }
        Ok(())
    }
}
