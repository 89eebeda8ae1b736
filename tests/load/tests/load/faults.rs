//! Faults of guests: overload, exits, constant restarts, callers that end. Every call is accounted
//! for, and no call is left in a table.

use std::fmt::Write as _;
use std::time::Duration;

use e2e::{App, Deployed, WithControlPair, guest};
use load::{Callee, EACH, Ended, Report, Trial};
use parigot_host::Settings;

#[track_caller]
fn kept(ended: &Ended) -> Report {
    println!("{}", ended.report);
    ended.assert_kept().clone()
}

#[test]
fn a_service_exits_while_it_has_calls() {
    for (deployed, callee) in EACH {
        let trial = Trial::of(deployed, callee, "")
            .caller("--lanes 64 --deadline-ms 30000 Nothing*500 Hang*63 Leave:7 Again");
        let ended = trial.run();
        let report = kept(&ended);
        assert_eq!(
            (report.unknown, report.ok >= 501),
            (64, true),
            "{deployed:?}, {callee:?}: {report}"
        );
        let left = ended
            .ran
            .log
            .iter()
            .find(|line| line.message == "exited with status 7")
            .expect("the exit must be logged");
        assert_eq!(
            (&*left.service, &*left.method),
            ("work", "load.v1.Work/Run"),
            "{deployed:?}, {callee:?}"
        );
        assert!(
            left.call.starts_with("cal_"),
            "{deployed:?}, {callee:?}: {left:?}"
        );
    }
}

#[test]
fn calls_beyond_the_limit_of_a_service_are_refused() {
    // Each caller keeps its own limit, and both together exceed that of the service.
    let args = "--lanes 10000 --deadline-ms 60000 Sleep:500*10000";
    for deployed in Deployed::EACH {
        let report = kept(
            &Trial::of(deployed, Callee::Rust, "")
                .caller(args)
                .caller(args)
                .run(),
        );
        assert_eq!(
            (report.sent, report.unknown),
            (20_000, 0),
            "{deployed:?}: {report}"
        );
        assert!(
            report.refused > 0 && report.ok >= 16 << 10,
            "{deployed:?}: {report}"
        );
    }
}

#[test]
fn calls_past_their_deadline_are_not_begun() {
    // Seconds of work for each thousand calls that are made at once, and a tenth of a second for
    // it. A fast machine begins more of them in that time, but not a third.
    let args = "--lanes 1000 --deadline-ms 100 Nothing*2000";
    for (deployed, callee) in EACH {
        let report = kept(
            &Trial::of(
                deployed,
                callee,
                "env = { ROUNDS = '5000000' }\nbudget = '10s'",
            )
            .caller(args)
            .run(),
        );
        assert!(report.refused > 1_000, "{deployed:?}, {callee:?}: {report}");
        // A busy machine may delay the decision of another process.
        let unknown_max = if deployed == Deployed::Apart { 100 } else { 0 };
        assert!(
            report.unknown_not_begun <= unknown_max,
            "{deployed:?}, {callee:?}: {report:?}"
        );
    }
}

#[test]
fn abandoned_calls_leave_nothing_behind() {
    for (deployed, callee) in EACH {
        let timed_out = "--lanes 50 --deadline-ms 100 Hang*200";
        let dropped = "--lanes 50 --deadline-ms 30000 Hang!*500 Nothing*500";
        let report = kept(
            &Trial::of(deployed, callee, "")
                .caller(timed_out)
                .caller(dropped)
                .run(),
        );
        // On a busy machine, some deadlines pass before the calls begin.
        assert_eq!(
            (report.sent, report.ok, report.unknown + report.refused),
            (1_200, 500, 700),
            "{deployed:?}, {callee:?}: {report}"
        );
    }
}

#[test]
fn a_caller_dies_before_it_is_answered() {
    for (deployed, callee) in EACH {
        let dies = "--lanes 21 --deadline-ms 30000 Nothing*100 Hang*20 Die";
        let lives = "--lanes 4 --deadline-ms 30000 Nothing*2000";
        let mut running = Trial::of(deployed, callee, "")
            .caller(dies)
            .caller(lives)
            .start();
        running.wait_for("told to die");
        running.lose_caller();
        let ended = running.end();
        let report = kept(&ended);
        assert!(report.ok >= 2_000, "{deployed:?}, {callee:?}: {report}");
        assert!(
            !ended
                .ran
                .messages_of("work")
                .any(|line| line.starts_with("restarted")),
            "{deployed:?}, {callee:?}: {}",
            ended.log()
        );
    }
}

