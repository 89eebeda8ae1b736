//! Fields of the envelope and of the messages.

use bytes::Bytes;
use parigot_abi::id::{HostId, Id, IdType};
use prost::Message;

/// Version of the protocol that this host uses.
pub(super) const VERSION: u32 = 3;

/// Limit for the method names of an announcement, in bytes.
pub(super) const METHODS_BYTES_MAX: usize = 64 << 10;

/// A process as named in its envelopes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PeerId {
    pub(crate) host: HostId,
    /// Name of the process in the deployment.
    pub(crate) process: String,
}

/// An id in wire form: see [`parigot_abi::id`].
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WireId {
    #[prost(fixed64, tag = "1")]
    pub(super) high: u64,
    #[prost(fixed64, tag = "2")]
    pub(super) low: u64,
}

impl<T: IdType> From<Id<T>> for WireId {
    fn from(id: Id<T>) -> Self {
        let (high, low) = id.to_wire();
        WireId { high, low }
    }
}

/// Payload of a NATS message.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Envelope {
    /// [`VERSION`] of the sender.
    #[prost(uint32, tag = "1")]
    pub(super) version: u32,
    /// Host id of the sender.
    #[prost(message, optional, tag = "2")]
    pub(super) host: Option<WireId>,
    /// Name of the sender's process in the deployment.
    #[prost(string, tag = "3")]
    pub(super) process: String,
    #[prost(oneof = "PeerMessage", tags = "4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14")]
    pub(super) message: Option<PeerMessage>,
}

/// Message of an envelope. Each variant names its subject.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum PeerMessage {
    /// `ready`: the stage of a service in the sender's process; the heartbeat of an exporter.
    #[prost(message, tag = "4")]
    Announcement(Announcement),
    /// `query`: asks the exporters of a service for an announcement.
    #[prost(message, tag = "5")]
    Discovery(Discovery),
    /// `call`: a call.
    #[prost(message, tag = "6")]
    Request(RequestMessage),
    /// `inbox`: permission to send the chunks of a request to the sender's `chunks` subject. For a
    /// call that streams, also the permission to send stream frames there.
    #[prost(message, tag = "7")]
    Continue(Continue),
    /// `inbox`: the reply to a call.
    #[prost(message, tag = "8")]
    Reply(ReplyMessage),
    /// `chunks` for a request, `inbox` for a reply: a part of the body.
    #[prost(message, tag = "9")]
    Chunk(Chunk),
    /// `cancel`: the caller no longer waits for a call.
    #[prost(message, tag = "10")]
    Cancel(Cancel),
    /// `schema`: asks for the schema of a service.
    #[prost(message, tag = "11")]
    SchemaQuery(SchemaQuery),
    /// `inbox`: the schema of a service.
    #[prost(message, tag = "12")]
    SchemaReply(SchemaReply),
    /// `chunks` from the caller, `inbox` from the callee: a frame of a stream.
    #[prost(message, tag = "13")]
    Stream(StreamFrame),
    /// `chunks` from the caller, `inbox` from the callee: the heartbeat of the open streams between
    /// two processes.
    #[prost(message, tag = "14")]
    OpenStreams(OpenStreams),
}

/// Stage of a service in the sender's process.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Announcement {
    /// Full name of the service.
    #[prost(string, tag = "1")]
    pub(crate) service: String,
    /// Hash of the schema.
    #[prost(fixed64, tag = "2")]
    pub(crate) schema: u64,
    /// Names of the methods, up to [`METHODS_BYTES_MAX`].
    #[prost(string, repeated, tag = "3")]
    pub(crate) methods: Vec<String>,
    /// A [`Stage`].
    #[prost(enumeration = "Stage", tag = "4")]
    pub(crate) stage: i32,
    /// Default deadline of a call in ns, used if neither caller nor method sets one.
    #[prost(uint64, tag = "5")]
    pub(crate) deadline_ns: u64,
    /// With [`Stage::Leaving`]: the service restarts, and the process will accept calls again.
    #[prost(bool, tag = "6")]
    pub(crate) is_away: bool,
    /// Hash of the process names of the sender's deployment; 0 if unknown.
    #[prost(fixed64, tag = "7")]
    pub(crate) deployment: u64,
    /// Send time on the sender's wall clock; 0 if unknown.
    #[prost(fixed64, tag = "8")]
    pub(crate) sent_ns: u64,
}

/// Stage of a service in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Stage {
    Unspecified = 0,
    /// The process accepts calls.
    Ready = 1,
    /// The process accepts no more calls and has pending calls.
    Leaving = 2,
    /// The process has answered all accepted calls.
    Gone = 3,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Discovery {
    /// Hash of the process names of the sender's deployment; 0 if unknown.
    #[prost(fixed64, tag = "1")]
    pub(crate) deployment: u64,
}

