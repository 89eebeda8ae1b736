//! Methods that stream: real guests, with the real command and on `TestHost`.

mod deadlines;
mod languages;
mod lies;
mod pressure;

use e2e::{App, Ended, guest, soak};

/// Returns an app with the service `feed`, with these keys in its table, and the program
/// `streamer`, which makes these calls.
fn app(keys: &str, calls: &[&str]) -> App {
    let deployment = format!(
        "[service.feed]\nwasm = \"feed.wasm\"\n{keys}\n\
         [program.streamer]\nwasm = \"streamer.wasm\"\nargs = {calls:?}\n"
    );
    App::new(&deployment)
        .with("feed.wasm", guest("feed"))
        .with("streamer.wasm", guest("streamer"))
}

/// Makes these calls. Returns how they end.
#[track_caller]
fn stream(keys: &str, calls: &[&str]) -> Vec<String> {
    outcomes(&app(keys, calls).run(), calls)
}

/// Returns how these calls have ended.
#[track_caller]
fn outcomes(ended: &Ended, calls: &[&str]) -> Vec<String> {
    outcomes_of(ended, "streamer", calls)
}

/// Returns how these calls of a caller have ended.
#[track_caller]
fn outcomes_of(ended: &Ended, caller: &str, calls: &[&str]) -> Vec<String> {
    let messages = ended.messages_of(caller);
    let outcome = |call: &&str| {
        let prefix = format!("{call}: ");
        let mut found = messages
            .iter()
            .filter_map(|line| line.strip_prefix(&prefix));
        found
            .next()
            .unwrap_or_else(|| panic!("{call}: {}", ended.stderr))
            .to_owned()
    };
    calls.iter().map(outcome).collect()
}

/// Checks how one call ends that breaks off.
#[track_caller]
fn check_end(keys: &str, call: &str, expected: &str) {
    let outcome = stream(keys, &[call]).remove(0);
    assert!(outcome.starts_with(expected), "{call}: {outcome}");
}

#[test]
fn the_example_shows_each_kind() {
    let mut command = e2e::parigot_run(std::path::Path::new("streams.toml"));
    let ended = e2e::Started::new(command.current_dir(e2e::streams())).wait();
    let expected = [
        "day 1: sunny",
        "day 2: sunny",
        "day 3: sunny",
        "stored 10000 bytes in 10 chunks",
        "too large",
        "1 file is stored",
        "chat: yes",
        "chat: see you",
    ];
    assert_eq!(ended.messages_of("visitor"), expected, "{}", ended.stderr);
    assert_eq!(ended.status, Some(0));
}

#[test]
fn all_kinds_carry_their_items() {
    let calls = [
        "watch=count 0",
        "watch=count 1000",
        "upload=a,b,c,d,e,f,g",
        "chat=0",
        "chat=1000",
        "last=x",
    ];
    let expected = [
        "0 items, complete",
        "1000 items, complete",
        "7",
        "sent true, 0 items, complete",
        "sent true, 1000 items, complete",
        "x",
    ];
    assert_eq!(stream("", &calls), expected);
}

#[test]
fn items_come_before_the_failure() {
    check_end("", "watch=full 9", "9 items, answered: ");
    let never = "restart = \"never\"";
    check_end(never, "watch=panic 9", "9 items, unknown: ");
    check_end(never, "watch=exit 9", "9 items, unknown: ");
    check_end(never, "watch=trap 2", "2 items, unknown: ");
}

#[test]
fn a_handler_may_end_an_upload_early() {
    let calls = ["upload=a,stop,b,c,d,e,f,g,h", "upload=a,full,b,c,d,e,f,g,h"];
    let [stopped, failed] = &stream("", &calls)[..] else {
        panic!("there are two calls");
    };
    assert_eq!(stopped, "2");
    assert!(failed.starts_with("answered: "), "{failed}");
    check_end("restart = \"never\"", "upload=a,panic,b", "unknown: ");
}

#[test]
fn an_upload_that_breaks_off_does_not_look_complete() {
    let ended = app("", &["upload=a,b,c,d,e,f,…", "last=x"]).run();
    let log = ended.messages_of("feed");
    assert_eq!(log, ["upload: CANCELLED"], "{}", ended.stderr);
}

#[test]
fn a_dropped_stream_cancels_its_handler() {
    let ended = app("", &["watch@50=hang", "watch/3=bytes 16", "last=x"]).run();
    assert_eq!(
        ended.messages_of("feed"),
        ["hanging", "handler dropped"],
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(0));
}

#[test]
fn streams_that_were_dropped_leave_nothing() {
    use parigot_host::deployment::Deployment;
    use parigot_host::{Settings, start};

    // One stream stays open, so that the deployment does.
    let count = soak(10_000, 100_000);
    let dropped = format!("dropped={count}:bytes 16");
    let app = app("", &[&dropped, "unread=1:hang"]);
    let deployment = Deployment::read(&app.file()).expect("the deployment file must be valid");
    let settings = Settings {
        code_cache: Some(e2e::code_cache()),
        ..Settings::default()
    };
    let (running, log) =
        e2e::Capture::during(|| start(&deployment, settings).expect("the deployment must start"));
    log.wait_for("unread=1:hang: 1 open");
    log.wait_for("hanging");
    let served = || {
        let pending = running.pending();
        let feed = pending.iter().find(|pending| pending.guest == "feed");
        feed.expect("the guest is known").inbound
    };
    while served() != 1 {
        std::thread::yield_now();
    }
    running.stopper().stop();
    running.wait();
}

#[test]
fn no_item_is_lost_or_doubled_while_the_service_fails() {
    let calls = format!("ledger={}", soak(50_000, 5_000_000));
    let keys = "max_restarts = 1000\nmax_seconds = 1";
    let outcome = stream(keys, &[&calls]).remove(0);
    assert!(outcome.starts_with("wrong 0, "), "{outcome}");
    assert!(
        !outcome.contains("broken 0"),
        "the service must have failed: {outcome}"
    );
}

#[test]
fn unary_calls_are_answered_beside_streams() {
    assert_eq!(stream("", &["flood=500"]), ["answered"]);
}

#[test]
fn a_stop_ends_streams() {
    let app = app("", &["unread=3:bytes 16"]);
    let mut started = app.start();
    started.wait_for("3 open");
    started.interrupt();
    let ended = started.wait();
    assert!(!ended.stderr.contains("killed"), "{}", ended.stderr);
    assert_eq!(ended.status, Some(130));
}
