//! Start and stop of processes that depend on each other.

use std::sync::Arc;

use parigot_abi::manifest::Service;
use parigot_abi::{Cause, Code as StatusCode};

use super::processes::{
    Front, Pair, Process, STARTUP_DEADLINE, echo, front, pair, start, try_front,
};
use super::service_guest::{
    DENY, ECHO, METHODS, NEVER_ENDS, SLOW, SLOWLY, service, service_factory,
};
use super::switchboard::Switchboard;
use super::watched::Watched;
use crate::deployment::GuestSpec;
use crate::host::Outcome;

#[test]
fn a_stopping_process_answers_its_calls_and_takes_no_more() {
    let pair = pair();
    pair.front.begin(1, SLOWLY, &[]);
    pair.received.call(0);
    pair.back.running.stopper().stop();
    pair.back.clock.advance(SLOW);
    // Fails if the process waits for the front, which still requires the service.
    assert_eq!(pair.back.wait().status, 0);
    let end = pair.front.end(1);
    assert_eq!((end.status, &*end.payload), (0, &b"at last"[..]));
    let expected = (
        StatusCode::Unavailable,
        Cause::Unreachable,
        "no process offers x.Echo",
    );
    assert_eq!(pair.front.call(2, ECHO).failure(), expected);
    pair.front.process.wait_until_idle();
    pair.front.process.stop();
}

#[test]
fn a_program_ends_its_process_but_not_the_others() {
    let Pair {
        board,
        front: first,
        back,
        received,
    } = pair();
    first.begin(1, NEVER_ENDS, &[]);
    received.call(0);
    first.exit(7);
    assert_eq!(
        first.process.wait(),
        Outcome {
            status: 7,
            was_cut_off: false
        }
    );
    received.wait_for_cancellations(1);
    let second = front(&board);
    assert_eq!(second.call(1, ECHO).status, 0);
    Pair {
        board,
        front: second,
        back,
        received,
    }
    .finish();
}

#[test]
fn a_process_lists_proxies_only_among_pending_calls() {
    let pair = pair();
    let exports: Vec<_> = pair
        .back
        .running
        .exports()
        .iter()
        .map(|export| &*export.service)
        .collect();
    assert_eq!(exports, ["x.Echo"]);
    assert!(pair.front.process.running.exports().is_empty());
    let names = |process: &Process| {
        process
            .running
            .pending()
            .into_iter()
            .map(|pending| pending.guest)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&pair.back), ["echo", "network/x.Echo"]);
    assert_eq!(names(&pair.front.process), ["front", "x.Echo"]);
    pair.finish();
}

#[test]
fn a_gateway_stops_first_and_a_remote_service_last() {
    let board = Arc::<Switchboard>::default();
    let back = start(&board, vec![echo(&Watched::new())]);
    let requires = vec![service("x.Echo", &METHODS)];
    let factory = service_factory(service("x.Between", &["Get"]), requires, &Watched::new());
    let between = start(
        &board,
        vec![(GuestSpec::service("between", ""), Arc::new(factory))],
    );
    let front =
        try_front(&board, vec![service("x.Between", &["Get"])]).expect("the process must start");
    front.observed.wait_for_launch();
    let instances = &between.running.kernel.instances;
    let order: Vec<_> = between
        .running
        .kernel
        .lifecycle
        .stop_order()
        .into_iter()
        .map(|index| &*instances[index].name)
        .collect();
    assert_eq!(order, ["network/x.Between", "between", "x.Echo"]);
    front.process.stop();
    between.stop();
    back.stop();
}

#[test]
fn a_program_is_launched_once_its_service_is_offered() {
    let board = Arc::<Switchboard>::default();
    let received = Watched::new();
    let front =
        try_front(&board, vec![service("x.Echo", &METHODS)]).expect("the process must start");
    let is_launched = |front: &Front| {
        front
            .observed
            .wait_for(|observed| Some(observed.methods.is_some()))
    };
    assert!(!is_launched(&front));
    let back = start(&board, vec![echo(&received)]);
    front.observed.wait_for_launch();
    assert_eq!(front.call(1, ECHO).status, 0);
    Pair {
        board,
        front,
        back,
        received,
    }
    .finish();
}

#[test]
fn a_start_fails_if_a_required_service_is_not_offered() {
    let board = Arc::<Switchboard>::default();
    let front =
        try_front(&board, vec![service("x.Echo", &METHODS)]).expect("the process must start");
    front.process.clock.advance(STARTUP_DEADLINE);
    assert_eq!(front.process.wait().status, 124);
}

#[test]
fn a_service_required_by_name_has_the_offered_methods() {
    let board = Arc::<Switchboard>::default();
    let received = Watched::new();
    let back = start(&board, vec![echo(&received)]);
    board.wait_until_offered("x.Echo");
    let by_name = Service {
        schema: 0,
        ..service("x.Echo", &[])
    };
    let front = try_front(&board, vec![by_name.clone()]).expect("the service must be found");
    assert_eq!(front.observed.wait_for_launch(), METHODS);
    assert_eq!(front.call(1, DENY).failure().2, "not you");
    Pair {
        board,
        front,
        back,
        received,
    }
    .finish();

    let refused = try_front(&Arc::default(), vec![by_name])
        .err()
        .expect("no process offers the service");
    let expected = "`front` requires x.Echo by name, and no process has exported it within 300ms: \
                    its methods must be known before the start";
    assert_eq!(refused.to_string(), expected);
}
