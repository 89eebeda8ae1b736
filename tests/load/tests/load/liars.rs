//! Guests against the bare ABI that lie: it is always that guest's error or its end, never somebody else's.

use std::time::Duration;

use e2e::{App, BesideNeighbours, Deployed, Ran, guest};
use load::{Callee, Ended, Trial};

/// What becomes of a guest that lies.
#[derive(Clone, Copy)]
enum Fate {
    /// It is ended, with this text in the log, and made anew.
    Ends(&'static str),
    /// It lives, and the call in which it lied is answered.
    Lives,
}
use Fate::{Ends, Lives};

/// What it says while it serves a call, and what becomes of it.
const LIES: &[(&str, Fate)] = &[
    // Handles never given, and answers to calls that it never got, twice, or late.
    (
        "handle:9",
        Ends("broke the protocol: called handle 9, which it was not given"),
    ),
    ("cancel", Lives),
    (
        "answer-to-nothing",
        Ends("broke the protocol: answered call 12345, which it does not have"),
    ),
    ("answer-twice", Ends("which it does not have")),
    (
        "ready-twice",
        Ends("broke the protocol: said twice that it is ready"),
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
            "its control block names memory that it does not have: the outbox at 0x8, 4294967296 bytes",
        ),
    ),
    (
        "outbox-without-end",
        Ends("its control block names memory that it does not have: the outbox"),
    ),
    // What is told of it is 8 KiB of its own memory.
    ("panic-without-end", Ends("")),
    // Addresses outside of its memory.
    (
        "outbox-outside",
        Ends("its control block names memory that it does not have: the outbox at 0x10000000000"),
    ),
    (
        "inbox-outside",
        Ends("its control block names memory that it does not have: the inbox at 0x10000000000"),
    ),
    (
        "inbox-without-end",
        Ends("its control block names memory that it does not have: the inbox"),
    ),
    ("panic-outside", Ends("trapped: ")),
    ("progress-of-nothing", Ends("trapped: ")),
    // Kinds that there are not, that are reserved, or that only the host sends; and other words that mean nothing.
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
    (
        "kind:12",
        Ends("broke the protocol: sent a frame of kind Credit"),
    ),
    (
        "kind:13",
        Ends("broke the protocol: sent a frame of kind End"),
    ),
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
    ("level", Lives),
    ("line-of-another", Lives),
    ("line-of-bytes", Lives),
    (
        "leave-with-300",
        Ends("broke the protocol: left with status 300, and statuses end at 255"),
    ),
    // A second manifest.
    (
        "manifest-again",
        Ends("broke the protocol: sent a frame of kind Manifest"),
    ),
    // More work waits, for ever; and it wants to be woken in the past.
    ("more", Lives),
    ("wake", Lives),
];

/// Calls that are answered, one in which the guest lies, and calls until it answers again.
fn run(deployed: Deployed, lie: &str) -> Ended {
    let trial = Trial::of(deployed, Callee::Rogue, &format!("args = ['{lie}']"));
    trial
        .caller("--lanes 3 --deadline-ms 20000 Nothing*20 Panic Again")
        .run()
}

#[test]
fn a_lie_is_the_liars_error_or_end_and_nobody_elses() {
    check_lies(Deployed::Together);
}

/// What stands for the callers beside the liar believes it as little as they do.
#[test]
fn a_lie_does_not_reach_another_process() {
    check_lies(Deployed::Apart);
}

