//! What both kinds of stand-ins have in common: to the host they are guests like any other, which are woken by what comes in the post.

use parigot_abi::control::NEVER;
use parigot_abi::frame::{LAUNCH_NUMBER, Level};
use parigot_abi::{Frame, FrameBuilder, Frames, Header, Kind, Manifest, Prologue};

use crate::code::{Code, Mould, Turn};
use crate::deployment::{GuestSpec, RestartAfter, RestartPolicy};
use crate::error::{Fault, ModuleError};
use crate::network::Reply;
use crate::wasm::Surroundings;

/// A guest that stands for others.
pub(super) trait StandIn: Send + 'static {
    fn manifest(&self) -> Manifest;

    /// Takes a frame of the host; its clock is the host's.
    fn take(&mut self, frame: &Frame<'_>, outbox: &mut Outbox);

    /// Takes what has come in the post.
    fn take_post(&mut self, outbox: &mut Outbox);

    /// Whether it was told to leave and has nothing left to do.
    fn is_done(&self) -> bool;
}

/// A service of that name in the log.
pub(super) fn spec(name: String) -> GuestSpec {
    let spec = GuestSpec::service(name, "");
    GuestSpec { restart: RestartPolicy { after: RestartAfter::Never, ..spec.restart }, ..spec }
}

/// Makes the one instance that there is of a stand-in.
pub(super) struct StandInMould<F>(pub(super) F);

impl<S: StandIn, F: Fn() -> S + Send + Sync> Mould for StandInMould<F> {
    fn instantiate(
        &self,
        _: Surroundings,
        _: &mut dyn FnMut(Level, &str),
    ) -> Result<Result<Box<dyn Code>, Fault>, ModuleError> {
        Ok(Ok(Box::new(Guest { stand_in: (self.0)(), outbox: Outbox::default() })))
    }
}

/// A stand-in as the host sees it.
struct Guest<S> {
    stand_in: S,
    outbox: Outbox,
}

impl<S: StandIn> Guest<S> {
    fn declare(&mut self) {
        let mut manifest = Vec::new();
        self.stand_in.manifest().write(&mut manifest);
        self.outbox.frame(Header::new(Kind::Manifest), &manifest);
        self.outbox.frame(Header::new(Kind::Launch), &[]);
    }
}

impl<S: StandIn> Code for Guest<S> {
    fn turn(&mut self, _: Prologue, frames: &[u8], _max_polls: u32) -> Result<Turn, Fault> {
        self.outbox.0.clear();
        for frame in Frames::new(frames) {
            let frame = frame.expect("the host writes frames");
            match frame.kind() {
                Some(Kind::Start) => self.declare(),
                _ => self.stand_in.take(&frame, &mut self.outbox),
            }
        }
        self.stand_in.take_post(&mut self.outbox);
        if self.stand_in.is_done() {
            self.outbox.frame(Header::new(Kind::Exit), &[]);
        }
        Ok(Turn { more: false, wake_at_ns: NEVER })
    }

    fn learn(&mut self, _: &Manifest) {}

    fn outbox(&self) -> &[u8] {
        &self.outbox.0
    }

    fn take_output(&mut self, _ended: bool, _line: &mut dyn FnMut(Level, &str)) {}
}

/// What a stand-in sends in a turn.
#[derive(Default)]
pub(super) struct Outbox(Vec<u8>);

/// A message was in a frame before, hence a frame has room for it.
const FITS: &str = "a message is shorter than 4 GiB";

impl Outbox {
    /// Sends a frame without metadata.
    pub(super) fn frame(&mut self, header: Header, payload: &[u8]) {
        FrameBuilder::new(&mut self.0, header).payload(payload).finish().expect(FITS);
    }

    pub(super) fn call(&mut self, header: Header, metadata: &[u8], payload: &[u8]) {
        FrameBuilder::new(&mut self.0, header).metadata_bytes(metadata).payload(payload).finish().expect(FITS);
    }

    /// Answers a call.
    pub(super) fn reply(&mut self, number: u64, reply: &Reply) {
        let Reply { status, flags, metadata, detail, payload } = reply;
        let header = Header { flags: *flags, number, status: *status, ..Header::new(Kind::Reply) };
        let frame = FrameBuilder::new(&mut self.0, header).metadata_bytes(metadata).detail_bytes(detail);
        frame.payload(payload).finish().expect(FITS);
    }

    /// Says that it can serve calls, which may take so long if their callers do not say.
    pub(super) fn ready(&mut self, deadline_ns: u64) {
        self.frame(Header { number: LAUNCH_NUMBER, deadline_ns, ..Header::new(Kind::Reply) }, &[]);
    }
}
