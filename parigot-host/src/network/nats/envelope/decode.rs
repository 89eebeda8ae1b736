//! Decoding and validation of envelopes.

use bytes::Bytes;
use parigot_abi::Credit;
use parigot_abi::frame::flags;
use parigot_abi::id::{CallId, Id, IdType};
use parigot_abi::manifest::MethodFlags;
use prost::Message;

use super::body::{Content, Lengths};
use super::message::{
    Announcement, Cancel, Envelope, METHODS_BYTES_MAX, OpenStream, PeerId, PeerMessage,
    ReplyMessage, RequestMessage, SchemaQuery, SchemaReply, Stage, StreamFrame, StreamKind,
    VERSION, WireId,
};

/// Longest name of a process, service or method in bytes.
const NAME_BYTES_MAX: usize = 1 << 10;

/// Error of an envelope that this process cannot read.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("the message is not a valid envelope")]
    Malformed,
    #[error(
        "process `{}` uses version {version} of the network protocol, and this process uses \
         {VERSION}: run the same version of parigot in both",
        from.process
    )]
    Version { from: PeerId, version: u32 },
}

impl Envelope {
    /// Decodes and validates an envelope, and returns its sender and message.
    pub(crate) fn read(bytes: Bytes) -> Result<(PeerId, PeerMessage), DecodeError> {
        let envelope = Envelope::decode(bytes).map_err(|_| DecodeError::Malformed)?;
        let host = envelope.host.and_then(WireId::read);
        let from = PeerId {
            host: host.ok_or(DecodeError::Malformed)?,
            process: envelope.process,
        };
        // The error of another version contains the name, so the name is checked before the
        // version.
        if !is_name(&from.process) {
            return Err(DecodeError::Malformed);
        }
        if envelope.version != VERSION {
            let version = envelope.version;
            return Err(DecodeError::Version { from, version });
        }
        let message = envelope.message.filter(PeerMessage::is_valid);
        Ok((from, message.ok_or(DecodeError::Malformed)?))
    }
}

/// Checks the characters and the length of a name. Names appear in logs and error texts, so only
/// the characters of guest, service and method names are allowed.
fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// Checks a method as the launched frame names it.
fn is_method(method: &str) -> bool {
    let (name, streams) = MethodFlags::split_name(method);
    is_name(name) && method[name.len()..] == *streams.name_suffix()
}

impl WireId {
    /// Returns the id if it is set and has the expected type.
    fn read<T: IdType>(self) -> Option<Id<T>> {
        Id::from_wire(self.high, self.low)
            .ok()
            .filter(|id| !id.is_empty() && !id.is_zero())
    }
}

impl PeerMessage {
    fn is_valid(&self) -> bool {
        match self {
            PeerMessage::Announcement(announcement) => announcement.is_valid(),
            PeerMessage::Request(request) => request.is_valid(),
            PeerMessage::Reply(reply) => {
                reply.flags & !u32::from(flags::SERVICE_ERROR) == 0 && reply.content().is_some()
            }
            PeerMessage::Cancel(cancel) => cancel.call().is_some(),
            PeerMessage::SchemaQuery(SchemaQuery { service })
            | PeerMessage::SchemaReply(SchemaReply { service, .. }) => is_name(service),
            PeerMessage::Stream(frame) => frame.is_valid(),
            PeerMessage::OpenStreams(open) => {
                open.streams.iter().all(|stream| stream.call().is_some())
            }
            PeerMessage::Discovery(_) | PeerMessage::Continue(_) | PeerMessage::Chunk(_) => true,
        }
    }
}

impl Announcement {
    fn is_valid(&self) -> bool {
        let methods_bytes = self.methods.iter().map(String::len).sum::<usize>();
        is_name(&self.service)
            && self.stage() != Stage::Unspecified
            && methods_bytes <= METHODS_BYTES_MAX
            && self.methods.iter().all(|method| is_method(method))
    }
}

impl RequestMessage {
    fn is_valid(&self) -> bool {
        let streams = MethodFlags(self.streams);
        let are_known = streams.streams() == streams;
        self.call().is_some()
            && is_name(&self.method)
            && self.content().is_some()
            && are_known
            && !(self.covers_first_frame && streams.is_unary())
    }

    /// Returns the sides that stream.
    pub(crate) fn streams(&self) -> MethodFlags {
        MethodFlags(self.streams)
    }

    pub(crate) fn call(&self) -> Option<CallId> {
        self.call.and_then(WireId::read)
    }

    /// Returns the body or its announced lengths; `None` if the lengths are inconsistent.
    pub(crate) fn content(&self) -> Option<Content> {
        let lengths = Lengths {
            headers: 0,
            metadata: self.metadata_bytes,
            detail: 0,
            total: self.body_bytes,
        };
        lengths.content(&self.body)
    }
}

impl ReplyMessage {
    /// Returns the flags of the reply frame. Validation has rejected all unknown flags, so no bit
    /// is lost.
    pub(crate) fn flags(&self) -> u16 {
        self.flags as u16
    }

    /// Returns the body or its announced lengths; `None` if the lengths are inconsistent.
    pub(crate) fn content(&self) -> Option<Content> {
        let lengths = Lengths {
            headers: self.headers_bytes,
            metadata: self.metadata_bytes,
            detail: self.detail_bytes,
            total: self.body_bytes,
        };
        lengths.content(&self.body)
    }
}

impl Cancel {
    pub(crate) fn call(&self) -> Option<CallId> {
        self.call.and_then(WireId::read)
    }
}

impl StreamFrame {
    fn is_valid(&self) -> bool {
        match self.kind() {
            StreamKind::Unspecified => false,
            StreamKind::Open | StreamKind::Item => !(self.has_more && self.bytes.is_empty()),
            StreamKind::Credit => !self.has_more && Credit::read(&self.bytes).is_ok(),
            StreamKind::End => !self.has_more && self.bytes.is_empty(),
        }
    }
}

impl OpenStream {
    pub(crate) fn call(&self) -> Option<CallId> {
        self.call.and_then(WireId::read)
    }
}
