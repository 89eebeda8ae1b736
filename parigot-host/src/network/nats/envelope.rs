//! What processes say to each other: letters, each the payload of one message of NATS, in protobuf.
//!
//! A letter names the version of this protocol, who wrote it, and has one word. The first three fields are the same in every version, so that
//! one who speaks another can be told apart and refused by name. Ids are in their wire form, times in nanoseconds.
//!
//! A request or an answer has a *body*: of a request metadata and payload, of an answer metadata, detail and payload, one behind the other. A body
//! that does not fit into one message comes in pieces behind its letter, numbered from 0, which together have the bytes that the letter announced.
//!
//! Nothing in a letter is believed: [`Envelope::read`] refuses what is not as said here, and what remains is bounded where it is used.

use bytes::Bytes;
use parigot_abi::frame::flags;
use parigot_abi::id::{CallId, HostId, Id, IdType};
use prost::Message;

/// The version of the protocol that this host speaks.
pub(super) const VERSION: u32 = 1;

/// The longest name of a process, a service or a method, in bytes.
const NAME_BYTES_MAX: usize = 1 << 10;
/// How long the names of a service's methods may be, all together.
const METHODS_BYTES_MAX: usize = 64 << 10;

/// An id: see [`parigot_abi::id`].
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

impl WireId {
    /// The id, if it is one of that type that somebody has set.
    pub(super) fn read<T: IdType>(self) -> Option<Id<T>> {
        Id::from_wire(self.high, self.low)
            .ok()
            .filter(|id| !id.is_empty() && !id.is_zero())
    }
}

/// One message of NATS.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Envelope {
    /// [`VERSION`] of the writer.
    #[prost(uint32, tag = "1")]
    version: u32,
    /// The writer's host.
    #[prost(message, optional, tag = "2")]
    host: Option<WireId>,
    /// The name of the writer's process in the deployment.
    #[prost(string, tag = "3")]
    process: String,
    #[prost(oneof = "PeerMessage", tags = "4, 5, 6, 7, 8, 9, 10, 11, 12")]
    word: Option<PeerMessage>,
}

/// What a letter says, and on which subject.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum PeerMessage {
    /// `ready`: the writer offers a service, or does no more.
    #[prost(message, tag = "4")]
    Announcement(Announcement),
    /// `who`: those who offer the service may announce it.
    #[prost(message, tag = "5")]
    Question(Question),
    /// `call`: a call.
    #[prost(message, tag = "6")]
    Request(Request),
    /// `inbox`: the pieces of a request may come, to the writer's `pieces`.
    #[prost(message, tag = "7")]
    Continue(Continue),
    /// `inbox`: the answer to a call.
    #[prost(message, tag = "8")]
    Reply(ReplyMessage),
    /// `pieces`, of a request; `inbox`, of an answer.
    #[prost(message, tag = "9")]
    Chunk(Chunk),
    /// `cancel`: nobody waits for a call any more.
    #[prost(message, tag = "10")]
    Cancel(Cancel),
    /// `schema`: the writer wants to know what a service looks like.
    #[prost(message, tag = "11")]
    SchemaQuestion(SchemaQuestion),
    /// `inbox`: what a service looks like.
    #[prost(message, tag = "12")]
    SchemaAnswer(SchemaAnswer),
}

/// The writer and a service.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Announcement {
    /// The service's full name.
    #[prost(string, tag = "1")]
    pub(super) service: String,
    /// The hash of its schema.
    #[prost(fixed64, tag = "2")]
    pub(super) schema: u64,
    /// The names of its methods, as far as there is room for them.
    #[prost(string, repeated, tag = "3")]
    pub(super) methods: Vec<String>,
    /// A [`Stage`].
    #[prost(enumeration = "Stage", tag = "4")]
    pub(super) stage: i32,
    /// How long a call may take if neither its caller nor its method says, in ns.
    #[prost(uint64, tag = "5")]
    pub(super) deadline_ns: u64,
}

/// How far the writer of an announcement has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Stage {
    Unspecified = 0,
    /// It takes calls.
    Ready = 1,
    /// It takes no more calls, and has some that it has not answered.
    Leaving = 2,
    /// It has answered all calls that it has taken.
    Gone = 3,
}

impl Announcement {
    pub(super) fn new(
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
        }
    }

    fn is_sound(&self) -> bool {
        let methods_bytes = self.methods.iter().map(String::len).sum::<usize>();
        is_name(&self.service)
            && self.stage() != Stage::Unspecified
            && methods_bytes <= METHODS_BYTES_MAX
            && self.methods.iter().all(|method| is_name(method))
    }
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Question {}

