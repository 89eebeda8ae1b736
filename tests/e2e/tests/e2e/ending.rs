//! How guests end: by themselves, by a panic, by Ctrl-C.

use std::time::{Duration, Instant};

use e2e::{App, Started, example, go_guest, guest, root, slow_to_compile, without_room};

fn bare(args: &str) -> App {
    App::new(&format!(
        "[program.bare]\nwasm = \"bare.wasm\"\nargs = {args}\n"
    ))
    .with("bare.wasm", guest("bare"))
}

/// Its budget is too large for it to be killed before it is stopped.
fn sleeper(args: &str) -> App {
    App::new(&format!(
        "shutdown_deadline = \"1h\"\n\
         [program.sleeper]\nwasm = \"sleeper.wasm\"\nbudget = \"1h\"\nargs = {args}\n"
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
fn a_panic_is_told_with_its_place_and_message() {
    let source = std::fs::read_to_string(root().join("tests/guests/bare/src/lib.rs"))
        .expect("the guest's source");
    let line = 1 + source
        .lines()
        .position(|line| line.contains("panic!("))
        .expect("it panics somewhere");
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

/// What it sent before it has been carried out before.
#[test]
fn a_guest_that_traps_while_it_makes_room_has_sent_nothing() {
    let ended = App::new("[program.narrow]\nwasm = \"narrow.wasm\"\n")
        .with("narrow.wasm", without_room())
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
    // It was not killed: `main` was dropped, and what it owned had its say.
    assert_eq!(ended.messages_of("sleeper"), ["asleep", "good night"]);
    assert_eq!(ended.status, Some(130));
}

#[test]
fn guests_leave_in_the_reverse_order_of_their_launch() {
    let app = App::new(
        "[program.driver]\nwasm = \"driver.wasm\"\nargs = [\"pause:3600000\"]\n\
         [service.phoenix]\nwasm = \"phoenix.wasm\"\n[service.vassal]\nwasm = \"vassal.wasm\"\n",
    );
    let app = app
        .with("driver.wasm", guest("driver"))
        .with("phoenix.wasm", guest("phoenix"));
    let app = app.with("vassal.wasm", guest("vassal"));
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
    assert_eq!(guests("launched"), ["phoenix", "vassal", "driver"]);
    assert_eq!(
        guests("left with status 0"),
        ["driver", "vassal", "phoenix"]
    );
}

#[test]
fn a_program_that_holds_its_thread_ends_as_failed() {
    let app = App::new("[program.sleeper]\nwasm = \"sleeper.wasm\"\nargs = [\"--spin\"]\n");
    let ended = app.with("sleeper.wasm", guest("sleeper")).run();
    let [said, killed] = &ended.messages_of("sleeper")[..] else {
        panic!("{}", ended.stderr)
    };
    assert_eq!(said, "about to spin");
    assert!(
        killed.starts_with(
            "was killed: it held its thread for longer than its budget of 50 ms cpu_us="
        ),
        "{killed}"
    );
    assert_eq!(ended.status, Some(1));
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let app = sleeper(r#"["--spin"]"#);
    let mut started = app.start();
    started.wait_for("about to spin");
    started.interrupt_twice();
}

#[test]
fn ctrl_c_while_guests_are_compiled_leaves_at_once() {
    let app = App::new("[program.slow]\nwasm = \"slow.wasm\"\n")
        .with_wat("slow.wasm", &slow_to_compile());
    let mut command = app.command();
    let started = Started::new(command.args(["--no-cache", "--compile-time", "1h"]));
    // One that reads the module, and those that compile it.
    started.wait_for_threads("parigot compile", 2);
    let interrupted = Instant::now();
    started.interrupt();
    assert_eq!(started.wait().status, Some(130));
    // A third of the time that compiling takes at least, and far more than it takes to leave.
    assert!(interrupted.elapsed() < Duration::from_secs(60));
}

#[test]
fn ctrl_c_while_guests_wait_to_be_launched_stops_them() {
    let app = App::new(
        "startup_deadline = \"1h\"\n\
         [service.echo]\nwasm = \"echo.wasm\"\n[service.lost]\nwasm = \"lost.wasm\"\nargs = [\"--dream\"]\n\
         [program.hello]\nwasm = \"hello.wasm\"\n",
    );
    let hello = std::fs::read(example().join("build/hello.wasm")).expect("the example is built");
    let app = app
        .with("echo.wasm", guest("echo"))
        .with("lost.wasm", guest("lost"))
        .with("hello.wasm", hello);
    let mut started = app.start();
    started.wait_for("dreaming");
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
fn ctrl_c_while_a_service_waits_for_its_restart_does_not_wait_for_it() {
    let app = App::new(
        "[service.phoenix]\nwasm = \"phoenix.wasm\"\nargs = [\"--dies-after\", \"1\"]\nmax_restarts = 1000\n",
    );
    let app = app.with("phoenix.wasm", guest("phoenix"));
    let mut started = app.start();
    // The pause after that is 5 seconds and more.
    started.wait_for("restart 7 of 1000");
    started.wait_for("burnt");
    started.interrupt();
    let ended = started.wait();
    assert_eq!(ended.status, Some(130));
    assert!(!ended.stderr.contains("restart 8"), "{}", ended.stderr);
}

#[test]
fn a_guest_that_does_not_leave_is_ended_at_the_shutdown_deadline_and_what_it_has_left_undone_is_told()
 {
    // In Go a handler that was cancelled goes on until it looks at its context, which `sleep` does not.
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
    let told = "did not leave within the `shutdown_deadline`, 100ms, and has a call that it has not answered";
    assert_eq!(ended.messages_of("echo"), ["sleeping", told]);
    assert_eq!(ended.status, Some(130));
}

/// Ctrl-C, for a program that says goodbye to a service and has registered something else that does not end.
#[track_caller]
fn check_parting(parting: Vec<u8>, place: &str, goodbye: &str) {
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
    let late = format!("what {place} has registered for the exit did not end within 1s");
    assert_eq!(ended.messages_of("parting"), ["asleep", &late, goodbye]);
    assert_eq!(ended.status, Some(130));
}

/// The place of the first line of a file of the tests that has this text, with `name` for the file's.
fn place(file: &str, text: &str, name: &str) -> String {
    let source =
        std::fs::read_to_string(root().join("tests").join(file)).expect("the guest's source");
    let line = 1 + source
        .lines()
        .position(|line| line.contains(text))
        .expect("the text is there");
    format!("{name}:{line}")
}

#[test]
fn at_the_exit_services_are_still_there_and_what_does_not_end_is_named() {
    let place = place(
        "guests/parting/src/lib.rs",
        "async || pending()",
        "parting/src/lib.rs",
    );
    check_parting(guest("parting"), &format!("{place}:8"), "goodbye Ok(7)");
}

#[test]
fn at_the_exit_in_go_services_are_still_there_and_what_does_not_end_is_named() {
    let place = place("guests-go/parting/main.go", "select {}", "parting/main.go");
    check_parting(go_guest("parting"), &place, "goodbye bytes=7 err=<nil>");
}

#[test]
fn a_deployment_of_services_ends_with_the_status_of_the_first_that_failed() {
    let run = |args: &[&str]| {
        let app = App::new(&format!(
            "[service.phoenix]\nwasm = \"phoenix.wasm\"\nrestart = \"never\"\nargs = {args:?}\n"
        ));
        app.with("phoenix.wasm", guest("phoenix")).run().status
    };
    assert_eq!(run(&["--dies-after", "1", "--status", "0"]), Some(0));
    assert_eq!(run(&["--dies-after", "1", "--status", "7"]), Some(7));
    assert_eq!(run(&["--dies-after", "1"]), Some(1));
}
