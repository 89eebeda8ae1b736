//! Services that cannot be restarted, because a dependency has failed permanently or their manifest
//! has changed.

use std::sync::Arc;
use std::time::Duration;

use e2e::{App, Capture, code_cache, go_guest, guest, start_on_manual_clock};
use parigot_host::Running;
use parigot_host::clock::ManualClock;
use parigot_host::testing::TestHost;

const MS: Duration = Duration::from_millis(1);

/// Returns an app with the service `flaky`, the service `dependent`, which requires it, and a
/// driver that makes these calls of `dependent`.
fn app(flaky: &str, calls: &[&str]) -> App {
    let app = App::new(&format!(
        "[service.flaky]\nwasm = \"flaky.wasm\"\n{flaky}\n[service.dependent]\nwasm = \
         \"dependent.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    ));
    let app = app
        .with("flaky.wasm", guest("flaky"))
        .with("dependent.wasm", guest("dependent"));
    app.with("driver.wasm", guest("driver"))
}

/// Starts that app with a clock that stands still.
fn drive_dependent(flaky: &str, calls: &[&str]) -> (Running, Capture, Arc<ManualClock>) {
    start_on_manual_clock(&app(flaky, calls))
}

const LOST: &str = "requires a service of flaky, which has ended permanently";

#[test]
fn a_service_to_be_restarted_fails_with_a_dependency() {
    let flaky = "args = [\"--fails-after\", \"1\"]\nrestart = \"never\"";
    let (running, log, clock) = drive_dependent(flaky, &["panic", "pause:10", "echo:1"]);
    log.wait_for("panic: INTERNAL");
    clock.advance(MS);
    assert_eq!(
        log.wait_for(LOST).message,
        format!("failed permanently: it {LOST}")
    );
    clock.advance(10 * MS);
    let told =
        format!("echo:1: UNAVAILABLE, unreachable: dependent has failed permanently: it {LOST}");
    assert_eq!(log.wait_for("echo:1").message, told);
    assert_eq!(running.wait().status, 0, "the program has ended well");
}

#[test]
fn calls_are_refused_while_a_dependency_is_not_ready() {
    let flaky = "args = [\"--fails-after\", \"1\", \"--hangs-from\", \"1\"]";
    let (running, log, clock) =
        drive_dependent(flaky, &["pause:2", "panic", "pause:60000", "echo:1"]);
    log.wait_for("pausing");
    clock.advance(MS);
    log.wait_for("failed on purpose");
    clock.advance(MS);
    log.wait_for("panic: INTERNAL");
    clock.advance(100 * MS);
    log.wait_for("hanging in ready");
    // However long the dependency takes.
    clock.advance(Duration::from_secs(60));
    log.wait_for(
        "echo:1: UNAVAILABLE, unreachable: dependent is being restarted and has been down for ",
    );
    assert_eq!(
        running.wait().status,
        0,
        "a guest that is not ready can be stopped"
    );
}

#[test]
fn a_restarted_service_fails_with_a_dependency() {
    let flaky = "args = [\"--fails-after\", \"1\", \"--unready-from\", \"1\"]\nmax_restarts = 2";
    let (running, log, clock) =
        drive_dependent(flaky, &["pause:2", "panic", "pause:5000", "echo:1"]);
    log.wait_for("pausing");
    clock.advance(MS);
    log.wait_for("failed on purpose");
    clock.advance(MS);
    log.wait_for("panic: INTERNAL");
    // Both are restarted. `flaky` is not ready, so `dependent` waits. After the second restart
    // `flaky` has failed permanently.
    clock.advance(100 * MS);
    let mut dependent = false;
    let mut flaky = false;
    while !(dependent && flaky) {
        let line = log.wait_for("");
        dependent |= line.service == "dependent" && line.message.starts_with("restarted after");
        flaky |= line.message.ends_with("unready on purpose");
    }
    clock.advance(Duration::from_secs(1));
    let failed = log.wait_for(LOST);
    assert_eq!(
        (&*failed.service, failed.message),
        ("dependent", format!("failed permanently: it {LOST}"))
    );
    clock.advance(Duration::from_secs(5));
    log.wait_for(&format!(
        "echo:1: UNAVAILABLE, unreachable: dependent has failed permanently: it {LOST}"
    ));
    assert_eq!(running.wait().status, 0);
}

/// On `TestHost`, which runs one step after the other: `flaky` has ended when `dependent` fails.
#[test]
fn a_service_is_not_restarted_after_its_dependency() {
    let flaky = "args = [\"--fails-after\", \"1\", \"--status\", \"0\"]";
    let app = app(flaky, &["pause:2", "panic", "echo:1"]);
    let ((told, status), log) = Capture::during(|| {
        let mut run = TestHost::new()
            .code_cache(code_cache())
            .with_deployment(app.file())
            .start();
        assert_eq!(run.wait_for_exit("driver"), 0);
        (run.log("driver"), run.stop())
    });
    log.wait_for("exited with status 0");
    let failed = log.wait_for(LOST).message;
    assert!(
        failed.starts_with("failed permanently: it panicked at ")
            && failed.ends_with(&format!(", and {LOST}"))
    );
    let refused =
        "echo:1: UNAVAILABLE, unreachable: dependent has failed permanently: it panicked at ";
    assert!(
        told.iter().any(|line| line.starts_with(refused)),
        "{told:?}"
    );
    assert_eq!(status, 0);
}

#[test]
fn a_service_with_another_manifest_is_not_restarted() {
    // It exports nothing from 500 ms after the start of 1970 on.
    let app = App::new(
        "[service.changeling]\nwasm = \"changeling.wasm\"\nargs = [\"500\"]\nmax_restarts = 1\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"pause:500\", \"panic\", \
         \"pause:5000\", \"echo:1\"]\n",
    );
    let app = app
        .with("changeling.wasm", go_guest("changeling"))
        .with("driver.wasm", guest("driver"));
    let (running, log, clock) = start_on_manual_clock(&app);
    log.wait_for("pausing");
    clock.advance(Duration::from_millis(500));
    log.wait_for("panic: INTERNAL");
    clock.advance(Duration::from_secs(1));
    let failed = log.wait_for("failed permanently").message;
    assert!(
        failed.ends_with("it exports or requires other services than before its restart"),
        "{failed}"
    );
    clock.advance(Duration::from_secs(5));
    log.wait_for("echo:1: UNAVAILABLE, unreachable: changeling has failed permanently");
    assert_eq!(running.wait().status, 0);
}
