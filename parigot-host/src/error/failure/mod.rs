//! Failures of calls that the callee does not answer: the status that their callers receive.

use std::io;

use parigot_abi::id::{CallId, InstanceId};
use parigot_abi::{Cause, Code, Detail, FrameBuilder, Header, Kind};
use prost::DecodeError;

use crate::error::{Ending, GuestFault, after_colon};
use crate::limits::{
    CALLS_MAX, MAILBOX_BYTES_MAX, PROVIDER_CALL_BYTES_MAX, PROVIDER_CALLS_MAX, WINDOWS_BYTES_MAX,
};

#[cfg(feature = "nats")]
mod network;

/// Next step after a call to a method that the callee lacks. The SDKs use the same words for
/// messages that cannot be decoded.
const COMPARE_SCHEMAS: &str = "run `parigot check` to compare the schemas of caller and callee";

/// Status of a call that its callee does not answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    code: Code,
    cause: Cause,
    message: String,
    /// Instance of the callee; empty if the call was not delivered.
    instance: InstanceId,
}

/// Reason why an instance takes no calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// The instance has ended and is not restarted.
    Over,
    /// The instance has ended, and its successor is not ready.
    Restarting { since_ns: u64 },
    /// The service has failed permanently.
    Failed { why: String },
    /// The instance was asked to stop and finishes its pending calls.
    Stopping,
}

/// Failures that a proxy answers itself.
impl Failure {
    /// Creates the failure of a cancelled call.
    pub(crate) fn cancelled() -> Self {
        Self::new(Code::Cancelled, Cause::Cancelled, String::new())
    }

    /// Creates the failure of a read or a write, with the text of the operating system.
    pub(crate) fn of_stream(what: &str, error: &io::Error) -> Self {
        Self::new(Code::Internal, Cause::Answered, format!("{what}: {error}"))
    }
}

/// Failures of calls that did not run (fate: refused). Guests are named as in the deployment.
impl Failure {
    /// Creates the failure of a call to an instance that takes no calls.
    pub(crate) fn absent(callee: &str, absence: &Unavailable, now_ns: u64) -> Self {
        let message = match absence {
            Unavailable::Over => format!("{callee} is not running"),
            Unavailable::Restarting { since_ns } => {
                let down_ms = now_ns.saturating_sub(*since_ns) / 1_000_000;
                format!("{callee} is being restarted and has been down for {down_ms} ms")
            }
            Unavailable::Failed { why } => format!("{callee} has failed permanently: {why}"),
            Unavailable::Stopping => format!("{callee} is stopping"),
        };
        Self::new(Code::Unavailable, Cause::Unreachable, message)
    }

    /// Merges the failures of all instances of a service; at least one.
    pub(crate) fn of_all(mut problems: Vec<Failure>) -> Self {
        // An overloaded instance is more informative than an unavailable one.
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

    /// Creates the failure of a call whose callee ended before it received the call.
    pub(crate) fn never_given(callee: &str, ending: &Ending) -> Self {
        let message = format!("not delivered: {callee} {ending}");
        Self::new(Code::Unavailable, Cause::Unreachable, message)
    }

    /// Creates the failure of a call whose callee ended before it entered the call's handler.
    pub(crate) fn not_begun(callee: &str, ending: &Ending) -> Self {
        let message = format!("not begun: {callee} {ending}");
        Self::new(Code::Unavailable, Cause::Unreachable, message)
    }

    /// Creates the failure of a call to a service that has not been ready yet.
    pub(crate) fn not_ready(service: &str) -> Self {
        let message = format!("{service} is not ready yet");
        Self::new(Code::Unavailable, Cause::Unreachable, message)
    }

    /// Creates the failure of a call from outside to a method that streams.
    pub(crate) fn streams_from_outside(method: &str) -> Self {
        let message = format!("{method} streams, and calls from outside cannot stream yet");
        Self::new(Code::Unimplemented, Cause::NoSuchMethod, message)
    }

    /// Creates the failure of a call whose deadline passed before the call was delivered.
    pub(crate) fn expired() -> Self {
        Self::new(
            Code::DeadlineExceeded,
            Cause::Expired,
            "the deadline passed before the call began".to_owned(),
        )
    }

    /// Creates the failure of a call to a method that the callee does not have.
    pub(crate) fn unimplemented(callee: &str) -> Self {
        Self::new(
            Code::Unimplemented,
            Cause::NoSuchMethod,
            format!("{callee} has no such method; {COMPARE_SCHEMAS}"),
        )
    }

    /// Creates the failure of a call beyond the caller's limit.
    pub(crate) fn too_many_outbound(caller: &str) -> Self {
        Self::overloaded(format!(
            "{caller} has reached the limit of {CALLS_MAX} outstanding calls"
        ))
    }

    /// Creates the failure of a call beyond the callee's limit.
    pub(crate) fn too_many_inbound(callee: &str) -> Self {
        Self::overloaded(format!(
            "{callee} has reached the limit of {CALLS_MAX} pending calls"
        ))
    }

    /// Creates the failure of a call to a full mailbox.
    pub(crate) fn mailbox_full(callee: &str, bytes: usize) -> Self {
        Self::overloaded(mailbox_full(callee, bytes))
    }

    /// Creates the failure of a call whose stream has no window at its receiver.
    pub(crate) fn no_window(receiver: &str) -> Self {
        Self::overloaded(format!(
            "{receiver} receives so many streams that their windows use {WINDOWS_BYTES_MAX} bytes"
        ))
    }

    /// Creates the failure of a call that would wait for its beginning until its deadline.
    pub(crate) fn would_expire(callee: &str, wait_ns: u64, left_ns: u64) -> Self {
        let [wait_ms, left_ms] = [wait_ns, left_ns].map(|ns| ns / 1_000_000);
        Self::overloaded(format!(
            "{callee} is busy: the call would begin in about {wait_ms} ms, and its deadline is in \
             {left_ms} ms; retry later"
        ))
    }

    /// Creates the failure of a request above the size limit.
    pub(crate) fn request_too_large(bytes: usize, most: usize) -> Self {
        let message = format!("request of {bytes} bytes exceeds the limit of {most}");
        Self::new(Code::ResourceExhausted, Cause::TooLarge, message)
    }

    /// Creates the failure of a call whose request cannot be decoded.
    pub(crate) fn undecodable(error: &DecodeError) -> Self {
        let message = format!("the request cannot be decoded: {error}");
        Self::new(Code::InvalidArgument, Cause::Undecodable, message)
    }

    /// Creates the failure of a write while `bytes` wait for the reader of stdout.
    pub(crate) fn stdout_full(bytes: usize) -> Self {
        Self::overloaded(format!(
            "{bytes} of {MAILBOX_BYTES_MAX} bytes wait for stdout, whose reader does not read"
        ))
    }

    /// Creates the failure of a call while `calls` with `bytes` wait for a provider.
    pub(crate) fn provider_busy(provider: &str, calls: usize, bytes: usize) -> Self {
        Self::overloaded(format!(
            "the provider `{provider}` is busy: {calls} of {PROVIDER_CALLS_MAX} calls with {bytes} \
             of {PROVIDER_CALL_BYTES_MAX} bytes wait; retry later"
        ))
    }

    fn overloaded(message: String) -> Self {
        Self::new(Code::ResourceExhausted, Cause::Overloaded, message)
    }
}

/// Failures of calls that may have run (fate: unknown).
impl Failure {
    /// Creates the failure of a call whose deadline has passed.
    pub(crate) fn timed_out() -> Self {
        Self::new(
            Code::DeadlineExceeded,
            Cause::TimedOut,
            "no reply within the deadline".to_owned(),
        )
    }

