//! Messages above the server's limit of 1 MiB, which are sent in chunks.

use super::super::chunks::STALL_MAX;
use super::*;

const MIB: usize = 1 << 20;

/// Returns bytes of which no two chunks are equal.
fn bytes(length: usize) -> Bytes {
    (0..length).map(|at| (at / 997) as u8).collect()
}

#[test]
fn three_mebibytes_go_there_and_back() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    let (request, response) = (bytes(3 * MIB), bytes(3 * MIB + 1));
    front.call(1, request.clone()).unwrap();
    let (call, from) = gateway.call();
    assert_eq!(call.metadata, front.request(1, "").metadata);
    assert!(call.payload == request, "the request has changed");
    kitchen.reply(from, response.clone());
    let (id, reply) = events.answered();
    assert_eq!(id, call_id(1));
    assert!(reply.payload == response, "the response has changed");
}

#[test]
fn small_calls_pass_during_large_ones() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    for number in 1..=8 {
        front
            .call(number, bytes(if number % 2 == 0 { 5 * MIB } else { 5 }))
            .unwrap();
    }
    for _ in 0..8 {
        let (call, from) = gateway.call();
        assert!(
            call.payload == bytes(call.payload.len()),
            "call {}",
            call.id
        );
        kitchen.reply(from, call.payload);
    }
    let mut lengths: Vec<_> = (0..8).map(|_| events.answered().1.payload.len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [[5; 4], [5 * MIB; 4]].concat());
}

#[test]
fn both_sides_refuse_messages_above_their_limit() {
    let server = Server::start();
    let small = |name| {
        let mut identity = identity(&server, name);
        identity.message_bytes_max = 2 * MIB;
        Process::of(identity)
    };
    // The limit of the callee is below that of the caller.
    let front = Process::new(&server, "front");
    let (mut events, kitchen) = (front.import(SCHEMA, Vec::new()), small("kitchen"));
    let mut gateway = kitchen.export(SCHEMA, Vec::new());
    events.found();
    front.call(1, bytes(3 * MIB)).unwrap();
    let (_, told) = events.failed();
    assert_eq!(
        (told.code, told.cause),
        (Code::ResourceExhausted, Cause::TooLarge)
    );
    assert_eq!(
        told.text,
        "request of 3145744 bytes exceeds the limit of 2097152"
    );

    // The limit of the caller is below that of the callee.
    let (back, cellar) = (small("back"), Process::new(&server, "cellar"));
    kitchen.transport.withdraw(SERVICE);
    assert!(matches!(gateway.next(), GatewayEvent::Drained));
    let mut gateway = cellar.export(SCHEMA, Vec::new());
    let mut events = back.import(SCHEMA, Vec::new());
    events.found();
    back.call(2, "").unwrap();
    cellar.reply(gateway.call().1, bytes(3 * MIB));
    let (_, told) = events.failed();
    assert_eq!(
        (told.code, told.cause),
        (Code::ResourceExhausted, Cause::AnswerLost)
    );
    assert_eq!(
        told.text,
        "response of 3145728 bytes exceeds the limit of 2097152"
    );
}

#[test]
fn an_incomplete_request_is_freed_at_its_deadline() {
    let server = Server::start();
    let FrozenCallee {
        kitchen,
        mut gateway,
        clock,
        mut caller,
        mut answers,
    } = FrozenCallee::on(&server);
    // The chunks of five requests take all memory for incomplete messages.
    let piece = bytes(MIB / 2);
    for number in 1..=5 {
        caller.begin_request(&mut answers, number, 16 * MIB, 2 * SECOND);
        let pieces = if number < 5 { 31 } else { 5 };
        (0..pieces).for_each(|at| caller.piece(kitchen.host, number, at, piece.clone()));
    }
    let told = caller.told(&mut answers, 5);
    assert_eq!(
        (told.code, told.cause),
        (Code::ResourceExhausted, Cause::Overloaded)
    );
    // No more chunks follow. The memory is freed at the first heartbeat after the deadline.
    clock.advance(3 * SECOND);
    caller.wall += 3 * SECOND;
    caller.wait_for_beats(2);
    caller.begin_request(&mut answers, 6, MIB, 2 * SECOND);
    caller.piece(kitchen.host, 6, 0, bytes(MIB / 2));
    caller.piece(kitchen.host, 6, 1, bytes(MIB / 2));
    assert_eq!(gateway.call().0.payload.len(), MIB);
}

#[test]
fn announced_requests_without_chunks_take_no_room() {
    let server = Server::start();
    let FrozenCallee {
        kitchen,
        mut gateway,
        caller,
        mut answers,
        ..
    } = FrozenCallee::on(&server);
    for number in 1..=6 {
        caller.begin_request(&mut answers, number, 16 * MIB, WAIT_MAX);
    }
    let piece = bytes(MIB / 2);
    (0..32).for_each(|at| caller.piece(kitchen.host, 6, at, piece.clone()));
    assert_eq!(gateway.call().0.payload.len(), 16 * MIB);
}

#[test]
fn a_stalled_request_fails_before_its_deadline() {
    let server = Server::start();
    let FrozenCallee {
        kitchen,
        clock,
        mut caller,
        mut answers,
        ..
    } = FrozenCallee::on(&server);
    caller.begin_request(&mut answers, 1, 16 * MIB, 3_600 * SECOND);
    caller.piece(kitchen.host, 1, 0, bytes(MIB / 2));
    // A reply to a second request shows that the chunk has arrived: a connection keeps the order.
    caller.begin_request(&mut answers, 2, 16 * MIB, SECOND);
    clock.advance(STALL_MAX);
    caller.wall += STALL_MAX;
    let told = caller.told(&mut answers, 1);
    let text = "no chunk of the request arrived for 30 s".to_owned();
    assert_eq!(
        told,
        FailedCall {
            code: Code::Unavailable,
            cause: Cause::Unreachable,
            text
        }
    );
}

#[test]
fn inconsistent_chunks_end_the_call() {
    let server = Server::start();
    let FrozenCallee {
        kitchen,
        mut gateway,
        caller,
        mut answers,
        ..
    } = FrozenCallee::on(&server);
    let wrong: [&[(u32, usize)]; 4] = [
        &[(1, 10)],
        &[(0, 10), (0, 10)],
        &[(0, 90), (1, 11)],
        &[(0, 0)],
    ];
    for (number, pieces) in (1..).zip(wrong) {
        caller.begin_request(&mut answers, number, 100, WAIT_MAX);
        pieces
            .iter()
            .for_each(|(piece, length)| caller.piece(kitchen.host, number, *piece, bytes(*length)));
        let told = caller.told(&mut answers, number);
        assert_eq!(
            (told.cause, &*told.text),
            (
                Cause::Unreachable,
                "the chunks of the request are out of order or differ from the announced size"
            ),
            "{pieces:?}"
        );
    }
    // Chunks from another host than the caller's are ignored.
    let other = FakePeer::on(&RawClient::on(&server), "other");
    caller.begin_request(&mut answers, 9, 100, WAIT_MAX);
    other.piece(kitchen.host, 9, 0, Bytes::from_static(&[b'x'; 100]));
    caller.piece(kitchen.host, 9, 0, Bytes::from_static(&[b'y'; 100]));
    assert_eq!(gateway.call().0.payload[..], [b'y'; 100]);
}
