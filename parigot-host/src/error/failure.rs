//! How calls end that no callee answers: what their callers are told.

#[cfg(feature = "nats")]
use std::time::Duration;

use parigot_abi::id::{CallId, InstanceId};
use parigot_abi::{Cause, Code, Detail, FrameBuilder, Header, Kind};

use crate::error::{Ending, Fault};
use crate::instance::{CALLS_MAX, MAILBOX_BYTES_MAX};

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
pub(crate) enum Absence {
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
    pub(crate) fn absent(callee: &str, absence: &Absence, now_ns: u64) -> Self {
        let message = match absence {
            Absence::Over => format!("{callee} is not running"),
            Absence::Restarting { since_ns } => {
                let down_ms = now_ns.saturating_sub(*since_ns) / 1_000_000;
                format!("{callee} is being restarted, and has been down for {down_ms} ms")
            }
            Absence::Failed { why } => format!("{callee} has failed for good: {why}"),
            Absence::Stopping => format!("{callee} is stopping"),
        };
        Self::new(Code::Unavailable, Cause::Unreachable, message)
    }

    /// None of several instances takes the call, for these reasons, of which there is at least one.
    pub(crate) fn of_all(mut refusals: Vec<Failure>) -> Self {
        // That one is overloaded says more than that others are away.
        let told = refusals.iter().position(|refusal| refusal.cause != Cause::Unreachable).unwrap_or_default();
        let mut told = refusals.swap_remove(told);
        match refusals.len() {
            0 => {}
            1 => told.message += "; the other instance takes no calls either",
            others => told.message += &format!("; the other {others} instances take no calls either"),
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
        Self::new(Code::Unimplemented, Cause::NoSuchMethod, format!("{callee} has no such method"))
    }

    /// The caller waits for as many calls as it may.
    pub(crate) fn too_many_outbound(caller: &str) -> Self {
        Self::overloaded(format!("{caller} waits for {CALLS_MAX} calls already"))
    }

    /// The callee serves as many calls as it may.
    pub(crate) fn too_many_inbound(callee: &str) -> Self {
        Self::overloaded(format!("{callee} serves {CALLS_MAX} calls already, the most that it may"))
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
        Self::new(Code::DeadlineExceeded, Cause::TimedOut, "it was not answered in time".to_owned())
    }

    /// The response is larger than what is let through.
    pub(crate) fn response_too_large(bytes: usize, most: usize) -> Self {
        Self::answer_lost(format!("a response of {bytes} bytes, and {most} are let through"))
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
                let code = if is_culprit { Code::Internal } else { Code::Unavailable };
                let killed = matches!(fault, Fault::OverBudget(_));
                let cause = if killed { Cause::CalleeKilled } else { Cause::CalleeTrapped };
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
        Failure { code, cause, message, instance: InstanceId::EMPTY }
    }

    /// The same of a call that came to that instance.
    pub(crate) fn at(self, instance: InstanceId) -> Self {
        Failure { instance, ..self }
    }

    /// Appends the answer that tells a caller.
    pub(crate) fn push(&self, number: u64, id: CallId, frames: &mut Vec<u8>) {
        let header = Header { number, status: self.code.number(), id: id.to_wire(), ..Header::new(Kind::Reply) };
        let frame = FrameBuilder::new(frames, header).detail(&self.as_detail());
        frame.finish().expect("a mailbox is shorter than 4 GiB");
    }

    fn as_detail(&self) -> Detail<'_> {
        Detail { instance: self.instance.to_wire(), ..Detail::new(self.cause, &self.message) }
    }
}

/// Refusals of a carrier: the call has not left, or has come nowhere.
#[cfg(feature = "nats")]
#[cfg_attr(not(test), expect(dead_code, reason = "who carries calls comes next"))]
impl Failure {
    /// No process is there to take the call.
    pub(crate) fn no_process(service: &str) -> Self {
        Self::new(Code::Unavailable, Cause::Unreachable, format!("no process offers {service}"))
    }

    /// The connection to NATS is down, and nothing is sent that would arrive late.
    pub(crate) fn connection_down(since: Duration) -> Self {
        let message = format!("the connection to NATS has been down for {} ms", since.as_millis());
        Self::new(Code::Unavailable, Cause::Unreachable, message)
    }

    /// Whoever offers the service was built with another schema.
    pub(crate) fn peer_differs(service: &str, why: &str) -> Self {
        let message = format!("no process offers a {service} that fits: {why}");
        Self::new(Code::FailedPrecondition, Cause::Unreachable, message)
    }

    /// As much waits to be sent as may wait.
    pub(crate) fn too_much_to_send(bytes: usize, most: usize) -> Self {
        Self::overloaded(format!("{bytes} bytes wait to be sent to other processes, and {most} are the most"))
    }
}

/// Failures that go to another process, or come from there.
#[cfg(feature = "nats")]
impl Failure {
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The detail of the reply that tells a caller.
    pub(crate) fn detail(&self) -> Vec<u8> {
        let mut detail = Vec::new();
        self.as_detail().write(&mut detail);
        detail
    }

    /// Whoever may have the call is gone. What has become of it nobody knows.
    pub(crate) fn process_lost(service: &str) -> Self {
        let message = format!("the process that offered {service} is lost");
        Self::new(Code::Unavailable, Cause::CalleeExited, message)
    }

    /// The caller does not wait any more.
    pub(crate) fn cancelled() -> Self {
        Self::new(Code::Cancelled, Cause::Cancelled, String::new())
    }
}

#[cfg(all(test, feature = "nats"))]
mod tests {
    use parigot_abi::status::Fate;

    use super::*;

    #[test]
    fn what_a_carrier_refuses_has_not_run() {
        let refusals = [
            (Failure::no_process("x.S"), "UNAVAILABLE: no process offers x.S"),
            (
                Failure::connection_down(Duration::from_micros(120_900)),
                "UNAVAILABLE: the connection to NATS has been down for 120 ms",
            ),
            (
                Failure::peer_differs("x.S", "it has no method Get"),
                "FAILED_PRECONDITION: no process offers a x.S that fits: it has no method Get",
            ),
            (
                Failure::too_much_to_send(70, 64),
                "RESOURCE_EXHAUSTED: 70 bytes wait to be sent to other processes, and 64 are the most",
            ),
        ];
        for (Failure { code, cause, message, .. }, told) in refusals {
            assert_eq!((cause.fate(), format!("{code}: {message}")), (Fate::Refused, told.to_owned()));
        }
    }

    #[test]
    fn nobody_knows_what_became_of_a_call_whose_process_is_lost() {
        assert_eq!(Failure::process_lost("x.S").cause.fate(), Fate::Unknown);
    }
}
