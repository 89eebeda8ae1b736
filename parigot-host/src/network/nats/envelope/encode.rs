//! Construction and encoding of envelopes.

use bytes::Bytes;
use parigot_abi::id::CallId;
use parigot_abi::manifest::MethodFlags;
use prost::Message;

use super::body::{Content, Lengths};
use super::message::{
    Announcement, Cancel, Envelope, METHODS_BYTES_MAX, OpenStream, PeerId, PeerMessage,
    ReplyMessage, RequestMessage, Stage, VERSION,
};

/// Fields of a request besides its body.
#[derive(Clone, Debug)]
pub(crate) struct CallHeader {
    pub(crate) call: CallId,
    pub(crate) method: String,
    pub(crate) remaining_ns: u64,
    pub(crate) sent_ns: u64,
    pub(crate) has_default_deadline: bool,
    pub(crate) streams: MethodFlags,
    pub(crate) covers_first_frame: bool,
}

impl PeerId {
    /// Encodes an envelope from this process.
    pub(crate) fn write(&self, message: PeerMessage) -> Bytes {
        let envelope = Envelope {
            version: VERSION,
            host: Some(self.host.into()),
            process: self.process.clone(),
            message: Some(message),
        };
        envelope.encode_to_vec().into()
    }
}

impl Announcement {
    /// Creates an announcement. Method names beyond the size limit are left out.
    pub(crate) fn new(
        service: String,
        schema: u64,
        mut methods: Vec<String>,
        stage: Stage,
    ) -> Self {
        let mut bytes = 0;
        methods.retain(|method| {
            bytes += method.len();
            bytes <= METHODS_BYTES_MAX
        });
        Announcement {
            service,
            schema,
            methods,
            stage: stage.into(),
            deadline_ns: 0,
            is_away: false,
            deployment: 0,
            sent_ns: 0,
        }
    }
}

impl RequestMessage {
    /// Creates a request that contains its body or announces the chunks.
    pub(crate) fn new(header: CallHeader, content: Content) -> Self {
        let (lengths, body) = content.into_fields();
        RequestMessage {
            call: Some(header.call.into()),
            method: header.method,
            remaining_ns: header.remaining_ns,
            sent_ns: header.sent_ns,
            metadata_bytes: lengths.metadata,
            body_bytes: lengths.total,
            body,
            has_default_deadline: header.has_default_deadline,
            streams: header.streams.0,
            covers_first_frame: header.covers_first_frame,
        }
    }
}

impl ReplyMessage {
    /// Creates a reply that contains its body or announces the chunks, to a call without stream
    /// frames.
    pub(crate) fn new(status: u32, flags: u16, content: Content) -> Self {
        let (lengths, body) = content.into_fields();
        let Lengths {
            headers,
            metadata,
            detail,
            total,
        } = lengths;
        ReplyMessage {
            status,
            flags: flags.into(),
            metadata_bytes: metadata,
            detail_bytes: detail,
            body_bytes: total,
            body,
            headers_bytes: headers,
            frames: 0,
        }
    }
}

impl OpenStream {
    pub(crate) fn new(call: CallId, frames: u64) -> Self {
        OpenStream {
            call: Some(call.into()),
            frames,
        }
    }
}

impl Cancel {
    pub(crate) fn new(call: CallId) -> Self {
        Cancel {
            call: Some(call.into()),
        }
    }
}
