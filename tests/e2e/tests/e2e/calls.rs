//! The ways in which a call ends.

use e2e::{App, Ended, Language, Nats, PAIRS, go_guest, guest};

/// Runs the driver with these calls against the echo service, which is not restarted.
fn drive(calls: &[&str]) -> Ended {
    drive_with("", calls)
}

/// Runs the driver with these calls to a service with these keys.
fn drive_with(keys: &str, calls: &[&str]) -> Ended {
    let deployment = format!(
        "[service.echo]\nwasm = \"echo.wasm\"\nrestart = \"never\"\n{keys}\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\nlog = \"16MiB\"\n"
    );
    App::new(&deployment)
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"))
        .run()
}

/// Runs the driver with these calls, and checks how they end. The driver must exit with status 0.
#[track_caller]
fn check(calls: &[&str], ends: &[&str]) -> Ended {
    let ended = drive(calls);
    assert_eq!(ended.messages_of("driver"), ends, "{}", ended.stderr);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    ended
}

#[test]
fn a_call_is_answered() {
    check(
        &["echo:0", "echo:16"],
        &["echo:0: 0 bytes", "echo:16: 16 bytes"],
    );
}

#[test]
fn a_megabyte_goes_there_and_back() {
    check(&["echo:1048576"], &["echo:1048576: 1048576 bytes"]);
}

#[test]
fn a_thousand_calls_are_in_flight_at_once() {
    let calls = vec!["echo:1"; 1_000].join("+");
    check(&[&calls], &["echo:1: 1 bytes"; 1_000]);
}

/// Runs the drivers in Rust and in Go with these calls and generous limits.
fn drive_each(calls: &[&str]) -> [Ended; 2] {
    const LIMITS: &str = "memory = \"1GiB\"\nbudget = \"30s\"\nlog = \"16MiB\"";
    let deployment = format!(
        "[service.echo]\nwasm = \"echo.wasm\"\ndeadline = \"1m\"\n{LIMITS}\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n{LIMITS}\n"
    );
    let run = |driver| {
        App::new(&deployment)
            .with("echo.wasm", guest("echo"))
            .with("driver.wasm", driver)
            .run()
    };
    [guest("driver"), go_guest("driver")].map(run)
}

#[test]
fn calls_beyond_the_limit_are_refused() {
    let calls = vec!["sleep:50"; (16 << 10) + 100].join("+");
    for ended in drive_each(&[&calls, "echo:1"]) {
        let messages = ended.messages_of("driver");
        let (answered, rest): (Vec<_>, Vec<_>) = messages
            .iter()
            .partition(|message| *message == "sleep:50: 0 bytes");
        assert_eq!(answered.len(), 16 << 10);
        let refusal = "sleep:50: RESOURCE_EXHAUSTED, overloaded: \
                       driver has reached the limit of 16384 outstanding calls";
        assert_eq!(
            rest.iter().filter(|message| **message == refusal).count(),
            100
        );
        assert_eq!(messages.last().map(String::as_str), Some("echo:1: 1 bytes"));
    }
}

#[test]
fn a_full_mailbox_refuses_calls() {
    // The calls are made in one turn, and a mailbox holds 64 MiB.
    let calls = ["echo:8000000?"; 10].join("+");
    for ended in drive_each(&[&calls, "echo:1"]) {
        let messages = ended.messages_of("driver");
        let (answered, rest): (Vec<_>, Vec<_>) = messages
            .iter()
            .partition(|message| message.ends_with(" bytes"));
        assert_eq!((answered.len(), rest.len()), (8 + 1, 2), "{messages:?}");
        let told = "echo:8000000?: refused: RESOURCE_EXHAUSTED: overloaded: \
                    mailbox of echo is full: 64000";
        assert!(
            rest.iter().all(|message| message.starts_with(told)),
            "{rest:?}"
        );
        assert_eq!(messages.last().map(String::as_str), Some("echo:1: 1 bytes"));
    }
}

