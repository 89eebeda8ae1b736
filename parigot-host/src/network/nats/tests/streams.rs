//! Calls that stream.

use parigot_abi::Credit;

use super::*;
use crate::network::message::StreamMessage;
use crate::network::nats::envelope::{OpenStream, OpenStreams, StreamFrame, StreamKind};
use crate::network::nats::peer_registry::SILENCE_MAX;

const REQUESTS: MethodFlags = MethodFlags::UNARY.with_streams(true, false);
const RESPONSES: MethodFlags = MethodFlags::UNARY.with_streams(false, true);
const BOTH: MethodFlags = MethodFlags::UNARY.with_streams(true, true);

fn item(bytes: impl Into<Bytes>) -> StreamMessage {
    StreamMessage::Item(bytes.into())
}

fn credit(items: u64) -> Credit {
    Credit {
        items,
        bytes: 1 << 20,
    }
}

fn frame(number: u64, kind: StreamKind, bytes: impl Into<Bytes>) -> StreamFrame {
    StreamFrame {
        number,
        kind: kind.into(),
        bytes: bytes.into(),
        has_more: false,
    }
}

fn credit_frame(number: u64, items: u64) -> StreamFrame {
    let bytes = credit(items).to_bytes().to_vec();
    frame(number, StreamKind::Credit, bytes)
}

impl Process {
    /// Opens a stream whose deadline covers the time to the first frame.
    fn open(&self, number: u128, streams: MethodFlags) {
        let request = Request {
            streams,
            covers_first_frame: true,
            ..self.request(number, "")
        };
        let called = self.transport.call(SERVICE, request);
        called.expect("the call must be sent");
    }

    fn to_callee(&self, number: u128, message: StreamMessage) {
        let sent = self.transport.send_to_callee(call_id(number), message);
        sent.expect("the message must be sent");
    }

    fn to_caller(&self, number: u128, message: StreamMessage) {
        let sent = self.transport.send_to_caller(call_id(number), message);
        sent.expect("the message must be sent");
    }
}

impl Inbox<RemoteEvent> {
    fn message(&mut self) -> StreamMessage {
        match self.next() {
            RemoteEvent::Stream { message, .. } => message,
            other => panic!("{other:?}"),
        }
    }
}

impl Inbox<GatewayEvent> {
    fn message(&mut self) -> StreamMessage {
        match self.next() {
            GatewayEvent::Stream { message, .. } => message,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn cancelled(&mut self) {
        let event = self.next();
        assert!(matches!(event, GatewayEvent::Cancel { .. }), "{event:?}");
    }
}

#[test]
fn a_stream_carries_its_messages_in_order() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    front.open(1, BOTH);
    // Before the callee is known.
    let requests = [
        item("first"),
        item(""),
        StreamMessage::Credit(credit(9)),
        StreamMessage::End,
    ];
    for message in &requests {
        front.to_callee(1, message.clone());
    }
    let (request, from) = gateway.call();
    assert!(request.covers_first_frame && request.streams == BOTH);
    for message in &requests {
        assert_eq!(gateway.message(), *message);
    }
    let responses = [
        StreamMessage::Open(Bytes::from_static(b"headers")),
        item("a"),
        StreamMessage::Credit(credit(8)),
        item("z"),
        // In several parts.
        item(vec![7; 5 << 20]),
    ];
    for message in &responses {
        kitchen.to_caller(1, message.clone());
    }
    kitchen.reply(from, "");
    for message in &responses {
        assert!(events.message() == *message);
    }
    assert_eq!(events.answered().0, call_id(1));
}

#[test]
fn a_cancelled_stream_is_cancelled_at_its_callee() {
    let server = Server::start();
    let (front, _events, kitchen, mut gateway) = connected_pair(&server);
    front.open(1, RESPONSES);
    gateway.call();
    kitchen.to_caller(1, item("a"));
    front.transport.cancel(SERVICE, call_id(1));
    gateway.cancelled();
    // Without a stream, the message is dropped.
    kitchen.to_caller(1, item("b"));
    front.call(2, "").expect("the connection must stay open");
    gateway.call();
}

/// Caller that has opened a stream at a fake callee.
struct FakeCallee {
    front: Process,
    events: Inbox<RemoteEvent>,
    clock: Arc<ManualClock>,
    kitchen: FakePeer,
    client: Arc<RawClient>,
    cancellations: Subscriber,
    chunks: Subscriber,
}

impl FakeCallee {
    /// Opens a stream with the number 1, which the callee has accepted.
    fn on(server: &Server, streams: MethodFlags) -> Self {
        let client = RawClient::on(server);
        let kitchen = FakePeer::on(&client, "kitchen");
        let clock = Arc::new(ManualClock::new(1_000 * SECOND));
        let mut questions = kitchen.questions();
        let front = Process::of(ProcessIdentity {
            clock: Arc::clone(&clock) as _,
            ..identity(server, "front")
        });
        let mut events = front.import(SCHEMA, Vec::new());
        kitchen.offer_when_asked(&mut questions);
        events.found();
        let subjects = Subjects::of(APP);
        let mut calls = client.listen(&subjects.call(SERVICE, SCHEMA));
        let cancellations = client.listen(&subjects.cancel(kitchen.me.host));
        let chunks = client.listen(&format!("{}.*", subjects.chunks(kitchen.me.host)));
        front.open(1, streams);
        client.next(&mut calls);
        let callee = FakeCallee {
            front,
            events,
            clock,
            kitchen,
            client,
            cancellations,
            chunks,
        };
        callee.send(PeerMessage::Continue(Continue {}));
        callee
    }