    /// Creates the failure of a response above the size limit.
    pub(crate) fn response_too_large(bytes: usize, most: usize) -> Self {
        Self::answer_lost(format!(
            "response of {bytes} bytes exceeds the limit of {most}"
        ))
    }

    /// Creates the failure of a reply to a full mailbox.
    pub(crate) fn no_room_for_answer(caller: &str, bytes: usize) -> Self {
        Self::answer_lost(mailbox_full(caller, bytes))
    }

    /// Creates the failure of a call that has lost an item to a full mailbox.
    pub(crate) fn no_room_for_item(receiver: &str, bytes: usize) -> Self {
        Self::answer_lost(mailbox_full(receiver, bytes))
    }

    fn answer_lost(message: String) -> Self {
        Self::new(Code::ResourceExhausted, Cause::AnswerLost, message)
    }

    /// Creates the failure of a call from outside that had no reply at the end of the deployment.
    pub(crate) fn host_ended(service: &str) -> Self {
        let message = format!("the deployment ended before {service} replied");
        Self::new(Code::Unavailable, Cause::AnswerLost, message)
    }

    /// Creates the failure of a call whose callee has ended.
    ///
    /// The call that caused the end gets `Internal`, all others `Unavailable`: only for these a
    /// retry may help.
    pub(crate) fn callee_ended(callee: &str, ending: &Ending, caused_end: bool) -> Self {
        match ending {
            Ending::Exit { status, reason } => {
                let reason = after_colon(reason);
                let message =
                    format!("{callee} exited with status {status} before it replied{reason}");
                Self::new(Code::Unavailable, Cause::CalleeExited, message)
            }
            Ending::Fault(fault) => {
                let code = if caused_end {
                    Code::Internal
                } else {
                    Code::Unavailable
                };
                let killed = matches!(fault, GuestFault::OverBudget { .. });
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
    format!("mailbox of {guest} is full: {bytes} of {MAILBOX_BYTES_MAX} bytes")
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

    /// Returns the failure with the instance that the call was delivered to, or that refused it.
    pub(crate) fn at(self, instance: InstanceId) -> Self {
        Failure { instance, ..self }
    }

    /// Appends the reply frame for the caller.
    pub(crate) fn push(&self, number: u64, id: CallId, frames: &mut Vec<u8>) {
        let header = Header {
            number,
            status: self.code.number(),
            id: id.to_wire(),
            ..Header::new(Kind::Reply)
        };
        let frame = FrameBuilder::new(frames, header).detail(&self.as_detail());
        frame
            .finish()
            .expect("a mailbox must be shorter than 4 GiB");
    }

    /// Returns status and detail of the reply frame for the caller.
    pub(crate) fn to_parts(&self) -> (u32, Vec<u8>) {
        let mut detail = Vec::new();
        self.as_detail().write(&mut detail);
        (self.code.number(), detail)
    }

    fn as_detail(&self) -> Detail<'_> {
        Detail {
            instance: self.instance.to_wire(),
            ..Detail::new(self.cause, &self.message)
        }
    }
}
