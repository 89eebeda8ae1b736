//! How calls end that leave this process, or come from another.

use std::time::Duration;

use parigot_abi::{Cause, Code};

use super::Failure;
use crate::limits::Size;

/// Refusals, of calls that have not run.
impl Failure {
    /// There is no connection.
    pub(crate) fn disconnected(down: Duration) -> Self {
        Self::unreachable(format!(
            "the connection to NATS has been down for {} ms",
            down.as_millis()
        ))
    }

    /// No process offers the service.
    pub(crate) fn unoffered(service: &str) -> Self {
        Self::unreachable(format!("no process offers {service}"))
    }

    /// There is a process that offers the service, and it and the caller would not understand each
    /// other.
    pub(crate) fn misfit(why: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, Cause::Unreachable, why.into())
    }

    /// Too much waits to be sent to other processes.
    pub(crate) fn too_much_to_send(bytes_max: usize) -> Self {
        let most = Size(bytes_max);
        Self::overloaded(format!(
            "{most} wait to be sent to other processes, and that is the most"
        ))
    }

    /// The calls to a service that are not answered hold too much.
    pub(crate) fn too_much_taken(service: &str) -> Self {
        Self::overloaded(format!(
            "the calls to {service} that are not answered hold as much as they may"
        ))
    }

    /// Too much is on its way in pieces.
    pub(crate) fn too_many_pieces(process: &str) -> Self {
        Self::overloaded(format!("{process} awaits as many large messages as it may"))
    }

    /// The caller's deadline passed on the way.
    pub(crate) fn came_too_late(behind: Duration, remaining: Duration) -> Self {
        let (behind, remaining) = (behind.as_millis(), remaining.as_millis());
        Self::unreachable(format!(
            "it came {behind} ms after it was sent, and had {remaining} ms"
        ))
    }

    /// Its pieces are not what was announced.
    pub(crate) fn broken_pieces() -> Self {
        Self::unreachable("its pieces do not belong together".to_owned())
    }

    /// Some of its pieces have not come.
    pub(crate) fn pieces_missing(stall: Duration) -> Self {
        Self::unreachable(format!(
            "no more of its pieces came for {} s",
            stall.as_secs()
        ))
    }

    fn unreachable(message: String) -> Self {
        Self::new(Code::Unavailable, Cause::Unreachable, message)
    }
}

/// Ends of calls that were on their way.
impl Failure {
    /// The caller does not wait any more.
    pub(crate) fn cancelled() -> Self {
        Self::new(Code::Cancelled, Cause::Cancelled, String::new())
    }

    /// The only process that can have taken the call is gone, and has not answered it.
    pub(crate) fn process_gone(service: &str) -> Self {
        let message = format!("the process that offered {service} left and has not answered it");
        Self::new(Code::Unavailable, Cause::CalleeExited, message)
    }

    /// Nothing was heard for too long of the only process that can have taken the call.
    pub(crate) fn process_lost(service: &str, silence: Duration) -> Self {
        let message = format!(
            "the process that offered {service} has not been heard of for {} s",
            silence.as_secs()
        );
        Self::new(Code::Unavailable, Cause::CalleeExited, message)
    }

    /// The process has left before its guest had answered.
    pub(crate) fn process_left(process: &str) -> Self {
        Self::new(
            Code::Unavailable,
            Cause::CalleeExited,
            format!("process {process} left while it had this call"),
        )
    }

    /// There was an answer, and what came of it is none.
    pub(crate) fn answer_broken() -> Self {
        Self::new(
            Code::DataLoss,
            Cause::AnswerLost,
            "the pieces of its answer do not belong together".to_owned(),
        )
    }

    /// There was an answer, and some of its pieces have not come.
    pub(crate) fn rest_of_answer_missing(stall: Duration) -> Self {
        let message = format!(
            "no more of the pieces of its answer came for {} s",
            stall.as_secs()
        );
        Self::new(Code::Unavailable, Cause::AnswerLost, message)
    }

    /// There was an answer, and no room for it.
    pub(crate) fn no_room_for_pieces(bytes: usize) -> Self {
        Self::answer_lost(format!(
            "a response of {bytes} bytes, and too much is on its way already"
        ))
    }

    /// There was an answer, and too much waited to be sent.
    pub(crate) fn no_room_to_answer(bytes_max: usize) -> Self {
        Self::answer_lost(format!(
            "{} wait to be sent to other processes, and that is the most",
            Size(bytes_max)
        ))
    }
}

impl Failure {
    /// Status and detail of a frame that tells the caller.
    pub(crate) fn to_parts(&self) -> (u32, Vec<u8>) {
        let mut detail = Vec::new();
        self.as_detail().write(&mut detail);
        (self.code.number(), detail)
    }
}
