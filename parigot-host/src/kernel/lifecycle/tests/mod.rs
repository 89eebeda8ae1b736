//! Tests of the launch order, restarts and the exit status.

mod transitions;

use super::*;

/// Returns guests of which `app` requires `kitchen` twice and `store`, and `kitchen` requires
/// `store`.
fn lifecycle() -> Lifecycle {
    let dependency = |exporters: &[usize], required_by: &[usize]| Dependency {
        exporters: exporters.to_vec(),
        required_by: required_by.to_vec(),
    };
    let kinds = vec![GuestKind::Program, GuestKind::Service, GuestKind::Service];
    Lifecycle::new(
        kinds,
        vec![
            dependency(&[1], &[0]),
            dependency(&[2], &[0, 1]),
            dependency(&[1], &[0]),
        ],
    )
}

/// Returns launches of these guests in their first generation.
fn first<const N: usize>(guests: [usize; N]) -> Option<Vec<Launched>> {
    Some(
        guests
            .map(|guest| Launched {
                guest,
                generation: 0,
            })
            .into(),
    )
}

fn unready(guest: usize, phase: Phase, lacks: &[usize]) -> Unready {
    Unready {
        guest,
        phase,
        lacks: lacks.to_vec(),
    }
}

#[test]
fn the_start_waits_for_services_and_waiting_programs() {
    let lifecycle = lifecycle();
    let services = || {
        [
            unready(1, Phase::Starting, &[2]),
            unready(2, Phase::Starting, &[]),
        ]
    };
    assert_eq!(lifecycle.unready(), services());
    assert_eq!(lifecycle.request_launch(0), Some(vec![]));
    let [kitchen, store] = services();
    assert_eq!(
        lifecycle.unready(),
        [unready(0, Phase::Waiting, &[1, 2]), kitchen, store]
    );
}

#[test]
fn a_start_is_complete_once_all_are_ready() {
    let lifecycle = lifecycle();
    assert_eq!(
        (
            lifecycle.request_launch(0),
            lifecycle.request_launch(1),
            lifecycle.request_launch(2)
        ),
        (Some(vec![]), Some(vec![]), first([2]))
    );
    assert_eq!(lifecycle.ready(2), first([1]));
    let kitchen = || unready(1, Phase::Launched, &[]);
    assert_eq!(
        lifecycle.unready(),
        [unready(0, Phase::Waiting, &[1]), kitchen()]
    );
    assert_eq!(lifecycle.ready(1), first([0]));
    assert_eq!(lifecycle.unready(), []);
    assert!(!lifecycle.give_up_start());
    assert!(!lifecycle.has_become_complete(), "a program reports itself");
    assert_eq!(lifecycle.status(), 0);
}

#[test]
fn the_complete_start_of_services_is_reported_once() {
    let lifecycle = Lifecycle::new(vec![GuestKind::Service; 2], vec![]);
    let mut reports = Vec::new();
    for guest in [0, 1] {
        lifecycle.request_launch(guest);
        lifecycle.ready(guest);
        reports.push(lifecycle.has_become_complete());
    }
    reports.push(lifecycle.has_become_complete());
    assert_eq!(reports, [false, true, false]);
}

#[test]
fn a_timed_out_start_has_its_own_status() {
    let lifecycle = lifecycle();
    assert!(lifecycle.give_up_start());
    lifecycle.wait_until_over();
    assert_eq!(lifecycle.status(), TIMED_OUT);
    assert_eq!(
        lifecycle.unready(),
        [],
        "the start of an ending deployment is over"
    );
    lifecycle.ended(0, Some(7));
    assert_eq!(lifecycle.status(), TIMED_OUT);
}

