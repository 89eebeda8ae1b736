//! What an instance is made of, seen from the scheduler: something that can be entered for one turn.
//!
//! [`crate::wasm`] is the one kind that exists. Whatever else runs guests, a native library say, implements [`Code`] and
//! nothing else changes.

use parigot_abi::control::ControlView;
use parigot_abi::frame::Level;
use parigot_abi::{Malformed, Manifest, Prologue};

use crate::budget::OverBudget;
use crate::limits::Size;

/// A guest that can be entered.
pub(crate) trait Code: Send {
    /// Hands `frames` to the guest and lets it run for one turn. After a fault it is never entered again.
    fn turn(&mut self, prologue: Prologue, frames: &[u8], max_polls: u32) -> Result<Turn, Fault>;

    /// Learns what the guest exports, after its first turn.
    fn learn(&mut self, manifest: &Manifest);

    /// The frames that the last turn left, also one that ended in a fault.
    fn outbox(&self) -> &[u8];

    /// Hands over, line by line, what the guest has written to streams of its own; once it has `ended`, also a line that is not
    /// finished.
    fn take_output(&mut self, ended: bool, line: &mut dyn FnMut(Level, &str));
}

/// What is read of a guest's text about its end, for the log and for each of its callers.
pub(crate) const REASON_BYTES_MAX: usize = 8 << 10;

/// How a turn ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Work is ready.
    pub(crate) more: bool,
    /// When it wants its next turn on its own clock, or [`parigot_abi::control::NEVER`].
    pub(crate) wake_at_ns: u64,
}

/// Why a guest cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// A panic: where, and its message, as the guest wrote them.
    #[error("{text}")]
    Panic { text: String, culprit: Option<u64> },
    /// Anything else that the engine stops: an unreachable, an access out of bounds, a stack that is full.
    #[error("trapped: {reason}")]
    Trap { reason: String, culprit: Option<u64> },
    /// Once it wanted more memory than it may have; this is how it ended.
    #[error("{last} (it wanted more memory than its `memory`, {memory})")]
    OutOfMemory { memory: Size, last: Box<Fault> },
    /// It held its thread for longer than its budget.
    #[error("was killed: it {over_budget}")]
    OverBudget { over_budget: OverBudget, culprit: Option<u64> },
    /// The guest left by its runtime's own exit.
    #[error("left with status {status}")]
    Exit { status: u8 },
    /// The inbox was refused, which only a broken guest does.
    #[error("could not read its inbox: {text}")]
    Inbox { text: String },
    /// An address or a length in the control block lies outside the guest's memory.
    #[error("its control block names memory that it does not have: {what} at {address:#x}, {bytes} bytes")]
    Memory { what: &'static str, address: u64, bytes: u64 },
    /// The outbox is not made of frames.
    #[error("sent a malformed frame: {0}")]
    Malformed(#[from] Malformed),
    /// The manifest is not what the layout says.
    #[error("sent a malformed manifest: {0}")]
    Manifest(Malformed),
    /// There is no instance, for the host could not make it anew.
    #[error("could not be made anew: {reason}")]
    NotMade { reason: String },
    /// Made anew from the same module, it is not what it was.
    #[error("was made anew, and exports or requires something else than before")]
    Changed,
    /// A frame that a guest may not send, or not now.
    #[error("broke the protocol: {0}")]
    Protocol(String),
}

impl Fault {
    /// What happened to `view`'s guest, which trapped: a panic if it left a text.
    pub(crate) fn of_trap(view: &ControlView, panic: String, reason: String) -> Self {
        let culprit = view.culprit();
        if panic.is_empty() { Fault::Trap { reason, culprit } } else { Fault::Panic { text: panic, culprit } }
    }

    /// The call that was being served when it happened.
    pub(crate) fn culprit(&self) -> Option<u64> {
        match self {
            Fault::OutOfMemory { last, .. } => last.culprit(),
            Fault::Panic { culprit, .. } | Fault::Trap { culprit, .. } | Fault::OverBudget { culprit, .. } => *culprit,
            _ => None,
        }
    }
}