/// A call.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RequestMessage {
    /// Call id of the caller. The callee remembers the id for as long as the request could arrive
    /// again.
    #[prost(message, optional, tag = "1")]
    pub(super) call: Option<WireId>,
    /// Name of the method.
    #[prost(string, tag = "2")]
    pub(crate) method: String,
    /// Time until the deadline, measured when the request was sent.
    #[prost(uint64, tag = "3")]
    pub(crate) remaining_ns: u64,
    /// Send time on the caller's wall clock.
    #[prost(fixed64, tag = "4")]
    pub(crate) sent_ns: u64,
    /// Size of the metadata; the payload is the rest of the body.
    #[prost(uint32, tag = "5")]
    pub(super) metadata_bytes: u32,
    /// Size of the body.
    #[prost(uint32, tag = "6")]
    pub(super) body_bytes: u32,
    /// The body; empty if the body follows in chunks.
    #[prost(bytes = "bytes", tag = "7")]
    pub(super) body: Bytes,
    /// Set if the caller has set no deadline: then the deadline is a default.
    #[prost(bool, tag = "8")]
    pub(crate) has_default_deadline: bool,
    /// Sides that stream, as the flags of a method.
    #[prost(uint32, tag = "9")]
    pub(super) streams: u32,
    /// Set if the deadline of a stream covers only the time until the first frame of the callee.
    #[prost(bool, tag = "10")]
    pub(crate) covers_first_frame: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Continue {}

/// The reply to a call. The last token of the subject is the call id.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReplyMessage {
    /// Status as in a reply frame.
    #[prost(uint32, tag = "1")]
    pub(crate) status: u32,
    /// Flags as in a reply frame.
    #[prost(uint32, tag = "2")]
    pub(super) flags: u32,
    /// Size of the metadata after the headers: the trailers of the response.
    #[prost(uint32, tag = "3")]
    pub(super) metadata_bytes: u32,
    /// Size of the detail after the metadata. The detail has the cause of a failure. The payload
    /// is the rest of the body.
    #[prost(uint32, tag = "4")]
    pub(super) detail_bytes: u32,
    /// Size of the body.
    #[prost(uint32, tag = "5")]
    pub(super) body_bytes: u32,
    /// The body; empty if the body follows in chunks.
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) body: Bytes,
    /// Size of the response headers, with which the body begins.
    #[prost(uint32, tag = "7")]
    pub(super) headers_bytes: u32,
    /// Number of stream frames that the callee has sent before the reply.
    #[prost(uint64, tag = "8")]
    pub(crate) frames: u64,
}

/// A frame of a stream, or a part of it. The last token of the subject is the call id.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StreamFrame {
    /// Number of the frame among all frames of its sender in the call, from 0.
    #[prost(uint64, tag = "1")]
    pub(crate) number: u64,
    /// A [`StreamKind`].
    #[prost(enumeration = "StreamKind", tag = "2")]
    pub(crate) kind: i32,
    /// Metadata, item or credit.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) bytes: Bytes,
    /// Set if the next frame continues the bytes.
    #[prost(bool, tag = "4")]
    pub(crate) has_more: bool,
}

/// Kind of a stream frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum StreamKind {
    Unspecified = 0,
    /// Response headers.
    Open = 1,
    Item = 2,
    Credit = 3,
    /// The end of the requests.
    End = 4,
}

/// Open streams between the sender and one other process, in which the sender has the same part.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OpenStreams {
    #[prost(message, repeated, tag = "1")]
    pub(crate) streams: Vec<OpenStream>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct OpenStream {
    #[prost(message, optional, tag = "1")]
    pub(super) call: Option<WireId>,
    /// Number of stream frames that the sender has sent.
    #[prost(uint64, tag = "2")]
    pub(crate) frames: u64,
}

/// A part of a body. The last token of the subject is the call id.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Chunk {
    /// Number of the chunk, from 0.
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) bytes: Bytes,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Cancel {
    #[prost(message, optional, tag = "1")]
    pub(super) call: Option<WireId>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SchemaQuery {
    /// Full name of the service.
    #[prost(string, tag = "1")]
    pub(crate) service: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SchemaReply {
    /// Full name of the service.
    #[prost(string, tag = "1")]
    pub(crate) service: String,
    /// Hash of the schema.
    #[prost(fixed64, tag = "2")]
    pub(crate) schema: u64,
    /// A `FileDescriptorSet`, or empty.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) descriptors: Vec<u8>,
}