/// Returns the guests of [`lifecycle`] with both services ready, so that a launch request of `app`
/// is granted.
fn ready_lifecycle() -> Lifecycle {
    let lifecycle = lifecycle();
    assert_eq!(
        (lifecycle.request_launch(2), lifecycle.ready(2)),
        (first([2]), Some(vec![]))
    );
    assert_eq!(
        (lifecycle.request_launch(1), lifecycle.ready(1)),
        (first([1]), Some(vec![]))
    );
    lifecycle
}

#[test]
fn requirers_wait_for_a_restarting_service() {
    let lifecycle = ready_lifecycle();
    assert_eq!(lifecycle.begin_restart(2), RestartPermit::Granted);
    assert_eq!(
        lifecycle.request_launch(0),
        Some(vec![]),
        "its dependency is restarting"
    );
    assert_eq!(lifecycle.unready(), [unready(0, Phase::Waiting, &[2])]);
    assert_eq!(lifecycle.restarted(2, 1), Some(()));
    assert_eq!(lifecycle.restarted(2, 1), None);
    assert_eq!(
        lifecycle.request_launch(2),
        Some(vec![Launched {
            guest: 2,
            generation: 1
        }])
    );
    assert_eq!(lifecycle.ready(2), first([0]));
    assert_eq!(lifecycle.unready(), []);
    assert_eq!(
        lifecycle.stop_order(),
        [0, 1, 2],
        "last launched first, each guest before its dependencies"
    );
}

#[test]
fn a_service_that_was_never_ready_is_not_restarted() {
    let lifecycle = lifecycle();
    assert_eq!(lifecycle.request_launch(2), first([2]));
    assert_eq!(lifecycle.begin_restart(2), RestartPermit::Refused);
}

#[test]
fn no_guest_restarts_once_the_deployment_ends() {
    let lifecycle = ready_lifecycle();
    assert_eq!(lifecycle.begin_restart(2), RestartPermit::Granted);
    lifecycle.ask_to_stop();
    assert_eq!(lifecycle.restarted(2, 1), None);
    assert_eq!(lifecycle.begin_restart(1), RestartPermit::Refused);
    lifecycle.wait_until_over();
    assert_eq!(
        lifecycle.stop_order(),
        [0, 1],
        "a restarting guest has no instance to stop"
    );
}

#[test]
fn waiting_requirers_of_a_lost_service_are_returned() {
    let lifecycle = ready_lifecycle();
    assert_eq!(lifecycle.begin_restart(2), RestartPermit::Granted);
    assert_eq!(lifecycle.request_launch(0), Some(vec![]));
    assert_eq!(
        lifecycle.ended(2, None),
        [Unlaunchable {
            guest: 0,
            phase: Phase::Waiting,
            was_ready: false
        }]
    );
    assert_eq!(lifecycle.status(), FAILED);
}

#[test]
fn a_restarting_guest_is_blocked_by_a_lost_dependency() {
    for (steps, phase) in [
        (0, Phase::Restarting),
        (1, Phase::Starting),
        (2, Phase::Waiting),
    ] {
        let lifecycle = ready_lifecycle();
        assert_eq!(lifecycle.request_launch(0), first([0]));
        assert_eq!(
            (lifecycle.begin_restart(1), lifecycle.begin_restart(2)),
            (RestartPermit::Granted, RestartPermit::Granted)
        );
        if steps > 0 {
            assert_eq!(lifecycle.restarted(1, 1), Some(()));
        }
        if steps > 1 {
            assert_eq!(lifecycle.request_launch(1), Some(vec![]));
        }
        assert_eq!(
            lifecycle.ended(2, None),
            [Unlaunchable {
                guest: 1,
                phase,
                was_ready: true
            }]
        );
        assert_eq!(
            lifecycle.restarted(1, 1),
            None,
            "the guest could never be launched"
        );
    }
}

#[test]
fn a_guest_is_not_restarted_after_a_lost_dependency() {
    let lifecycle = ready_lifecycle();
    assert_eq!(lifecycle.request_launch(0), first([0]));
    assert_eq!(lifecycle.ended(2, Some(0)), []);
    assert_eq!(
        lifecycle.begin_restart(1),
        RestartPermit::Lost { exporter: 2 }
    );
}

