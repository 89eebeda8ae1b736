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
    pair.board.wait_until_paused("x.Echo");
    assert_eq!(
        pair.front.call(2, ECHO).failure(),
        (
            StatusCode::Unavailable,
            Cause::Unreachable,
            "x.Echo is being restarted in each process that offers it, or these processes have no \
             free worker"
        )
    );
    pair.back.clock.advance(SECOND);
    let answered = (3..)
        .map(|number| pair.front.call(number, ECHO))
        .find(|end| end.status == 0);
    assert!(answered.is_some());
    pair.finish();
}

#[test]
fn calls_go_to_other_processes_during_a_restart() {
    let board = Arc::<Switchboard>::default();
    let received = [Watched::new(), Watched::new()];
    let backs = received
        .each_ref()
        .map(|received| start(&board, vec![echo(received)]));
    let counts = || {
        received
            .each_ref()
            .map(|received| received.change(|all| all.calls.len()))
    };
    let front = front(&board);
    assert_eq!(front.call(1, CRASH).cause, Cause::CalleeTrapped);
    board.wait_until_paused("x.Echo");
    for number in 2..12 {
        assert_eq!(front.call(number, ECHO).status, 0);
    }
    // After its restart, the service gets calls again.
    let before = counts();
    for back in &backs {
        back.clock.advance(SECOND);
    }
    let both = (12..10_000).find(|number| {
        assert_eq!(front.call(*number, ECHO).status, 0);
        let now = counts();
        now[0] > before[0] && now[1] > before[1]
    });
    assert!(both.is_some(), "{before:?} and {:?}", counts());
    front.process.stop();
    backs.into_iter().for_each(|back| _ = back.stop());
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
