//! What befalls a network and the processes that it joins. Calls are counted as in one process: each ends, at the latest at its deadline, with what is
//! known of it; none runs twice, and none that was given up.
//!
//! What differs from one process: when a process is killed nobody is left to say what its calls have come to, so these are of unknown fate, and end
//! when it is missed or at their deadlines.

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
fn while_the_nats_server_is_away_calls_are_refused_at_once() {
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
            running.nats().start_again();
        }
        let report = kept(&running.end());
        assert!(
            report.refused >= 1_500 && report.ok >= 3_000,
            "{callee:?}: {report}"
        );
        assert!(
            report.unknown <= 3 * 16,
            "those that were in flight: {callee:?}: {report}"
        );
    }
}

#[test]
fn a_process_that_is_killed_takes_its_calls_along_and_no_others() {
    for callee in LANGUAGES {
        let trial = trial(callee, "").with_elsewhere(&["back"]);
        let mut running = trial
            .caller(&format!("--lanes 16 --deadline-ms 10000 {CALLS}"))
            .start();
        for round in 1..=3 {
            running.wait_until(|ledger| ledger.ran() >= round * 1_000);
            running.elsewhere("back").kill();
            running.wait_for("failed: UNAVAILABLE: unreachable: no process offers load.v1.Work");
            running.elsewhere("back").start_again();
        }
        let report = kept(&running.end());
        assert!(
            report.unknown <= 3 * 16 && report.ok >= 3_000,
            "{callee:?}: {report}"
        );
    }
}

#[test]
fn what_was_given_up_while_a_process_stood_still_does_not_run_when_it_goes_on() {
    for callee in LANGUAGES {
        let trial = trial(callee, "").with_elsewhere(&["back"]);
        let mut running = trial
            .caller(&format!("--lanes 16 --deadline-ms 1000 {CALLS}"))
            .start();
        running.wait_until(|ledger| ledger.ran() >= 1_000);
        running.elsewhere("back").freeze();
        let ran = running.ran();
        // By then each call that was in flight has missed its deadline.
        running.wait_for("failed: UNAVAILABLE: unreachable: no process offers load.v1.Work");
        running.elsewhere("back").thaw();
        let report = kept(&running.end());
        assert!(report.unknown > 0, "{callee:?}: {report}");
        assert!(report.ok > ran, "{callee:?}: {report}");
    }
}

#[test]
fn a_caller_that_is_killed_leaves_nothing_behind_at_its_callee() {
    for callee in LANGUAGES {
        let trial = trial(callee, "").with_elsewhere(&["front"]);
        let mut running = trial
            .caller("--lanes 50 --deadline-ms 2000 Nothing*100 Hang*50")
            .start();
        running.wait_until(|ledger| ledger.ran() == 150);
        running.elsewhere("front").kill();
        running.lose_caller();
        // `end` waits longer than the deadline for the calls to be gone.
        kept(&running.end());
    }
}

#[test]
fn of_two_processes_with_a_service_one_goes_on_when_the_other_is_killed() {
    for callee in LANGUAGES {
        let trial = trial(callee, "").with_twin().with_elsewhere(&["back"]);
        let mut running = trial
            .caller("--lanes 16 --deadline-ms 10000 Nothing*20000")
            .start();
        running.wait_until(|ledger| ledger.ran() >= 4_000);
        running.elsewhere("back").kill();
        let ended = running.end();
        let report = kept(&ended);
        assert!(report.ok >= 20_000 - 32, "{callee:?}: {report}");
    }
}

#[test]
fn what_is_larger_than_a_message_may_be_loses_its_peer_at_any_moment() {
    for callee in LANGUAGES {
        let trial = trial(callee, "memory = '256MiB'").with_elsewhere(&["back"]);
        let mut running = trial
            .caller("--lanes 4 --deadline-ms 3000 --ballast-bytes 3000000 Nothing*200 Again")
            .start();
        for _ in 0..5 {
            let ran = running.ran();
            running.wait_until(|ledger| ledger.ran() >= ran + 8);
            running.elsewhere("back").kill();
            running.elsewhere("back").start_again();
        }
        kept(&running.end());
    }
}

#[test]
fn who_sends_what_is_larger_than_a_message_may_be_is_gone_at_any_moment() {
    let trial = trial(Callee::Rust, "memory = '256MiB'").with_elsewhere(&["front"]);
    let mut running = trial
        .caller("--lanes 4 --deadline-ms 1000 --ballast-bytes 3000000 Nothing*1000")
        .start();
    running.wait_until(|ledger| ledger.ran() >= 20);
    running.elsewhere("front").kill();
    running.lose_caller();
    kept(&running.end());
}
