//! Invalid and unexpected messages.

use super::*;
use crate::network::nats::envelope::{OpenStream, OpenStreams, StreamFrame, StreamKind};

/// Returns all subjects to which a process subscribes.
fn subjects(to: HostId) -> Vec<String> {
    let subjects = Subjects::of(APP);
    vec![
        subjects.call(SERVICE, SCHEMA),
        subjects.ready(SERVICE),
        subjects.query(SERVICE),
        subjects.cancel(to),
        subjects.schema(to),
        subjects.reply(to, call_id(1)),
        subjects.schema_reply(to),
        subjects.chunk(to, call_id(1)),
        format!("{}.nonsense", subjects.inbox(to)),
        format!("{}.nonsense", subjects.chunks(to)),
        "$SRV.PING".to_owned(),
        "$SRV.NONSENSE.greeting_v1_Greeting".to_owned(),
    ]
}

/// Returns an envelope of each kind, from a host that does not exist.
fn envelopes() -> Vec<Bytes> {
    let me = PeerId {
        host: host_of("liar"),
        process: "liar".to_owned(),
    };
    let body = || Content::Whole(Body::of(b"m", b"d", b"p").unwrap());
    let header = CallHeader {
        call: call_id(1),
        method: "M".to_owned(),
        remaining_ns: u64::MAX,
        sent_ns: u64::MAX,
        has_default_deadline: false,
        streams: MethodFlags::UNARY,
        covers_first_frame: false,
    };
    let gone =
        |service: &str| Announcement::new(service.to_owned(), SCHEMA, Vec::new(), Stage::Gone);
    let lengths = Body::of(&[], &[], &[0; 100]).unwrap().lengths;
    let messages = [
        PeerMessage::Announcement(gone(SERVICE)),
        PeerMessage::Announcement(gone("another.v1.Service")),
        PeerMessage::Discovery(Discovery::default()),
        PeerMessage::Request(RequestMessage::new(
            header.clone(),
            Content::Whole(Body::of(b"m", b"", b"p").unwrap()),
        )),
        PeerMessage::Request(RequestMessage::new(
            CallHeader {
                call: call_id(2),
                streams: MethodFlags::UNARY.with_streams(true, true),
                covers_first_frame: true,
                ..header
            },
            Content::Whole(Body::of(b"m", b"", b"p").unwrap()),
        )),
        PeerMessage::Continue(Continue {}),
        PeerMessage::Reply(ReplyMessage::new(u32::MAX, 0, body())),
        PeerMessage::Reply(ReplyMessage::new(0, 0, Content::Chunked(lengths))),
        PeerMessage::Chunk(Chunk {
            number: u32::MAX,
            bytes: Bytes::from_static(b"x"),
        }),
        PeerMessage::Cancel(Cancel::new(call_id(1))),
        PeerMessage::Stream(StreamFrame {
            number: 0,
            kind: StreamKind::Item.into(),
            bytes: Bytes::from_static(b"x"),
            has_more: true,
        }),
        PeerMessage::OpenStreams(OpenStreams {
            streams: vec![OpenStream::new(call_id(1), u64::MAX)],
        }),
    ];
    messages
        .into_iter()
        .map(|message| me.write(message))
        .collect()
}

