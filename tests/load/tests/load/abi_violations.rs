//! Guests that violate the ABI. A violation is an error of that guest or ends the guest, and never
//! affects another guest.

use std::time::Duration;

use e2e::{App, Deployed, Language, Ran, WithControlPair, guest};
use load::{Callee, Ended, Trial};

/// The effect of a violation.
#[derive(Clone, Copy)]
enum Effect {
    /// The guest is ended, with this text in the log, and restarted.
    Ends(&'static str),
    /// The guest goes on, and the call that it serves is answered.
    Lives,
}
use Effect::{Ends, Lives};

/// Violations while the guest serves a call, and their effects.
const VIOLATIONS: &[(&str, Effect)] = &[
    // Handles that the guest was not given, and answers to calls that it does not have.
    (
        "handle:9",
        Ends("broke the protocol: called handle 9, which it was not given"),
    ),
    ("cancel", Lives),
    (
        "answer-to-nothing",
        Ends("broke the protocol: replied to call 12345, which is not pending"),
    ),
    ("answer-twice", Ends("which is not pending")),
    // Response headers: at most once for a call that is not answered.
    (
        "open-twice",
        Ends("broke the protocol: sent the headers of call "),
    ),
    (
        "open-of-nothing",
        Ends("broke the protocol: replied to call 12345, which is not pending"),
    ),
    ("open-after-answer", Ends("which is not pending")),
    ("open-reserved", Lives),
    (
        "ready-twice",
        Ends("broke the protocol: reported twice that it is ready"),
    ),
    (
        "launch-twice",
        Ends("broke the protocol: asked to be launched twice"),
    ),
    // Lengths that overrun, overlap or are 4 GiB.
    ("frame-overruns", Ends("sent a malformed frame: ")),
    ("frame-of-4-gib", Ends("sent a malformed frame: ")),
    ("frame-of-nothing", Ends("sent a malformed frame: ")),
    ("half-a-frame", Ends("sent a malformed frame: ")),
    ("parts-overlap", Ends("sent a malformed frame: ")),
    ("parts-of-4-gib", Ends("sent a malformed frame: ")),
    (
        "outbox-of-4-gib",
        Ends(
            "control block points outside its memory: the outbox at 0x8, 4294967296 \
             bytes",
        ),
    ),
    (
        "outbox-without-end",
        Ends("control block points outside its memory: the outbox"),
    ),
    // The reported panic message is the first 8 KiB of its memory.
    ("panic-without-end", Ends("")),
    // Addresses outside of its memory.
    (
        "outbox-outside",
        Ends("control block points outside its memory: the outbox at 0x10000000000"),
    ),
    (
        "inbox-outside",
        Ends("control block points outside its memory: the inbox at 0x10000000000"),
    ),
    (
        "inbox-without-end",
        Ends("control block points outside its memory: the inbox"),
    ),
    ("panic-outside", Ends("trapped: ")),
    ("progress-of-nothing", Ends("trapped: ")),
    ("begun-of-nothing", Ends("trapped: ")),
    // Kinds that are unknown, reserved, or sent by the host only; and other invalid values.
    (
        "kind:0",
        Ends("broke the protocol: sent a frame of unknown kind 0"),
    ),
    (
        "kind:999",
        Ends("broke the protocol: sent a frame of unknown kind 999"),
    ),
    (
        "kind:11",
        Ends("broke the protocol: sent a frame of kind Item"),
    ),
    ("kind:12", Ends("sent a malformed frame: ")),
    ("kind:13", Ends("sent a malformed frame: ")),
    (
        "kind:1",
        Ends("broke the protocol: sent a frame of kind Start"),
    ),
    (
        "kind:2",
        Ends("broke the protocol: sent a frame of kind Launched"),
    ),
    (
        "kind:6",
        Ends("broke the protocol: sent a frame of kind Stop"),
    ),
    ("flags", Ends("sent a malformed frame: ")),
    ("answer-with-flags:32768", Ends("sent a malformed frame: ")),
    ("level", Lives),
    ("line-of-another", Lives),
    ("line-of-bytes", Lives),
    (
        "leave-with-300",
        Ends("broke the protocol: exited with status 300, expected at most 255"),
    ),
    // A second manifest.
    (
        "manifest-again",
        Ends("broke the protocol: sent a frame of kind Manifest"),
    ),
    // Endless work, and a wake-up time in the past.
    ("more", Lives),
    ("wake", Lives),
];

/// Makes calls that are answered, one with a violation, and calls until one is answered again.
fn run(deployed: Deployed, violation: &str) -> Ended {
    let trial = Trial::of(deployed, Callee::Faulty, &format!("args = ['{violation}']"));
    trial
        .caller("--lanes 3 --deadline-ms 20000 Nothing*20 Panic Again")
        .run()
}

#[test]
fn a_violation_affects_its_guest_only() {
    check_violations(Deployed::Together);
}

/// The host with the violating guest detects the violation before anything is sent to another
/// process.
#[test]
fn a_violation_does_not_reach_another_process() {
    check_violations(Deployed::Apart);
}

#[track_caller]
fn check_violations(deployed: Deployed) {
    let mut wrong = String::new();
    for (violation, effect) in VIOLATIONS {
        let ended = run(deployed, violation);
        ended.assert_kept();
        let restarted = ended
            .ran
            .messages_of("work")
            .any(|line| line.starts_with("restarted after "));
        let is_as_told = match effect {
            Ends(told) => {
                restarted
                    && ended
                        .ran
                        .messages_of("work")
                        .any(|line| line.contains(told))
            }
            Lives => !restarted && ended.report.unknown == 0,
        };
        if !is_as_told {
            wrong.push_str(&format!("{violation}:\n{}\n{}", ended.report, ended.log()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_late_answer_is_dropped_and_a_second_is_fatal() {
    use Deployed::{Apart, Together};
    for (deployed, answers, ends) in [
        (Together, 1, false),
        (Together, 2, true),
        (Apart, 1, false),
        (Apart, 2, true),
    ] {
        let trial = Trial::of(
            deployed,
            Callee::Faulty,
            &format!("args = ['answer-late:{answers}']"),
        );
        let ended = trial
            .caller("--lanes 1 --deadline-ms 200 Nothing*20 Panic Again")
            .run();
        let report = ended.assert_kept();
        assert_eq!((report.unknown, report.wrong), (1, 0), "{}", ended.log());
        let told = ended
            .ran
            .messages_of("work")
            .any(|line| line.contains("which is not pending"));
        assert_eq!(told, ends, "{}", ended.log());
    }
}

#[test]
fn a_million_lines_in_one_turn_are_counted() {
    let keys = "args = ['flood:1000000']\nmemory = '512MiB'\nbudget = '30s'\nlog = '64KiB'";
    // No call follows, because the log limit would also drop the callee's line about it.
    let trial = Trial::of(Deployed::Together, Callee::Faulty, keys);
    let ended = trial
        .caller("--lanes 3 --deadline-ms 60000 Nothing*20 Panic")
        .run();
    ended.assert_kept();
    let dropped = ended
        .ran
        .messages_of("work")
        .filter_map(|line| line.strip_prefix("log rate limit exceeded: dropped "));
    let lines: u64 = dropped
        .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
        .sum();
    let logged = ended
        .ran
        .messages_of("work")
        .filter(|line| *line == "what a flood")
        .count() as u64;
    assert_eq!(logged + lines, 1_000_000, "each is in the log or counted");
    // 862 lines fit into 64 KiB, the limit for a second, and the turn takes some seconds. The host
    // logs the number of dropped lines once a second.
    assert!(logged < 50_000, "{logged} lines");
}

/// Runs `faulty` alone, with a violation in its init turn, and checks that the start fails.
#[track_caller]
fn check_refused(violation: &str, told: &str) {
    let app = App::new(&format!(
        "[service.work]\nwasm = 'work.wasm'\nargs = ['first/{violation}']\nmemory = \
         '256MiB'\nbudget = '10s'\n"
    ));
    let ended = app.with("work.wasm", guest("faulty")).run();
    assert!(
        ended.stderr.contains("`work`") && ended.stderr.contains(told),
        "{violation}: {}",
        ended.stderr
    );
    assert_ne!(ended.status, Some(0), "{violation}: {}", ended.stderr);
}

#[test]
fn violations_in_a_manifest_are_rejected() {
    check_refused("name-of-bytes", "sent a malformed manifest: ");
    check_refused("manifest-without-end", "sent a malformed manifest: ");
    check_refused("exports-twice", "x.S");
    for violation in ["outbox-outside", "outbox-without-end"] {
        check_refused(violation, "control block points outside its memory");
    }
}

#[test]
fn a_hundred_thousand_exports_are_accepted() {
    let app = App::new(
        "[service.faulty]\nwasm = 'faulty.wasm'\nargs = ['first/exports:100000']\nmemory = \
         '256MiB'\nbudget = '10s'\n",
    );
    let started = WithControlPair::new(app.with("faulty.wasm", guest("faulty"))).start(|_| false);
    let exports = started
        .hosts
        .exports()
        .iter()
        .filter(|export| export.guest == "faulty")
        .count();
    assert_eq!(exports, 100_000);
    assert_kept(&started.stop(Vec::new()));
}

#[test]
fn invalid_calls_affect_their_caller_only() {
    for (violation, told) in [
        (
            "handle:9",
            "broke the protocol: called handle 9, which it was not given",
        ),
        (
            "method:99",
            "broke the protocol: called method 99 of handle 0, which it did not declare",
        ),
        ("twice", "broke the protocol: called twice with number 7"),
        // The call on whose behalf a call is made is a hint, which only the guest's own calls use.
        ("parent:12345", "hanging"),
    ] {
        let file = format!(
            "[program.faulty]\nwasm = 'faulty.wasm'\nargs = \
             ['caller/{violation}']\n[service.echo]\nwasm = 'echo.wasm'\n"
        );
        let app = App::new(&file)
            .with("faulty.wasm", guest("faulty"))
            .with("echo.wasm", guest("echo"));
        assert_kept(&WithControlPair::new(app).run(told));
    }
}

#[test]
fn a_larger_budget_is_for_calls_that_the_guest_holds() {
    for (deed, budget) in [("claim", "400 ms"), ("claim:12345", "50 ms")] {
        let file = format!(
            "[service.echo]\nwasm = 'echo.wasm'\nargs = ['{deed}']\nbudget_max = '400ms'\n\
             [program.driver]\nwasm = 'driver.wasm'\nargs = ['echo:1']\n"
        );
        let app = App::new(&file)
            .with("echo.wasm", guest("faulty"))
            .with("driver.wasm", Language::Rust.driver());
        let ended = app.run();
        let told = format!("echo was killed: held its thread beyond its budget of {budget}");
        assert!(ended.stderr.contains(&told), "{deed}: {}", ended.stderr);
    }
}

/// Answers that no SDK sends, and their ends at callers in Rust and in Go.
const ANSWERS: &[(&str, &str)] = &[
    // The host cuts a detail to 8 KiB, and reads any bytes.
    ("fail-at-length:1000000", "answered: UNAVAILABLE: mmmm"),
    ("fail-with-garbage", "unknown: UNAVAILABLE: "),
    ("error-with-garbage", "answered: Refused: "),
    ("error-of-zero", "answered: NoError"),
    ("error-of-nothing", "answered: "),
    // Metadata is read up to an entry that is malformed.
    ("trailers-of-garbage", "0 bytes"),
    ("headers-of-garbage", "0 bytes"),
    // Known flags that have no meaning on a reply.
    ("answer-with-flags:14", "0 bytes"),
];

#[test]
fn malformed_answers_are_read_as_far_as_possible() {
    let mut wrong = String::new();
    for (deed, end) in ANSWERS {
        let file = format!(
            "[service.echo]\nwasm = 'echo.wasm'\nargs = ['{deed}']\n\
             [program.rust]\nwasm = 'rust.wasm'\nargs = ['echo:1?']\n\
             [program.go]\nwasm = 'go.wasm'\nargs = ['echo:1?']\n"
        );
        let app = App::new(&file)
            .with("echo.wasm", guest("faulty"))
            .with("rust.wasm", Language::Rust.driver())
            .with("go.wasm", Language::Go.driver());
        let ended = app.run();
        let expected = format!("echo:1?: {end}");
        let is_as_told = |driver: &str| {
            let said = ended.messages_of(driver);
            said.len() == 1 && said[0].starts_with(&expected) && said[0].len() < 9 << 10
        };
        if !(is_as_told("rust") && is_as_told("go")) || ended.status != Some(0) {
            wrong.push_str(&format!("{deed}:\n{}", ended.stderr));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[track_caller]
fn assert_kept(ran: &Ran) {
    assert_eq!(ran.pair.failed, 0, "{:?}", ran.pair);
    assert!(ran.pair.answered >= 100, "{:?}", ran.pair);
    assert!(ran.pair.longest < Duration::from_secs(10), "{:?}", ran.pair);
}

/// The control block is outside of memory, at its very end, or at an address that is not a multiple
/// of 8.
#[test]
fn a_misplaced_control_block_is_rejected() {
    for at in ["0x7fffffff", "0xffffffff", "0xfff8", "0"] {
        let text = format!(
            r#"(module
                (memory (export "memory") 1)
                (func (export "parigot_abi") (result i32) (i32.const 0x20000))
                (func (export "parigot_open") (result i32) (i32.const {at}))
                (func (export "parigot_inbox") (param i32 i32))
                (func (export "parigot_turn") (param i32 i32 i32) (result i32) (i32.const 0)))"#
        );
        let ended = App::new("[service.work]\nwasm = 'work.wasm'\n")
            .with_wat("work.wasm", &text)
            .run();
        assert!(
            ended.stderr.contains("`work` failed in its init turn"),
            "{at}: {}",
            ended.stderr
        );
        assert_eq!(ended.status, Some(1), "{at}: {}", ended.stderr);
    }
}
