//! Scheduler's interface to guest code: an instance runs one turn at a time.
//!
//! [`crate::guest::wasm`] is the only kind that a deployment can name. Another kind, such as a
//! native library, only has to implement [`GuestInstance`] and [`InstanceFactory`].

use parigot_abi::frame::Level;
use parigot_abi::{Manifest, Prologue};

use crate::error::{ActiveCall, GuestFault, ModuleError};
use crate::guest::wasm::InstanceConfig;

/// Factory of a guest's instances, used at the start and after each restart.
pub(crate) trait InstanceFactory: Send + Sync {
    /// Creates an instance. Text that the instance writes to stdout or stderr before a fault goes
    /// to `line`.
    fn instantiate(
        &self,
        config: InstanceConfig,
        line: &mut dyn FnMut(Level, &str),
    ) -> Result<Result<Box<dyn GuestInstance>, GuestFault>, ModuleError>;
}

/// Guest instance that runs turns.
pub(crate) trait GuestInstance: Send {
    /// Passes `frames` to the guest and runs one turn. A guest that faulted never runs again.
    fn turn(
        &mut self,
        prologue: Prologue,
        frames: &[u8],
        max_polls: u32,
    ) -> Result<Turn, GuestFault>;

    /// Records the guest's exports, after its first turn.
    fn learn(&mut self, manifest: &Manifest);

    /// Returns the call that the guest reported as running at the end of its last turn.
    fn active_call(&self) -> Option<ActiveCall> {
        None
    }

    /// Returns the frames that the last turn left, also after a fault.
    fn outbox(&self) -> &[u8];

    /// Passes each line that the guest wrote to stdout or stderr to `line`; includes an unfinished
    /// line if the guest has `ended`.
    fn take_output(&mut self, ended: bool, line: &mut dyn FnMut(Level, &str));
}

/// Outcome of a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Set if the guest has more work that is ready.
    pub(crate) more: bool,
    /// Time of the next turn on the guest's clock, or [`parigot_abi::control::NEVER`].
    pub(crate) wake_at_ns: u64,
}
