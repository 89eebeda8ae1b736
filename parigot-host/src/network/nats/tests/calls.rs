//! A call, its answer, and when there is none.

use super::*;

#[test]
fn a_call_goes_to_who_offers_the_service_and_its_answer_comes_back() {
    let server = Server::start();
    let frozen = |name| {
        Process::of(ProcessIdentity {
            clock: Arc::new(ManualClock::new(1_000 * SECOND)),
            ..identity(&server, name)
        })
    };
    let (front, mut news, kitchen, mut inbound_calls) =
        couple_of(frozen("front"), frozen("kitchen"));
    front.call(7, "ada").unwrap();
    let (request, from) = inbound_calls.call();
    assert_eq!(
        (request.id, &*request.method, &*request.payload),
        (call_id(7), "FetchGreeting", &b"ada"[..])
    );
    assert_eq!(request.metadata, front.request(7, "").metadata);
    let left_ns = request
        .deadline_ns
        .saturating_sub(kitchen.clock.monotonic_ns());
    // The clocks are frozen, so no time passes on the way.
    assert_eq!(left_ns, PATIENCE.as_nanos() as u64);
    let reply = Reply {
        status: 3,
        flags: 1,
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
            metadata,
            detail,
            payload,
        },
    ) = news.answered();
    assert_eq!((id, status, flags), (call_id(7), 3, 1));
    assert_eq!(
        (&*metadata, &*detail, &*payload),
        (&b"metadata"[..], &b"detail"[..], &b"hello ada"[..])
    );
}

#[test]
fn whoever_comes_first_is_found() {
    let server = Server::start();
    let kitchen = Process::new(&server, "kitchen");
    let _visits = kitchen.export(SCHEMA, Vec::new());
    let front = Process::new(&server, "front");
    let mut news = front.import(SCHEMA, Vec::new());
    news.found();
}

#[test]
fn a_call_that_nobody_could_take_is_refused_at_once() {
    let server = Server::start();
    let front = Process::new(&server, "front");
    // One that says that it is there, and does not listen.
    let ghost = Caller::on(&Stranger::on(&server), "ghost");
    let mut questions = ghost.questions();
    let mut news = front.import(SCHEMA, Vec::new());
    let unoffered = Told {
        code: Code::Unavailable,
        cause: Cause::Unreachable,
        text: "no process offers greeting.v1.Greeting".to_owned(),
    };
    assert_eq!(front.call(1, ""), Err(unoffered));
    ghost.offer_when_asked(&mut questions);
    news.found();
    front.call(2, "").unwrap();
    let (id, told) = news.failed();
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
fn who_is_called_learns_that_nobody_waits_any_more() {
    let server = Server::start();
    let (front, mut news, kitchen, mut inbound_calls) = couple(&server);
    front.call(1, "").unwrap();
    let (_, from) = inbound_calls.call();
    front.transport.cancel(SERVICE, call_id(1));
    assert!(matches!(inbound_calls.next(), GatewayEvent::Cancel { id } if id == call_id(1)));
    // What it answers nonetheless goes nowhere.
    kitchen.reply(from, "late");
    front.call(2, "").unwrap();
    kitchen.reply(inbound_calls.call().1, "in time");
    assert_eq!(news.answered().0, call_id(2));
}

#[test]
fn a_request_that_was_on_its_way_for_longer_than_its_caller_waits_does_not_run() {
    let server = Server::start();
    let ByHand {
        kitchen: _kitchen,
        mut inbound_calls,
        clock,
        mut caller,
        mut answers,
    } = ByHand::on(&server);

    // As far as two clocks can tell that differ by a second, it may have just left.
    clock.advance(2 * SECOND);
    caller.request(1, "", 2 * SECOND);
    let left_ns = inbound_calls.call().0.deadline_ns - clock.monotonic_ns();
    assert_eq!(
        left_ns,
        SECOND.as_nanos() as u64,
        "of 2 s at least 1 has passed on the way"
    );
    // A second later it may not.
    clock.advance(SECOND);
    caller.request(2, "", 2 * SECOND);
    let told = caller.told(&mut answers, 2);
    let text = "the request arrived 3000 ms after it was sent, 2000 ms were left: \
        check the clocks of both hosts"
        .to_owned();
    assert_eq!(
        told,
        Told {
            code: Code::Unavailable,
            cause: Cause::Unreachable,
            text
        }
    );
    // A clock that is ahead gives nobody more time than was asked for.
    caller.wall = 2_000 * SECOND;
    caller.request(3, "", 2 * SECOND);
    let (request, _) = inbound_calls.call();
    assert_eq!(
        (request.id, request.deadline_ns - clock.monotonic_ns()),
        (call_id(3), 2_000_000_000)
    );
}

#[test]
fn a_call_runs_once_however_often_it_arrives() {
    let server = Server::start();
    let ByHand {
        kitchen,
        mut inbound_calls,
        caller,
        ..
    } = ByHand::on(&server);
    caller.request(1, "once", PATIENCE);
    caller.request(1, "twice", PATIENCE);
    caller.request(2, "another", PATIENCE);
    let (first, from) = inbound_calls.call();
    let (second, _) = inbound_calls.call();
    assert_eq!((first.id, &*first.payload), (call_id(1), &b"once"[..]));
    assert_eq!(
        second.id,
        call_id(2),
        "the second arrival of the first came through"
    );
    // Nor does it once it is answered.
    kitchen.reply(from, "");
    caller.request(1, "thrice", PATIENCE);
    caller.request(3, "one more", PATIENCE);
    assert_eq!(inbound_calls.call().0.id, call_id(3));
    // Nor one that was cancelled before it came.
    caller.cancel(kitchen.host, 4);
    caller.cancel(kitchen.host, 3);
    assert!(matches!(inbound_calls.next(), GatewayEvent::Cancel { id } if id == call_id(3)));
    caller.request(4, "in vain", PATIENCE);
    caller.request(5, "the last", PATIENCE);
    assert_eq!(inbound_calls.call().0.id, call_id(5));
}
