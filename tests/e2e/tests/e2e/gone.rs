//! Services that cannot be made anew, for what they require is gone for good, or they are not what they were.

use std::sync::Arc;
use std::time::Duration;

use e2e::{App, Capture, code_cache, go_guest, guest, start_on_manual_clock};
use parigot_host::Running;
use parigot_host::clock::ManualClock;
use parigot_host::testing::TestHost;

const MS: Duration = Duration::from_millis(1);

/// A phoenix, a vassal that requires it, and a driver that makes these calls to the vassal.
fn app(phoenix: &str, calls: &[&str]) -> App {
    let app = App::new(&format!(
        "[service.phoenix]\nwasm = \"phoenix.wasm\"\n{phoenix}\n[service.vassal]\nwasm = \"vassal.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    ));
    let app = app
        .with("phoenix.wasm", guest("phoenix"))
        .with("vassal.wasm", guest("vassal"));
    app.with("driver.wasm", guest("driver"))
}

/// The same on a clock that stands.
fn drive_vassal(phoenix: &str, calls: &[&str]) -> (Running, Capture, Arc<ManualClock>) {
    start_on_manual_clock(&app(phoenix, calls))
}

const LOST: &str = "requires a service of phoenix, which is gone for good";

#[test]
fn a_service_that_waits_for_its_restart_fails_with_what_it_requires() {
    let phoenix = "args = [\"--dies-after\", \"1\"]\nrestart = \"never\"";
    let (running, log, clock) = drive_vassal(phoenix, &["panic", "pause:10", "echo:1"]);
    log.wait_for("panic: INTERNAL");
    clock.advance(MS);
    assert_eq!(
        log.wait_for(LOST).message,
        format!("failed for good: it {LOST}")
    );
    clock.advance(10 * MS);
    let told = format!("echo:1: UNAVAILABLE, unreachable: vassal has failed for good: it {LOST}");
    assert_eq!(log.wait_for("echo:1").message, told);
    assert_eq!(running.wait().status, 0, "the program has ended well");
}

#[test]
fn calls_are_refused_while_what_their_callee_requires_never_makes_itself_ready_again() {
    let phoenix = "args = [\"--dies-after\", \"1\", \"--dreams-from\", \"1\"]";
    let (running, log, clock) =
        drive_vassal(phoenix, &["pause:2", "panic", "pause:60000", "echo:1"]);
    log.wait_for("pausing");
    clock.advance(MS);
    log.wait_for("burnt");
    clock.advance(MS);
    log.wait_for("panic: INTERNAL");
    clock.advance(100 * MS);
    log.wait_for("dreaming");
    // For as long as it takes.
    clock.advance(Duration::from_secs(60));
    log.wait_for(
        "echo:1: UNAVAILABLE, unreachable: vassal is being restarted, and has been down for ",
    );
    assert_eq!(
        running.wait().status,
        0,
        "who dreams leaves when it is told to"
    );
}

#[test]
fn a_service_that_was_restarted_and_waits_to_be_launched_fails_with_what_it_requires() {
    let phoenix = "args = [\"--dies-after\", \"1\", \"--lost-from\", \"1\"]\nmax_restarts = 2";
    let (running, log, clock) =
        drive_vassal(phoenix, &["pause:2", "panic", "pause:5000", "echo:1"]);
    log.wait_for("pausing");
    clock.advance(MS);
    log.wait_for("burnt");
    clock.advance(MS);
    log.wait_for("panic: INTERNAL");
    // Both are made anew. The phoenix is not ready, so the vassal waits; after the second time it is gone.
    clock.advance(100 * MS);
    let (mut vassal, mut phoenix) = (false, false);
    while !(vassal && phoenix) {
        let line = log.wait_for("");
        vassal |= line.service == "vassal" && line.message.starts_with("restarted after");
        phoenix |= line.message.ends_with("the ashes are wet");
    }
    clock.advance(Duration::from_secs(1));
    let failed = log.wait_for(LOST);
    assert_eq!(
        (&*failed.service, failed.message),
        ("vassal", format!("failed for good: it {LOST}"))
    );
    clock.advance(Duration::from_secs(5));
    log.wait_for(&format!(
        "echo:1: UNAVAILABLE, unreachable: vassal has failed for good: it {LOST}"
    ));
    assert_eq!(running.wait().status, 0);
}

/// In one step after the other: the phoenix is gone when the vassal fails, not just about to be.
#[test]
fn a_service_that_fails_after_what_it_requires_is_not_restarted() {
    let phoenix = "args = [\"--dies-after\", \"1\", \"--status\", \"0\"]";
    let app = app(phoenix, &["pause:2", "panic", "echo:1"]);
    let ((told, status), log) = Capture::during(|| {
        let mut host = TestHost::new()
            .code_cache(code_cache())
            .with_deployment(app.file())
            .start();
        assert_eq!(host.wait_for_exit("driver"), 0);
        (host.log("driver"), host.stop())
    });
    log.wait_for("left with status 0");
    let failed = log.wait_for(LOST).message;
    assert!(
        failed.starts_with("failed for good: it panicked at ")
            && failed.ends_with(&format!(", and {LOST}"))
    );
    let refused = "echo:1: UNAVAILABLE, unreachable: vassal has failed for good: it panicked at ";
    assert!(
        told.iter().any(|line| line.starts_with(refused)),
        "{told:?}"
    );
    assert_eq!(status, 0);
}

#[test]
fn a_service_that_is_not_what_it_was_is_not_restarted() {
    // From half a second after 1970 on it exports nothing.
    let app = App::new(
        "[service.changeling]\nwasm = \"changeling.wasm\"\nargs = [\"500\"]\nmax_restarts = 1\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"pause:500\", \"panic\", \"pause:5000\", \"echo:1\"]\n",
    );
    let app = app
        .with("changeling.wasm", go_guest("changeling"))
        .with("driver.wasm", guest("driver"));
    let (running, log, clock) = start_on_manual_clock(&app);
    log.wait_for("pausing");
    clock.advance(Duration::from_millis(500));
    log.wait_for("panic: INTERNAL");
    clock.advance(Duration::from_secs(1));
    let failed = log.wait_for("failed for good").message;
    assert!(
        failed.ends_with("it was made anew, and exports or requires something else than before"),
        "{failed}"
    );
    clock.advance(Duration::from_secs(5));
    log.wait_for("echo:1: UNAVAILABLE, unreachable: changeling has failed for good");
    assert_eq!(running.wait().status, 0);
}
