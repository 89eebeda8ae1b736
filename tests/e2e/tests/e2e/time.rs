//! Guests see no clock but the host's: a test that advances it never waits.

use std::sync::Arc;
use std::time::Duration;

use e2e::{App, Capture, guest};
use parigot_host::clock::ManualClock;
use parigot_host::deployment::Deployment;
use parigot_host::{Running, Settings};

const HOUR: Duration = Duration::from_secs(3_600);

/// Starts the driver with these calls and a clock that stands still.
fn start(calls: &[&str]) -> (Running, Capture, Arc<ManualClock>, App) {
    let deployment = format!(
        "[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    );
    let app = App::new(&deployment)
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"));
    let deployment = Deployment::read(&app.file()).expect("the deployment file must be valid");
    let clock = Arc::new(ManualClock::new(HOUR));
    let settings = Settings {
        clock: Arc::clone(&clock) as _,
        ..Settings::default()
    };
    let (running, log) = Capture::during(|| {
        parigot_host::start(&deployment, settings).expect("the deployment must start")
    });
    (running, log, clock, app)
}

#[test]
fn a_deadline_passes_on_the_hosts_clock() {
    let (running, log, clock, _app) = start(&["hang@3600000"]);
    log.wait_for("hanging");
    clock.advance(HOUR - Duration::from_nanos(1));
    clock.advance(Duration::from_nanos(1));
    log.wait_for("hang@3600000: DEADLINE_EXCEEDED, timed out");
    assert_eq!(running.wait().status, 0);
}

#[test]
fn a_method_has_the_deadline_that_its_option_sets() {
    let (running, log, clock, _app) = start(&["~sleep:3600000", "~hang"]);
    log.wait_for("sleeping");
    // Far beyond the default deadline of 3 s.
    clock.advance(HOUR);
    log.wait_for("~sleep:3600000: 0 bytes");
    log.wait_for("hanging");
    clock.advance(2 * HOUR - Duration::from_nanos(1));
    clock.advance(Duration::from_nanos(1));
    log.wait_for("~hang: DEADLINE_EXCEEDED, timed out");
    assert_eq!(running.wait().status, 0);
}

#[test]
fn a_sleeping_guest_wakes_on_the_hosts_clock() {
    let (running, log, clock, _app) = start(&["echo:1", "sleep:3600000@7200000", "echo:2"]);
    log.wait_for("sleeping");
    clock.advance(HOUR);
    log.wait_for("sleep:3600000@7200000: 0 bytes");
    log.wait_for("echo:2: 2 bytes");
    assert_eq!(running.wait().status, 0);
}
