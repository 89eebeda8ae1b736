//! Deadlines of calls that stream, on the clock of a test.

use std::time::Duration;

use e2e::{code_cache, guest_file};
use parigot_host::deployment::GuestSpec;
use parigot_host::testing::{TestHost, TestRun};

const MS: Duration = Duration::from_millis(1);

fn run(calls: &[&str]) -> TestRun {
    TestHost::new()
        .code_cache(code_cache())
        .guest(GuestSpec::service("feed", guest_file("feed")))
        .guest(
            GuestSpec::program("streamer", guest_file("streamer")).with_args(calls.iter().copied()),
        )
        .start()
}

/// Makes a call, and returns how it ends and how long it takes.
fn stream(call: &str) -> (String, Duration) {
    let mut run = run(&[call]);
    assert_eq!(run.wait_for_exit("streamer"), 0);
    let log = run.log("streamer");
    let outcome = log[0].strip_prefix(&format!("{call}: "));
    let outcome = outcome.expect("the call must be logged").to_owned();
    (outcome, run.now())
}

#[test]
fn a_default_deadline_covers_the_time_to_the_first_frame() {
    // The service takes 3 seconds at most for its first frame.
    let (outcome, took) = stream("upload=hang");
    assert!(
        outcome.starts_with("unknown: ") && outcome.contains("deadline"),
        "{outcome}"
    );
    assert!((3_000 * MS..4_000 * MS).contains(&took), "{took:?}");
    // A second passes before each of the other notes.
    let (outcome, took) = stream("chat/1000=9");
    assert_eq!(outcome, "sent true, 9 items, complete");
    assert!(took >= 8_000 * MS, "{took:?}");
}

#[test]
fn a_deadline_of_the_caller_covers_the_whole_stream() {
    let (outcome, took) = stream("watch@1500=sleep 1000");
    assert!(outcome.starts_with("1 items, unknown: "), "{outcome}");
    assert!((1_500 * MS..2_000 * MS).contains(&took), "{took:?}");
}

#[test]
fn a_deadline_of_the_method_covers_the_whole_stream() {
    // `Watch` has a deadline of a minute.
    let (outcome, took) = stream("watch=sleep 29000");
    assert_eq!((&*outcome, took.as_secs()), ("2 items, complete", 58));
    let (outcome, took) = stream("watch=sleep 31000");
    assert!(outcome.starts_with("1 items, unknown: "), "{outcome}");
    assert!((60_000 * MS..61_000 * MS).contains(&took), "{took:?}");
}

#[test]
fn headers_are_a_first_frame() {
    let (outcome, took) = stream("watch=open");
    assert!(outcome.starts_with("0 items, unknown: "), "{outcome}");
    assert!(took >= 60_000 * MS, "{took:?}");
}
