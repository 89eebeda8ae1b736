//! What an instance is made of, seen from the scheduler: something that can be entered for one turn.
//!
//! [`crate::guest::wasm`] is the one kind that a deployment can name. Whatever else runs guests, a native library say, implements [`GuestInstance`] and
//! [`InstanceFactory`], and nothing else changes.

use parigot_abi::frame::Level;
use parigot_abi::{Manifest, Prologue};

use crate::error::{ActiveCall, GuestFault, ModuleError};
use crate::guest::wasm::InstanceConfig;

/// What the instances of a guest are made from: the first, and after each restart another.
pub(crate) trait InstanceFactory: Send + Sync {
    /// Makes an instance. What it writes to streams of its own before a fault goes to `line`.
    fn instantiate(
        &self,
        config: InstanceConfig,
        line: &mut dyn FnMut(Level, &str),
    ) -> Result<Result<Box<dyn GuestInstance>, GuestFault>, ModuleError>;
}

/// A guest that can be entered.
pub(crate) trait GuestInstance: Send {
    /// Hands `frames` to the guest and lets it run for one turn. After a fault it is never entered again.
    fn turn(
        &mut self,
        prologue: Prologue,
        frames: &[u8],
        max_polls: u32,
    ) -> Result<Turn, GuestFault>;

    /// Learns what the guest exports, after its first turn.
    fn learn(&mut self, manifest: &Manifest);

    /// The call that the guest was serving when its last turn ended, as it says.
    fn active_call(&self) -> Option<ActiveCall> {
        None
    }

    /// The frames that the last turn left, also one that ended in a fault.
    fn outbox(&self) -> &[u8];

    /// Hands over, line by line, what the guest has written to streams of its own; once it has `ended`, also a line that is not
    /// finished.
    fn take_output(&mut self, ended: bool, line: &mut dyn FnMut(Level, &str));
}

/// How a turn ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Work is ready.
    pub(crate) more: bool,
    /// When it wants its next turn on its own clock, or [`parigot_abi::control::NEVER`].
    pub(crate) wake_at_ns: u64,
}
