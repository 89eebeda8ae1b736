//! Streams that a test reads and writes.

use e2e::guest_file;
use golden::streams::streams::{Item, Receipt, feed};
use parigot_guest::Cause;
use parigot_host::deployment::GuestSpec;
use parigot_host::testing::{Answer, Fake, Kind, TestRun};

use super::{MS, host};

fn start() -> TestRun {
    host()
        .guest(GuestSpec::service("feed", guest_file("feed")))
        .start()
}

fn item(text: &str) -> Item {
    Item { text: text.into() }
}

#[test]
fn a_test_reads_responses_one_by_one() {
    let mut run = start();
    let stream = run.open::<feed::Watch>(item("count 9"));
    run.run_until_idle();
    assert_eq!(stream.waiting(), 4, "the service is a window ahead");
    for number in 0..9 {
        let next = run.next(&stream).expect("the service must not fail");
        assert_eq!(next, Some(item(&number.to_string())));
    }
    assert_eq!(run.next(&stream).expect("the service must not fail"), None);
}

#[test]
fn a_test_sends_requests() {
    let mut run = start();
    let stream = run.open_requests::<feed::Upload>();
    (0..9).for_each(|_| run.send(&stream, item("x")));
    run.finish(&stream);
    let receipt = run.wait(&stream).expect("the service must not fail");
    assert_eq!(receipt.items, 9);

    let chat = run.open_requests::<feed::Chat>();
    for text in ["a", "b"] {
        run.send(&chat, item(text));
        let answer = run.next(&chat).expect("the service must not fail");
        assert_eq!(answer, Some(item(text)));
    }
    run.finish(&chat);
    assert_eq!(run.next(&chat).expect("the service must not fail"), None);
}

#[test]
fn a_test_cancels_a_stream() {
    let mut run = start();
    let stream = run.open::<feed::Watch>(item("hang"));
    run.run_until_idle();
    run.cancel_stream(stream);
    run.run_until_idle();
    assert_eq!(run.log("feed"), ["hanging", "handler dropped"]);
}

#[test]
fn a_crash_ends_streams_as_unknown() {
    let mut run = start();
    let stream = run.open::<feed::Watch>(item("bytes 9"));
    run.run_until_idle();
    run.crash("feed");
    for _ in 0..4 {
        run.next(&stream).expect("the item has arrived before");
    }
    let error = run.next(&stream).expect_err("the service has crashed");
    let status = error.status().expect("it is no error of the service");
    assert_eq!(status.cause(), Cause::CalleeTrapped);
}

#[test]
fn frames_of_streams_are_recorded_with_their_calls() {
    let mut run = start();
    let chat = run.open_requests::<feed::Chat>();
    run.send(&chat, item("x"));
    run.finish(&chat);
    run.next(&chat).expect("the service must not fail");
    run.wait(&chat).expect("the service must not fail");
    run.advance(MS);
    let frames = run.frames();
    let of_kind = |kind, from: &str| {
        let mut found = frames.iter().filter(|frame| frame.kind == kind);
        let frame = found.find(|frame| frame.from == from);
        let frame = frame.unwrap_or_else(|| panic!("{kind:?} of {from}: {frames:?}"));
        assert_eq!((&*frame.service, &*frame.method), ("streams.Feed", "Chat"));
        frame.to_string()
    };
    assert!(of_kind(Kind::Item, "test").contains("test -> feed"));
    assert!(of_kind(Kind::Item, "feed").contains("feed -> test"));
    assert!(of_kind(Kind::End, "test").contains("End streams.Feed/Chat"));
}

/// Runs a program that makes these calls of a fake, and returns how they end.
fn stream_with(fake: &Fake, calls: &[&str]) -> Vec<String> {
    let streamer = GuestSpec::program("streamer", guest_file("streamer"));
    let mut run = host()
        .guest(streamer.with_args(calls.iter().copied()))
        .fake(fake)
        .start();
    assert_eq!(run.wait_for_exit("streamer"), 0);
    run.log("streamer")
}

#[test]
fn fakes_serve_streams() {
    let fake = Fake::new("feed");
    fake.stream::<feed::Watch>(|_| Answer::stream((0..99).map(|_| item("x"))));
    fake.stream::<feed::Upload>(|requests| {
        Answer::ok(Receipt {
            items: requests.len() as u32,
        })
    });
    fake.stream::<feed::Chat>(|_| {
        Answer::crash("on fire").after_responses([item("one"), item("two")])
    });
    let log = stream_with(&fake, &["watch=x", "upload=a,b,c,d,e,f,g", "chat=9"]);
    assert_eq!(
        log[..2],
        ["watch=x: 99 items, complete", "upload=a,b,c,d,e,f,g: 7"]
    );
    assert!(
        log[2].starts_with("chat=9: sent true, 2 items, unknown: "),
        "{}",
        log[2]
    );
    assert_eq!(fake.requests::<feed::Chat>().len(), 9);
}

#[test]
fn a_guest_may_cancel_the_stream_of_a_fake() {
    let fake = Fake::new("feed");
    fake.stream::<feed::Watch>(|_| Answer::stream((0..99).map(|_| item("x"))));
    assert_eq!(
        stream_with(&fake, &["watch/3=x"]),
        ["watch/3=x: 3 items, complete"]
    );
}
