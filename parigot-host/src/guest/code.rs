//! Interface between the scheduler and the code of a guest: an instance runs one turn at a time.
//!
//! A deployment can name only one kind of guest, the modules of [`crate::guest::wasm`]. Another
//! kind, such as a native library, only has to implement [`GuestInstance`] and [`InstanceFactory`].

use std::collections::BTreeMap;
use std::time::Duration;

use parigot_abi::{Manifest, Prologue};

use crate::error::{ActiveCall, GuestFault, ModuleError, SecretError};
use crate::log::guest_log::GuestLine;

/// Factory of a guest's instances, used at the start and after each restart.
pub(crate) trait InstanceFactory: Send + Sync {
    /// Creates an instance. Text that the instance writes to stdout or stderr before a fault goes
    /// to `line`.
    ///
    /// # Errors
    ///
    /// If no instance can be created, or if the guest faults in its initialization.
    fn instantiate(
        &self,
        config: InstanceConfig<'_>,
        line: &mut dyn FnMut(&GuestLine<'_>),
    ) -> Result<Box<dyn GuestInstance>, InstantiateError>;

    /// Returns true if the guest contains code that listens on a network, which no guest has.
    fn listens(&self) -> bool {
        false
    }

    /// Returns true if turns have a budget: not those of proxies and fakes, whose manifests repeat
    /// the declarations of other guests.
    fn has_budget(&self) -> bool {
        false
    }

    /// Returns the descriptors that the guest carries outside its manifest: a serialized
    /// `FileDescriptorSet`, or empty.
    fn descriptors(&self) -> &[u8] {
        &[]
    }
}

/// Configuration of an instance, as plain data. Each kind of guest uses the parts it knows.
#[derive(Clone, Copy)]
pub(crate) struct InstanceConfig<'a> {
    /// Name of the guest in the deployment.
    pub(crate) name: &'a str,
    /// Arguments of the guest, without the guest's name.
    pub(crate) args: &'a [String],
    /// Environment variables of the guest.
    pub(crate) env: &'a BTreeMap<String, String>,
    /// Largest size of the guest's memory, in bytes.
    pub(crate) memory_bytes_max: u64,
    /// CPU time of a turn: see [`crate::guest::budget`].
    pub(crate) budget: Duration,
    /// Asks the guest to end a turn at the first tick within the turn.
    pub(crate) yields_on_first_tick: bool,
    /// Seed of the random bytes that the guest's language runtime requests. The guest itself
    /// receives another seed, in its `Start` frame.
    pub(crate) seed: [u8; 32],
    /// Wall-clock time of the init turn, in nanoseconds since the Unix epoch.
    pub(crate) wall_ns: u64,
}

/// Failure to create an instance or to complete its init turn.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstantiateError {
    /// The module cannot be run at all.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The guest ran and ended.
    #[error(transparent)]
    Fault(#[from] GuestFault),
    /// A secret among the environment variables cannot be read.
    #[error("`{variable}` of `env`")]
    Secret {
        /// Name of the guest's variable.
        variable: String,
        source: SecretError,
    },
}

/// Guest instance that runs turns.
pub(crate) trait GuestInstance: Send {
    /// Passes `frames` to the guest and runs one turn. A guest that faulted never runs again.
    ///
    /// # Errors
    ///
    /// If the guest traps, exits, exceeds its budget or breaks the ABI.
    fn turn(
        &mut self,
        prologue: Prologue,
        frames: &[u8],
        max_polls: u32,
    ) -> Result<Turn, GuestFault>;

    /// Records the guest's exports, after its init turn.
    fn set_manifest(&mut self, manifest: &Manifest);

    /// Returns the call that the guest reported as running at the end of its last turn.
    fn active_call(&self) -> Option<ActiveCall> {
        None
    }

    /// Returns the full name of an exported method, by the indexes of the service and the method.
    fn method_name(&self, _service: u32, _method: u32) -> Option<String> {
        None
    }

    /// Returns false only if the handler of this inbound call was never entered.
    ///
    /// Guests that do not record the beginning of calls return true: then the call may have run.
    fn has_begun(&self, _call: u64) -> bool {
        true
    }

    /// Returns the highest number of a begun call, of those that came through the mailbox; `None`
    /// for guests that do not record the beginning of calls.
    fn last_begun(&self) -> Option<u64> {
        None
    }

    /// Returns true if a method of the guest has a larger budget than the guest. Then
    /// [`set_served`](Self::set_served) is called before each turn.
    fn has_larger_budgets(&self) -> bool {
        false
    }

    /// Records the numbers of the inbound calls that the guest has not answered: only for one of
    /// these a method's budget applies.
    fn set_served(&mut self, _numbers: &mut dyn Iterator<Item = u64>) {}

    /// Returns the frames that the last turn left, also after a fault.
    fn outbox(&self) -> &[u8];

    /// Passes each line that the guest wrote outside of its outbox to `line`; includes an
    /// unfinished line if the guest has `ended`.
    fn take_output(&mut self, ended: bool, line: &mut dyn FnMut(&GuestLine<'_>));
}

/// Outcome of a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Set if the guest has more work that is ready.
    pub(crate) has_more_work: bool,
    /// Time of the next turn on the guest's clock, or [`parigot_abi::control::NEVER`].
    pub(crate) wake_at_ns: u64,
}
