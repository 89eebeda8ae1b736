//! Why a guest cannot go on, and how it ends: for the log, and for those who waited for it.

use std::fmt;
use std::time::Duration;

use parigot_abi::{Kind, Malformed};

use crate::limits::Size;

/// Why a guest cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuestFault {
    /// A panic: where, and its message, as the guest wrote them.
    #[error("{text}")]
    Panic { text: String },
    /// Anything else that the engine stops: an unreachable, an access out of bounds, a stack that is full.
    #[error("trapped: {reason}")]
    Trap { reason: String },
    /// Once it wanted more memory than it may have; this is how it ended.
    #[error("{last} (it wanted more memory than its `memory`, {memory})")]
    OutOfMemory { memory: Size, last: Box<GuestFault> },
    /// It held its thread for longer than its budget.
    #[error("was killed: it {0}")]
    OverBudget(OverBudget),
    /// The guest left by its runtime's own exit.
    #[error("left with status {status}")]
    Exit { status: u8 },
    /// The inbox was refused, which only a broken guest does.
    #[error("could not read its inbox: {text}")]
    Inbox { text: String },
    /// An address or a length in the control block lies outside the guest's memory.
    #[error(
        "its control block names memory that it does not have: {what} at {address:#x}, {bytes} bytes"
    )]
    Memory {
        what: &'static str,
        address: u64,
        bytes: u64,
    },
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
    /// It is to be launched again, which can never be.
    #[error("requires a service of {exporter}, which is gone for good")]
    Lost { exporter: String },
    /// One of several instances of the same module, it is not what the others are.
    #[error("exports or requires something else than the guest's other instances")]
    Differs,
    /// It sent what it may not send.
    #[error("broke the protocol: {0}")]
    Protocol(Breach),
}

impl GuestFault {
    /// What happened to a guest that trapped: a panic if it left a text.
    pub(crate) fn of_trap(panic: String, reason: String) -> Self {
        if panic.is_empty() {
            GuestFault::Trap { reason }
        } else {
            GuestFault::Panic { text: panic }
        }
    }
}

/// The call that was being served when a guest ended.
#[derive(Debug)]
pub(crate) struct ActiveCall {
    /// Its number at the guest.
    pub(crate) call: u64,
    /// `greeting.v1.Greeting/FetchGreeting`, if the guest exports what it says that it was serving.
    pub(crate) method: Option<String>,
}

/// A frame that a guest may not send, or not now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Breach {
    #[error("sent no manifest")]
    NoManifest,
    #[error("sent something else before its manifest")]
    LateManifest,
    #[error("declared {name:?}, which is no name of a service or method")]
    Name { name: String },
    #[error("sent a frame of kind {0:?}")]
    Kind(Kind),
    #[error("sent a frame of unknown kind {0}")]
    UnknownKind(u16),
    #[error("called handle {handle}, which it was not given")]
    Handle { handle: u32 },
    #[error("called method {method} of handle {handle}, which it did not declare")]
    Method { method: u32, handle: u32 },
    #[error("called twice with number {number}")]
    CalledTwice { number: u64 },
    #[error("answered call {number}, which it does not have")]
    NoSuchCall { number: u64 },
    #[error("asked to be launched twice")]
    LaunchedTwice,
    #[error("said twice that it is ready")]
    ReadyTwice,
    #[error("left with status {status}, and statuses end at 255")]
    Status { status: u32 },
}

impl From<Breach> for Ending {
    fn from(breach: Breach) -> Self {
        Ending::Fault(GuestFault::Protocol(breach))
    }
}

/// A guest held its thread for too long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("held its thread for longer than its budget of {} ms{}", budget.as_millis(), method.as_ref().map(|name| format!(" in {name}")).unwrap_or_default())]
pub(crate) struct OverBudget {
    pub(crate) budget: Duration,
    /// CPU time of the thread when that was noticed; counted from the turn's first tick, which comes within one of its beginning.
    pub(crate) spent: Duration,
    /// `greeting.v1.Greeting/FetchGreeting`, if the guest was serving a call.
    pub(crate) method: Option<String>,
}

/// The guest waits for something that cannot come before its turn ends, and does not let the turn end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "blocked in the middle of a turn: every goroutine waits, and none of them for the turn's end"
)]
pub(crate) struct Blocked;

/// How an instance ends.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It left, and said why if it is not empty.
    Exit { status: u8, reason: String },
    /// It cannot go on.
    Fault(GuestFault),
}

impl Ending {
    /// The status that it left with, if it left.
    pub(crate) fn status(&self) -> Option<u8> {
        match self {
            Ending::Exit { status, .. } => Some(*status),
            Ending::Fault(_) => None,
        }
    }
}

/// As others are told, behind the guest's name.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Exit { status, reason } if reason.is_empty() => {
                write!(f, "left with status {status}")
            }
            Ending::Exit { status, reason } => write!(f, "left with status {status}: {reason}"),
            Ending::Fault(fault) => fault.fmt(f),
        }
    }
}

impl From<GuestFault> for Ending {
    fn from(fault: GuestFault) -> Self {
        match fault {
            GuestFault::Exit { status } => Ending::Exit {
                status,
                reason: String::new(),
            },
            fault => Ending::Fault(fault),
        }
    }
}
