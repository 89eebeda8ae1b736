//! The ways in which guests end: exit, panic, Ctrl-C.

use std::time::{Duration, Instant};

use e2e::{App, Started, example, go_guest, guest, root, slow_to_compile, trapping_inbox};

fn bare(args: &str) -> App {
    App::new(&format!(
        "[program.bare]\nwasm = \"bare.wasm\"\nargs = {args}\n"
    ))
    .with("bare.wasm", guest("bare"))
}

/// Returns an app with a program whose budget, the largest there is, outlasts the test.
fn sleeper(args: &str) -> App {
    App::new(&format!(
        "shutdown_deadline = \"1h\"\n\
         [program.sleeper]\nwasm = \"sleeper.wasm\"\nbudget = \"60s\"\nargs = {args}\n"
    ))
    .with("sleeper.wasm", guest("sleeper"))
}

#[test]
fn a_guest_without_std_runs() {
    let ended = bare("[]").run();
    assert_eq!(ended.messages_of("bare"), ["no std in here"]);
    assert_eq!(ended.status, Some(0));
}

#[test]
fn a_panic_is_logged_with_location_and_message() {
    let source = std::fs::read_to_string(root().join("tests/guests/bare/src/lib.rs"))
        .expect("the guest's source must be readable");
    let line = 1 + source
        .lines()
        .position(|line| line.contains("panic!("))
        .expect("the source must have a panic");
    let ended = bare(r#"["--panic"]"#).run();
    let [before, panic] = &ended.messages_of("bare")[..] else {
        panic!("{}", ended.stderr)
    };
    assert_eq!(before, "no std in here");
    assert!(
        panic.contains(&format!("bare/src/lib.rs:{line}:")),
        "{panic}"
    );
    assert!(panic.contains("the oven is cold"), "{panic}");
    assert_eq!(
        ended.log().last().map(|line| line.level.clone()).as_deref(),
        Some("ERROR")
    );
    assert_eq!(ended.status, Some(1));
}

#[test]
fn a_trap_while_growing_the_inbox_sends_nothing() {
    let ended = App::new("[program.narrow]\nwasm = \"narrow.wasm\"\n")
        .with("narrow.wasm", trapping_inbox())
        .run();
    let last = ended
        .log()
        .last()
        .map(|line| line.message.clone())
        .unwrap_or_default();
    assert!(
        last.contains("trapped: wasm trap: wasm `unreachable` instruction executed"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(1));
}

#[test]
fn ctrl_c_stops_the_guests_in_order() {
    let app = sleeper("[]");
    let mut started = app.start();
    started.wait_for("asleep");
    started.interrupt();
    let ended = started.wait();
    // The guest was not killed: `main` was dropped, and so were its variables.
    assert_eq!(ended.messages_of("sleeper"), ["asleep", "good night"]);
    assert_eq!(ended.status, Some(130));
}

#[test]
fn repeated_signals_within_half_a_second_count_as_one() {
    let app = sleeper("[]");
    let mut started = app.start();
    started.wait_for("asleep");
    for _ in 0..3 {
        started.signal("TERM");
    }
    let ended = started.wait();
    assert_eq!(ended.messages_of("sleeper"), ["asleep", "good night"]);
    assert_eq!(ended.status, Some(143), "a program was cut off");
}

#[test]
fn sigterm_to_services_is_a_success() {
    let app = App::new("[service.echo]\nwasm = \"echo.wasm\"\n").with("echo.wasm", guest("echo"));
    let mut started = Started::new(app.command().args(["--log-level", "debug"]));
    started.wait_for("launched");
    started.signal("TERM");
    let ended = started.wait();
    assert!(
        ended.stderr.contains("exited with status 0"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

#[test]
fn sigterm_fails_if_a_guest_is_killed_at_the_deadline() {
    let app = App::new(
        "shutdown_deadline = \"100ms\"\n[worker.sleeper]\nwasm = \"sleeper.wasm\"\n\
         args = [\"--spin\"]\nbudget = \"60s\"\n",
    );
    let app = app.with("sleeper.wasm", guest("sleeper"));
    let mut started = app.start();
    started.wait_for("about to spin");
    started.signal("TERM");
    assert_eq!(started.wait().status, Some(143));
}

#[test]
fn guests_stop_in_reverse_launch_order() {
    let app = App::new(
        "[program.driver]\nwasm = \"driver.wasm\"\nargs = [\"pause:3600000\"]\n\
         [service.flaky]\nwasm = \"flaky.wasm\"\n[service.dependent]\nwasm = \"dependent.wasm\"\n",
    );
    let app = app
        .with("driver.wasm", guest("driver"))
        .with("flaky.wasm", guest("flaky"));
    let app = app.with("dependent.wasm", guest("dependent"));
    let mut started = Started::new(app.command().args(["--log-level", "debug"]));
    started.wait_for("pausing");
    started.interrupt();
    let ended = started.wait();
    let guests = |message: &str| -> Vec<String> {
        ended
            .log()
            .into_iter()
            .filter(|line| line.message == message)
            .map(|line| line.guest)
            .collect()
    };
    assert_eq!(guests("launched"), ["flaky", "dependent", "driver"]);
    assert_eq!(
        guests("exited with status 0"),
        ["driver", "dependent", "flaky"]
    );
}

#[test]
fn a_program_beyond_its_budget_fails() {
    let app = App::new("[program.sleeper]\nwasm = \"sleeper.wasm\"\nargs = [\"--spin\"]\n");
    let ended = app.with("sleeper.wasm", guest("sleeper")).run();
    let [said, killed] = &ended.messages_of("sleeper")[..] else {
        panic!("{}", ended.stderr)
    };
    assert_eq!(said, "about to spin");
    assert!(
        killed.starts_with(
            "was killed: held its thread beyond its budget of 50 ms: await `yield_now` in long \
             computations (in Go call `parigot.Yield`), or raise `budget` cpu_us="
        ),
        "{killed}"
    );
    assert_eq!(ended.status, Some(1));
}

#[test]
fn a_second_ctrl_c_exits_at_once() {
    let app = sleeper(r#"["--spin"]"#);
    let mut started = app.start();
    started.wait_for("about to spin");
    started.interrupt_twice();
}

#[test]
fn ctrl_c_during_compilation_exits_at_once() {
    let app = App::new("[program.slow]\nwasm = \"slow.wasm\"\n")
        .with_wat("slow.wasm", &slow_to_compile());
    let mut command = app.command();
    let started = Started::new(command.args(["--no-cache", "--compile-time", "1h"]));
    // The thread waits for the process that compiles.
    started.wait_for_threads("parigot compile", 1);
    let interrupted = Instant::now();
    started.interrupt();
    assert_eq!(started.wait().status, Some(130));
    // A third of the time that compiling takes at least, and far more than it takes to leave.
    assert!(interrupted.elapsed() < Duration::from_secs(60));
}

#[test]
fn ctrl_c_during_the_start_stops_the_guests() {
    let app = App::new(
        "startup_deadline = \"1h\"\n\
         [service.echo]\nwasm = \"echo.wasm\"\n[service.unready]\nwasm = \"unready.wasm\"\nargs = \
         [\"--hang\"]\n\
         [program.hello]\nwasm = \"hello.wasm\"\n",
    );
    let hello = std::fs::read(example().join("build/hello.wasm"))
        .expect("`make build` must write the guests of the example");
    let app = app
        .with("echo.wasm", guest("echo"))
        .with("unready.wasm", guest("unready"))
        .with("hello.wasm", hello);
    let mut started = app.start();
    started.wait_for("hanging in ready");
    started.interrupt();
    let ended = started.wait();
    assert_eq!(ended.status, Some(130));
    assert!(
        !ended.stderr.contains("did not leave") && !ended.stderr.contains("cannot start"),
        "{}",
        ended.stderr
    );
}

#[test]
fn ctrl_c_does_not_wait_for_a_restart() {
    let app = App::new(
        "[service.flaky]\nwasm = \"flaky.wasm\"\nargs = [\"--fails-after\", \"1\"]\nmax_restarts = \
         1000\n",
    );
    let app = app.with("flaky.wasm", guest("flaky"));
    let mut started = app.start();
    // The next pause is at least 5 seconds.
    started.wait_for("restart 7 of 1000");
    started.wait_for("failed on purpose");
    started.interrupt();
    let ended = started.wait();
    assert_eq!(ended.status, Some(130));
    assert!(!ended.stderr.contains("restart 8"), "{}", ended.stderr);
}

#[test]
fn a_guest_is_killed_at_the_shutdown_deadline() {
    // In Go a cancelled handler goes on until it checks its context, which `sleep` does not.
    let app = App::new(
        "shutdown_deadline = \"100ms\"\n[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"sleep:3600000@3600000\"]\n",
    );
    let app = app
        .with("echo.wasm", go_guest("echo"))
        .with("driver.wasm", guest("driver"));
    let mut started = app.start();
    started.wait_for("sleeping");
    started.interrupt();
    let ended = started.wait();
    let told = "did not exit within the `shutdown_deadline` of 100ms; 1 call is unanswered";
    assert_eq!(ended.messages_of("echo"), ["sleeping", told]);
    assert_eq!(ended.status, Some(130));
}

#[test]
fn a_guest_without_time_to_exit_is_not_blamed() {
    // Programs are stopped before the services that they require; the hook of one does not end.
    let app = App::new(
        "shutdown_deadline = \"100ms\"\n[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"sleep:3600000@3600000\"]\n\
         [program.parting]\nwasm = \"parting.wasm\"\n",
    );
    let app = app
        .with("echo.wasm", go_guest("echo"))
        .with("driver.wasm", guest("driver"))
        .with("parting.wasm", guest("parting"));
    let mut started = app.start();
    started.wait_for_each(&["sleeping", "asleep"]);
    started.interrupt();
    let ended = started.wait();
    let late = "did not exit within the `shutdown_deadline` of 100ms";
    let parting = ended.messages_of("parting");
    assert_eq!(parting.last().map(String::as_str), Some(late));
    let told = "had no time to exit: the guests before it took the whole of the \
                `shutdown_deadline` of 100ms; 1 call is unanswered";
    assert_eq!(ended.messages_of("echo"), ["sleeping", told]);
}

/// Stops a program with two exit hooks: one calls a service, and one does not end.
#[track_caller]
fn check_parting(parting: Vec<u8>, location: &str, goodbye: &str) {
    let app = App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\n[program.parting]\nwasm = \"parting.wasm\"\n",
    );
    let app = app
        .with("echo.wasm", guest("echo"))
        .with("parting.wasm", parting);
    let mut started = app.start();
    started.wait_for("asleep");
    started.interrupt();
    let ended = started.wait();
    let late = format!("exit hook of {location} did not finish within 1s");
    assert_eq!(ended.messages_of("parting"), ["asleep", &late, goodbye]);
    assert_eq!(ended.status, Some(130));
}

/// Returns `NAME:LINE` of the first line with this text in a file of the tests.
fn location(file: &str, text: &str, name: &str) -> String {
    let source = std::fs::read_to_string(root().join("tests").join(file))
        .expect("the guest's source must be readable");
    let line = 1 + source
        .lines()
        .position(|line| line.contains(text))
        .expect("the source must have the text");
    format!("{name}:{line}")
}

#[test]
fn exit_hooks_can_call_services() {
    let location = location(
        "guests/parting/src/lib.rs",
        "async || pending()",
        "parting/src/lib.rs",
    );
    check_parting(guest("parting"), &format!("{location}:8"), "goodbye Ok(7)");
}

#[test]
fn exit_hooks_in_go_can_call_services() {
    let location = location("guests-go/parting/main.go", "select {}", "parting/main.go");
    check_parting(go_guest("parting"), &location, "goodbye bytes=7 err=<nil>");
}

#[test]
fn without_programs_a_failed_service_sets_the_status() {
    let run = |args: &[&str]| {
        let app = App::new(&format!(
            "[service.flaky]\nwasm = \"flaky.wasm\"\nrestart = \"never\"\nargs = {args:?}\n"
        ));
        app.with("flaky.wasm", guest("flaky")).run().status
    };
    assert_eq!(run(&["--fails-after", "1", "--status", "0"]), Some(0));
    assert_eq!(run(&["--fails-after", "1", "--status", "7"]), Some(7));
    assert_eq!(run(&["--fails-after", "1"]), Some(1));
}
