//! Crashes, lost connections and lost processes.

use std::sync::Arc;

use parigot_abi::{Cause, Code as StatusCode};

use super::processes::{HOUR, SECOND, echo, front, pair, start};
use super::service_guest::{CRASH, ECHO, METHODS, NEVER_ENDS, service, service_factory};
use super::switchboard::Switchboard;
use super::watched::Watched;
use crate::deployment::GuestSpec;

#[test]
fn a_crashed_callee_is_restarted_with_the_same_handle() {
    let pair = pair();
    let echo = pair.back.instance("echo").id();
    let end = pair.front.call(1, CRASH);
    assert_eq!(
        end.failure(),
        (StatusCode::Internal, Cause::CalleeTrapped, "echo it broke")
    );
    assert_eq!(end.instance, echo.to_wire());
    let refused = pair.front.call(2, ECHO);
    let (code, cause, message) = refused.failure();
    assert_eq!((code, cause), (StatusCode::Unavailable, Cause::Unreachable));
    assert!(
        message.starts_with("echo is being restarted and has been down for "),
        "{message}"
    );
    pair.back.clock.advance(SECOND);
    let answered = (3..)
        .map(|number| pair.front.call(number, ECHO))
        .find(|end| end.status == 0);
    assert!(answered.is_some());
    pair.finish();
}

#[test]
fn a_permanently_failed_service_is_withdrawn() {
    let board = Arc::<Switchboard>::default();
    let (mut spec, factory) = echo(&Watched::new());
    spec.restart.max_restarts = 1;
    let other = service_factory(service("x.Other", &METHODS), Vec::new(), &Watched::new());
    let back = start(
        &board,
        vec![
            (spec, factory),
            (GuestSpec::service("other", ""), Arc::new(other)),
        ],
    );
    let front = front(&board);
    let refused = (1..)
        .map(|number| {
            back.clock.advance(SECOND);
            front.call(number, CRASH)
        })
        .find(|end| end.message == "no process offers x.Echo");
    assert_eq!(refused.map(|end| end.cause), Some(Cause::Unreachable));
    front.process.stop();
    assert_eq!(
        back.stop().status,
        1,
        "the exit status must be that of the failed service"
    );
}

#[test]
fn calls_fail_at_once_while_the_connection_is_down() {
    let pair = pair();
    pair.board.set_down(true);
    let expected = (
        StatusCode::Unavailable,
        Cause::Unreachable,
        "the connection to NATS has been down for 120 ms",
    );
    assert_eq!(pair.front.call(1, ECHO).failure(), expected);
    pair.board.set_down(false);
    assert_eq!(pair.front.call(2, ECHO).status, 0);
    pair.finish();
}

#[test]
fn calls_of_a_lost_process_end_and_later_ones_fail() {
    let pair = pair();
    pair.front.begin(1, NEVER_ENDS, &[]);
    pair.received.call(0);
    pair.board.lose(pair.back.host);
    let expected = (
        StatusCode::Unavailable,
        Cause::CalleeExited,
        "the process that offered x.Echo has sent no heartbeat for 3 s",
    );
    assert_eq!(pair.front.end(1).failure(), expected);
    let expected = (
        StatusCode::Unavailable,
        Cause::Unreachable,
        "no process offers x.Echo",
    );
    assert_eq!(pair.front.call(2, ECHO).failure(), expected);
    pair.front.process.wait_until_idle();
    pair.front.process.stop();
    // No cancellation reaches the lost process, so its call ends at the deadline.
    pair.back.clock.advance(HOUR);
    pair.back.wait_until_idle();
    pair.back.stop();
}