#[test]
fn the_first_status_that_is_not_0_counts() {
    let status = |kind, ends: [Option<u8>; 2]| {
        let lifecycle = Lifecycle::new(vec![kind; 2], Vec::new());
        for (guest, end) in ends.into_iter().enumerate() {
            assert_eq!(
                (lifecycle.request_launch(guest), lifecycle.ready(guest)),
                (first([guest]), Some(vec![]))
            );
            lifecycle.ended(guest, end);
        }
        lifecycle.wait_until_over();
        lifecycle.status()
    };
    for kind in [GuestKind::Program, GuestKind::Service] {
        assert_eq!(status(kind, [Some(0), Some(0)]), 0);
        assert_eq!(status(kind, [Some(7), Some(8)]), 7);
        assert_eq!(status(kind, [Some(0), None]), FAILED);
    }
}

/// Returns a ready service, and a launched proxy for callers from other processes.
fn lifecycle_with_gateway() -> Lifecycle {
    let lifecycle = Lifecycle::new(
        vec![GuestKind::Service, GuestKind::Proxy],
        vec![Dependency {
            exporters: vec![0],
            required_by: vec![1],
        }],
    );
    assert_eq!(
        (
            lifecycle.request_launch(1),
            lifecycle.request_launch(0),
            lifecycle.ready(0)
        ),
        (Some(vec![]), first([0]), first([1]))
    );
    lifecycle
}

#[test]
fn a_proxy_does_not_keep_a_deployment_running() {
    let lifecycle = lifecycle_with_gateway();
    assert_eq!(lifecycle.ready(1), Some(vec![]));
    assert_eq!(
        lifecycle.stop_order(),
        [1, 0],
        "calls of other processes end before their callees"
    );
    lifecycle.ended(0, Some(3));
    lifecycle.wait_until_over();
    assert_eq!(lifecycle.status(), 3);
}

#[test]
fn a_proxy_of_a_lost_service_never_fails_the_start() {
    for (is_ready, phase) in [(false, Phase::Launched), (true, Phase::Ready)] {
        let lifecycle = lifecycle_with_gateway();
        if is_ready {
            assert_eq!(lifecycle.ready(1), Some(vec![]));
        }
        assert_eq!(
            lifecycle.ended(0, Some(0)),
            [Unlaunchable {
                guest: 1,
                phase,
                was_ready: is_ready
            }]
        );
        assert_eq!(lifecycle.ended(1, Some(0)), []);
        assert_eq!(lifecycle.status(), 0);
    }
}

/// Returns guests of which `app` and `late` require a service that `one` and `two` export.
fn replicated_lifecycle() -> Lifecycle {
    let kinds = vec![
        GuestKind::Program,
        GuestKind::Program,
        GuestKind::Service,
        GuestKind::Service,
    ];
    Lifecycle::new(
        kinds,
        vec![Dependency {
            exporters: vec![2, 3],
            required_by: vec![0, 1],
        }],
    )
}

/// Returns the guests of [`replicated_lifecycle`] with both services ready.
fn ready_replicated_lifecycle() -> Lifecycle {
    let lifecycle = replicated_lifecycle();
    assert_eq!(
        (lifecycle.request_launch(2), lifecycle.ready(2)),
        (first([2]), Some(vec![]))
    );
    assert_eq!(
        (lifecycle.request_launch(3), lifecycle.ready(3)),
        (first([3]), Some(vec![]))
    );
    lifecycle
}

#[test]
fn a_launch_waits_for_all_exporters_of_a_service() {
    let lifecycle = replicated_lifecycle();
    assert_eq!(
        (
            lifecycle.request_launch(0),
            lifecycle.request_launch(2),
            lifecycle.request_launch(3)
        ),
        (Some(vec![]), first([2]), first([3]))
    );
    assert_eq!(lifecycle.ready(2), Some(vec![]));
    assert_eq!(lifecycle.unready()[0], unready(0, Phase::Waiting, &[3]));
    assert_eq!(lifecycle.ready(3), first([0]));
}

