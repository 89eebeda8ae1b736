//! Calls between processes, and their ends.

use parigot_abi::frame::push_pair;
use parigot_abi::id::InstanceId;
use parigot_abi::{Cause, Code as StatusCode, Header, Kind};
use std::sync::Arc;

use super::processes::{HOUR, Pair, SECOND, echo, front, pair, start, try_front};
use super::service_guest::{DENY, ECHO, NEVER_ENDS, REFUSE, SLOW, SLOWLY, service};
use super::switchboard::Switchboard;
use super::watched::Watched;
use crate::deployment::GuestSpec;
use crate::limits::REMOTE_FATE_WAIT;

#[test]
fn another_process_answers_a_call() {
    let pair = pair();
    let end = pair.front.call(1, ECHO);
    assert_eq!(
        (end.status, end.is_service_error, &*end.payload),
        (0, false, &b"hello"[..])
    );
    assert_eq!(end.id.key(), pair.received.call(0).id.key());
    pair.finish();
}

#[test]
fn errors_and_statuses_of_a_service_are_preserved() {
    let pair = pair();
    let error = pair.front.call(1, REFUSE);
    assert_eq!((error.status, error.is_service_error), (7, true));
    let status = pair.front.call(2, DENY);
    assert_eq!(
        status.failure(),
        (StatusCode::PermissionDenied, Cause::Answered, "not you")
    );
    assert_eq!(
        status.instance,
        pair.back.instance("echo").id().to_wire(),
        "the status names the callee itself, not a proxy"
    );
    pair.finish();
}

#[test]
fn metadata_and_deadline_reach_the_callee() {
    let pair = pair();
    let mut metadata = Vec::new();
    push_pair(&mut metadata, "traceparent", "00-1-2-01");
    let call = Header {
        number: 1,
        ..Header::new(Kind::Call)
    };
    pair.front.send(call, &metadata, &[]);
    pair.front.end(1);
    let call = pair.received.call(0);
    assert_eq!(
        call.metadata,
        [("traceparent".to_owned(), "00-1-2-01".to_owned())]
    );
    // The clocks are frozen, so no time passes on the way.
    assert_eq!(call.left, 3 * SECOND, "default deadline");
    pair.front.begin_within(2, ECHO, 60 * SECOND);
    pair.front.end(2);
    assert_eq!(pair.received.call(1).left, 60 * SECOND);
    pair.finish();
}

#[test]
fn a_call_gets_the_default_deadline_of_the_service() {
    let board = Arc::<Switchboard>::default();
    let received = Watched::new();
    let (spec, factory) = echo(&received);
    let slow = GuestSpec {
        deadline: 30 * SECOND,
        ..spec
    };
    let back = start(&board, vec![(slow, factory)]);
    let front = front(&board);
    assert_eq!(front.call(1, ECHO).status, 0);
    assert_eq!(received.call(0).left, 30 * SECOND);
    Pair {
        board,
        front,
        back,
        received,
    }
    .finish();
}

#[test]
fn a_deadline_ends_a_call_in_both_processes() {
    let pair = pair();
    pair.front.begin_within(1, NEVER_ENDS, SECOND);
    pair.received.call(0);
    pair.back.clock.advance(SECOND);
    pair.front.process.clock.advance(SECOND);
    let end = pair.front.end(1);
    assert_eq!(end.failure().1, Cause::TimedOut);
    // The process that sees the deadline first notifies the other. The caller's process does not
    // know which instance has the call.
    let known = [InstanceId::EMPTY, pair.back.instance("echo").id()].map(InstanceId::to_wire);
    assert!(known.contains(&end.instance), "{end:?}");
    pair.received.wait_for_cancellations(1);
    pair.finish();
}

#[test]
fn a_cancellation_reaches_the_callee() {
    let pair = pair();
    pair.front.begin(1, NEVER_ENDS, &[]);
    pair.received.call(0);
    pair.front.cancel(1);
    pair.received.wait_for_cancellations(1);
    assert_eq!(pair.front.call(2, ECHO).status, 0);
    pair.finish();
}

#[test]
fn an_answer_after_the_deadline_is_dropped() {
    let pair = pair();
    pair.board.lose_cancellations();
    pair.front.begin_within(1, SLOWLY, SLOW / 5);
    pair.received.call(0);
    // On the callee's clock the deadline does not pass, so the callee answers.
    pair.front.process.clock.advance(SLOW / 5);
    pair.front.process.clock.advance(REMOTE_FATE_WAIT);
    assert_eq!(pair.front.end(1).failure().1, Cause::TimedOut);
    // The second answer uses the same route after the first.
    pair.front.begin_within(2, SLOWLY, HOUR);
    pair.received.call(1);
    pair.back.clock.advance(SLOW);
    assert_eq!(pair.front.end(2).status, 0);
    pair.finish();
}

#[test]
fn a_method_that_the_callee_lacks_fails_its_calls_only() {
    let board = Arc::<Switchboard>::default();
    let received = Watched::new();
    let back = start(&board, vec![echo(&received)]);
    let newer = service("x.Echo", &["New", "Echo"]);
    let front = try_front(&board, vec![newer]).expect("the process must start");
    front.observed.wait_for_launch();
    assert_eq!(
        front.call(1, 0).failure(),
        (
            StatusCode::Unimplemented,
            Cause::NoSuchMethod,
            "x.Echo has no such method; run `parigot check` to compare the schemas of caller and \
             callee"
        )
    );
    assert_eq!(
        front.call(2, 1).status,
        0,
        "methods are matched by name, not by index"
    );
    Pair {
        board,
        front,
        back,
        received,
    }
    .finish();
}
