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

    /// Creates the failure of a call that the server does not pass on.
    pub(crate) fn denied(reason: &str) -> Self {
        Self::new(
            Code::PermissionDenied,
            Cause::Unreachable,
            reason.to_owned(),
        )
    }

    /// Creates the failure of a call to a service without an exporter.
    pub(crate) fn unoffered(service: &str) -> Self {
        Self::unreachable(format!("no process offers {service}"))
    }

    /// Creates the failure of a call to a service that restarts in each process that offers it, or
    /// whose processes make no progress.
    pub(crate) fn away_elsewhere(service: &str) -> Self {
        Self::unreachable(format!(
            "{service} is being restarted in each process that offers it, or these processes have \
             no free worker"
        ))
    }

    /// Creates the failure of a call that no worker of the callee's process has taken.
    pub(crate) fn no_progress(process: &str, stall: Duration) -> Self {
        Self::unreachable(format!(
            "process {process} had no free worker for {} s",
            stall.as_secs()
        ))
    }

    /// Creates the failure of a call whose only exporters are incompatible.
    pub(crate) fn incompatible(reason: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, Cause::Unreachable, reason.into())
    }

    /// Creates the failure of a call beyond the send buffer.
    pub(crate) fn send_buffer_full(bytes_max: usize) -> Self {
        Self::overloaded(format!(
            "send buffer for other processes is full ({}): retry later",
            Size(bytes_max)
        ))
    }

    /// Creates the failure of a call beyond the memory for pending calls of a service.
    pub(crate) fn too_much_inbound(service: &str, bytes_max: usize) -> Self {
        Self::overloaded(format!(
            "pending calls to {service} have reached the limit of {}: retry later",
            Size(bytes_max)
        ))
    }

    /// Creates the failure of a call beyond the limits for chunked requests.
    pub(crate) fn too_many_chunked_requests(process: &str) -> Self {
        Self::overloaded(format!(
            "process {process} has reached its limit of large requests in transfer: retry later"
        ))
    }

    /// Creates the failure of a call whose deadline passed in transit.
    pub(crate) fn late_arrival(transit: Duration, remaining: Duration) -> Self {
        let transit_ms = transit.as_millis();
        let remaining_ms = remaining.as_millis();
        let message = format!(
            "the request arrived {transit_ms} ms after it was sent, {remaining_ms} ms were left: \
             check the clocks of both hosts"
        );
        Self::new(Code::DeadlineExceeded, Cause::Expired, message)
    }

    /// Creates the failure of a request whose chunks differ from the announcement.
    pub(crate) fn request_chunks_invalid() -> Self {
        Self::unreachable(
            "the chunks of the request are out of order or differ from the announced size"
                .to_owned(),
        )
    }

    /// Creates the failure of a request whose chunks stopped arriving.
    pub(crate) fn request_chunks_missing(stall: Duration) -> Self {
        Self::unreachable(format!(
            "no chunk of the request arrived for {} s",
            stall.as_secs()
        ))
    }

    fn unreachable(message: String) -> Self {
        Self::new(Code::Unavailable, Cause::Unreachable, message)
    }
}

/// Failures of calls that may have run (fate: unknown).
impl Failure {
    /// Creates the failure of a call whose only possible callee left without a reply.
    pub(crate) fn process_gone(service: &str) -> Self {
        let message = format!("the process that offered {service} left before it replied");
        Self::new(Code::Unavailable, Cause::CalleeExited, message)
    }

    /// Creates the failure of a call whose only possible callee sends no heartbeat.
    pub(crate) fn process_lost(service: &str, silence: Duration) -> Self {
        let message = format!(
            "the process that offered {service} has sent no heartbeat for {} s",
            silence.as_secs()
        );
        Self::new(Code::Unavailable, Cause::CalleeExited, message)
    }

    /// Creates the failure of a call whose process left before its guest replied.
    pub(crate) fn process_left(process: &str) -> Self {
        let message = format!("process {process} left before it replied");
        Self::new(Code::Unavailable, Cause::CalleeExited, message)
    }

    /// Creates the failure of a stream with a message of `process` that has not arrived.
    pub(crate) fn stream_gap(process: &str) -> Self {
        let message = format!("a message of process {process} in the stream was lost");
        Self::new(Code::Unavailable, Cause::AnswerLost, message)
    }

    /// Creates the failure of a stream in which `process` has sent what no process may send.
    pub(crate) fn stream_rule(process: &str, what: &str) -> Self {
        let message = format!("process {process} broke the rules of streams: it sent {what}");
        Self::new(Code::Internal, Cause::AnswerLost, message)
    }

    /// Creates the failure of a stream that the other process has not mentioned for a while.
    pub(crate) fn stream_silent(silence: Duration) -> Self {
        let message = format!(
            "the other process has sent no sign of the stream for {} s",
            silence.as_secs()
        );
        Self::new(Code::Unavailable, Cause::AnswerLost, message)
    }

    /// Creates the failure of a stream with a message beyond the send buffer.
    pub(crate) fn stream_send_buffer_full(bytes_max: usize) -> Self {
        Self::answer_lost(format!(
            "send buffer for other processes is full ({}), and the stream has lost a message",
            Size(bytes_max)
        ))
    }

    /// Creates the failure of a stream whose large messages have no space at the receiver.
    pub(crate) fn too_many_stream_parts() -> Self {
        Self::answer_lost(
            "no space for a message of the stream: the receiver's process has reached its limit \
             of large messages in transfer"
                .to_owned(),
        )
    }

    /// Creates the failure of a reply whose chunks differ from the announcement.
    pub(crate) fn reply_chunks_invalid() -> Self {
        Self::new(
            Code::DataLoss,
            Cause::AnswerLost,
            "the chunks of the response are out of order or differ from the announced size"
                .to_owned(),
        )
    }

    /// Creates the failure of a reply whose chunks stopped arriving.
    pub(crate) fn reply_chunks_missing(stall: Duration) -> Self {
        let message = format!("no chunk of the response arrived for {} s", stall.as_secs());
        Self::new(Code::Unavailable, Cause::AnswerLost, message)
    }

    /// Creates the failure of a reply beyond the limits for chunked replies.
    pub(crate) fn too_many_chunked_replies() -> Self {
        Self::answer_lost(
            "no space for the response: the caller's process has reached its limit of large \
             responses in transfer"
                .to_owned(),
        )
    }

    /// Creates the failure of a reply beyond the send buffer.
    pub(crate) fn reply_send_buffer_full(bytes_max: usize) -> Self {
        Self::answer_lost(format!(
            "the response was dropped: the callee's send buffer for other processes is full ({})",
            Size(bytes_max)
        ))
    }
}
