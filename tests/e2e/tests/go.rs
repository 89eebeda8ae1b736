//! A guest in Go, which speaks the ABI itself, on the host that runs the guests in Rust.

use e2e::{App, go_probe, guest};

/// Runs the driver with these calls against the probe.
fn drive(calls: &[&str]) -> e2e::Ended {
    let deployment = format!(
        "[service.probe]\nwasm = \"probe.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    );
    App::new(&deployment).with("probe.wasm", go_probe()).with("driver.wasm", guest("driver")).run()
}

#[test]
fn go_answers_rust_after_its_handler_has_slept() {
    let ended = drive(&["echo:16", "echo:1+echo:2"]);
    assert_eq!(ended.messages_of("driver"), ["echo:16: 16 bytes", "echo:1: 1 bytes", "echo:2: 2 bytes"]);
    let probe = ended.log().into_iter().filter(|line| line.guest == "probe").collect::<Vec<_>>();
    assert_eq!(probe[0].message, "the probe is open", "what Go prints is in the log");
    let echo = probe.iter().find(|line| line.message.starts_with("an echo of 18 bytes")).expect("the handler logs");
    assert!(echo.call.starts_with("cal_"), "{echo:?}");
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

#[test]
fn a_method_that_go_lacks_is_unimplemented_and_nothing_else_is() {
    let ended = drive(&["refuse", "echo:1"]);
    assert_eq!(
        ended.messages_of("driver"),
        ["refuse: UNIMPLEMENTED, no such method: probe has no such method", "echo:1: 1 bytes"]
    );
}