    fn send(&self, message: PeerMessage) {
        let subject = self.kitchen.subjects.reply(self.front.host, call_id(1));
        self.kitchen.publish(&subject, message);
    }

    fn frame(&self, frame: StreamFrame) {
        self.send(PeerMessage::Stream(frame));
    }

    /// Sends a successful reply after so many frames.
    fn reply(&self, frames: u64) {
        let body = Content::Whole(Body::of(&[], &[], &[]).expect("the body is short"));
        let mut reply = ReplyMessage::new(0, 0, body);
        reply.frames = frames;
        self.send(PeerMessage::Reply(reply));
    }

    /// Waits for the failure of the call, whose fate must be unknown, and its cancellation.
    #[track_caller]
    fn broken(&mut self) -> String {
        let failed = self.events.failed().1;
        assert_eq!(failed.cause, Cause::AnswerLost, "{failed:?}");
        self.client.next(&mut self.cancellations);
        failed.text
    }
}

const LOST: &str = "a message of process kitchen in the stream was lost";

#[test]
fn a_gap_breaks_a_stream_and_a_repeated_frame_does_not() {
    let server = Server::start();
    let mut callee = FakeCallee::on(&server, RESPONSES);
    callee.frame(frame(0, StreamKind::Item, "a"));
    callee.frame(frame(0, StreamKind::Item, "a"));
    callee.frame(frame(1, StreamKind::Item, "b"));
    callee.frame(frame(3, StreamKind::Item, "d"));
    assert_eq!(callee.events.message(), item("a"));
    assert_eq!(callee.events.message(), item("b"));
    assert_eq!(callee.broken(), LOST);
}

#[test]
fn a_lost_last_item_breaks_a_stream_at_the_reply() {
    let server = Server::start();
    let mut callee = FakeCallee::on(&server, RESPONSES);
    callee.frame(frame(0, StreamKind::Item, "a"));
    callee.reply(2);
    assert_eq!(callee.events.message(), item("a"));
    assert_eq!(callee.broken(), LOST);
}

#[test]
fn a_lost_last_item_breaks_a_stream_at_the_heartbeat() {
    let server = Server::start();
    let mut callee = FakeCallee::on(&server, RESPONSES);
    let open = |frames| {
        PeerMessage::OpenStreams(OpenStreams {
            streams: vec![OpenStream::new(call_id(1), frames)],
        })
    };
    let subject = Subjects::of(APP).open_streams_of_callee(callee.front.host);
    callee.frame(frame(0, StreamKind::Item, "a"));
    callee.kitchen.publish(&subject, open(1));
    callee.frame(frame(1, StreamKind::Item, "b"));
    callee.kitchen.publish(&subject, open(3));
    assert_eq!(callee.events.message(), item("a"));
    assert_eq!(callee.events.message(), item("b"));
    assert_eq!(callee.broken(), LOST);
}

#[test]
fn a_caller_announces_its_streams() {
    let server = Server::start();
    let mut callee = FakeCallee::on(&server, REQUESTS);
    callee.front.to_callee(1, item("a"));
    let subject = Subjects::of(APP).open_streams_of_caller(callee.kitchen.me.host);
    let open = loop {
        let message = callee.client.next(&mut callee.chunks);
        let (_, content) = Envelope::read(message.payload).expect("the envelope must be valid");
        match content {
            PeerMessage::OpenStreams(open) if *message.subject == *subject => {
                if open.streams[0].frames == 1 {
                    break open;
                }
            }
            PeerMessage::Stream(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(open.streams, [OpenStream::new(call_id(1), 1)]);
}

#[test]
fn a_silent_callee_ends_a_stream() {
    let server = Server::start();
    let mut callee = FakeCallee::on(&server, RESPONSES);
    callee.frame(frame(0, StreamKind::Item, "a"));
    assert_eq!(callee.events.message(), item("a"));
    // The process announces the service, so only the stream is silent. The other process shows when
    // the announcement was handled.
    callee.clock.advance(SILENCE_MAX / 2);
    let other = FakePeer::on(&callee.client, "oven");
    callee.kitchen.announce();
    other.announce();
    callee.events.found();
    callee.clock.advance(SILENCE_MAX / 2);
    assert_eq!(
        callee.broken(),
        "the other process has sent no sign of the stream for 3 s"
    );
}

#[test]
fn a_lying_callee_breaks_only_its_stream() {
    let server = Server::start();
    let items = |count| (0..count).map(|number| frame(number, StreamKind::Item, "x"));
    let part = |number, kind| StreamFrame {
        has_more: true,
        ..frame(number, kind, "x")
    };
    let cases: [(MethodFlags, Vec<StreamFrame>, &str); 7] = [
        (RESPONSES, items(5).collect(), "an item without credit"),
        (
            REQUESTS,
            items(1).collect(),
            "an item in a direction that does not stream",
        ),
        (
            RESPONSES,
            vec![credit_frame(0, 9)],
            "a credit for a direction that does not stream",
        ),
        (
            BOTH,
            vec![frame(0, StreamKind::End, "")],
            "an end in a direction that does not stream",
        ),
        (
            RESPONSES,
            vec![
                frame(0, StreamKind::Open, ""),
                frame(1, StreamKind::Open, ""),
            ],
            "headers that came too late",
        ),
        (
            RESPONSES,
            vec![
                frame(0, StreamKind::Item, ""),
                frame(1, StreamKind::Open, ""),
            ],
            "headers that came too late",
        ),
        (
            BOTH,
            vec![part(0, StreamKind::Item), credit_frame(1, 9)],
            "a frame between the parts of another",
        ),
    ];
    for (streams, frames, what) in cases {
        let mut callee = FakeCallee::on(&server, streams);
        frames.into_iter().for_each(|frame| callee.frame(frame));
        let failed = loop {
            match callee.events.next() {
                RemoteEvent::Failed { failure, .. } => break FailedCall::of(&(&failure).into()),
                RemoteEvent::Stream { .. } => {}
                other => panic!("{other:?}"),
            }
        };
        let expected = format!("process kitchen broke the rules of streams: it sent {what}");
        assert_eq!((failed.cause, failed.text), (Cause::AnswerLost, expected));
    }
}

#[test]
fn another_process_cannot_send_into_a_stream() {
    let server = Server::start();
    let mut callee = FakeCallee::on(&server, RESPONSES);
    let liar = FakePeer::on(&callee.client, "liar");
    let subject = liar.subjects.reply(callee.front.host, call_id(1));
    liar.publish(&subject, PeerMessage::Continue(Continue {}));
    let lie = frame(0, StreamKind::Item, "lie");
    liar.publish(&subject, PeerMessage::Stream(lie));
    callee.frame(frame(0, StreamKind::Item, "a"));
    callee.reply(1);
    assert_eq!(callee.events.message(), item("a"));
    callee.events.answered();
}

impl FrozenCallee {
    /// Opens a stream from the fake caller, and waits for its call.
    fn open(&mut self, number: u128, streams: MethodFlags) {
        self.caller.open(number, streams);
        let accepted = self.caller.next(&mut self.answers, number);
        assert!(matches!(accepted, PeerMessage::Continue(_)), "{accepted:?}");
        self.gateway.call();
    }

    fn frame(&self, number: u128, frame: StreamFrame) {
        let subject = self
            .caller
            .subjects
            .chunk(self.kitchen.host, call_id(number));
        self.caller.publish(&subject, PeerMessage::Stream(frame));
    }

    fn hear(&self, number: u128, frames: u64) {
        let streams = vec![OpenStream::new(call_id(number), frames)];
        let subject = self
            .caller
            .subjects
            .open_streams_of_caller(self.kitchen.host);
        self.caller
            .publish(&subject, PeerMessage::OpenStreams(OpenStreams { streams }));
    }
}

#[test]
fn a_lying_caller_breaks_only_its_stream() {
    let server = Server::start();
    let mut callee = FrozenCallee::on(&server);
    let items = |count| (0..count).map(|number| frame(number, StreamKind::Item, "x"));
    let end = |number| frame(number, StreamKind::End, "");
    let rule = |what| format!("process front broke the rules of streams: it sent {what}");
    let cases: [(MethodFlags, Vec<StreamFrame>, String); 6] = [
        (BOTH, items(5).collect(), rule("an item without credit")),
        (
            RESPONSES,
            items(1).collect(),
            rule("an item in a direction that does not stream"),
        ),
        (REQUESTS, vec![end(0), end(1)], rule("a second end")),
        (
            REQUESTS,
            vec![end(0), frame(1, StreamKind::Item, "x")],
            rule("an item after the end"),
        ),
        (
            BOTH,
            vec![frame(0, StreamKind::Open, "")],
            rule("headers that came too late"),
        ),
        (
            BOTH,
            vec![frame(1, StreamKind::Item, "x")],
            "a message of process front in the stream was lost".to_owned(),
        ),
    ];
    for ((streams, frames, expected), number) in cases.into_iter().zip(1..) {
        callee.open(number, streams);
        for frame in frames {
            callee.frame(number, frame);
        }
        let told = callee.caller.told(&mut callee.answers, number);
        assert_eq!((told.cause, told.text), (Cause::AnswerLost, expected));
        loop {
            match callee.gateway.next() {
                GatewayEvent::Cancel { .. } => break,
                GatewayEvent::Stream { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn large_messages_that_never_end_take_limited_memory() {
    let server = Server::start();
    let mut callee = FrozenCallee::on(&server);
    let part = |number| StreamFrame {
        has_more: true,
        ..frame(number, StreamKind::Item, vec![0; 1_000_000])
    };
    for call in 1..=5 {
        callee.open(call, REQUESTS);
        (0..16).for_each(|number| callee.frame(call, part(number)));
    }
    let told = callee.caller.told(&mut callee.answers, 5);
    assert!(told.text.contains("large messages in transfer"), "{told:?}");
    callee.gateway.cancelled();
    callee.frame(4, part(16));
    let told = callee.caller.told(&mut callee.answers, 4);
    assert!(told.text.contains("17000000 bytes exceeds"), "{told:?}");
}

#[test]
fn a_silent_caller_ends_a_stream_and_its_heartbeat_keeps_it() {
    let server = Server::start();
    let mut callee = FrozenCallee::on(&server);
    callee.open(1, BOTH);
    callee.open(2, BOTH);
    callee.clock.advance(SILENCE_MAX / 2);
    callee.hear(2, 0);
    callee.frame(2, frame(0, StreamKind::Item, "heard"));
    assert_eq!(callee.gateway.message(), item("heard"));
    callee.clock.advance(SILENCE_MAX / 2);
    callee.gateway.cancelled();
    callee.frame(2, frame(1, StreamKind::Item, "alive"));
    assert_eq!(callee.gateway.message(), item("alive"));
}
