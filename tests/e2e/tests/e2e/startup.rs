//! Starts: their order, the guests that wait, and their deadline.

use std::sync::Arc;
use std::time::Duration;

use e2e::{App, Capture, Ended, Started, example, guest};
use parigot_host::clock::ManualClock;
use parigot_host::deployment::Deployment;
use parigot_host::{Settings, start};

/// Returns an app whose program `hello` requires `unready`, which requires `echo`. `unready` never
/// becomes ready.
fn never_ready(keys: &str) -> App {
    App::new(&format!(
        "{keys}\n[service.echo]\nwasm = \"echo.wasm\"\n\
         [service.unready]\nwasm = \"unready.wasm\"\nargs = [\"--hang\"]\n\
         [program.hello]\nwasm = \"hello.wasm\"\n"
    ))
    .with("echo.wasm", guest("echo"))
    .with("unready.wasm", guest("unready"))
    .with("hello.wasm", hello())
}

fn hello() -> Vec<u8> {
    std::fs::read(example().join("build/hello.wasm"))
        .expect("`make build` must write the guests of the example")
}

/// Returns level, guest and message of each line of the log.
fn lines(ended: &Ended) -> Vec<String> {
    ended
        .log()
        .into_iter()
        .map(|line| format!("{} {} {}", line.level, line.guest, line.message))
        .collect()
}

#[test]
fn the_startup_deadline_names_waiting_guests() {
    let ended = never_ready("startup_deadline = \"2s\"").run();
    let lines = lines(&ended);
    // Other guests may also be reported after a second.
    assert!(
        lines.contains(&"WARN hello not ready after 1s: waiting for unready".to_owned()),
        "{}",
        ended.stderr
    );
    let expected = [
        "WARN hello not ready after 2s: waiting for unready",
        "WARN unready not ready after 2s: launched, but has not reported that it is ready",
        "ERROR - the start has taken longer than 2s, its `startup_deadline`",
    ];
    assert!(
        lines.windows(3).any(|lines| lines == expected),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(124));
}

#[test]
fn a_guest_that_never_asks_to_be_launched_is_named() {
    let ended = App::new("startup_deadline = \"5ms\"\n")
        .with_service("mute", &["x.Mute"], &[])
        .run();
    let expected = [
        "WARN mute not ready after 5ms: has not requested its launch",
        "ERROR - the start has taken longer than 5ms, its `startup_deadline`",
    ];
    assert_eq!(lines(&ended)[..2], expected);
    assert_eq!(ended.status, Some(124));
}

#[test]
fn the_default_startup_deadline_is_30_seconds() {
    let app = never_ready("");
    let deployment = Deployment::read(&app.file()).expect("the deployment file must be valid");
    let clock = Arc::new(ManualClock::new(Duration::ZERO));
    let settings = Settings {
        clock: Arc::clone(&clock) as _,
        ..Settings::default()
    };
    let (running, log) =
        Capture::during(|| start(&deployment, settings).expect("the deployment must start"));
    log.wait_for("hanging in ready");
    clock.advance(Duration::from_secs(1));
    assert_eq!(log.wait_for("not ready after 1s").service, "hello");
    clock.advance(Duration::from_secs(29));
    log.wait_for("the start has taken longer than 30s");
    assert_eq!(running.wait().status, 124);
}

#[test]
fn guests_ready_together_launch_in_alphabetical_order() {
    let app = App::new(
        "[program.c]\nwasm = \"hello.wasm\"\n[program.a]\nwasm = \"hello.wasm\"\n[program.b]\nwasm \
         = \"hello.wasm\"\n\
         [service.greeting]\nwasm = \"greeting.wasm\"\n[program.z]\nwasm = \
         \"bare.wasm\"\n[program.d]\nwasm = \"bare.wasm\"\n",
    );
    let greeting = std::fs::read(example().join("build/greeting.wasm"))
        .expect("`make build` must write the guests of the example");
    let app = app
        .with("hello.wasm", hello())
        .with("greeting.wasm", greeting)
        .with("bare.wasm", guest("bare"));
    let ended = Started::new(app.command().args(["--log-level", "debug"])).wait();
    let launched: Vec<_> = ended
        .log()
        .into_iter()
        .filter(|line| line.message == "launched")
        .map(|line| line.guest)
        .collect();
    assert_eq!(launched, ["d", "greeting", "z", "a", "b", "c"]);
}

#[test]
fn a_deployment_of_services_says_that_it_is_ready() {
    let app = App::new("[service.echo]\nwasm = \"echo.wasm\"\n");
    let app = app.with("echo.wasm", guest("echo"));
    let mut started = app.start();
    started.wait_for("ready: the guests run until the deployment is stopped");
    started.interrupt();
    assert_eq!(started.wait().status, Some(130));
}
