//! Calls, replies and streams between processes, in the form that all transports share.

use bytes::Bytes;
use parigot_abi::frame::flags;
use parigot_abi::id::CallId;
use parigot_abi::manifest::MethodFlags;
use parigot_abi::{Credit, Frame, Header, Kind};

use crate::error::Failure;
use crate::guest::builtin::BuiltinOutbox;

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
    /// Sides of the method that stream.
    pub(crate) streams: MethodFlags,
    /// Set if the deadline of a stream covers only the time until the first frame of the callee.
    pub(crate) covers_first_frame: bool,
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

/// A message of a stream, between the call and its reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StreamMessage {
    /// Response headers in the encoding of a frame.
    Open(Bytes),
    Item(Bytes),
    /// Totals that the reader of the message may have sent.
    Credit(Credit),
    /// The caller sends no more items.
    End,
}

impl StreamMessage {
    /// Returns the message in a frame of a local guest; `None` if the frame has another kind.
    pub(super) fn of(frame: &Frame<'_>) -> Option<Self> {
        match frame.kind()? {
            Kind::Open => Some(Self::Open(Bytes::copy_from_slice(frame.metadata))),
            Kind::Item => Some(Self::Item(Bytes::copy_from_slice(frame.payload))),
            Kind::Credit => Credit::read(frame.payload).ok().map(Self::Credit),
            Kind::End => Some(Self::End),
            _ => None,
        }
    }

    /// Sends the message to a local guest, which has made the call or, with [`flags::TO_CALLEE`] in
    /// `direction`, serves the call.
    pub(super) fn send(&self, number: u64, direction: u16, outbox: &mut BuiltinOutbox) {
        let header = |kind| Header {
            flags: direction,
            number,
            ..Header::new(kind)
        };
        match self {
            Self::Open(metadata) => {
                outbox.build(header(Kind::Open), |open| open.metadata_bytes(metadata));
            }
            Self::Item(item) => outbox.send(header(Kind::Item), item),
            Self::Credit(credit) => outbox.send(header(Kind::Credit), &credit.to_bytes()),
            Self::End => outbox.send(header(Kind::End), &[]),
        }
    }

    /// Returns the number of bytes in the message.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Open(bytes) | Self::Item(bytes) => bytes.len(),
            Self::Credit(_) | Self::End => 0,
        }
    }
}

/// Directions of stream frames, as flags in their headers.
pub(super) const TO_CALLER: u16 = 0;
pub(super) const TO_CALLEE: u16 = flags::TO_CALLEE;

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
