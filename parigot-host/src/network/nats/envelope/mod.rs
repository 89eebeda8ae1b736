//! Messages between processes: protobuf envelopes, one per NATS message.
//!
//! An [`Envelope`] has the protocol version, the sender's host id and process name, and one
//! [`PeerMessage`]. The first three fields are the same in every version of the protocol, so a
//! process with another version can be named in the error. Ids are in wire form, times in
//! nanoseconds.
//!
//! Requests and replies have a [`Body`]: the concatenation of metadata, detail and payload.
//! Requests have no detail. A body too large for one NATS message follows its envelope in chunks,
//! numbered from 0. The chunks together have exactly the announced size. The frames of a stream are
//! numbered, too; the reply and the heartbeat of a stream have the number of frames before them.
//!
//! Envelopes are untrusted input. [`Envelope::read`] rejects every envelope outside this
//! definition, and the users of the remaining values apply their own limits.

mod body;
mod decode;
mod encode;
mod message;
#[cfg(test)]
mod tests;

pub(super) use body::{Body, BodyParts, Content, Lengths};
pub(super) use decode::DecodeError;
pub(super) use encode::CallHeader;
pub(super) use message::{
    Announcement, Cancel, Chunk, Continue, Discovery, Envelope, OpenStream, OpenStreams, PeerId,
    PeerMessage, ReplyMessage, RequestMessage, SchemaQuery, SchemaReply, Stage, StreamFrame,
    StreamKind,
};
