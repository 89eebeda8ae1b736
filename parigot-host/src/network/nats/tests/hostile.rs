//! What nobody should say.

use super::*;

/// All subjects on which a process listens.
fn subjects(to: HostId) -> Vec<String> {
    let subjects = Subjects::of(APP);
    vec![
        subjects.call(SERVICE, SCHEMA),
        subjects.ready(SERVICE),
        subjects.who(SERVICE),
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

/// A letter of each kind, from a host that is not there.
fn letters() -> Vec<Bytes> {
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
    };
    let gone =
        |service: &str| Announcement::new(service.to_owned(), SCHEMA, Vec::new(), Stage::Gone);
    let lengths = Body::of(&[], &[], &[0; 100]).unwrap().lengths;
    let words = [
        PeerMessage::Announcement(gone(SERVICE)),
        PeerMessage::Announcement(gone("another.v1.Service")),
        PeerMessage::Discovery(Discovery {}),
        PeerMessage::Request(RequestMessage::new(
            header,
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
    ];
    words.into_iter().map(|word| me.write(word)).collect()
}

#[test]
fn whatever_is_said_on_whatever_subject_a_process_goes_on() {
    let server = Server::start();
    let (front, mut news, kitchen, mut inbound_calls) = couple(&server);
    let stranger = Stranger::on(&server);
    let mut random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(1);
    for subject in subjects(front.host)
        .into_iter()
        .chain(subjects(kitchen.host))
    {
        stranger.publish(&subject, "");
        stranger.publish(&subject, vec![0xff; 1000]);
        for letter in letters() {
            stranger.publish_with_reply(&subject, &subject, letter.clone());
            stranger.publish(&subject, letter.slice(..letter.len() / 2));
            for _ in 0..20 {
                let mut bytes = letter.to_vec();
                let at = rand::Rng::random_range(&mut random, 0..bytes.len());
                bytes[at] = rand::Rng::random(&mut random);
                stranger.publish(&subject, bytes);
            }
        }
    }
    front.call(7, "still there?").unwrap();
    let from = loop {
        match inbound_calls.next() {
            GatewayEvent::Call { request, from } if request.id == call_id(7) => break from,
            // The liar's own.
            GatewayEvent::Call { .. } | GatewayEvent::Cancel { .. } => {}
            GatewayEvent::Drained => panic!("nobody has withdrawn it"),
        }
    };
    kitchen.reply(from, "yes");
    let reply = loop {
        match news.next() {
            RemoteEvent::Answered { id, reply } if id == call_id(7) => break reply,
            RemoteEvent::Found { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(&*reply.payload, b"yes");
}

#[test]
fn a_million_processes_that_are_none_leave_room_for_one_that_is() {
    let server = Server::start();
    let (front, mut news, kitchen, mut inbound_calls) = couple(&server);
    let stranger = Stranger::on(&server);
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
        stranger.publish(
            &subject,
            liar.write(PeerMessage::Announcement(announcement)),
        );
    }
    front.call(1, "").unwrap();
    kitchen.reply(inbound_calls.call().1, "");
    loop {
        match news.next() {
            RemoteEvent::Answered { id, .. } => break assert_eq!(id, call_id(1)),
            RemoteEvent::Found { .. } => {}
            RemoteEvent::Failed { failure, .. } => panic!("{failure:?}"),
        }
    }
}

/// A letter with another version in it.
fn of_version(version: u64, letter: &Bytes) -> Vec<u8> {
    // Field 1, a varint, comes first.
    assert_eq!(letter[..2], [8, 1]);
    let mut bytes = vec![8];
    prost::encoding::encode_varint(version, &mut bytes);
    bytes.extend_from_slice(&letter[2..]);
    bytes
}

#[test]
fn another_version_of_the_protocol_is_refused_by_name() {
    let server = Server::start();
    let front = Process::new(&server, "front");
    let _news = front.import(SCHEMA, Vec::new());
    let stranger = Stranger::on(&server);
    let late = Caller::on(&stranger, "late");
    let announcement = Announcement::new(SERVICE.to_owned(), SCHEMA, Vec::new(), Stage::Ready);
    let letter = of_version(2, &late.me.write(PeerMessage::Announcement(announcement)));
    let text = "process `late` uses version 2 of the network protocol, and this process uses 1: run the same version of parigot in both";
    // Again and again, for nobody may be listening yet.
    let told = loop {
        stranger.publish(&late.subjects.ready(SERVICE), letter.clone());
        match front.call(1, "").unwrap_err() {
            told if told.code == Code::FailedPrecondition => break told,
            _ => std::thread::yield_now(),
        }
    };
    assert_eq!((told.cause, &*told.text), (Cause::Unreachable, text));

    // And so is one who calls.
    let kitchen = Process::new(&server, "kitchen");
    let _visits = kitchen.export(SCHEMA, Vec::new());
    late.wait_for_service();
    let mut inbox = late.inbox();
    let header = CallHeader {
        call: call_id(2),
        method: "M".to_owned(),
        remaining_ns: 1 << 40,
        sent_ns: 0,
    };
    let request = RequestMessage::new(header, Content::Whole(Body::of(&[], &[], &[]).unwrap()));
    let (subject, reply) = (
        late.subjects.call(SERVICE, SCHEMA),
        late.subjects.reply(late.me.host, call_id(2)),
    );
    stranger.publish_with_reply(
        &subject,
        &reply,
        of_version(2, &late.me.write(PeerMessage::Request(request))),
    );
    assert_eq!(late.told(&mut inbox, 2).text, text);
}
