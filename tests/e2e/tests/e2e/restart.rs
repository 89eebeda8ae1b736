//! Services that end are there again, unless they end too often; and nobody else is hurt meanwhile.

use std::sync::Arc;
use std::time::Duration;

use e2e::{App, BesideNeighbours, Capture, Ended, go_guest, guest, start_on_manual_clock};
use parigot_host::Running;
use parigot_host::clock::ManualClock;

const MS: Duration = Duration::from_millis(1);

/// Runs the driver with these calls against the echo service, which has these keys.
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

/// A phoenix with these arguments and keys, alone, on a clock that stands.
struct Phoenix {
    running: Running,
    log: Capture,
    clock: Arc<ManualClock>,
    _app: App,
}

impl Phoenix {
    fn start(args: &[&str], keys: &str) -> Self {
        let deployment =
            format!("[service.phoenix]\nwasm = \"phoenix.wasm\"\nargs = {args:?}\n{keys}\n");
        let app = App::new(&deployment).with("phoenix.wasm", guest("phoenix"));
        let (running, log, clock) = start_on_manual_clock(&app);
        log.wait_for("risen");
        Phoenix {
            running,
            log,
            clock,
            _app: app,
        }
    }

    /// Lets it die, a millisecond after it has risen.
    fn die(&self) {
        self.clock.advance(MS);
        self.log.wait_for("burnt");
    }

    /// Lets time pass until it has risen again, and returns what the host says of that.
    fn rise_after(&self, pause: Duration) -> String {
        self.clock.advance(pause);
        let restarted = self.log.wait_for("restarted after").message;
        self.log.wait_for("risen");
        restarted
    }
}

/// How long the host says that it took.
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
fn a_handle_that_was_located_before_a_crash_works_after_it() {
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
        position("panicked").expect("told"),
        position("restarted after ").expect("told"),
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
        "it is another instance"
    );
    assert_eq!(ended.status, Some(0));
}

