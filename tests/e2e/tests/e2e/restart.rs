//! Services that fail are restarted, unless they fail too often. Other guests do not notice.

use std::sync::Arc;
use std::time::Duration;

use e2e::{App, Capture, Ended, WithControlPair, go_guest, guest, start_on_manual_clock};
use parigot_host::Running;
use parigot_host::clock::ManualClock;

const MS: Duration = Duration::from_millis(1);

/// Runs the driver with these calls against the echo service with these keys in its table.
fn drive(keys: &str, calls: &[&str]) -> Ended {
    let deployment = format!(
        "[service.echo]\nwasm = \"echo.wasm\"\n{keys}\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    );
    App::new(&deployment)
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"))
        .run()
}

/// The service `flaky`, alone in a deployment, with a clock that stands still.
struct Flaky {
    running: Running,
    log: Capture,
    clock: Arc<ManualClock>,
    _app: App,
}

impl Flaky {
    fn start(args: &[&str], keys: &str) -> Self {
        let deployment =
            format!("[service.flaky]\nwasm = \"flaky.wasm\"\nargs = {args:?}\n{keys}\n");
        let app = App::new(&deployment).with("flaky.wasm", guest("flaky"));
        let (running, log, clock) = start_on_manual_clock(&app);
        log.wait_for("started up");
        Flaky {
            running,
            log,
            clock,
            _app: app,
        }
    }

    /// Lets the service fail, a millisecond after it has started up.
    fn fail(&self) {
        self.clock.advance(MS);
        self.log.wait_for("failed on purpose");
    }

    /// Advances the clock until the service has started up again. Returns the host's message.
    fn restart_after(&self, pause: Duration) -> String {
        self.clock.advance(pause);
        let restarted = self.log.wait_for("restarted after").message;
        self.log.wait_for("started up");
        restarted
    }
}

/// Returns the duration in the host's message, in milliseconds.
fn millis(restarted: &str) -> u64 {
    let number = restarted
        .trim_start_matches("restarted after ")
        .split(' ')
        .next();
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{restarted}"))
}

#[test]
fn a_handle_survives_a_restart() {
    let ended = drive("", &["hang+panic", "again", "echo:2"]);
    let messages = ended.messages_of("driver");
    let [hang, panic, again, later] = &messages[..] else {
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
    assert_eq!([again, later], ["again: 1 bytes", "echo:2: 2 bytes"]);

    let log = ended.log();
    let position = |start: &str| log.iter().position(|line| line.message.starts_with(start));
    let (crash, restart) = (
        position("panicked").expect("the line must be logged"),
        position("restarted after ").expect("the line must be logged"),
    );
    assert!(
        crash < restart
            && log[restart]
                .message
                .ends_with(" ms: restart 1 of 10 in 60s"),
        "{}",
        ended.stderr
    );
    assert_ne!(
        log[crash].instance, log[restart].instance,
        "a restart creates another instance"
    );
    assert_eq!(ended.status, Some(0));
}

#[test]
fn calls_during_a_restart_are_refused_at_once() {
    let app = App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"panic\", \"echo:1\", \"again\"]\n",
    );
    let app = app
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"));
    let (running, log, clock) = start_on_manual_clock(&app);
    // The clock stands still, so nothing is restarted before the test advances it.
    log.wait_for(
        "echo:1: UNAVAILABLE, unreachable: echo is being restarted and has been down for 0 ms",
    );
    clock.advance(100 * MS);
    assert_eq!(
        log.wait_for("restarted after").message,
        "restarted after 100 ms: restart 1 of 10 in 60s"
    );
    log.wait_for("again: 1 bytes");
    assert_eq!(running.wait().status, 0);
}

#[test]
fn each_kind_of_failure_is_followed_by_a_restart() {
    let ended = drive("", &["trap", "again", "leave:7", "again", "spin", "again"]);
    let log = ended.log();
    let restarts = log
        .iter()
        .filter(|line| line.message.starts_with("restarted after "))
        .count();
    assert_eq!(restarts, 3, "{}", ended.stderr);
    assert_eq!(ended.status, Some(0));
}

#[test]
fn an_exit_with_status_0_restarts_only_if_always() {
    let ended = drive("", &["hang+leave:0", "echo:1"]);
    let told = "UNAVAILABLE, callee exited: echo exited with status 0 before it replied";
    let expected = [
        format!("hang: {told}"),
        format!("leave:0: {told}"),
        "echo:1: UNAVAILABLE, unreachable: echo is not running".to_owned(),
    ];
    assert_eq!(ended.messages_of("driver"), expected);
    drive("restart = \"always\"", &["leave:0", "again"]);
}

#[test]
fn restart_never_leaves_the_service_down() {
    let ended = drive("restart = \"never\"", &["panic", "echo:1"]);
    assert_eq!(
        ended.messages_of("driver")[1],
        "echo:1: UNAVAILABLE, unreachable: echo is not running"
    );
}

#[test]
fn a_service_that_fails_too_often_stays_down() {
    let ended = drive(
        "max_restarts = 2",
        &["panic", "again", "panic", "again", "panic", "echo:1"],
    );
    let messages = ended.messages_of("driver");
    let last = messages.last().expect("the driver must log each call");
    let told = "echo:1: UNAVAILABLE, unreachable: echo has failed permanently: after 2 restarts in \
                60s it panicked at ";
    assert!(
        last.starts_with(told) && last.ends_with("told to panic"),
        "{last}"
    );
    let log = ended.log();
    let for_good: Vec<_> = log
        .iter()
        .filter(|line| line.message.starts_with("failed permanently: "))
        .collect();
    assert_eq!(for_good.len(), 1, "{}", ended.stderr);
    assert_eq!(
        (for_good[0].level.as_str(), for_good[0].guest.as_str()),
        ("ERROR", "echo")
    );
    assert_eq!(ended.status, Some(0), "the program has ended well");
}

#[test]
fn a_handle_survives_a_restart_in_go() {
    let app = App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"hang+panic\", \"again\", \"trap\", \
         \"again\", \"leave:3\", \"again\"]\n",
    );
    let ended = app
        .with("echo.wasm", go_guest("echo"))
        .with("driver.wasm", guest("driver"))
        .run();
    let messages = ended.messages_of("driver");
    let [hang, panic, again, _, and_again, leave, at_last] = &messages[..] else {
        panic!("{}", ended.stderr)
    };
    assert!(
        hang.starts_with("hang: UNAVAILABLE, callee trapped: echo "),
        "{hang}"
    );
    assert!(
        panic.starts_with("panic: INTERNAL, callee trapped: echo "),
        "{panic}"
    );
    assert_eq!([again, and_again, at_last], ["again: 1 bytes"; 3]);
    assert_eq!(
        leave,
        "leave:3: UNAVAILABLE, callee exited: echo exited with status 3 before it replied"
    );
    assert_eq!(
        ended
            .log()
            .iter()
            .filter(|line| line.message.starts_with("restarted after "))
            .count(),
        3
    );
    assert_eq!(ended.status, Some(0));
}

