//! Faults of the network and of processes. Calls are counted as in one process: each ends at its
//! deadline at the latest, none runs twice, and none begins after its caller has given up.
//!
//! One thing differs from one process: the calls of a killed process have an unknown fate. They end
//! when its peers miss its heartbeats, or at their deadlines.

use e2e::Deployed;
use load::{Callee, Ended, Report, Trial};

const LANGUAGES: [Callee; 2] = [Callee::Rust, Callee::Go];

/// Calls until 20,000 are answered. Refused and lost calls do not use them up, so that every fault
/// of a test finds calls to meet, however long the recovery from the one before takes.
const CALLS: &str = "Again*20000";

#[track_caller]
fn kept(ended: &Ended) -> Report {
    println!("{}", ended.report);
    ended.assert_kept().clone()
}

fn trial(callee: Callee, keys: &str) -> Trial {
    Trial::of(Deployed::Apart, callee, keys)
}

#[test]
fn calls_are_refused_while_the_nats_server_is_down() {
    for callee in LANGUAGES {
        let mut running = trial(callee, "")
            .caller(&format!("--lanes 16 --deadline-ms 3000 {CALLS}"))
            .start();
        for round in 1..=3 {
            running.wait_until(|ledger| ledger.ran() >= round * 1_000);
            running.nats().stop();
            running.wait_for(
                "failed: UNAVAILABLE: unreachable: the connection to NATS has been down for ",
            );
            // Far more than 16 lanes could lose to their deadlines meanwhile.
            let refused = running.refused();
            running.wait_until(|ledger| ledger.refused() >= refused + 500);
            running.nats().restart();
        }
        let report = kept(&running.end());
        assert!(
            report.refused >= 1_500 && report.ok >= 3_000,
            "{callee:?}: {report}"
        );
        assert!(
            report.unknown <= 3 * 16,
            "at most the calls in flight: {callee:?}: {report}"
        );
    }
}

#[test]
fn a_killed_process_loses_only_its_own_calls() {
    for callee in LANGUAGES {
        let trial = trial(callee, "").with_child_processes(&["back"]);
        let mut running = trial
            .caller(&format!("--lanes 16 --deadline-ms 10000 {CALLS}"))
            .start();
        for round in 1..=3 {
            running.wait_until(|ledger| ledger.ran() >= round * 1_000);
            running.kill_callee("back");
            running.wait_for("failed: UNAVAILABLE: unreachable: no process offers load.v1.Work");
            running.child("back").restart();
        }
        let report = kept(&running.end());
        assert!(
            report.unknown <= 3 * 16 && report.ok >= 3_000,
            "{callee:?}: {report}"
        );
    }
}

#[test]
fn a_thawed_process_does_not_run_expired_calls() {
    for callee in LANGUAGES {
        let trial = trial(callee, "").with_child_processes(&["back"]);
        let mut running = trial
            .caller(&format!("--lanes 16 --deadline-ms 1000 {CALLS}"))
            .start();
        running.wait_until(|ledger| ledger.ran() >= 1_000);
        running.child("back").freeze();
        let ran = running.ran();
        // By then each call that was in flight has missed its deadline.
        running.wait_for("failed: UNAVAILABLE: unreachable: no process offers load.v1.Work");
        running.child("back").thaw();
        let report = kept(&running.end());
        assert!(report.unknown > 0, "{callee:?}: {report}");
        assert!(report.ok > ran, "{callee:?}: {report}");
    }
}

#[test]
fn a_killed_caller_leaves_nothing_at_its_callee() {
    for callee in LANGUAGES {
        let trial = trial(callee, "").with_child_processes(&["front"]);
        let mut running = trial
            .caller("--lanes 50 --deadline-ms 2000 Nothing*100 Hang*50")
            .start();
        running.wait_until(|ledger| ledger.ran() == 150);
        running.child("front").kill();
        running.lose_caller();
        // `end` waits longer than the deadline for the calls to be gone.
        kept(&running.end());
    }
}

#[test]
fn a_service_in_two_processes_survives_one_kill() {
    for callee in LANGUAGES {
        let trial = trial(callee, "")
            .with_twin()
            .with_child_processes(&["back"]);
        let mut running = trial
            .caller("--lanes 16 --deadline-ms 10000 Nothing*20000")
            .start();
        running.wait_until(|ledger| ledger.ran() >= 4_000);
        running.kill_callee("back");
        let ended = running.end();
        let report = kept(&ended);
        assert!(report.ok >= 20_000 - 32, "{callee:?}: {report}");
        // The log is written every few milliseconds.
        assert!(report.unlogged < 1_000, "{callee:?}: {report:?}");
    }
}

#[test]
fn chunked_calls_survive_a_killed_callee() {
    for callee in LANGUAGES {
        let trial = trial(callee, "memory = '256MiB'").with_child_processes(&["back"]);
        let mut running = trial
            .caller("--lanes 4 --deadline-ms 3000 --ballast-bytes 3000000 Nothing*200 Again")
            .start();
        for _ in 0..5 {
            let ran = running.ran();
            running.wait_until(|ledger| ledger.ran() >= ran + 8);
            running.kill_callee("back");
            running.child("back").restart();
        }
        kept(&running.end());
    }
}

#[test]
fn chunked_calls_survive_a_killed_caller() {
    let trial = trial(Callee::Rust, "memory = '256MiB'").with_child_processes(&["front"]);
    let mut running = trial
        .caller("--lanes 4 --deadline-ms 1000 --ballast-bytes 3000000 Nothing*1000")
        .start();
    running.wait_until(|ledger| ledger.ran() >= 20);
    running.child("front").kill();
    running.lose_caller();
    kept(&running.end());
}
