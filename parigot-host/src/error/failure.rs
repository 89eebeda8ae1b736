//! How calls end that no callee answers: what their callers are told.

use parigot_abi::id::CallId;
use parigot_abi::{Cause, Code, FrameBuilder, Header, Kind};

use crate::error::{Ending, Fault};
use crate::instance::{CALLS_MAX, MAILBOX_BYTES_MAX};

/// How a call ends that its callee does not answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    code: Code,
    cause: Cause,
    message: String,
}

/// Why an instance takes no calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It has ended, and that was that.
    Over,
    /// It has ended and is not ready again.
    Restarting { since_ns: u64 },
    /// It has ended too often.
    Failed { why: String },
}

/// Refusals, of calls that have not run. Guests are named as in the deployment.
impl Failure {
    /// The callee is not there.
    pub(crate) fn absent(callee: &str, absence: &Absence, now_ns: u64) -> Self {
        let message = match absence {
            Absence::Over => format!("{callee} is not running"),
            Absence::Restarting { since_ns } => {
                let down_ms = now_ns.saturating_sub(*since_ns) / 1_000_000;
                format!("{callee} is being restarted, and has been down for {down_ms} ms")
            }
            Absence::Failed { why } => format!("{callee} has failed for good: {why}"),
        };
        Failure { code: Code::Unavailable, cause: Cause::Unreachable, message }
    }

    /// The callee was built without that method.
    pub(crate) fn unimplemented(callee: &str) -> Self {
        let message = format!("{callee} has no such method");
        Failure { code: Code::Unimplemented, cause: Cause::NoSuchMethod, message }
    }

    /// The caller waits for as many calls as it may.
    pub(crate) fn too_many_outbound(caller: &str) -> Self {
        Self::overloaded(format!("{caller} waits for {CALLS_MAX} calls already"))
    }

    /// The callee serves as many calls as it may.
    pub(crate) fn too_many_inbound(callee: &str) -> Self {
        Self::overloaded(format!("{callee} serves {CALLS_MAX} calls already, the most that it may"))
    }

    /// The mailbox of the callee, or for an answer that of the caller, has no room.
    pub(crate) fn mailbox_full(guest: &str, bytes: usize) -> Self {
        Self::overloaded(format!("{guest} has {bytes} bytes waiting for it, and {MAILBOX_BYTES_MAX} are the most"))
    }

    /// A request or a response is larger than what is let through.
    pub(crate) fn too_large(what: &str, bytes: usize, most: usize) -> Self {
        let message = format!("a {what} of {bytes} bytes, and {most} are let through");
        Failure { code: Code::ResourceExhausted, cause: Cause::TooLarge, message }
    }

    fn overloaded(message: String) -> Self {
        Failure { code: Code::ResourceExhausted, cause: Cause::Overloaded, message }
    }
}

/// Ends of calls that were on their way.
impl Failure {
    pub(crate) fn timed_out() -> Self {
        let message = "it was not answered in time".to_owned();
        Failure { code: Code::DeadlineExceeded, cause: Cause::TimedOut, message }
    }

    /// The callee has ended. The call that broke it gets another code than those that were merely there: trying them again may help.
    pub(crate) fn callee_ended(callee: &str, ending: &Ending, is_culprit: bool) -> Self {
        match ending {
            Ending::Exit { status, .. } => {
                let message = format!("{callee} left with status {status} while it had this call");
                Failure { code: Code::Unavailable, cause: Cause::CalleeExited, message }
            }
            Ending::Fault(fault) => {
                let code = if is_culprit { Code::Internal } else { Code::Unavailable };
                let killed = matches!(fault, Fault::OverBudget { .. });
                let cause = if killed { Cause::CalleeKilled } else { Cause::CalleeTrapped };
                Failure { code, cause, message: format!("{callee} {fault}") }
            }
        }
    }
}

impl Failure {
    /// Appends the answer that tells a caller.
    pub(crate) fn push(&self, number: u64, id: CallId, frames: &mut Vec<u8>) {
        let header = Header { number, status: self.code.number(), id: id.to_wire(), ..Header::new(Kind::Reply) };
        let frame = FrameBuilder::new(frames, header).detail(self.cause, &self.message);
        frame.finish().expect("a mailbox is shorter than 4 GiB");
    }
}
