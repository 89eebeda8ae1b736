//! How guests end: by themselves, by a panic, by Ctrl-C.

use std::time::{Duration, Instant};

use e2e::{App, guest, root};

fn bare(args: &str) -> App {
    App::new(&format!("[program.bare]\nwasm = \"bare.wasm\"\nargs = {args}\n")).with("bare.wasm", guest("bare"))
}

/// Its budget is too large for it to be killed before it is stopped.
fn sleeper(args: &str) -> App {
    App::new(&format!("[program.sleeper]\nwasm = \"sleeper.wasm\"\nbudget = \"60s\"\nargs = {args}\n"))
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
    let source = std::fs::read_to_string(root().join("tests/guests/bare/src/lib.rs")).expect("the guest's source");
    let line = 1 + source.lines().position(|line| line.contains("panic!(")).expect("it panics somewhere");
    let ended = bare(r#"["--panic"]"#).run();
    let [before, panic] = &ended.messages_of("bare")[..] else { panic!("{}", ended.stderr) };
    assert_eq!(before, "no std in here");
    assert!(panic.contains(&format!("bare/src/lib.rs:{line}:")), "{panic}");
    assert!(panic.contains("the oven is cold"), "{panic}");
    assert_eq!(ended.log().last().map(|line| line.level.clone()).as_deref(), Some("ERROR"));
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
fn a_program_that_holds_its_thread_ends_as_failed() {
    let app = App::new("[program.sleeper]\nwasm = \"sleeper.wasm\"\nargs = [\"--spin\"]\n");
    let ended = app.with("sleeper.wasm", guest("sleeper")).run();
    let [said, killed] = &ended.messages_of("sleeper")[..] else { panic!("{}", ended.stderr) };
    assert_eq!(said, "about to spin");
    assert!(
        killed.starts_with("was killed: it held its thread for longer than its budget of 50 ms cpu_us="),
        "{killed}"
    );
    assert_eq!(ended.status, Some(1));
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let app = sleeper(r#"["--spin"]"#);
    let mut started = app.start();
    started.wait_for("about to spin");
    started.interrupt();
    started.wait_for("another Ctrl-C leaves at once");
    let interrupted = Instant::now();
    started.interrupt();
    assert_eq!(started.wait().status, Some(130));
    assert!(interrupted.elapsed() < Duration::from_secs(4), "the guests have 5 s, but nobody waits for them");
}