#[test]
fn calls_to_a_service_that_is_being_restarted_are_refused_at_once() {
    let app = App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"panic\", \"echo:1\", \"again\"]\n",
    );
    let app = app
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"));
    let (running, log, clock) = start_on_manual_clock(&app);
    // The clock stands: nothing is restarted before it is moved.
    log.wait_for(
        "echo:1: UNAVAILABLE, unreachable: echo is being restarted, and has been down for 0 ms",
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
fn each_way_to_fail_is_followed_by_a_restart() {
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
fn a_service_that_leaves_with_status_0_is_restarted_only_if_always() {
    let ended = drive("", &["hang+leave:0", "echo:1"]);
    let told = "UNAVAILABLE, callee exited: echo left with status 0 while it had this call";
    let expected = [
        format!("hang: {told}"),
        format!("leave:0: {told}"),
        "echo:1: UNAVAILABLE, unreachable: echo is not running".to_owned(),
    ];
    assert_eq!(ended.messages_of("driver"), expected);
    drive("restart = \"always\"", &["leave:0", "again"]);
}

#[test]
fn a_service_that_is_never_restarted_stays_away() {
    let ended = drive("restart = \"never\"", &["panic", "echo:1"]);
    assert_eq!(
        ended.messages_of("driver")[1],
        "echo:1: UNAVAILABLE, unreachable: echo is not running"
    );
}

#[test]
fn a_service_that_fails_too_often_has_failed_for_good_and_callers_are_told_why() {
    let ended = drive(
        "max_restarts = 2",
        &["panic", "again", "panic", "again", "panic", "echo:1"],
    );
    let messages = ended.messages_of("driver");
    let last = messages.last().expect("it says what comes of each call");
    let told = "echo:1: UNAVAILABLE, unreachable: echo has failed for good: after 2 restarts in 60s it panicked at ";
    assert!(
        last.starts_with(told) && last.ends_with("told to panic"),
        "{last}"
    );
    let log = ended.log();
    let for_good: Vec<_> = log
        .iter()
        .filter(|line| line.message.starts_with("failed for good: "))
        .collect();
    assert_eq!(for_good.len(), 1, "{}", ended.stderr);
    assert_eq!(
        (for_good[0].level.as_str(), for_good[0].guest.as_str()),
        ("ERROR", "echo")
    );
    assert_eq!(ended.status, Some(0), "the program has ended well");
}

#[test]
fn a_service_in_go_is_restarted_and_handles_to_it_stay_valid() {
    let app = App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"hang+panic\", \"again\", \"trap\", \"again\", \"leave:3\", \"again\"]\n",
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
        "leave:3: UNAVAILABLE, callee exited: echo left with status 3 while it had this call"
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
fn pauses_grow_on_the_hosts_clock() {
    let phoenix = Phoenix::start(&["--dies-after", "1"], "");
    for longest_ms in [100, 200, 400, 800, 1_600] {
        phoenix.die();
        // The shortest pause is half the longest: nothing happens before it is over.
        phoenix.clock.advance((longest_ms / 2 - 1) * MS);
        let took_ms = millis(&phoenix.rise_after((longest_ms - longest_ms / 2 + 1) * MS));
        assert_eq!(
            took_ms,
            u64::from(longest_ms),
            "the clock stood there when it was restarted"
        );
    }
    phoenix.running.stopper().stop();
    assert_eq!(phoenix.running.wait().status, 0);
}

#[test]
fn a_deployment_of_services_ends_when_the_last_has_failed_for_good() {
    let phoenix = Phoenix::start(&["--dies-after", "1"], "max_restarts = 3");
    for _ in 0..3 {
        phoenix.die();
        phoenix.rise_after(Duration::from_secs(1));
    }
    phoenix.die();
    let failed = phoenix.log.wait_for("failed for good").message;
    assert!(
        failed.starts_with("failed for good: after 3 restarts in 60s it panicked at "),
        "{failed}"
    );
    assert_eq!(phoenix.running.wait().status, 1);
}

#[test]
fn a_service_that_is_not_ready_when_it_is_restarted_is_restarted_again_until_it_has_failed_for_good()
 {
    let phoenix = Phoenix::start(
        &["--dies-after", "1", "--lost-from", "50"],
        "max_restarts = 2",
    );
    phoenix.die();
    for _ in 0..2 {
        phoenix.clock.advance(Duration::from_secs(1));
        phoenix.log.wait_for("restarted after");
        phoenix
            .log
            .wait_for("left with status 1: not ready: the ashes are wet");
    }
    let failed = phoenix.log.wait_for("failed for good").message;
    assert!(
        failed.ends_with("it left with status 1: not ready: the ashes are wet"),
        "{failed}"
    );
    assert_eq!(phoenix.running.wait().status, 1);
}

#[test]
fn a_deployment_is_stopped_while_a_service_waits_for_its_restart() {
    let phoenix = Phoenix::start(&["--dies-after", "1"], "");
    phoenix.die();
    phoenix.running.stopper().stop();
    // The clock stands: what waited for it would wait for ever.
    assert_eq!(phoenix.running.wait().status, 0);
    assert!(
        phoenix
            .log
            .rest()
            .iter()
            .all(|line| !line.message.starts_with("did not leave"))
    );
}

#[test]
fn a_deployment_ends_with_its_programs_while_a_service_waits_for_its_restart() {
    let ended = drive("", &["panic"]);
    assert_eq!(ended.status, Some(0));
    assert!(!ended.stderr.contains("did not leave"), "{}", ended.stderr);
}

#[test]
fn a_service_that_dies_all_the_time_hurts_no_neighbour() {
    let calls = ["panic", "again"].repeat(4);
    let app = App::new(&format!(
        "[service.echo]\nwasm = \"echo.wasm\"\n[program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    ));
    let app = app
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"));
    let ran = BesideNeighbours::new(app).run("restart 4 of 10");
    assert_eq!(ran.neighbours.failed, 0, "{:?}", ran.neighbours);
    assert!(ran.neighbours.answered >= 100, "{:?}", ran.neighbours);
}
