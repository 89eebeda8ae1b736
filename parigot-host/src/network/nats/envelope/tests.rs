use parigot_abi::frame::flags;
use parigot_abi::id::{CallId, HostId};
use parigot_abi::manifest::MethodFlags;

use super::message::WireId;
use super::*;

fn peer() -> PeerId {
    PeerId {
        host: HostId::from_random(1),
        process: "front".to_owned(),
    }
}

/// Encodes a message and reads the envelope.
fn read(message: PeerMessage) -> Result<(PeerId, PeerMessage), DecodeError> {
    Envelope::read(peer().write(message))
}

fn body() -> Body {
    Body::of(b"m", b"", b"payload").unwrap()
}

fn request() -> RequestMessage {
    let header = CallHeader {
        call: CallId::from_random(2),
        method: "M".to_owned(),
        remaining_ns: 3,
        sent_ns: 4,
        has_default_deadline: true,
        streams: MethodFlags::UNARY,
        covers_first_frame: false,
    };
    RequestMessage::new(header, Content::Whole(body()))
}

#[test]
fn a_body_is_decoded_into_its_parts() {
    let body = Body::with_headers(b"headers", b"metadata", b"detail", b"payload").unwrap();
    let reply = ReplyMessage::new(5, flags::SERVICE_ERROR, Content::Whole(body));
    let Ok((_, PeerMessage::Reply(reply))) = read(PeerMessage::Reply(reply)) else {
        panic!("the message must be a reply")
    };
    assert_eq!((reply.status, reply.flags()), (5, flags::SERVICE_ERROR));
    let Some(Content::Whole(body)) = reply.content() else {
        panic!("{reply:?}")
    };
    let BodyParts {
        headers,
        metadata,
        detail,
        payload,
    } = body.parts();
    assert_eq!(
        [headers, metadata, detail, payload],
        ["headers", "metadata", "detail", "payload"]
    );
}

#[test]
fn an_invalid_request_is_rejected() {
    assert!(read(PeerMessage::Request(request())).is_ok());
    let changes: [fn(&mut RequestMessage); 9] = [
        |request| request.call = None,
        |request| request.call = Some(WireId { high: 1, low: 1 }),
        |request| request.call = Some(CallId::EMPTY.into()),
        |request| request.method = String::new(),
        |request| request.method = "a\nb".to_owned(),
        |request| request.metadata_bytes = 9,
        |request| request.metadata_bytes = u32::MAX,
        |request| request.body_bytes = 7,
        |request| request.body_bytes = 9,
    ];
    for change in changes {
        let mut invalid = request();
        change(&mut invalid);
        assert_eq!(
            read(PeerMessage::Request(invalid.clone())),
            Err(DecodeError::Malformed),
            "{invalid:?}"
        );
    }
}

#[test]
fn an_invalid_stream_is_rejected() {
    let frame = |kind: StreamKind, bytes: &'static [u8], has_more| StreamFrame {
        number: 0,
        kind: kind.into(),
        bytes: bytes.into(),
        has_more,
    };
    assert!(read(PeerMessage::Stream(frame(StreamKind::Item, b"", false))).is_ok());
    for invalid in [
        frame(StreamKind::Unspecified, b"", false),
        frame(StreamKind::Item, b"", true),
        frame(StreamKind::Credit, b"short", false),
        frame(StreamKind::Credit, &[0; 16], true),
        frame(StreamKind::End, b"long", false),
        StreamFrame {
            kind: 99,
            ..frame(StreamKind::Item, b"", false)
        },
    ] {
        let message = PeerMessage::Stream(invalid);
        assert_eq!(
            read(message.clone()),
            Err(DecodeError::Malformed),
            "{message:?}"
        );
    }
    let mut nameless = OpenStream::new(CallId::from_random(1), 1);
    nameless.call = None;
    let streams = vec![nameless];
    let message = PeerMessage::OpenStreams(OpenStreams { streams });
    assert_eq!(read(message), Err(DecodeError::Malformed));
    let mut unary = request();
    unary.covers_first_frame = true;
    assert_eq!(
        read(PeerMessage::Request(unary)),
        Err(DecodeError::Malformed)
    );
    let mut unknown = request();
    unknown.streams = u32::MAX;
    assert_eq!(
        read(PeerMessage::Request(unknown)),
        Err(DecodeError::Malformed)
    );
}

#[test]
fn an_unknown_flag_or_stage_is_rejected() {
    let unknown_flag = ReplyMessage {
        flags: 1 << 20,
        ..ReplyMessage::new(0, 0, Content::Whole(body()))
    };
    assert_eq!(
        read(PeerMessage::Reply(unknown_flag)),
        Err(DecodeError::Malformed)
    );
    let unknown_stage = Announcement {
        stage: 9,
        ..Announcement::default()
    };
    assert_eq!(
        read(PeerMessage::Announcement(unknown_stage)),
        Err(DecodeError::Malformed)
    );
}

#[test]
fn a_sender_without_a_valid_id_or_name_is_rejected() {
    let without_id = PeerId {
        host: HostId::EMPTY,
        ..peer()
    };
    let with_control_characters = PeerId {
        process: "\u{1b}[2J".to_owned(),
        ..peer()
    };
    for sender in [without_id, with_control_characters] {
        assert_eq!(
            Envelope::read(sender.write(PeerMessage::Discovery(Discovery::default()))),
            Err(DecodeError::Malformed)
        );
    }
}

#[test]
fn method_names_beyond_the_limit_are_left_out() {
    let methods = vec!["M".repeat(1000); 100];
    let announcement = Announcement::new("x.Echo".to_owned(), 1, methods, Stage::Ready);
    assert_eq!(announcement.methods.len(), 65);
    assert!(read(PeerMessage::Announcement(announcement)).is_ok());
}