#[test]
fn the_restart_pause_doubles() {
    let flaky = Flaky::start(&["--fails-after", "1"], "");
    for longest_ms in [100, 200, 400, 800, 1_600] {
        flaky.fail();
        // The shortest pause is half the longest. The service is not restarted before that.
        flaky.clock.advance((longest_ms / 2 - 1) * MS);
        let took_ms = millis(&flaky.restart_after((longest_ms - longest_ms / 2 + 1) * MS));
        assert_eq!(
            took_ms,
            u64::from(longest_ms),
            "the clock is at the longest pause when the service is restarted"
        );
    }
    flaky.running.stopper().stop();
    assert_eq!(flaky.running.wait().status, 0);
}

#[test]
fn the_last_permanent_failure_ends_the_deployment() {
    let flaky = Flaky::start(&["--fails-after", "1"], "max_restarts = 3");
    for _ in 0..3 {
        flaky.fail();
        flaky.restart_after(Duration::from_secs(1));
    }
    flaky.fail();
    let failed = flaky.log.wait_for("failed permanently").message;
    assert!(
        failed.starts_with("failed permanently: after 3 restarts in 60s it panicked at "),
        "{failed}"
    );
    assert_eq!(flaky.running.wait().status, 1);
}

#[test]
fn a_restart_that_is_not_ready_counts_as_a_failure() {
    let flaky = Flaky::start(
        &["--fails-after", "1", "--unready-from", "50"],
        "max_restarts = 2",
    );
    flaky.fail();
    for _ in 0..2 {
        flaky.clock.advance(Duration::from_secs(1));
        flaky.log.wait_for("restarted after");
        flaky
            .log
            .wait_for("exited with status 1: not ready: unready on purpose");
    }
    let failed = flaky.log.wait_for("failed permanently").message;
    assert!(
        failed.ends_with("it exited with status 1: not ready: unready on purpose"),
        "{failed}"
    );
    assert_eq!(flaky.running.wait().status, 1);
}

#[test]
fn a_stop_does_not_wait_for_a_restart() {
    let flaky = Flaky::start(&["--fails-after", "1"], "");
    flaky.fail();
    flaky.running.stopper().stop();
    // The clock stands still: waiting for the restart would last forever.
    assert_eq!(flaky.running.wait().status, 0);
    assert!(
        flaky
            .log
            .rest()
            .iter()
            .all(|line| !line.message.starts_with("did not leave"))
    );
}

#[test]
fn the_end_does_not_wait_for_a_restart() {
    let ended = drive("", &["panic"]);
    assert_eq!(ended.status, Some(0));
    assert!(!ended.stderr.contains("did not leave"), "{}", ended.stderr);
}

#[test]
fn a_failing_service_does_not_affect_other_guests() {
    let calls = ["panic", "again"].repeat(4);
    let app = App::new(&format!(
        "[service.echo]\nwasm = \"echo.wasm\"\n[program.driver]\nwasm = \"driver.wasm\"\nargs = \
         {calls:?}\n"
    ));
    let app = app
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"));
    let ran = WithControlPair::new(app).run("restart 4 of 10");
    assert_eq!(ran.pair.failed, 0, "{:?}", ran.pair);
    assert!(ran.pair.answered >= 100, "{:?}", ran.pair);
}