#[test]
fn a_restart_uses_the_file_that_was_read_at_the_start() {
    for (deployed, callee) in EACH {
        let running = Trial::of(deployed, callee, "")
            .caller("--lanes 4 --deadline-ms 30000 Nothing*50 Panic Again")
            .start();
        std::fs::write(running.app().folder().join("work.wasm"), "no wasm at all")
            .expect("the file must be writable");
        let ended = running.end();
        assert!(kept(&ended).ok >= 51, "{deployed:?}, {callee:?}");
        assert!(
            ended
                .ran
                .messages_of("work")
                .any(|line| line.starts_with("restarted")),
            "{deployed:?}, {callee:?}: {}",
            ended.log()
        );
    }
}

#[test]
fn constant_restarts_do_not_affect_other_guests() {
    const SERVICES: usize = 30;
    let mut file = String::new();
    for k in 0..SERVICES {
        // Each exports a service of its own, and exits as soon as it is launched.
        let keys = "wasm = 'faulty.wasm'\nrestart = 'always'\nmax_restarts = 1000\nmax_seconds = 1";
        write!(
            file,
            "[service.s{k}]\n{keys}\nargs = ['first/exports-of:{k}', 'leave:7']\n"
        )
        .expect("writing to a string never fails");
    }
    let started =
        WithControlPair::new(App::new(&file).with("faulty.wasm", guest("faulty"))).start(|_| false);
    let mut log = Vec::new();
    for _ in 0..10 * SERVICES {
        log.extend(started.log.until("restarted after "));
    }
    let ran = started.stop(log);
    println!(
        "beside {SERVICES} services that are restarted all the time: {:?}",
        ran.pair
    );
    assert_eq!(ran.pair.failed, 0, "{:?}", ran.pair);
    assert!(ran.pair.longest < Duration::from_secs(10), "{:?}", ran.pair);
}

#[test]
fn every_call_ends_while_services_restart() {
    let keys = "restart = 'always'\nmax_restarts = 1000\nmax_seconds = 1";
    let args = "--lanes 8 --deadline-ms 30000 --harm-every 200 --harms Trap,Panic,Leave,Overflow \
                Nothing*1000";
    for (deployed, callee) in EACH {
        for replicas in [1, 3] {
            let keys = format!("{keys}\nreplicas = {replicas}");
            let report = kept(
                &Trial::of(deployed, callee, &keys)
                    .caller(args)
                    .caller(args)
                    .caller(args)
                    .run(),
            );
            assert_eq!(
                report.sent, 3_000,
                "{deployed:?}, {callee:?}, {replicas} instances"
            );
        }
    }
}

#[test]
fn every_call_ends_under_all_faults_at_once() {
    let keys = "restart = 'always'\nmax_restarts = 1000\nmax_seconds = 1\nreplicas = 2";
    // Some calls time out, some are dropped, a caller dies, and the service fails in each way.
    let harms = "--harms Trap,Loop,Overflow,Panic,Leave,Hang,Hang,Sleep,Sleep";
    let args = |lanes, deadline_ms, every| {
        format!(
            "--lanes {lanes} --deadline-ms {deadline_ms} --harm-every {every} {harms} Nothing*1500 \
             Nothing!*500 Nothing*1500"
        )
    };
    for (deployed, callee) in EACH {
        let trial = Trial::of(deployed, callee, keys).with_settings(|settings| Settings {
            workers: 4,
            ..settings
        });
        let trial = trial
            .caller(&args(64, 50, 100))
            .caller(&args(8, 5, 1_000))
            .caller(&args(200, 2_000, 500));
        let mut running = trial.caller(&format!("{} Die", args(32, 500, 200))).start();
        running.wait_for("told to die");
        running.lose_caller();
        let report = kept(&running.end());
        assert!(
            report.sent >= 3 * 3_500,
            "{deployed:?}, {callee:?}: {report}"
        );
    }
}

/// `a` requires what `b` exports, and `b` what `a` exports.
#[test]
fn a_cycle_of_services_is_rejected() {
    let app = App::new("")
        .with_service("a", &["x.A"], &["x.B"])
        .with_service("b", &["x.B"], &["x.A"]);
    let ended = app.run();
    assert!(
        ended
            .stderr
            .contains("these guests wait for each other: a -> b -> a"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(3), "{}", ended.stderr);
}