#[track_caller]
fn check_lies(deployed: Deployed) {
    let mut wrong = String::new();
    for (lie, fate) in LIES {
        let ended = run(deployed, lie);
        ended.assert_kept();
        let restarted = ended
            .ran
            .messages_of("work")
            .any(|line| line.starts_with("restarted after "));
        let is_as_told = match fate {
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
            wrong.push_str(&format!("{lie}:\n{}\n{}", ended.report, ended.log()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn answers_that_come_too_late_go_nowhere_and_a_second_one_ends_the_guest() {
    use Deployed::{Apart, Together};
    for (deployed, answers, ends) in [
        (Together, 1, false),
        (Together, 2, true),
        (Apart, 1, false),
        (Apart, 2, true),
    ] {
        let trial = Trial::of(
            deployed,
            Callee::Rogue,
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
            .any(|line| line.contains("which it does not have"));
        assert_eq!(told, ends, "{}", ended.log());
    }
}

#[test]
fn a_million_lines_in_one_turn() {
    let keys = "args = ['flood:1000000']\nmemory = '512MiB'\nbudget = '30s'\nlog = '64KiB'";
    // After that no call follows: that it ran would be left out as well.
    let trial = Trial::of(Deployed::Together, Callee::Rogue, keys);
    let ended = trial
        .caller("--lanes 3 --deadline-ms 60000 Nothing*20 Panic")
        .run();
    ended.assert_kept();
    let left_out = ended
        .ran
        .messages_of("work")
        .filter_map(|line| line.strip_prefix("logged too much: "));
    let lines: u64 = left_out
        .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
        .sum();
    let logged = ended
        .ran
        .messages_of("work")
        .filter(|line| *line == "what a flood")
        .count() as u64;
    assert_eq!(logged + lines, 1_000_000, "each is in the log or counted");
    // 862 fit into 64 KiB, and the turn takes some seconds. What was left out is told once in each of them.
    assert!(logged < 50_000, "{logged} lines");
}

/// A rogue that lies in its first turn. Nothing else is in the deployment, for it does not start.
#[track_caller]
fn check_refused(lie: &str, told: &str) {
    let app = App::new(&format!(
        "[service.work]\nwasm = 'work.wasm'\nargs = ['first/{lie}']\nmemory = '256MiB'\nbudget = '10s'\n"
    ));
    let ended = app.with("work.wasm", guest("rogue")).run();
    assert!(
        ended.stderr.contains("`work`") && ended.stderr.contains(told),
        "{lie}: {}",
        ended.stderr
    );
    assert_ne!(ended.status, Some(0), "{lie}: {}", ended.stderr);
}

#[test]
fn lies_in_a_manifest() {
    check_refused("name-of-bytes", "sent a malformed manifest: ");
    check_refused("manifest-without-end", "sent a malformed manifest: ");
    check_refused("exports-twice", "x.S");
    for lie in ["outbox-outside", "outbox-without-end"] {
        check_refused(lie, "its control block names memory that it does not have");
    }
}

#[test]
fn a_hundred_thousand_exports_hurt_nobody() {
    let app = App::new(
        "[service.rogue]\nwasm = 'rogue.wasm'\nargs = ['first/exports:100000']\nmemory = '256MiB'\nbudget = '10s'\n",
    );
    let started = BesideNeighbours::new(app.with("rogue.wasm", guest("rogue"))).start(|_| false);
    let exports = started
        .hosts
        .exports()
        .iter()
        .filter(|export| export.guest == "rogue")
        .count();
    assert_eq!(exports, 100_000);
    assert_kept(&started.stop(Vec::new()));
}

#[test]
fn a_caller_that_calls_what_it_did_not_declare() {
    for (lie, told) in [
        (
            "handle:9",
            "broke the protocol: called handle 9, which it was not given",
        ),
        (
            "method:99",
            "broke the protocol: called method 99 of handle 0, which it did not declare",
        ),
        ("twice", "broke the protocol: called twice with number 7"),
    ] {
        let file = format!(
            "[program.rogue]\nwasm = 'rogue.wasm'\nargs = ['caller/{lie}']\n[service.echo]\nwasm = 'echo.wasm'\n"
        );
        let app = App::new(&file)
            .with("rogue.wasm", guest("rogue"))
            .with("echo.wasm", guest("echo"));
        assert_kept(&BesideNeighbours::new(app).run(told));
    }
}

#[track_caller]
fn assert_kept(ran: &Ran) {
    assert_eq!(ran.neighbours.failed, 0, "{:?}", ran.neighbours);
    assert!(ran.neighbours.answered >= 100, "{:?}", ran.neighbours);
    assert!(
        ran.neighbours.longest < Duration::from_secs(10),
        "{:?}",
        ran.neighbours
    );
}

/// A module whose control block is where its memory is not, at the very end, or at no multiple of 8.
#[test]
fn a_control_block_that_lies_elsewhere() {
    for at in ["0x7fffffff", "0xffffffff", "0xfff8", "0"] {
        let text = format!(
            r#"(module
                (memory (export "memory") 1)
                (func (export "parigot_abi") (result i32) (i32.const 0x10000))
                (func (export "parigot_open") (result i32) (i32.const {at}))
                (func (export "parigot_inbox") (param i32 i32))
                (func (export "parigot_turn") (param i32 i32 i32) (result i32) (i32.const 0)))"#
        );
        let ended = App::new("[service.work]\nwasm = 'work.wasm'\n")
            .with_wat("work.wasm", &text)
            .run();
        assert!(
            ended.stderr.contains("`work` failed in its first turn"),
            "{at}: {}",
            ended.stderr
        );
        assert_eq!(ended.status, Some(1), "{at}: {}", ended.stderr);
    }
}