#[test]
fn a_process_survives_any_message_on_any_subject() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    let client = RawClient::on(&server);
    let mut random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(1);
    for subject in subjects(front.host)
        .into_iter()
        .chain(subjects(kitchen.host))
    {
        client.publish(&subject, "");
        client.publish(&subject, vec![0xff; 1000]);
        for envelope in envelopes() {
            client.publish_with_reply(&subject, &subject, envelope.clone());
            client.publish(&subject, envelope.slice(..envelope.len() / 2));
            for _ in 0..20 {
                let mut bytes = envelope.to_vec();
                let at = rand::Rng::random_range(&mut random, 0..bytes.len());
                bytes[at] = rand::Rng::random(&mut random);
                client.publish(&subject, bytes);
            }
        }
    }
    front.call(7, "still there?").unwrap();
    let from = loop {
        match gateway.next() {
            GatewayEvent::Call { request, from } if request.id == call_id(7) => break from,
            // Calls, streams and cancellations of the fake host.
            GatewayEvent::Call { .. }
            | GatewayEvent::Stream { .. }
            | GatewayEvent::Cancel { .. } => {}
            GatewayEvent::Drained => panic!("the service was not withdrawn"),
        }
    };
    kitchen.reply(from, "yes");
    let reply = loop {
        match events.next() {
            RemoteEvent::Answered { id, reply } if id == call_id(7) => break reply,
            RemoteEvent::Found { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(&*reply.payload, b"yes");
}

#[test]
fn fake_processes_leave_room_for_a_real_one() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    let client = RawClient::on(&server);
    for number in 0..20_000 {
        let liar = PeerId {
            host: HostId::from_random(number << 8 | 1),
            process: "liar".to_owned(),
        };
        let announcement = Announcement::new(
            SERVICE.to_owned(),
            number as u64 + 1,
            Vec::new(),
            Stage::Ready,
        );
        let subject = Subjects::of(APP).ready(SERVICE);
        client.publish(
            &subject,
            liar.write(PeerMessage::Announcement(announcement)),
        );
    }
    front.call(1, "").unwrap();
    kitchen.reply(gateway.call().1, "");
    loop {
        match events.next() {
            RemoteEvent::Answered { id, .. } => break assert_eq!(id, call_id(1)),
            RemoteEvent::Found { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Returns a copy of an envelope with another protocol version.
fn of_version(version: u64, envelope: &Bytes) -> Vec<u8> {
    // Field 1, a varint, comes first, with the present version.
    assert_eq!(envelope[..2], [8, 3]);
    let mut bytes = vec![8];
    prost::encoding::encode_varint(version, &mut bytes);
    bytes.extend_from_slice(&envelope[2..]);
    bytes
}

#[test]
fn another_protocol_version_is_refused_by_name() {
    let server = Server::start();
    let front = Process::new(&server, "front");
    let _events = front.import(SCHEMA, Vec::new());
    let client = RawClient::on(&server);
    let late = FakePeer::on(&client, "late");
    let announcement = Announcement::new(SERVICE.to_owned(), SCHEMA, Vec::new(), Stage::Ready);
    let envelope = of_version(1, &late.me.write(PeerMessage::Announcement(announcement)));
    let text = "process `late` uses version 1 of the network protocol, and this process uses 3: \
                run the same version of parigot in both";
    // Repeated, because the process may not have subscribed yet.
    let told = loop {
        client.publish(&late.subjects.ready(SERVICE), envelope.clone());
        match front.call(1, "").unwrap_err() {
            told if told.code == Code::FailedPrecondition => break told,
            _ => std::thread::yield_now(),
        }
    };
    assert_eq!((told.cause, &*told.text), (Cause::Unreachable, text));

    // A call with another version is refused as well.
    let kitchen = Process::new(&server, "kitchen");
    let _gateway = kitchen.export(SCHEMA, Vec::new());
    late.wait_for_service();
    let mut inbox = late.inbox();
    let header = CallHeader {
        call: call_id(2),
        method: "M".to_owned(),
        remaining_ns: 1 << 40,
        sent_ns: 0,
        has_default_deadline: false,
        streams: MethodFlags::UNARY,
        covers_first_frame: false,
    };
    let request = RequestMessage::new(header, Content::Whole(Body::of(&[], &[], &[]).unwrap()));
    let (subject, reply) = (
        late.subjects.call(SERVICE, SCHEMA),
        late.subjects.reply(late.me.host, call_id(2)),
    );
    client.publish_with_reply(
        &subject,
        &reply,
        of_version(1, &late.me.write(PeerMessage::Request(request))),
    );
    assert_eq!(late.told(&mut inbox, 2).text, text);
}
