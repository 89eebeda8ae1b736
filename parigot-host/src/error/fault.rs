//! Ends of guests: texts for the log, and for callers that wait for a reply.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::{Kind, Malformed};

use super::module::MemoryLimit;
use crate::guest::backtrace::{Backtrace, Symbols};

/// Fault that ends a guest. The text follows the guest's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuestFault {
    /// A panic; the text has its position and message, as the guest wrote them.
    #[error("{text}")]
    Panic { text: String, stack: Stack },
    /// A trap of the engine: `unreachable`, an access out of bounds, a stack overflow.
    #[error("trapped: {reason}")]
    Trap { reason: String, stack: Stack },
    /// A fault after an allocation beyond the limit had failed.
    #[error("{last} (an allocation beyond {limit}, had failed)")]
    OutOfMemory {
        limit: MemoryLimit,
        last: Box<GuestFault>,
    },
    /// The guest held its thread beyond its budget.
    #[error("was killed: {reason}")]
    OverBudget { reason: OverBudget, stack: Stack },
    /// The guest exited through its language's runtime.
    #[error("exited with status {status}{}", after_colon(last_line))]
    Exit {
        status: u8,
        /// `last log line: …` of the guest's last turn, unless the guest succeeded; or empty.
        last_line: String,
    },
    /// The guest refused its inbox, which only a broken guest does.
    #[error("could not read its inbox: {text}")]
    Inbox { text: String },
    /// An address or a length of the control block is outside the guest's memory.
    #[error("control block points outside its memory: {what} at {address:#x}, {bytes} bytes")]
    Memory {
        what: &'static str,
        address: u64,
        bytes: u64,
    },
    /// The outbox does not consist of frames.
    #[error("sent a malformed frame: {0}")]
    Malformed(#[from] Malformed),
    /// The manifest violates its layout.
    #[error("sent a malformed manifest: {0}")]
    Manifest(Malformed),
    /// The host could not create the instance for a restart.
    #[error("could not be restarted: {reason}")]
    NotMade { reason: String },
    /// The restarted instance has another manifest, although its module is the same.
    #[error("exports or requires other services than before its restart")]
    Changed,
    /// The restarted instance can never be launched.
    #[error("requires a service of {exporter}, which has ended permanently")]
    Lost { exporter: String },
    /// A proxy cannot find the processes of its service.
    #[error("cannot find the processes that offer it: {reason}")]
    #[cfg_attr(
        not(feature = "nats"),
        expect(dead_code, reason = "only proxies of other processes report it")
    )]
    Undiscoverable { reason: String },
    /// The instance has another manifest than the guest's other instances.
    #[error("exports or requires other services than the guest's other instances")]
    Differs,
    /// The guest sent a frame that it must not send.
    #[error("broke the protocol: {0}")]
    Protocol(Breach),
}

impl GuestFault {
    /// Returns the fault of a trap: a panic if the guest left a text.
    pub(crate) fn of_trap(panic: String, reason: String, stack: Stack) -> Self {
        if panic.is_empty() {
            GuestFault::Trap { reason, stack }
        } else {
            GuestFault::Panic { text: panic, stack }
        }
    }

    /// Returns the stack of the guest at the fault.
    pub(crate) fn stack(&self) -> &Stack {
        match self {
            GuestFault::Panic { stack, .. }
            | GuestFault::Trap { stack, .. }
            | GuestFault::OverBudget { stack, .. } => stack,
            GuestFault::OutOfMemory { last, .. } => last.stack(),
            _ => &Stack::Unknown,
        }
    }
}

/// Stack of a guest at its fault.
#[derive(Debug)]
pub(crate) enum Stack {
    Unknown,
    /// Stacks that Go's runtime has written.
    Text(String),
    /// Functions that the engine has found on the stack. Boxed, so that the result of a turn stays
    /// small.
    Functions(Box<Backtrace>),
}

impl Stack {
    /// Returns the stack of an error of the engine.
    pub(crate) fn of(error: wasmtime::Error, symbols: &Arc<Symbols>) -> Self {
        Backtrace::of(error, symbols).map_or(Stack::Unknown, |functions| {
            Stack::Functions(Box::new(functions))
        })
    }

    /// Returns whether [`text`](Stack::text) takes long.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(self, Stack::Functions(functions) if functions.is_slow())
    }

    /// Returns the lines of the stack, if it is known.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Stack::Unknown => None,
            Stack::Text(text) => Some(text.into()),
            Stack::Functions(functions) => Some(functions.text().into()),
        }
    }
}