/// A call.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    /// Its id at the caller; who takes calls keeps it for as long as the call could come a second time.
    #[prost(message, optional, tag = "1")]
    call: Option<WireId>,
    /// The method's name.
    #[prost(string, tag = "2")]
    pub(super) method: String,
    /// How long the caller waits, from when it was sent.
    #[prost(uint64, tag = "3")]
    pub(super) remaining_ns: u64,
    /// When it was sent, on the caller's wall clock.
    #[prost(fixed64, tag = "4")]
    pub(super) sent_ns: u64,
    /// How many bytes of the body are metadata; the rest is the payload.
    #[prost(uint32, tag = "5")]
    metadata_bytes: u32,
    /// How many bytes the body has.
    #[prost(uint32, tag = "6")]
    body_bytes: u32,
    /// The body, or nothing if it comes in pieces.
    #[prost(bytes = "bytes", tag = "7")]
    body: Bytes,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Continue {}

/// The answer to the call whose id ends the subject.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ReplyMessage {
    /// As in a frame.
    #[prost(uint32, tag = "1")]
    pub(super) status: u32,
    /// As in a frame.
    #[prost(uint32, tag = "2")]
    flags: u32,
    /// How many bytes of the body are metadata.
    #[prost(uint32, tag = "3")]
    metadata_bytes: u32,
    /// How many bytes behind these are the detail, which says why there is no answer, and whether the call was begun. The rest is the payload.
    #[prost(uint32, tag = "4")]
    detail_bytes: u32,
    /// How many bytes the body has.
    #[prost(uint32, tag = "5")]
    body_bytes: u32,
    /// The body, or nothing if it comes in pieces.
    #[prost(bytes = "bytes", tag = "6")]
    body: Bytes,
}

/// A part of the body of the call whose id ends the subject.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Chunk {
    /// From 0.
    #[prost(uint32, tag = "1")]
    pub(super) number: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) bytes: Bytes,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Cancel {
    #[prost(message, optional, tag = "1")]
    call: Option<WireId>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SchemaQuestion {
    /// The service's full name.
    #[prost(string, tag = "1")]
    pub(super) service: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SchemaAnswer {
    /// The service's full name.
    #[prost(string, tag = "1")]
    pub(super) service: String,
    /// The hash of its schema.
    #[prost(fixed64, tag = "2")]
    pub(super) schema: u64,
    /// A `FileDescriptorSet`, or nothing.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) descriptors: Vec<u8>,
}

/// A process, as it calls itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PeerId {
    pub(super) host: HostId,
    /// Its name in the deployment.
    pub(super) process: String,
}

/// Why something that has arrived is no letter.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("it is none of ours")]
    Foreign,
    #[error("process `{}` uses version {version} of the protocol between processes, and this one speaks {VERSION}", from.process)]
    Version { from: PeerId, version: u32 },
}

impl PeerId {
    /// The bytes of a letter.
    pub(super) fn write(&self, word: PeerMessage) -> Bytes {
        let (host, process) = (Some(self.host.into()), self.process.clone());
        Envelope {
            version: VERSION,
            host,
            process,
            word: Some(word),
        }
        .encode_to_vec()
        .into()
    }
}

impl Envelope {
    /// Who wrote it and what it says, if it is as said above.
    pub(super) fn read(bytes: Bytes) -> Result<(PeerId, PeerMessage), DecodeError> {
        let Envelope {
            version,
            host,
            process,
            word,
        } = Envelope::decode(bytes).map_err(|_| DecodeError::Foreign)?;
        let host = host.and_then(WireId::read).ok_or(DecodeError::Foreign)?;
        if !is_name(&process) {
            return Err(DecodeError::Foreign);
        }
        let from = PeerId { host, process };
        if version != VERSION {
            return Err(DecodeError::Version { from, version });
        }
        let word = word
            .filter(PeerMessage::is_sound)
            .ok_or(DecodeError::Foreign)?;
        Ok((from, word))
    }
}

/// Names are told to people, so they are made of what names of guests, services and methods are made of.
fn is_name(name: &str) -> bool {
    let may = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(may)
}

