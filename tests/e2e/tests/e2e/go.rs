//! Guests in Go: start, output and timers of Go's runtime, and a guest against the bare ABI.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use e2e::{App, Capture, go_guest, go_probe, guest};
use parigot_host::Settings;
use parigot_host::clock::ManualClock;
use parigot_host::deployment::Deployment;

const HOUR: Duration = Duration::from_secs(3_600);

/// Ways to wait in Go, used by the guests `waiter` and `waiting`: see `tests/guests-go/waits`.
const WAYS: [&str; 5] = ["after", "context", "mutex", "sleep", "ticker"];

/// Runs the driver with these calls against the probe.
fn drive(calls: &[&str]) -> e2e::Ended {
    let deployment = format!(
        "[service.probe]\nwasm = \"probe.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    );
    App::new(&deployment)
        .with("probe.wasm", go_probe())
        .with("driver.wasm", guest("driver"))
        .run()
}

#[test]
fn go_answers_rust_after_its_handler_has_slept() {
    let ended = drive(&["echo:16", "echo:1+echo:2"]);
    assert_eq!(
        ended.messages_of("driver"),
        ["echo:16: 16 bytes", "echo:1: 1 bytes", "echo:2: 2 bytes"]
    );
    let probe = ended
        .log()
        .into_iter()
        .filter(|line| line.guest == "probe")
        .collect::<Vec<_>>();
    assert_eq!(
        probe[0].message, "the probe is open",
        "what Go prints is in the log"
    );
    let echo = probe
        .iter()
        .find(|line| line.message.starts_with("an echo of 18 bytes"))
        .expect("the handler must log");
    assert!(echo.call.starts_with("cal_"), "{echo:?}");
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

#[test]
fn a_method_that_go_lacks_is_unimplemented() {
    let ended = drive(&["refuse", "echo:1"]);
    assert_eq!(
        ended.messages_of("driver"),
        [
            "refuse: UNIMPLEMENTED, no such method: probe has no such method; run `parigot check` \
             to compare the schemas of caller and callee",
            "echo:1: 1 bytes"
        ]
    );
}

#[test]
fn output_of_go_before_a_failed_start_is_logged() {
    let app = App::new("[program.broken]\nwasm = \"broken.wasm\"\n")
        .with("broken.wasm", go_guest("broken"));
    let ended = app.run();
    let [printed, panic] =
        ["the oven is on", "panicked: the oven is cold"].map(|text| ended.stderr.find(text));
    assert!(printed.is_some() && printed < panic, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("guests-go/broken/main.go:"),
        "the stack is there: {}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(1));
}

/// Returns the constant `ownGoroutines` of the Go SDK.
fn own_goroutines() -> u32 {
    let source = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../parigot-guest-go/internal/wasip1/turn_wasip1.go"
    ));
    let declaration = source
        .lines()
        .find_map(|line| line.strip_prefix("const ownGoroutines = "));
    declaration
        .expect("the Go SDK must declare ownGoroutines")
        .parse()
        .expect("ownGoroutines must be a number")
}

/// The SDK ends a turn in place if only its own goroutines and resting ones exist. One goroutine
/// more disables that shortcut; one less ends turns while goroutines can run.
#[test]
fn a_fresh_go_guest_has_only_its_own_goroutines() {
    let app = App::new("[program.goroutines]\nwasm = \"goroutines.wasm\"\n")
        .with("goroutines.wasm", go_guest("goroutines"));
    let ended = app.run();
    assert_eq!(
        ended.messages_of("goroutines"),
        [format!("started goroutines={}", own_goroutines())]
    );
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

#[test]
fn go_gets_arguments_and_environment() {
    let app = App::new(
        "[program.teller]\nwasm = \"teller.wasm\"\nargs = [\"--loud\", \"two words\"]\nenv = { \
         OVEN = \"hot\" }\n",
    );
    let ended = app.with("teller.wasm", go_guest("teller")).run();
    assert_eq!(
        ended.messages_of("teller"),
        [
            "[teller --loud two words]",
            "OVEN=hot",
            "the last word",
            "exited with status 7"
        ]
    );
    assert_eq!(ended.status, Some(7));
}

/// Waits for an hour in every way to wait in Go, in `main` in the way `in_main`, and checks that
/// each wakes after an hour and not before.
#[track_caller]
fn check_waits(in_main: &str, app: &App) {
    let deployment = format!(
        "manifest_version = 1\n[service.waiting]\nwasm = \"waiting.wasm\"\n\
         [program.waiter]\nwasm = \"waiter.wasm\"\nargs = [{in_main:?}]\n"
    );
    let deployment =
        Deployment::parse(&deployment, &app.file()).expect("the deployment file must be valid");
    let clock = Arc::new(ManualClock::new(HOUR));
    let code_cache = Some(app.folder().join("code"));
    let settings = Settings {
        clock: Arc::clone(&clock) as _,
        code_cache,
        ..Settings::default()
    };
    let (running, log) = Capture::during(|| {
        parigot_host::start(&deployment, settings).expect("the deployment must start")
    });
    // The program, the handler for each way, and the handler of the call that is answered later.
    (0..WAYS.len() + 2).for_each(|_| drop(log.wait_for("begun")));

    clock.advance(HOUR / 2);
    clock.advance(HOUR / 2 - Duration::from_nanos(1));
    clock.advance(Duration::from_nanos(1));
    let woke: BTreeSet<_> = (0..2 * WAYS.len() + 2)
        .map(|_| log.wait_for(" woke after ").message)
        .collect();
    let in_each_way =
        |way: &&str| ["goroutine", "await"].map(|who| format!("{who} {way} woke after 1h0m0s"));
    let mut expected: BTreeSet<_> = WAYS.iter().flat_map(in_each_way).collect();
    expected.insert("await later woke after 1h0m0s".into());
    expected.insert("main woke after 1h0m0s".into());
    assert_eq!(woke, expected);
    assert_eq!(running.wait().status, 0);
}

#[test]
fn every_way_to_wait_in_go_wakes_on_time() {
    let app = App::new("")
        .with("waiter.wasm", go_guest("waiter"))
        .with("waiting.wasm", go_guest("waiting"));
    WAYS.iter().for_each(|way| check_waits(way, &app));
}
