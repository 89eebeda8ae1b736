//! How calls end that no callee answers: what their callers are told.

use parigot_abi::id::{CallId, InstanceId};
use parigot_abi::{Cause, Code, Detail, FrameBuilder, Header, Kind};

use crate::error::{Ending, GuestFault};
use crate::kernel::instance::Instance;
use crate::limits::{CALLS_MAX, MAILBOX_BYTES_MAX};

#[cfg(feature = "nats")]
mod network;

/// How a call ends that its callee does not answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    code: Code,
    cause: Cause,
    message: String,
    /// The callee's, or empty if the call came to none.
    instance: InstanceId,
}

/// Why an instance takes no calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// It has ended, and that was that.
    Over,
    /// It has ended and is not ready again.
    Restarting { since_ns: u64 },
    /// It will not come back, although it should.
    Failed { why: String },
    /// It was told to leave, and finishes the calls that it has.
    Stopping,
}

/// Refusals, of calls that have not run. Guests are named as in the deployment.
impl Failure {
    /// The callee is not there.
    pub(crate) fn absent(callee: &str, absence: &Unavailable, now_ns: u64) -> Self {
        let message = match absence {
            Unavailable::Over => format!("{callee} is not running"),
            Unavailable::Restarting { since_ns } => {
                let down_ms = now_ns.saturating_sub(*since_ns) / 1_000_000;
                format!("{callee} is being restarted, and has been down for {down_ms} ms")
            }
            Unavailable::Failed { why } => format!("{callee} has failed for good: {why}"),
            Unavailable::Stopping => format!("{callee} is stopping"),
        };
        Self::new(Code::Unavailable, Cause::Unreachable, message)
    }

    /// None of several instances takes the call, for these reasons, of which there is at least one.
    pub(crate) fn of_all(mut problems: Vec<Failure>) -> Self {
        // That one is overloaded says more than that others are away.
        let told = problems
            .iter()
            .position(|problem| problem.cause != Cause::Unreachable)
            .unwrap_or_default();
        let mut told = problems.swap_remove(told);
        match problems.len() {
            0 => {}
            1 => told.message += "; the other instance takes no calls either",
            others => {
                told.message += &format!("; the other {others} instances take no calls either")
            }
        }
        told
    }

    /// The callee has ended before it was given the call.
    pub(crate) fn never_given(callee: &str, ending: &Ending) -> Self {
        let message = format!("it did not reach {callee}, which {ending}");
        Self::new(Code::Unavailable, Cause::Unreachable, message)
    }

    /// The callee was built without that method.
    pub(crate) fn unimplemented(callee: &str) -> Self {
        Self::new(
            Code::Unimplemented,
            Cause::NoSuchMethod,
            format!("{callee} has no such method"),
        )
    }

    /// The caller waits for as many calls as it may.
    pub(crate) fn too_many_outbound(caller: &str) -> Self {
        Self::overloaded(format!("{caller} waits for {CALLS_MAX} calls already"))
    }

    /// The callee serves as many calls as it may.
    pub(crate) fn too_many_inbound(callee: &str) -> Self {
        Self::overloaded(format!(
            "{callee} serves {CALLS_MAX} calls already, the most that it may"
        ))
    }

    /// The mailbox of the callee has no room.
    pub(crate) fn mailbox_full(callee: &str, bytes: usize) -> Self {
        Self::overloaded(mailbox_full(callee, bytes))
    }

    /// The request is larger than what is let through.
    pub(crate) fn request_too_large(bytes: usize, most: usize) -> Self {
        let message = format!("a request of {bytes} bytes, and {most} are let through");
        Self::new(Code::ResourceExhausted, Cause::TooLarge, message)
    }

    fn overloaded(message: String) -> Self {
        Self::new(Code::ResourceExhausted, Cause::Overloaded, message)
    }
}

/// Ends of calls that were on their way.
impl Failure {
    pub(crate) fn timed_out() -> Self {
        Self::new(
            Code::DeadlineExceeded,
            Cause::TimedOut,
            "it was not answered in time".to_owned(),
        )
    }

    /// The response is larger than what is let through.
    pub(crate) fn response_too_large(bytes: usize, most: usize) -> Self {
        Self::answer_lost(format!(
            "a response of {bytes} bytes, and {most} are let through"
        ))
    }

    /// The mailbox of the caller has no room for the answer.
    pub(crate) fn no_room_for_answer(caller: &str, bytes: usize) -> Self {
        Self::answer_lost(mailbox_full(caller, bytes))
    }

    fn answer_lost(message: String) -> Self {
        Self::new(Code::ResourceExhausted, Cause::AnswerLost, message)
    }

    /// The callee has ended. The call that broke it gets another code than those that were merely there: trying them again may help.
    pub(crate) fn callee_ended(callee: &str, ending: &Ending, is_culprit: bool) -> Self {
        match ending {
            Ending::Exit { status, .. } => {
                let message = format!("{callee} left with status {status} while it had this call");
                Self::new(Code::Unavailable, Cause::CalleeExited, message)
            }
            Ending::Fault(fault) => {
                let code = if is_culprit {
                    Code::Internal
                } else {
                    Code::Unavailable
                };
                let killed = matches!(fault, GuestFault::OverBudget(_));
                let cause = if killed {
                    Cause::CalleeKilled
                } else {
                    Cause::CalleeTrapped
                };
                Self::new(code, cause, format!("{callee} {fault}"))
            }
        }
    }
}

fn mailbox_full(guest: &str, bytes: usize) -> String {
    format!("{guest} has {bytes} bytes waiting for it, and {MAILBOX_BYTES_MAX} are the most")
}

impl Failure {
    fn new(code: Code, cause: Cause, message: String) -> Self {
        Failure {
            code,
            cause,
            message,
            instance: InstanceId::EMPTY,
        }
    }

    /// The same of a call that came to that instance. One that stands for others is nobody: whether the call came to any of them is not known here.
    pub(crate) fn at(self, callee: &Instance) -> Self {
        let instance = if callee.is_proxy {
            InstanceId::EMPTY
        } else {
            callee.id()
        };
        Failure { instance, ..self }
    }

    /// Appends the answer that tells a caller.
    pub(crate) fn push(&self, number: u64, id: CallId, frames: &mut Vec<u8>) {
        let header = Header {
            number,
            status: self.code.number(),
            id: id.to_wire(),
            ..Header::new(Kind::Reply)
        };
        let frame = FrameBuilder::new(frames, header).detail(&self.as_detail());
        frame.finish().expect("a mailbox is shorter than 4 GiB");
    }

    fn as_detail(&self) -> Detail<'_> {
        Detail {
            instance: self.instance.to_wire(),
            ..Detail::new(self.cause, &self.message)
        }
    }
}