#[test]
fn later_launches_need_one_ready_exporter() {
    let lifecycle = ready_replicated_lifecycle();
    assert_eq!(lifecycle.begin_restart(2), RestartPermit::Granted);
    assert_eq!(
        lifecycle.request_launch(0),
        first([0]),
        "the other exporter is ready"
    );
    assert_eq!(lifecycle.begin_restart(3), RestartPermit::Granted);
    assert_eq!(lifecycle.request_launch(1), Some(vec![]));
    assert_eq!(lifecycle.unready(), [unready(1, Phase::Waiting, &[2, 3])]);
    assert_eq!(
        lifecycle.ended(2, None),
        [],
        "the other exporter may be restarted"
    );
    assert_eq!(lifecycle.restarted(3, 1), Some(()));
    assert_eq!(
        (lifecycle.request_launch(3), lifecycle.ready(3)),
        (
            Some(vec![Launched {
                guest: 3,
                generation: 1
            }]),
            first([1])
        )
    );
}

#[test]
fn requirers_are_blocked_by_the_last_exporters_end() {
    let lifecycle = ready_replicated_lifecycle();
    assert_eq!(
        (lifecycle.begin_restart(2), lifecycle.begin_restart(3)),
        (RestartPermit::Granted, RestartPermit::Granted)
    );
    assert_eq!(
        (lifecycle.request_launch(0), lifecycle.request_launch(1)),
        (Some(vec![]), Some(vec![]))
    );
    assert_eq!(lifecycle.ended(2, None), []);
    let unlaunchable = |guest| Unlaunchable {
        guest,
        phase: Phase::Waiting,
        was_ready: false,
    };
    assert_eq!(lifecycle.ended(3, None), [unlaunchable(0), unlaunchable(1)]);
    assert_eq!(lifecycle.status(), FAILED);
}

#[test]
fn an_early_restart_does_not_block_requirers() {
    let lifecycle = replicated_lifecycle();
    assert_eq!(lifecycle.request_launch(0), Some(vec![]));
    assert_eq!(
        (lifecycle.request_launch(2), lifecycle.ready(2)),
        (first([2]), Some(vec![]))
    );
    assert_eq!(lifecycle.request_launch(3), first([3]));
    assert_eq!(
        (lifecycle.begin_restart(2), lifecycle.restarted(2, 1)),
        (RestartPermit::Granted, Some(()))
    );
    assert_eq!(
        lifecycle.request_launch(2).map(|launched| launched.len()),
        Some(1)
    );
    assert_eq!(lifecycle.ready(2), Some(vec![]));
    assert_eq!(
        lifecycle.ready(3),
        first([0]),
        "both exporters have been ready"
    );
}

#[test]
fn a_worker_is_restarted_after_its_launch_and_decides_nothing() {
    let lifecycle = Lifecycle::new(vec![GuestKind::Program, GuestKind::Worker], vec![]);
    assert_eq!(lifecycle.begin_restart(1), RestartPermit::Refused);
    assert_eq!(lifecycle.request_launch(1), first([1]));
    assert_eq!(lifecycle.begin_restart(1), RestartPermit::Granted);
    assert_eq!(lifecycle.restarted(1, 1), Some(()));
    let launched = Launched {
        guest: 1,
        generation: 1,
    };
    assert_eq!(lifecycle.request_launch(1), Some(vec![launched]));
    assert_eq!(lifecycle.ended(1, None), []);
    assert!(!lifecycle.state.lock().is_over());
    assert_eq!(lifecycle.ended(0, Some(0)), []);
    assert!(lifecycle.state.lock().is_over());
    assert_eq!(lifecycle.state.lock().status, 0);
}
