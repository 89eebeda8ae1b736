//! A built-in guest in a test, without a kernel.

use std::collections::BTreeMap;
use std::time::Duration;

use parigot_abi::{Frame, FrameBuilder, Frames, Header, Prologue};

use super::code::{GuestInstance, InstanceConfig, InstanceFactory};

/// Built-in guest whose turns a test runs.
pub(crate) struct TestedBuiltIn(Box<dyn GuestInstance>);

impl TestedBuiltIn {
    /// Creates the guest of a factory. The factory is dropped, and with it what it holds open.
    pub(crate) fn new(factory: impl InstanceFactory) -> Self {
        let config = InstanceConfig {
            name: "tested",
            args: &[],
            env: &BTreeMap::new(),
            memory_bytes_max: 0,
            budget: Duration::ZERO,
            yields_on_first_tick: false,
            seed: [0; 32],
            wall_ns: 0,
        };
        let guest = factory.instantiate(config, &mut |_| {});
        TestedBuiltIn(guest.unwrap_or_else(|error| panic!("{error}")))
    }

    /// Runs a turn with these frames at this time. Returns `line` of each frame in the outbox.
    pub(crate) fn turn(
        &mut self,
        monotonic_ns: u64,
        frames: &[u8],
        line: impl Fn(&Frame<'_>) -> String,
    ) -> Vec<String> {
        let prologue = Prologue {
            monotonic_ns,
            wall_ns: 0,
        };
        let turn = self.0.turn(prologue, frames, u32::MAX);
        turn.expect("a built-in guest must not fail");
        let sent = Frames::new(self.0.outbox()).map(|frame| frame.expect("a valid frame"));
        sent.map(|frame| line(&frame)).collect()
    }
}

/// Returns the bytes of a frame.
pub(crate) fn frame(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let frame = FrameBuilder::new(&mut bytes, header).payload(payload);
    frame.finish().expect("the frame must be short");
    bytes
}
