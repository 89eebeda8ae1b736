//! Calls with and without a reply.

use super::*;

#[test]
fn a_call_reaches_the_exporter_and_is_answered() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = frozen_pair(&server);
    front.call(7, "ada").unwrap();
    let (request, from) = gateway.call();
    assert_eq!(
        (request.id, &*request.method, &*request.payload),
        (call_id(7), "FetchGreeting", &b"ada"[..])
    );
    assert_eq!(request.metadata, front.request(7, "").metadata);
    let left_ns = request
        .deadline_ns
        .saturating_sub(kitchen.clock.monotonic_ns());
    // The clocks are frozen, so no time passes on the way.
    assert_eq!(left_ns, WAIT_MAX.as_nanos() as u64);
    let reply = Reply {
        status: 3,
        flags: 1,
        headers: Bytes::from_static(b"headers"),
        metadata: Bytes::from_static(b"metadata"),
        detail: Bytes::from_static(b"detail"),
        payload: Bytes::from_static(b"hello ada"),
    };
    kitchen.transport.reply(from, reply);
    let (
        id,
        Reply {
            status,
            flags,
            headers,
            metadata,
            detail,
            payload,
        },
    ) = events.answered();
    assert_eq!((id, status, flags), (call_id(7), 3, 1));
    assert_eq!(
        [headers, metadata, detail, payload],
        ["headers", "metadata", "detail", "hello ada"]
    );
}

#[test]
fn an_exporter_that_started_first_is_found() {
    let server = Server::start();
    let kitchen = Process::new(&server, "kitchen");
    let _gateway = kitchen.export(SCHEMA, Vec::new());
    let front = Process::new(&server, "front");
    let mut events = front.import(SCHEMA, Vec::new());
    events.found();
}

#[test]
fn a_call_without_a_callee_fails_at_once() {
    let server = Server::start();
    let front = Process::new(&server, "front");
    // A process that announces the service, but does not subscribe to calls.
    let ghost = FakePeer::on(&RawClient::on(&server), "ghost");
    let mut questions = ghost.questions();
    let mut events = front.import(SCHEMA, Vec::new());
    let unoffered = FailedCall {
        code: Code::Unavailable,
        cause: Cause::Unreachable,
        text: "no process offers greeting.v1.Greeting".to_owned(),
    };
    assert_eq!(front.call(1, ""), Err(unoffered));
    ghost.offer_when_asked(&mut questions);
    events.found();
    front.call(2, "").unwrap();
    let (id, told) = events.failed();
    assert_eq!(
        (id, told.cause, &*told.text),
        (
            call_id(2),
            Cause::Unreachable,
            "no process offers greeting.v1.Greeting"
        )
    );
}

#[test]
fn a_callee_is_notified_of_a_cancellation() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    front.call(1, "").unwrap();
    let (_, from) = gateway.call();
    front.transport.cancel(SERVICE, call_id(1));
    assert!(matches!(gateway.next(), GatewayEvent::Cancel { id } if id == call_id(1)));
    // A reply after the cancellation is dropped.
    kitchen.reply(from, "late");
    front.call(2, "").unwrap();
    kitchen.reply(gateway.call().1, "in time");
    assert_eq!(events.answered().0, call_id(2));
}

#[test]
fn a_request_that_arrives_too_late_does_not_run() {
    let server = Server::start();
    let FrozenCallee {
        kitchen: _kitchen,
        mut gateway,
        clock,
        mut caller,
        mut answers,
    } = FrozenCallee::on(&server);

    // The clocks may differ by one second, so the request may be one second old only.
    clock.advance(2 * SECOND);
    caller.request(1, "", 2 * SECOND);
    let left_ns = gateway.call().0.deadline_ns - clock.monotonic_ns();
    assert_eq!(
        left_ns,
        SECOND.as_nanos() as u64,
        "of 2 s at least 1 has passed on the way"
    );
    // One second later, the request is too old for any difference of the clocks.
    clock.advance(SECOND);
    caller.request(2, "", 2 * SECOND);
    let told = caller.told(&mut answers, 2);
    let text = "the request arrived 3000 ms after it was sent, 2000 ms were left: \
                check the clocks of both hosts"
        .to_owned();
    assert_eq!(
        told,
        FailedCall {
            code: Code::DeadlineExceeded,
            cause: Cause::Expired,
            text
        }
    );
    // A caller whose clock is ahead gets no more time than it has asked for.
    caller.wall = 2_000 * SECOND;
    caller.request(3, "", 2 * SECOND);
    let (request, _) = gateway.call();
    assert_eq!(
        (request.id, request.deadline_ns - clock.monotonic_ns()),
        (call_id(3), 2_000_000_000)
    );
}

#[test]
fn a_repeated_call_runs_once() {
    let server = Server::start();
    let FrozenCallee {
        kitchen,
        mut gateway,
        caller,
        ..
    } = FrozenCallee::on(&server);
    caller.request(1, "once", WAIT_MAX);
    caller.request(1, "twice", WAIT_MAX);
    caller.request(2, "another", WAIT_MAX);
    let (first, from) = gateway.call();
    let (second, _) = gateway.call();
    assert_eq!((first.id, &*first.payload), (call_id(1), &b"once"[..]));
    assert_eq!(
        second.id,
        call_id(2),
        "the second arrival of the first came through"
    );
    // A repetition after the reply does not run either.
    kitchen.reply(from, "");
    caller.request(1, "thrice", WAIT_MAX);
    caller.request(3, "one more", WAIT_MAX);
    assert_eq!(gateway.call().0.id, call_id(3));
    // A call that was cancelled before its arrival does not run either.
    caller.cancel(kitchen.host, 4);
    caller.cancel(kitchen.host, 3);
    assert!(matches!(gateway.next(), GatewayEvent::Cancel { id } if id == call_id(3)));
    caller.request(4, "in vain", WAIT_MAX);
    caller.request(5, "the last", WAIT_MAX);
    assert_eq!(gateway.call().0.id, call_id(5));
}
