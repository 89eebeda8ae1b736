//! Messages that are larger than what the server takes at once, which is 1 MiB.

use super::super::chunks::STALL_MAX;
use super::*;

const MIB: usize = 1 << 20;

/// Bytes of which no two pieces are alike.
fn bytes(length: usize) -> Bytes {
    (0..length).map(|at| (at / 997) as u8).collect()
}

#[test]
fn three_mebibytes_go_there_and_back() {
    let server = Server::start();
    let (front, mut news, kitchen, mut inbound_calls) = couple(&server);
    let (request, response) = (bytes(3 * MIB), bytes(3 * MIB + 1));
    front.call(1, request.clone()).unwrap();
    let (call, from) = inbound_calls.call();
    assert_eq!(call.metadata, front.request(1, "").metadata);
    assert!(call.payload == request, "the request is another");
    kitchen.reply(from, response.clone());
    let (id, reply) = news.answered();
    assert_eq!(id, call_id(1));
    assert!(reply.payload == response, "the response is another");
}

#[test]
fn small_calls_pass_while_large_ones_are_under_way() {
    let server = Server::start();
    let (front, mut news, kitchen, mut inbound_calls) = couple(&server);
    for number in 1..=8 {
        front
            .call(number, bytes(if number % 2 == 0 { 5 * MIB } else { 5 }))
            .unwrap();
    }
    for _ in 0..8 {
        let (call, from) = inbound_calls.call();
        assert!(
            call.payload == bytes(call.payload.len()),
            "call {}",
            call.id
        );
        kitchen.reply(from, call.payload);
    }
    let mut lengths: Vec<_> = (0..8).map(|_| news.answered().1.payload.len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [[5; 4], [5 * MIB; 4]].concat());
}

#[test]
fn what_is_too_large_is_refused_on_both_sides() {
    let server = Server::start();
    let small = |name| {
        let mut identity = identity(&server, name);
        identity.message_bytes_max = 2 * MIB;
        Process::of(identity)
    };
    // The callee lets less through than the caller.
    let front = Process::new(&server, "front");
    let (mut news, kitchen) = (front.import(SCHEMA, Vec::new()), small("kitchen"));
    let mut inbound_calls = kitchen.export(SCHEMA, Vec::new());
    news.found();
    front.call(1, bytes(3 * MIB)).unwrap();
    let (_, told) = news.failed();
    assert_eq!(
        (told.code, told.cause),
        (Code::ResourceExhausted, Cause::TooLarge)
    );
    assert_eq!(
        told.text,
        "request of 3145744 bytes exceeds the limit of 2097152"
    );

    // The caller lets less through than the callee.
    let (back, cellar) = (small("back"), Process::new(&server, "cellar"));
    kitchen.transport.withdraw(SERVICE);
    assert!(matches!(inbound_calls.next(), GatewayEvent::Drained));
    let mut inbound_calls = cellar.export(SCHEMA, Vec::new());
    let mut news = back.import(SCHEMA, Vec::new());
    news.found();
    back.call(2, "").unwrap();
    cellar.reply(inbound_calls.call().1, bytes(3 * MIB));
    let (_, told) = news.failed();
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
fn what_has_come_of_a_request_whose_caller_is_gone_is_freed_at_its_deadline() {
    let server = Server::start();
    let ByHand {
        kitchen,
        mut inbound_calls,
        clock,
        mut caller,
        mut answers,
    } = ByHand::on(&server);
    // Four take all the room that there is for what is under way.
    for number in 1..=4 {
        caller.announce_request(number, 16 * MIB, 2 * SECOND);
        assert!(matches!(
            caller.next(&mut answers, number),
            PeerMessage::Continue(_)
        ));
        caller.piece(kitchen.host, number, 0, bytes(MIB / 2));
    }
    caller.announce_request(5, 16 * MIB, 2 * SECOND);
    let told = caller.told(&mut answers, 5);
    assert_eq!(
        (told.code, told.cause),
        (Code::ResourceExhausted, Cause::Overloaded)
    );
    // Their callers send no more, and at the deadline the room is free again: that is found out with the next beat.
    clock.advance(3 * SECOND);
    caller.wall += 3 * SECOND;
    caller.wait_for_beats(2);
    caller.announce_request(6, MIB, 2 * SECOND);
    assert!(matches!(
        caller.next(&mut answers, 6),
        PeerMessage::Continue(_)
    ));
    caller.piece(kitchen.host, 6, 0, bytes(MIB / 2));
    caller.piece(kitchen.host, 6, 1, bytes(MIB / 2));
    assert_eq!(inbound_calls.call().0.payload.len(), MIB);
}

#[test]
fn a_request_of_which_no_more_comes_is_refused_long_before_its_deadline() {
    let server = Server::start();
    let ByHand {
        kitchen,
        clock,
        mut caller,
        mut answers,
        ..
    } = ByHand::on(&server);
    caller.announce_request(1, 16 * MIB, 3_600 * SECOND);
    assert!(matches!(
        caller.next(&mut answers, 1),
        PeerMessage::Continue(_)
    ));
    caller.piece(kitchen.host, 1, 0, bytes(MIB / 2));
    // What a process hears on one connection it hears in order.
    caller.announce_request(2, 16 * MIB, SECOND);
    assert!(matches!(
        caller.next(&mut answers, 2),
        PeerMessage::Continue(_)
    ));
    clock.advance(STALL_MAX);
    caller.wall += STALL_MAX;
    let told = caller.told(&mut answers, 1);
    let text = "no chunk of the request arrived for 30 s".to_owned();
    assert_eq!(
        told,
        Told {
            code: Code::Unavailable,
            cause: Cause::Unreachable,
            text
        }
    );
}

#[test]
fn pieces_that_do_not_belong_together_end_the_call() {
    let server = Server::start();
    let ByHand {
        kitchen,
        mut inbound_calls,
        caller,
        mut answers,
        ..
    } = ByHand::on(&server);
    let wrong: [&[(u32, usize)]; 4] = [
        &[(1, 10)],
        &[(0, 10), (0, 10)],
        &[(0, 90), (1, 11)],
        &[(0, 0)],
    ];
    for (number, pieces) in (1..).zip(wrong) {
        caller.announce_request(number, 100, PATIENCE);
        assert!(matches!(
            caller.next(&mut answers, number),
            PeerMessage::Continue(_)
        ));
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
    // Pieces of another host's call are nobody's.
    let other = Caller::on(&Stranger::on(&server), "other");
    caller.announce_request(9, 100, PATIENCE);
    assert!(matches!(
        caller.next(&mut answers, 9),
        PeerMessage::Continue(_)
    ));
    other.piece(kitchen.host, 9, 0, Bytes::from_static(&[b'x'; 100]));
    caller.piece(kitchen.host, 9, 0, Bytes::from_static(&[b'y'; 100]));
    assert_eq!(inbound_calls.call().0.payload[..], [b'y'; 100]);
}