/// Call that a guest was serving when it ended.
#[derive(Debug)]
pub(crate) struct ActiveCall {
    /// Number of the call at the guest.
    pub(crate) call: u64,
    /// `greeting.v1.Greeting/FetchGreeting`, if the guest exports the method that it names.
    pub(crate) method: Option<String>,
}

/// Frame that a guest must not send, or not in its state.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Breach {
    #[error("sent no manifest")]
    NoManifest,
    #[error("sent another frame before its manifest")]
    LateManifest,
    #[error("declared an invalid name of a service, method or binding: {name:?}")]
    Name { name: String },
    #[error("requires two services by the binding name `{binding}`: the second is {service}")]
    BoundTwice { service: String, binding: String },
    #[error("sent the headers of call {number} twice")]
    OpenedTwice { number: u64 },
    #[error("sent the headers of call {number} after an item")]
    OpenedLate { number: u64 },
    #[error("sent a frame of kind {kind:?} for call {number}, which does not stream that way")]
    NoStream { kind: Kind, number: u64 },
    #[error("sent a frame of kind {kind:?} for call {number}, which is not pending")]
    NotPending { kind: Kind, number: u64 },
    #[error("sent a frame of kind {kind:?} for call {number} after the end of its requests")]
    AfterEnd { kind: Kind, number: u64 },
    #[error("sent an item of call {number} without credit")]
    NoCredit { number: u64 },
    #[error("sent an item of {bytes} bytes for call {number}, expected at most {bytes_max}")]
    ItemTooLarge {
        number: u64,
        bytes: usize,
        bytes_max: usize,
    },
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
    #[error("replied to call {number}, which is not pending")]
    NoSuchCall { number: u64 },
    #[error("asked to be launched twice")]
    LaunchedTwice,
    #[error("reported twice that it is ready")]
    ReadyTwice,
    #[error("exited with status {status}, expected at most 255")]
    Status { status: u32 },
}

impl From<Breach> for Ending {
    fn from(breach: Breach) -> Self {
        Ending::Fault(GuestFault::Protocol(breach))
    }
}

/// Error of a guest that held its thread beyond its budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "held its thread beyond its budget of {} ms{}: await `yield_now` in long computations (in Go \
     call `parigot.Yield`), or raise `budget`{}",
    budget.as_millis(),
    in_method(method),
    if method.is_some() { ", for one method `budget_ms` and `budget_max`" } else { "" }
)]
pub(crate) struct OverBudget {
    pub(crate) budget: Duration,
    /// CPU time of the thread when the host noticed, counted from the turn's first epoch tick,
    /// which comes at most one tick after the turn's start.
    pub(crate) spent: Duration,
    /// `greeting.v1.Greeting/FetchGreeting`, if the guest was serving a call.
    pub(crate) method: Option<String>,
}

/// Returns the reason of an exit, if there is one, for the end of a text.
pub(crate) fn after_colon(reason: &str) -> String {
    match reason {
        "" => String::new(),
        reason => format!(": {reason}"),
    }
}

fn in_method(method: &Option<String>) -> String {
    method
        .as_ref()
        .map(|name| format!(" in {name}"))
        .unwrap_or_default()
}

/// Error of a guest that blocks on an event which cannot arrive before its turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("blocked within a turn: every goroutine waits, and none for the end of the turn")]
pub(crate) struct Blocked;

/// End of an instance.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The guest exited; the reason may be empty.
    Exit { status: u8, reason: String },
    /// The guest failed.
    Fault(GuestFault),
}

impl Ending {
    /// Returns whether the text of the guest's stack takes long.
    pub(crate) fn has_slow_stack(&self) -> bool {
        matches!(self, Ending::Fault(fault) if fault.stack().is_slow())
    }

    /// Returns the exit status, if the guest exited.
    pub(crate) fn status(&self) -> Option<u8> {
        match self {
            Ending::Exit { status, .. } => Some(*status),
            Ending::Fault(_) => None,
        }
    }
}

/// Formats the text that follows the guest's name.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Exit { status, reason } if reason.is_empty() => {
                write!(f, "exited with status {status}")
            }
            Ending::Exit { status, reason } => write!(f, "exited with status {status}: {reason}"),
            Ending::Fault(fault) => fault.fmt(f),
        }
    }
}

impl From<GuestFault> for Ending {
    fn from(fault: GuestFault) -> Self {
        match fault {
            GuestFault::Exit { status, last_line } => Ending::Exit {
                status,
                reason: last_line,
            },
            fault => Ending::Fault(fault),
        }
    }
}
