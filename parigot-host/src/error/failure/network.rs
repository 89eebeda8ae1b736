//! How calls end that leave this process, or come from another.

use std::time::Duration;

use parigot_abi::{Cause, Code};

use super::Failure;

/// Refusals, of calls that have not run.
#[cfg_attr(not(test), expect(dead_code, reason = "who carries calls comes next"))]
impl Failure {
    /// There is no connection.
    pub(crate) fn disconnected(down: Duration) -> Self {
        Self::unreachable(format!("the connection to NATS has been down for {} ms", down.as_millis()))
    }

    /// No process offers the service.
    pub(crate) fn unoffered(service: &str) -> Self {
        Self::unreachable(format!("no process offers {service}"))
    }

    fn unreachable(message: String) -> Self {
        Self::new(Code::Unavailable, Cause::Unreachable, message)
    }
}

/// Ends of calls that were on their way.
impl Failure {
    /// No process is left that may have the call.
    pub(crate) fn all_lost(service: &str) -> Self {
        let message = format!("no process is left that offered {service}");
        Self::new(Code::Unavailable, Cause::CalleeExited, message)
    }

    /// The caller does not wait any more.
    pub(crate) fn cancelled() -> Self {
        Self::new(Code::Cancelled, Cause::Cancelled, String::new())
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