impl PeerMessage {
    fn is_sound(&self) -> bool {
        match self {
            PeerMessage::Announcement(announcement) => announcement.is_sound(),
            PeerMessage::Request(request) => {
                request.call().is_some() && is_name(&request.method) && request.content().is_some()
            }
            PeerMessage::Reply(answer) => {
                answer.flags & !u32::from(flags::SERVICE_ERROR) == 0 && answer.content().is_some()
            }
            PeerMessage::Cancel(cancel) => cancel.call().is_some(),
            PeerMessage::SchemaQuestion(SchemaQuestion { service })
            | PeerMessage::SchemaAnswer(SchemaAnswer { service, .. }) => is_name(service),
            PeerMessage::Question(_) | PeerMessage::Continue(_) | PeerMessage::Chunk(_) => true,
        }
    }
}

/// What a request and an answer carry, in one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Body {
    pub(super) lengths: Lengths,
    pub(super) bytes: Bytes,
}

/// How long the parts of a body are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    metadata: u32,
    detail: u32,
    whole: u32,
}

/// A body as it comes.
#[derive(Debug, PartialEq)]
pub(super) enum Content {
    Whole(Body),
    InPieces(Lengths),
}

impl Body {
    /// Puts the parts together; `None` if that are 4 GiB or more.
    pub(super) fn of(metadata: &[u8], detail: &[u8], payload: &[u8]) -> Option<Self> {
        let lengths = Lengths {
            metadata: metadata.len().try_into().ok()?,
            detail: detail.len().try_into().ok()?,
            whole: (metadata.len() + detail.len() + payload.len())
                .try_into()
                .ok()?,
        };
        Some(Body {
            lengths,
            bytes: [metadata, detail, payload].concat().into(),
        })
    }

    /// Metadata, detail and payload.
    pub(super) fn parts(mut self) -> (Bytes, Bytes, Bytes) {
        let metadata = self.bytes.split_to(self.lengths.metadata as usize);
        let detail = self.bytes.split_to(self.lengths.detail as usize);
        (metadata, detail, self.bytes)
    }
}

impl Lengths {
    /// Of all parts together.
    pub(super) fn bytes(self) -> usize {
        self.whole as usize
    }

    fn content(self, body: &Bytes) -> Option<Content> {
        let is_sound = u64::from(self.metadata) + u64::from(self.detail) <= u64::from(self.whole);
        match body.len() {
            _ if !is_sound => None,
            bytes if bytes == self.bytes() => Some(Content::Whole(Body {
                lengths: self,
                bytes: body.clone(),
            })),
            0 => Some(Content::InPieces(self)),
            _ => None,
        }
    }
}

/// What of a call is in the letter besides its body.
#[derive(Clone, Debug)]
pub(super) struct CallHeader {
    pub(super) call: CallId,
    pub(super) method: String,
    pub(super) remaining_ns: u64,
    pub(super) sent_ns: u64,
}

impl Request {
    /// With the body, or to be followed by its pieces.
    pub(super) fn new(
        CallHeader {
            call,
            method,
            remaining_ns,
            sent_ns,
        }: CallHeader,
        content: Content,
    ) -> Self {
        let (
            Lengths {
                metadata, whole, ..
            },
            body,
        ) = content.into_fields();
        let call = Some(call.into());
        Request {
            call,
            method,
            remaining_ns,
            sent_ns,
            metadata_bytes: metadata,
            body_bytes: whole,
            body,
        }
    }

    pub(super) fn call(&self) -> Option<CallId> {
        self.call.and_then(WireId::read)
    }

    /// What it carries; `None` if the lengths do not fit.
    pub(super) fn content(&self) -> Option<Content> {
        Lengths {
            metadata: self.metadata_bytes,
            detail: 0,
            whole: self.body_bytes,
        }
        .content(&self.body)
    }
}

impl ReplyMessage {
    /// With the body, or to be followed by its pieces.
    pub(super) fn new(status: u32, flags: u16, content: Content) -> Self {
        let (
            Lengths {
                metadata,
                detail,
                whole,
            },
            body,
        ) = content.into_fields();
        let (metadata_bytes, detail_bytes, body_bytes) = (metadata, detail, whole);
        ReplyMessage {
            status,
            flags: flags.into(),
            metadata_bytes,
            detail_bytes,
            body_bytes,
            body,
        }
    }

    /// Those of the frame, which are known.
    pub(super) fn flags(&self) -> u16 {
        self.flags as u16
    }

    /// What it carries; `None` if the lengths do not fit.
    pub(super) fn content(&self) -> Option<Content> {
        let ReplyMessage {
            metadata_bytes,
            detail_bytes,
            body_bytes,
            ..
        } = *self;
        Lengths {
            metadata: metadata_bytes,
            detail: detail_bytes,
            whole: body_bytes,
        }
        .content(&self.body)
    }
}