#[test]
fn answers_come_in_any_order() {
    check(
        &["sleep:30+echo:1"],
        &["sleep:30: 0 bytes", "echo:1: 1 bytes"],
    );
}

#[test]
fn an_application_error_is_not_a_status() {
    check(&["refuse"], &["refuse: Refused"]);
}

#[test]
fn a_timeout_ends_the_call_on_both_sides() {
    let ended = drive(&["hang@500", "echo:1"]);
    assert_eq!(
        ended.messages_of("driver"),
        [
            "hang@500: DEADLINE_EXCEEDED, timed out: no reply within the deadline",
            "echo:1: 1 bytes"
        ]
    );
    assert_eq!(ended.messages_of("echo"), ["hanging", "cancelled"]);
}

#[test]
fn a_call_dropped_at_once_never_runs() {
    // The host gets the call and its cancellation in one turn.
    let ended = drive(&["hang!", "echo:1"]);
    assert_eq!(ended.messages_of("driver"), ["echo:1: 1 bytes"]);
    assert!(ended.messages_of("echo").is_empty(), "{}", ended.stderr);
}

#[test]
fn a_panic_ends_all_calls_of_its_instance() {
    let ended = drive(&["hang+panic+echo:1", "echo:1"]);
    let messages = ended.messages_of("driver");
    let [hang, panic, after, later] = &messages[..] else {
        panic!("{}", ended.stderr)
    };
    assert!(
        hang.starts_with("hang: UNAVAILABLE, callee trapped: echo panicked at "),
        "{hang}"
    );
    assert!(
        panic.starts_with("panic: INTERNAL, callee trapped: echo panicked at "),
        "{panic}"
    );
    assert!(
        panic.contains("echo/src/lib.rs:") && panic.ends_with(": told to panic"),
        "{panic}"
    );
    assert!(after.starts_with("echo:1: UNAVAILABLE"), "{after}");
    assert_eq!(
        later,
        "echo:1: UNAVAILABLE, unreachable: echo is not running"
    );
    let log = ended.log();
    let line = log
        .iter()
        .find(|line| line.message.starts_with("panicked"))
        .expect("the host must log the failure");
    assert_eq!(
        (line.level.as_str(), line.guest.as_str()),
        ("ERROR", "echo")
    );
    assert!(line.call.starts_with("cal_"), "{line:?}");
}

#[test]
fn a_trap_reports_the_message_of_the_engine() {
    let ended = drive(&["trap"]);
    let messages = ended.messages_of("driver");
    assert!(
        messages[0].starts_with("trap: INTERNAL, callee trapped: echo trapped: "),
        "{messages:?}"
    );
    assert!(messages[0].contains("unreachable"), "{messages:?}");
}

#[test]
fn a_service_that_exits_ends_its_calls() {
    let ended = drive(&["hang+leave:7", "echo:1"]);
    assert_eq!(
        ended.messages_of("driver"),
        [
            "hang: UNAVAILABLE, callee exited: echo exited with status 7 before it replied",
            "leave:7: UNAVAILABLE, callee exited: echo exited with status 7 before it replied",
            "echo:1: UNAVAILABLE, unreachable: echo is not running",
        ]
    );
}

#[test]
fn a_message_that_is_too_long_fails_at_its_sender() {
    let limit = "of 16777222 bytes exceeds the limit of 16777216";
    let ended = drive(&["swell:16777217", "echo:16777217", "echo:1"]);
    let expected = [
        format!("swell:16777217: RESOURCE_EXHAUSTED, answer lost: response {limit}"),
        format!("echo:16777217: RESOURCE_EXHAUSTED, too large: request {limit}"),
        "echo:1: 1 bytes".into(),
    ];
    assert_eq!(ended.messages_of("driver"), expected, "{}", ended.stderr);
}

