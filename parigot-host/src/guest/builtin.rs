//! Guests that are part of the host: those that stand for other processes, and those of tests. To the kernel they are guests like any other.

use parigot_abi::control::NEVER;
use parigot_abi::frame::{LAUNCH_NUMBER, Level};
use parigot_abi::{Frame, FrameBuilder, Frames, Header, Kind, Manifest, Prologue};

use crate::error::{ActiveCall, GuestFault, ModuleError};
use crate::guest::code::{GuestInstance, InstanceFactory, Turn};
use crate::guest::wasm::InstanceConfig;

/// A guest that is written in the host's own language and runs in its memory. Its clock is the host's.
pub(crate) trait BuiltIn: Send + 'static {
    /// What it exports and requires. It asks for its launch with that.
    fn manifest(&self) -> Manifest;

    /// Takes one of the frames that follow on its launch, at that time.
    fn take(
        &mut self,
        frame: &Frame<'_>,
        now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault>;

    /// Does what is left to do when it has taken all frames of a turn, and says when it wants the next.
    fn end_turn(&mut self, _now_ns: u64, _outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        Ok(NEVER)
    }

    /// The number of the call that has made it fail.
    fn active_call(&self) -> Option<u64> {
        None
    }
}

/// Makes such guests.
pub(crate) struct BuiltInMould<F>(pub(crate) F);

impl<G: BuiltIn, F: Fn() -> G + Send + Sync> InstanceFactory for BuiltInMould<F> {
    fn instantiate(
        &self,
        _: InstanceConfig,
        _: &mut dyn FnMut(Level, &str),
    ) -> Result<Result<Box<dyn GuestInstance>, GuestFault>, ModuleError> {
        Ok(Ok(Box::new(Entered {
            guest: (self.0)(),
            outbox: BuiltinOutbox::default(),
        })))
    }
}

/// A guest as the scheduler sees it.
struct Entered<G> {
    guest: G,
    outbox: BuiltinOutbox,
}

impl<G: BuiltIn> GuestInstance for Entered<G> {
    fn turn(
        &mut self,
        prologue: Prologue,
        frames: &[u8],
        _max_polls: u32,
    ) -> Result<Turn, GuestFault> {
        let now_ns = prologue.monotonic_ns;
        self.outbox.0.clear();
        for frame in Frames::new(frames) {
            let frame = frame.expect("the host writes frames");
            match frame.kind() {
                Some(Kind::Start) => self.outbox.launch(&self.guest.manifest()),
                _ => self.guest.take(&frame, now_ns, &mut self.outbox)?,
            }
        }
        Ok(Turn {
            more: false,
            wake_at_ns: self.guest.end_turn(now_ns, &mut self.outbox)?,
        })
    }

    fn learn(&mut self, _: &Manifest) {}

    fn active_call(&self) -> Option<ActiveCall> {
        self.guest
            .active_call()
            .map(|call| ActiveCall { call, method: None })
    }

    fn outbox(&self) -> &[u8] {
        &self.outbox.0
    }

    fn take_output(&mut self, _ended: bool, _line: &mut dyn FnMut(Level, &str)) {}
}

/// What a guest sends in a turn.
#[derive(Default)]
pub(crate) struct BuiltinOutbox(Vec<u8>);

impl BuiltinOutbox {
    /// Sends a frame with a payload alone.
    pub(crate) fn send(&mut self, header: Header, payload: &[u8]) {
        self.build(header, |frame| frame.payload(payload));
    }

    /// Sends a frame with what is put into it.
    pub(crate) fn build<'o>(
        &'o mut self,
        header: Header,
        put: impl FnOnce(FrameBuilder<'o>) -> FrameBuilder<'o>,
    ) {
        let frame = put(FrameBuilder::new(&mut self.0, header));
        // A message that others sent was in a frame before.
        frame.finish().expect("a message is shorter than 4 GiB");
    }

    /// Says that it can serve calls, which may take so long if their callers do not say.
    pub(crate) fn ready(&mut self, deadline_ns: u64) {
        self.send(
            Header {
                number: LAUNCH_NUMBER,
                deadline_ns,
                ..Header::new(Kind::Reply)
            },
            &[],
        );
    }

    /// Leaves.
    pub(crate) fn exit(&mut self) {
        self.send(Header::new(Kind::Exit), &[]);
    }

    /// Sends frames as they are.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn pass_on(&mut self, frames: &[u8]) {
        self.0.extend_from_slice(frames);
    }

    fn launch(&mut self, manifest: &Manifest) {
        let mut payload = Vec::new();
        manifest.write(&mut payload);
        self.send(Header::new(Kind::Manifest), &payload);
        self.send(Header::new(Kind::Launch), &[]);
    }
}
