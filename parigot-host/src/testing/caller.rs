//! The guest through which a test calls services.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use parigot_abi::control::NEVER;
use parigot_abi::frame::{LAUNCH_NUMBER, Level, flags};
use parigot_abi::{Frame, FrameBuilder, Frames, Header, Kind, Manifest, Prologue};
use parigot_guest::prost::Message;
use parigot_guest::{CallError, Method};
use parking_lot::Mutex;

use super::wire::Wire;
use crate::code::{Code, Mould, Turn};
use crate::error::{Fault as Failure, ModuleError};
use crate::wasm::Surroundings;

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
        PendingCall { number, replies: Arc::clone(replies), method: PhantomData }
    }

    /// How it has ended, if it has.
    pub fn outcome(&self) -> Option<Result<M::Response, CallError<M::Error>>> {
        let replies = self.replies.lock();
        let frame = Frames::new(replies.get(&self.number)?).next()?.expect("the host writes frames");
        let is_response = frame.header.status == 0 && frame.header.flags & flags::SERVICE_ERROR == 0;
        Some(if is_response {
            M::Response::decode(frame.payload).map_err(|error| CallError::undecodable::<M>(&frame, &error))
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
        f.debug_struct("PendingCall").field("method", &method).field("has_ended", &self.has_ended()).finish()
    }
}

/// What the caller is made from: it requires all that is exported by the time that it is made.
pub(super) struct CallerMould {
    pub(super) wire: Arc<Mutex<Wire>>,
    pub(super) replies: Replies,
}

impl Mould for CallerMould {
    fn instantiate(
        &self,
        _: Surroundings,
        _: &mut dyn FnMut(Level, &str),
    ) -> Result<Result<Box<dyn Code>, Failure>, ModuleError> {
        let requires = self.wire.lock().exports.clone();
        let manifest = Manifest { exports: Vec::new(), requires };
        let (replies, early) = (Arc::clone(&self.replies), Some(Vec::new()));
        Ok(Ok(Box::new(Caller { manifest, replies, early, outbox: Vec::new() })))
    }
}

/// Sends on what the test sends it: a call or a cancellation that arrives leaves.
struct Caller {
    manifest: Manifest,
    replies: Replies,
    /// What is to leave once it is launched, until then.
    early: Option<Vec<u8>>,
    outbox: Vec<u8>,
}

impl Caller {
    fn send(&mut self, header: Header, payload: &[u8]) {
        let frame = FrameBuilder::new(&mut self.outbox, header).payload(payload);
        frame.finish().expect("a frame of a test is shorter than 4 GiB");
    }

    fn take(&mut self, frame: &Frame<'_>, bytes: &[u8]) {
        match frame.kind() {
            Some(Kind::Start) => {
                let mut manifest = Vec::new();
                self.manifest.write(&mut manifest);
                self.send(Header::new(Kind::Manifest), &manifest);
                self.send(Header::new(Kind::Launch), &[]);
            }
            Some(Kind::Launched) => {
                self.send(Header { number: LAUNCH_NUMBER, ..Header::new(Kind::Reply) }, &[]);
                self.outbox.extend(self.early.take().into_iter().flatten());
            }
            Some(Kind::Call | Kind::Cancel) => {
                self.early.as_mut().unwrap_or(&mut self.outbox).extend_from_slice(bytes);
            }
            Some(Kind::Reply) => _ = self.replies.lock().insert(frame.header.number, bytes.into()),
            Some(Kind::Stop) => self.send(Header::new(Kind::Exit), &[]),
            _ => {}
        }
    }
}

impl Code for Caller {
    fn turn(&mut self, _: Prologue, frames: &[u8], _max_polls: u32) -> Result<Turn, Failure> {
        self.outbox.clear();
        let mut rest = Frames::new(frames);
        loop {
            let start = rest.offset();
            let Some(frame) = rest.next() else { break };
            self.take(&frame.expect("the host writes frames"), &frames[start..rest.offset()]);
        }
        Ok(Turn { more: false, wake_at_ns: NEVER })
    }

    fn learn(&mut self, _: &Manifest) {}

    fn outbox(&self) -> &[u8] {
        &self.outbox
    }

    fn take_output(&mut self, _ended: bool, _line: &mut dyn FnMut(Level, &str)) {}
}