#[test]
fn a_call_that_was_not_delivered_is_refused() {
    let calls = ["150ms:echo:1@60000?+~spin?"];
    let ended = drive_with("budget = \"400ms\"\n", &calls);
    let messages = ended.messages_of("driver");
    let [later, spin] = &messages[..] else {
        panic!("{}", ended.stderr)
    };
    assert!(
        spin.starts_with("~spin?: unknown: INTERNAL: callee killed: echo was killed: "),
        "{spin}"
    );
    let told = "150ms:echo:1@60000?: refused: UNAVAILABLE: unreachable: not delivered: echo \
                was killed: held its thread";
    assert!(later.starts_with(told), "{later}");
}

#[test]
fn a_service_that_is_not_ready_fails_the_start() {
    let deployment =
        "[service.echo]\nwasm = \"echo.wasm\"\n[service.unready]\nwasm = \"unready.wasm\"\n";
    let ended = App::new(deployment)
        .with("echo.wasm", guest("echo"))
        .with("unready.wasm", guest("unready"))
        .run();
    assert_eq!(
        ended.messages_of("unready"),
        ["exited with status 1: not ready: unready on purpose"]
    );
    assert_eq!(ended.status, Some(1));
}

#[test]
fn a_method_beyond_its_budget_is_killed_and_named() {
    let ended = drive(&["hang+spin+echo:1", "echo:1"]);
    let messages = ended.messages_of("driver");
    let held = "callee killed: echo was killed: held its thread beyond its budget of \
                50 ms in echo.v1.Echo/Misbehave: await `yield_now` in long computations (in Go \
                call `parigot.Yield`), or raise `budget`, for one method `budget_ms` and \
                `budget_max`";
    assert_eq!(
        messages[..2],
        [
            format!("hang: UNAVAILABLE, {held}"),
            format!("spin: INTERNAL, {held}")
        ]
    );
    assert_eq!(
        messages[3],
        "echo:1: UNAVAILABLE, unreachable: echo is not running"
    );
    let log = ended.log();
    let line = log
        .iter()
        .find(|line| line.message.starts_with("was killed"))
        .expect("the host must log the failure");
    assert!(line.call.starts_with("cal_"), "{line:?}");
}

#[test]
fn many_short_tasks_do_not_exceed_the_budget() {
    // About 300 ms of work, six times the budget, in tasks of about one millisecond.
    check(
        &["toil:300+echo:1"],
        &["toil:300: 0 bytes", "echo:1: 1 bytes"],
    );
}

/// Returns the echo service without its method `Misbehave`, which has another name there.
fn without_misbehave(service: Language) -> Vec<u8> {
    let mut wasm = service.echo().to_vec();
    let name = b"Misbehave";
    for at in 0..wasm.len() - name.len() {
        if wasm[at..].starts_with(name) {
            wasm[at..at + name.len()].copy_from_slice(b"Mishandle");
        }
    }
    wasm
}

#[test]
fn only_calls_of_a_missing_method_fail() {
    let nats = Nats::start();
    for pair in PAIRS {
        let ends = |exporter: &str| {
            let text = format!(
                "UNIMPLEMENTED, no such method: {exporter} has no such method; run `parigot \
                 check` to compare the schemas of caller and callee"
            );
            [format!("refuse: {text}"), "echo:1: 1 bytes".to_owned()]
        };
        let calls = format!("args = {:?}", ["refuse", "echo:1"]);
        let app = App::new(&format!(
            "[service.echo]\nwasm = \"echo.wasm\"\n\
             [program.driver]\nwasm = \"driver.wasm\"\n{calls}\n"
        ));
        let app = app
            .with("echo.wasm", without_misbehave(pair.1))
            .with("driver.wasm", pair.0.driver());
        let ended = app.run();
        assert_eq!(
            ended.messages_of("driver"),
            ends("echo"),
            "{pair:?}: {}",
            ended.stderr
        );
        let ended = app
            .apart(&nats, &[("front", "driver"), ("back", "echo")])
            .run();
        assert_eq!(
            ended.messages_of("front/driver"),
            ends("echo.v1.Echo"),
            "{pair:?}: {}",
            ended.stderr
        );
    }
}
