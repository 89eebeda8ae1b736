//! Calls and replies between processes, in the form that all transports share.

use bytes::Bytes;
use parigot_abi::id::CallId;

use crate::error::Failure;

/// A call between processes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: CallId,
    /// Name of the method.
    pub(crate) method: String,
    /// Deadline on the monotonic clock of the host that holds this value.
    pub(crate) deadline_ns: u64,
    /// Set if the caller has set no deadline: then the deadline is a default.
    pub(crate) has_default_deadline: bool,
    /// Metadata in the encoding of a frame.
    pub(crate) metadata: Bytes,
    pub(crate) payload: Bytes,
}

/// The reply to a call between processes: the response headers, and the parts of a reply frame.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u32,
    pub(crate) flags: u16,
    /// Response headers in the encoding of a frame; empty if the callee has sent none.
    pub(crate) headers: Bytes,
    pub(crate) metadata: Bytes,
    pub(crate) detail: Bytes,
    pub(crate) payload: Bytes,
}

/// Destination of the reply to a call of another process. Only the transport interprets the text.
#[derive(Clone, Debug)]
pub(crate) struct ReturnAddress(pub(crate) String);

impl From<&Failure> for Reply {
    fn from(failure: &Failure) -> Self {
        let (status, detail) = failure.to_parts();
        Reply {
            status,
            flags: 0,
            headers: Bytes::new(),
            metadata: Bytes::new(),
            detail: detail.into(),
            payload: Bytes::new(),
        }
    }
}
