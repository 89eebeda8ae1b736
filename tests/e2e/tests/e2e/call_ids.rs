//! The id of a call stands in every line of the log that is about it, and in the error that its caller gets.

use e2e::{App, Ended, Line, Started, guest};
use parigot_abi::id::{CallId, InstanceId, ServiceId};

/// Runs the driver with these calls against the echo service, and logs everything.
fn drive(calls: &[&str]) -> Ended {
    let deployment = format!(
        "[service.echo]\nwasm = \"echo.wasm\"\nrestart = \"never\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    );
    let app = App::new(&deployment)
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"));
    Started::new(app.command().args(["--log-level", "trace"])).wait()
}

/// The id in the failure that the driver tells of a call.
#[track_caller]
fn told_to_caller(log: &[Line], call: &str) -> CallId {
    let failure = log
        .iter()
        .find(|line| line.guest == "driver" && line.message.starts_with(call));
    let failure = &failure
        .unwrap_or_else(|| panic!("{call} has no end: {log:?}"))
        .message;
    let (_, id) = failure
        .rsplit_once(", call ")
        .unwrap_or_else(|| panic!("{failure} names no call"));
    id.trim_end_matches(')')
        .parse()
        .unwrap_or_else(|error| panic!("{failure}: {error}"))
}

/// Checks that these lines of the service are about the call whose failure the driver tells.
#[track_caller]
fn check(call: &str, expected: &[&str]) {
    let ended = drive(&[call]);
    let log = ended.log();
    let id = told_to_caller(&log, call);
    let is_life = |line: &Line| {
        ["launched", "left with status"]
            .iter()
            .any(|life| line.message.starts_with(life))
    };
    let of_echo = log
        .iter()
        .filter(|line| line.guest == "echo" && line.instance != "-");
    let about_calls: Vec<_> = of_echo.filter(|line| !is_life(line)).collect();
    assert_eq!(about_calls.len(), expected.len(), "{}", ended.stderr);
    for (line, expected) in about_calls.into_iter().zip(expected) {
        assert!(line.message.contains(expected), "{}", ended.stderr);
        assert_eq!(line.call.parse(), Ok(id), "{line:?}");
    }
}

#[test]
fn a_call_that_was_not_answered_in_time() {
    check("hang@500?", &["hanging", "cancelled"]);
}

#[test]
fn a_call_whose_handler_panics() {
    check("panic?", &["told to panic"]);
}

#[test]
fn a_call_whose_handler_traps() {
    check("trap?", &["trapped"]);
}

#[test]
fn a_call_whose_handler_holds_the_thread() {
    check("spin?", &["was killed"]);
}

#[test]
fn a_call_whose_response_is_too_large() {
    check("swell:16777217?", &[]);
}

#[test]
fn a_call_to_a_service_that_is_gone() {
    let log = drive(&["panic?", "echo:1?"]).log();
    assert_ne!(
        told_to_caller(&log, "panic"),
        told_to_caller(&log, "echo:1")
    );
}

#[test]
fn an_id_of_the_log_is_read_as_what_it_is_and_as_nothing_else() {
    let log = drive(&["sleep:1"]).log();
    let line = log
        .iter()
        .find(|line| line.message == "sleeping")
        .expect("the service says so");
    assert!(line.call.parse::<CallId>().is_ok(), "{line:?}");
    let error = line
        .call
        .parse::<ServiceId>()
        .expect_err("it is the id of a call")
        .to_string();
    assert_eq!(error, "not a ServiceId: expected it to start with `svc_`");
    let error = line
        .instance
        .parse::<InstanceId>()
        .expect_err("it is the short form")
        .to_string();
    assert_eq!(error, "expected 24 characters after the prefix, found 6");
}
