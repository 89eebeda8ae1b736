//! Failures of calls between processes.

use std::time::Duration;

use parigot_abi::{Cause, Code};

use super::Failure;
use crate::limits::Size;

/// Failures of calls that did not run (fate: refused).
impl Failure {
    /// Creates the failure of a call without a connection to the server.
    pub(crate) fn disconnected(down: Duration) -> Self {
        Self::unreachable(format!(
            "the connection to NATS has been down for {} ms",
            down.as_millis()
        ))
    }

    /// Creates the failure of a call to a service without an exporter.
    pub(crate) fn unoffered(service: &str) -> Self {
        Self::unreachable(format!("no process offers {service}"))
    }

    /// Creates the failure of a call whose only exporters have an incompatible schema.
    pub(crate) fn misfit(why: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, Cause::Unreachable, why.into())
    }

    /// Creates the failure of a call beyond the send buffer.
    pub(crate) fn too_much_to_send(bytes_max: usize) -> Self {
        let most = Size(bytes_max);
        Self::overloaded(format!(
            "{most} wait to be sent to other processes, and that is the most"
        ))
    }

    /// Creates the failure of a call beyond the memory for pending calls of a service.
    pub(crate) fn too_much_taken(service: &str) -> Self {
        Self::overloaded(format!(
            "the calls to {service} that are not answered hold as much as they may"
        ))
    }

    /// Creates the failure of a call beyond the number of chunked transfers.
    pub(crate) fn too_many_pieces(process: &str) -> Self {
        Self::overloaded(format!("{process} awaits as many large messages as it may"))
    }

    /// Creates the failure of a call whose deadline passed on the way.
    pub(crate) fn came_too_late(behind: Duration, remaining: Duration) -> Self {
        let (behind, remaining) = (behind.as_millis(), remaining.as_millis());
        Self::unreachable(format!(
            "it came {behind} ms after it was sent, and had {remaining} ms"
        ))
    }

    /// Creates the failure of a request whose chunks differ from the announced size.
    pub(crate) fn broken_pieces() -> Self {
        Self::unreachable("its pieces do not belong together".to_owned())
    }

    /// Creates the failure of a request whose chunks stopped arriving.
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

/// Failures of calls that may have run (fate: unknown).
impl Failure {
    /// Creates the failure of a cancelled call.
    pub(crate) fn cancelled() -> Self {
        Self::new(Code::Cancelled, Cause::Cancelled, String::new())
    }

    /// Creates the failure of a call whose only possible callee left without a reply.
    pub(crate) fn process_gone(service: &str) -> Self {
        let message = format!("the process that offered {service} left and has not answered it");
        Self::new(Code::Unavailable, Cause::CalleeExited, message)
    }

    /// Creates the failure of a call whose only possible callee sends no heartbeat.
    pub(crate) fn process_lost(service: &str, silence: Duration) -> Self {
        let message = format!(
            "the process that offered {service} has not been heard of for {} s",
            silence.as_secs()
        );
        Self::new(Code::Unavailable, Cause::CalleeExited, message)
    }

    /// Creates the failure of a call whose process left before its guest replied.
    pub(crate) fn process_left(process: &str) -> Self {
        Self::new(
            Code::Unavailable,
            Cause::CalleeExited,
            format!("process {process} left while it had this call"),
        )
    }

    /// Creates the failure of a reply whose chunks differ from the announced size.
    pub(crate) fn answer_broken() -> Self {
        Self::new(
            Code::DataLoss,
            Cause::AnswerLost,
            "the pieces of its answer do not belong together".to_owned(),
        )
    }

    /// Creates the failure of a reply whose chunks stopped arriving.
    pub(crate) fn rest_of_answer_missing(stall: Duration) -> Self {
        let message = format!(
            "no more of the pieces of its answer came for {} s",
            stall.as_secs()
        );
        Self::new(Code::Unavailable, Cause::AnswerLost, message)
    }

    /// Creates the failure of a reply beyond the memory for chunked transfers.
    pub(crate) fn no_room_for_pieces(bytes: usize) -> Self {
        Self::answer_lost(format!(
            "a response of {bytes} bytes, and too much is on its way already"
        ))
    }

    /// Creates the failure of a reply beyond the send buffer.
    pub(crate) fn no_room_to_answer(bytes_max: usize) -> Self {
        Self::answer_lost(format!(
            "{} wait to be sent to other processes, and that is the most",
            Size(bytes_max)
        ))
    }
}

impl Failure {
    /// Returns status and detail of the reply frame for the caller.
    pub(crate) fn to_parts(&self) -> (u32, Vec<u8>) {
        let mut detail = Vec::new();
        self.as_detail().write(&mut detail);
        (self.code.number(), detail)
    }
}
