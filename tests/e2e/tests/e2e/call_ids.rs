//! Every log line about a call has the id of the call, and so has the error that the caller gets.

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

/// Returns the id in the failure that the driver logs for a call.
#[track_caller]
fn id_at_caller(log: &[Line], call: &str) -> CallId {
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

/// Checks that the service's lines about calls are these, and have the id that the driver logs.
#[track_caller]
fn check(call: &str, expected: &[&str]) {
    let ended = drive(&[call]);
    let log = ended.log();
    let id = id_at_caller(&log, call);
    let is_lifecycle = |line: &Line| {
        ["launched", "exited with status"]
            .iter()
            .any(|life| line.message.starts_with(life))
    };
    let of_echo = log
        .iter()
        .filter(|line| line.guest == "echo" && line.instance != "-");
    let about_calls: Vec<_> = of_echo.filter(|line| !is_lifecycle(line)).collect();
    assert_eq!(about_calls.len(), expected.len(), "{}", ended.stderr);
    for (line, expected) in about_calls.into_iter().zip(expected) {
        assert!(line.message.contains(expected), "{}", ended.stderr);
        assert_eq!(line.call.parse(), Ok(id), "{line:?}");
    }
}

#[test]
fn a_call_that_times_out() {
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
fn a_call_whose_handler_exceeds_its_budget() {
    check("spin?", &["was killed"]);
}

#[test]
fn a_call_whose_response_is_too_large() {
    check("swell:16777217?", &[]);
}

#[test]
fn a_call_to_a_service_that_has_ended() {
    let log = drive(&["panic?", "echo:1?"]).log();
    assert_ne!(id_at_caller(&log, "panic"), id_at_caller(&log, "echo:1"));
}

#[test]
fn an_id_in_the_log_parses_as_its_own_type_only() {
    let log = drive(&["sleep:1"]).log();
    let line = log
        .iter()
        .find(|line| line.message == "sleeping")
        .expect("the service must log the call");
    assert!(line.call.parse::<CallId>().is_ok(), "{line:?}");
    let error = line
        .call
        .parse::<ServiceId>()
        .expect_err("the id is that of a call")
        .to_string();
    assert_eq!(error, "not a ServiceId: expected it to start with `svc_`");
    let error = line
        .instance
        .parse::<InstanceId>()
        .expect_err("the log has the short form")
        .to_string();
    assert_eq!(error, "expected 24 characters after the prefix, found 6");
}
