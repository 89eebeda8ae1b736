//! Built-in guests, written in Rust as part of the host: proxies for guests of other processes, and
//! guests of tests. The kernel treats them like any other guest.

use parigot_abi::control::NEVER;
use parigot_abi::frame::LAUNCH_NUMBER;
use parigot_abi::manifest::Service;
use parigot_abi::{Frame, FrameBuilder, Frames, Header, Kind, Manifest, Prologue};

use crate::error::{ActiveCall, GuestFault};
use crate::guest::code::{GuestInstance, InstanceConfig, InstanceFactory, InstantiateError, Turn};
use crate::log::guest_log::GuestLine;

/// Guest that is part of the host and runs in the host's memory and on the host's clock.
pub(crate) trait BuiltIn: Send + 'static {
    /// Returns the exports and requirements. The adapter sends the manifest in the init turn and
    /// asks for the launch at once.
    fn manifest(&self) -> Manifest;

    /// Handles one frame, at the given time. The first one is the `Launched` frame.
    ///
    /// # Errors
    ///
    /// With the fault that ends the guest.
    fn take(
        &mut self,
        frame: &Frame<'_>,
        now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault>;

    /// Ends a turn after all its frames, and returns the time of the next turn.
    ///
    /// # Errors
    ///
    /// With the fault that ends the guest.
    fn end_turn(&mut self, _now_ns: u64, _outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        Ok(NEVER)
    }

    /// Returns the id of the call that made the guest fail.
    fn active_call(&self) -> Option<u64> {
        None
    }
}

/// Factory of built-in guests.
pub(crate) struct BuiltInFactory<F>(pub(crate) F);

impl<G: BuiltIn, F: Fn() -> G + Send + Sync> InstanceFactory for BuiltInFactory<F> {
    fn instantiate(
        &self,
        _: InstanceConfig<'_>,
        _: &mut dyn FnMut(&GuestLine<'_>),
    ) -> Result<Box<dyn GuestInstance>, InstantiateError> {
        Ok(Box::new(BuiltInGuest {
            guest: (self.0)(),
            outbox: BuiltinOutbox::default(),
        }))
    }
}

/// Instance of a built-in guest, as the scheduler runs it.
struct BuiltInGuest<G> {
    guest: G,
    outbox: BuiltinOutbox,
}

impl<G: BuiltIn> GuestInstance for BuiltInGuest<G> {
    fn turn(
        &mut self,
        prologue: Prologue,
        frames: &[u8],
        _max_polls: u32,
    ) -> Result<Turn, GuestFault> {
        let now_ns = prologue.monotonic_ns;
        self.outbox.0.clear();
        for frame in Frames::new(frames) {
            let frame = frame.expect("frames of the host must be valid");
            match frame.kind() {
                Some(Kind::Start) => self.outbox.launch(&self.guest.manifest()),
                _ => self.guest.take(&frame, now_ns, &mut self.outbox)?,
            }
        }
        Ok(Turn {
            has_more_work: false,
            wake_at_ns: self.guest.end_turn(now_ns, &mut self.outbox)?,
        })
    }

    /// Does nothing: a built-in guest has no budgets to set, because the host trusts it.
    fn set_manifest(&mut self, _: &Manifest) {}

    fn active_call(&self) -> Option<ActiveCall> {
        self.guest
            .active_call()
            .map(|call| ActiveCall { call, method: None })
    }

    fn outbox(&self) -> &[u8] {
        &self.outbox.0
    }

    fn take_output(&mut self, _ended: bool, _line: &mut dyn FnMut(&GuestLine<'_>)) {}
}

/// Frames that a guest sends in a turn.
#[derive(Default)]
pub(crate) struct BuiltinOutbox(Vec<u8>);

/// Returns the manifest of a guest that requires a service by name, and therefore with all methods
/// of all exporters.
pub(crate) fn requires_by_name(service: &str) -> Manifest {
    let by_name = Service {
        name: service.to_owned(),
        schema: 0,
        methods: Vec::new(),
    };
    Manifest {
        requires: vec![by_name.into()],
        ..Manifest::default()
    }
}

impl BuiltinOutbox {
    /// Sends a frame that has only a payload.
    pub(crate) fn send(&mut self, header: Header, payload: &[u8]) {
        self.build(header, |frame| frame.payload(payload));
    }

    /// Sends a frame with the parts that `build` adds.
    pub(crate) fn build<'o>(
        &'o mut self,
        header: Header,
        put: impl FnOnce(FrameBuilder<'o>) -> FrameBuilder<'o>,
    ) {
        let frame = put(FrameBuilder::new(&mut self.0, header));
        // A forwarded message fitted into a frame before, so it fits again.
        frame
            .finish()
            .expect("a message must be shorter than 4 GiB");
    }

    /// Reports that the guest serves calls; `deadline_ns` applies to calls without a deadline.
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

    /// Cancels a call that the guest has made.
    pub(crate) fn cancel(&mut self, number: u64) {
        self.send(
            Header {
                number,
                ..Header::new(Kind::Cancel)
            },
            &[],
        );
    }

    /// Reports that the guest exits.
    pub(crate) fn exit(&mut self) {
        self.send(Header::new(Kind::Exit), &[]);
    }

    /// Sends frames unchanged.
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
