//! Starts: their order, who waits for whom, and that they have an end.

use std::sync::Arc;
use std::time::Duration;

use e2e::{App, Capture, Ended, Started, example, guest};
use parigot_host::clock::ManualClock;
use parigot_host::deployment::Deployment;
use parigot_host::{Settings, start};

/// `hello` requires what `lost` exports, whose `Ready` never ends; `lost` requires what `echo` exports.
fn dreaming(keys: &str) -> App {
    App::new(&format!(
        "{keys}\n[service.echo]\nwasm = \"echo.wasm\"\n\
         [service.lost]\nwasm = \"lost.wasm\"\nargs = [\"--dream\"]\n\
         [program.hello]\nwasm = \"hello.wasm\"\n"
    ))
    .with("echo.wasm", guest("echo"))
    .with("lost.wasm", guest("lost"))
    .with("hello.wasm", hello())
}

fn hello() -> Vec<u8> {
    std::fs::read(example().join("build/hello.wasm")).expect("the example is built")
}

/// The log: level, guest, message.
fn lines(ended: &Ended) -> Vec<String> {
    ended
        .log()
        .into_iter()
        .map(|line| format!("{} {} {}", line.level, line.guest, line.message))
        .collect()
}

#[test]
fn the_startup_deadline_is_honoured_and_says_who_waits_for_whom() {
    let ended = dreaming("startup_deadline = \"2s\"").run();
    let lines = lines(&ended);
    // After a second others may be on their way.
    assert!(
        lines.contains(&"WARN hello not ready after 1s: it waits for lost".to_owned()),
        "{}",
        ended.stderr
    );
    let expected = [
        "WARN hello not ready after 2s: it waits for lost",
        "WARN lost not ready after 2s: it was launched, and has not said that it is ready",
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
fn a_guest_that_never_asks_to_be_launched_is_told() {
    let ended = App::new("startup_deadline = \"5ms\"\n")
        .with_service("mute", &["x.Mute"], &[])
        .run();
    let expected = [
        "WARN mute not ready after 5ms: it has not asked to be launched",
        "ERROR - the start has taken longer than 5ms, its `startup_deadline`",
    ];
    assert_eq!(lines(&ended)[..2], expected);
    assert_eq!(ended.status, Some(124));
}

#[test]
fn a_start_may_take_30_seconds_of_the_hosts_clock_unless_the_file_says_otherwise() {
    let app = dreaming("");
    let deployment = Deployment::read(&app.file()).expect("the file is right");
    let clock = Arc::new(ManualClock::new(Duration::ZERO));
    let settings = Settings {
        clock: Arc::clone(&clock) as _,
        ..Settings::default()
    };
    let (running, log) = Capture::during(|| start(&deployment, settings).expect("the guests fit"));
    log.wait_for("dreaming");
    clock.advance(Duration::from_secs(1));
    assert_eq!(log.wait_for("not ready after 1s").service, "hello");
    clock.advance(Duration::from_secs(29));
    log.wait_for("the start has taken longer than 30s");
    assert_eq!(running.wait().status, 124);
}

#[test]
fn guests_that_may_start_at_the_same_moment_are_launched_alphabetically() {
    let app = App::new(
        "[program.c]\nwasm = \"hello.wasm\"\n[program.a]\nwasm = \"hello.wasm\"\n[program.b]\nwasm = \"hello.wasm\"\n\
         [service.greeting]\nwasm = \"greeting.wasm\"\n[program.z]\nwasm = \"bare.wasm\"\n[program.d]\nwasm = \"bare.wasm\"\n",
    );
    let greeting =
        std::fs::read(example().join("build/greeting.wasm")).expect("the example is built");
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