impl Content {
    pub(super) fn lengths(&self) -> Lengths {
        match self {
            Content::Whole(Body { lengths, .. }) | Content::InPieces(lengths) => *lengths,
        }
    }

    fn into_fields(self) -> (Lengths, Bytes) {
        match self {
            Content::Whole(Body { lengths, bytes }) => (lengths, bytes),
            Content::InPieces(lengths) => (lengths, Bytes::new()),
        }
    }
}

impl Cancel {
    pub(super) fn new(call: CallId) -> Self {
        Cancel {
            call: Some(call.into()),
        }
    }

    pub(super) fn call(&self) -> Option<CallId> {
        self.call.and_then(WireId::read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> PeerId {
        PeerId {
            host: HostId::from_random(1),
            process: "front".to_owned(),
        }
    }

    fn read(word: PeerMessage) -> Result<(PeerId, PeerMessage), DecodeError> {
        Envelope::read(peer().write(word))
    }

    fn request(body: &Body) -> Request {
        let header = CallHeader {
            call: CallId::from_random(2),
            method: "M".to_owned(),
            remaining_ns: 3,
            sent_ns: 4,
        };
        Request::new(header, Content::Whole(body.clone()))
    }

    #[test]
    fn a_body_comes_out_as_it_went_in() {
        let body = Body::of(b"metadata", b"detail", b"payload").unwrap();
        let answer = ReplyMessage::new(5, flags::SERVICE_ERROR, Content::Whole(body));
        let Ok((_, PeerMessage::Reply(answer))) = read(PeerMessage::Reply(answer)) else {
            panic!("no answer")
        };
        assert_eq!((answer.status, answer.flags()), (5, flags::SERVICE_ERROR));
        let Some(Content::Whole(body)) = answer.content() else {
            panic!("{answer:?}")
        };
        let (metadata, detail, payload) = body.parts();
        assert_eq!(
            (&*metadata, &*detail, &*payload),
            (&b"metadata"[..], &b"detail"[..], &b"payload"[..])
        );
    }

    #[test]
    fn what_is_not_as_it_is_written_down_is_no_letter() {
        let body = Body::of(b"m", b"", b"payload").unwrap();
        let good = request(&body);
        assert!(read(PeerMessage::Request(good.clone())).is_ok());
        let wrong = [
            Request {
                call: None,
                ..good.clone()
            },
            Request {
                call: Some(WireId { high: 1, low: 1 }),
                ..good.clone()
            },
            Request {
                call: Some(CallId::EMPTY.into()),
                ..good.clone()
            },
            Request {
                method: String::new(),
                ..good.clone()
            },
            Request {
                method: "a\nb".to_owned(),
                ..good.clone()
            },
            Request {
                metadata_bytes: 9,
                ..good.clone()
            },
            Request {
                metadata_bytes: u32::MAX,
                ..good.clone()
            },
            Request {
                body_bytes: 7,
                ..good.clone()
            },
            Request {
                body_bytes: 9,
                ..good.clone()
            },
        ];
        for wrong in wrong {
            assert_eq!(
                read(PeerMessage::Request(wrong.clone())),
                Err(DecodeError::Foreign),
                "{wrong:?}"
            );
        }
        let unknown_flag = ReplyMessage {
            flags: 1 << 20,
            ..ReplyMessage::new(0, 0, Content::Whole(body))
        };
        assert_eq!(
            read(PeerMessage::Reply(unknown_flag)),
            Err(DecodeError::Foreign)
        );
        let unknown_stage = Announcement {
            stage: 9,
            ..Announcement::default()
        };
        assert_eq!(
            read(PeerMessage::Announcement(unknown_stage)),
            Err(DecodeError::Foreign)
        );
        let nobody = PeerId {
            host: HostId::EMPTY,
            ..peer()
        };
        assert_eq!(
            Envelope::read(nobody.write(PeerMessage::Question(Question {}))),
            Err(DecodeError::Foreign)
        );
        let nameless = PeerId {
            process: "\u{1b}[2J".to_owned(),
            ..peer()
        };
        assert_eq!(
            Envelope::read(nameless.write(PeerMessage::Question(Question {}))),
            Err(DecodeError::Foreign)
        );
    }

    #[test]
    fn more_names_of_methods_than_there_is_room_for_are_left_out() {
        let methods = vec!["M".repeat(1000); 100];
        let announcement = Announcement::new("x.Echo".to_owned(), 1, methods, Stage::Ready);
        assert_eq!(announcement.methods.len(), 65);
        assert!(read(PeerMessage::Announcement(announcement)).is_ok());
    }
}
