//! Tests of handlers that stream with [`parigot_guest::testing`], as users write them.

use core::time::Duration;

use parigot_guest::CallError;
use parigot_guest::future::timeout;
use parigot_guest::testing::{Answer, Fake, GuestRun, TestCall, TestGuest};

use crate::feed::feed::{Chat, Last, Upload, Watch};
use crate::feed::*;
use crate::stream::desk::item;

mod desk {
    use crate::feed::*;
    use crate::stream::desk::Desk;

    parigot_guest::service!(Desk, exports(FeedServer));
}

fn start() -> GuestRun {
    TestGuest::new(desk::GUEST).start()
}

fn watch(command: &str) -> TestCall<Watch> {
    TestCall::new(item(command))
}

#[test]
fn a_test_takes_responses_one_by_one() {
    let mut run = start();
    let stream = run.open(watch("count 6"));
    assert_eq!(stream.waiting(), 4, "the handler is four responses ahead");
    let mut texts = Vec::new();
    while let Some(item) = run.next(&stream).expect("the call must succeed") {
        texts.push(item.text);
    }
    assert_eq!(texts, ["0", "1", "2", "3", "4", "5"]);
    assert!(stream.has_ended());
}

#[test]
fn a_failure_follows_the_responses() {
    let mut run = start();
    let stream = run.open(watch("fail"));
    assert!(run.next(&stream).is_ok_and(|item| item.is_some()));
    let error = run.next(&stream).expect_err("the handler fails");
    assert!(matches!(error, CallError::Service(FeedErr::Full, _)));
}

#[test]
fn the_clock_advances_to_the_next_response() {
    let mut run = start();
    let stream = run.open(watch("sleep").with_metadata("user", "ann"));
    let texts = [(); 2].map(|()| run.next(&stream).ok().flatten().map(|item| item.text));
    assert_eq!(texts, [Some("before".into()), Some("after".into())]);
}

#[test]
fn a_test_sends_requests_and_gets_the_response() {
    let mut run = start();
    let stream = run.open(TestCall::<Upload>::streaming());
    for number in 0..10 {
        run.send(&stream, item(number.to_string()));
    }
    assert!(!stream.has_ended());
    run.finish(&stream);
    let receipt = run.wait(&stream).expect("the call must succeed");
    assert_eq!(receipt.items, 10);
}

#[test]
fn requests_wait_for_a_slow_handler() {
    let mut run = start();
    let stream = run.open(TestCall::<Upload>::streaming());
    for _ in 0..6 {
        run.send(&stream, item("sleep"));
    }
    run.finish(&stream);
    let receipt = run.wait(&stream).expect("the call must succeed");
    assert_eq!(receipt.items, 6);
}

#[test]
fn a_test_talks_in_both_directions() {
    let mut run = start();
    let stream = run.open(TestCall::<Chat>::streaming());
    for text in ["one", "two"] {
        run.send(&stream, item(text));
        let answer = run.next(&stream).expect("the call must succeed");
        assert_eq!(answer, Some(item(text)));
    }
    run.finish(&stream);
    assert_eq!(run.next(&stream).ok(), Some(None));
}

#[test]
fn a_handler_sees_the_cancellation_of_its_stream() {
    let mut run = start();
    let stream = run.open(watch("conclude"));
    run.cancel(&stream);
    assert_eq!(run.log(), ["closed true", "dropped"]);
    let error = stream.outcome().expect("the call has ended");
    assert!(error.is_err_and(|error| error.is_cancelled()));
}

#[test]
fn the_default_deadline_covers_the_first_frame() {
    let mut run = start();
    let silent = run.open(TestCall::<Upload>::streaming());
    run.advance(Duration::from_secs(3));
    let error = silent.outcome().expect("the call has ended");
    assert!(error.is_err_and(|error| error.is_timed_out()));

    let begun = run.open(TestCall::<Chat>::streaming());
    run.send(&begun, item("one"));
    run.advance(Duration::from_secs(60));
    assert!(!begun.has_ended() && begun.waiting() == 1);
    // The `.proto` gives this method a minute, which covers the whole call.
    let limited = run.open(watch("conclude"));
    run.advance(Duration::from_secs(60));
    let error = limited.outcome().expect("the call has ended");
    assert!(error.is_err_and(|error| error.is_timed_out()));
}

#[test]
#[should_panic(expected = "Last does not stream: use `begin`")]
fn a_unary_method_has_no_stream() {
    start().open(TestCall::<Last>::new(item("")));
}

#[test]
#[should_panic(expected = "Watch streams: use `open`")]
fn a_method_that_streams_is_no_unary_call() {
    start().begin(watch("count 1"));
}

#[test]
#[should_panic(expected = "Watch streams: use `stream`")]
fn a_closure_for_unary_calls_serves_no_stream() {
    Fake::new("feed").on::<Watch>(Ok);
}

/// A guest that calls the fake.
fn caller(fake: &Fake) -> GuestRun {
    TestGuest::client().fake(fake).start()
}

#[test]
fn a_fake_sends_responses_as_the_guest_reads_them() {
    let fake = Fake::new("feed");
    fake.stream::<Watch>(|_| Answer::stream((0..100).map(|number| item(number.to_string()))));
    let texts = caller(&fake).run(async |cx| {
        let feed = FeedClient::locate(&cx).expect("the fake exports it");
        let mut responses = feed.watch(item("all"));
        let mut texts = Vec::new();
        while let Some(item) = responses.next().await.expect("the fake answers") {
            texts.push(item.text);
        }
        texts
    });
    assert!((0..100).map(|number| number.to_string()).eq(texts));
    assert_eq!(fake.requests::<Watch>(), [item("all")]);
}

#[test]
fn a_fake_fails_behind_its_responses() {
    let fake = Fake::new("feed");
    fake.stream::<Watch>(|_| Answer::error(FeedErr::Full).after_responses([item("one")]));
    fake.stream::<Chat>(|_| Answer::never().after_responses([item("one")]));
    caller(&fake).run(async |cx| {
        let feed = FeedClient::locate(&cx).expect("the fake exports it");
        let mut responses = feed.watch(item(""));
        assert!(responses.next().await.is_ok_and(|item| item.is_some()));
        let error = responses.next().await.expect_err("the fake fails");
        assert!(matches!(error, CallError::Service(FeedErr::Full, _)));

        let (notes, mut answers) = feed.chat();
        notes.finish();
        assert!(answers.next().await.is_ok_and(|item| item.is_some()));
        let late = timeout(&cx, Duration::from_secs(60), answers.next()).await;
        assert!(
            late.is_err(),
            "the default deadline ends with the first item"
        );
    });
}

#[test]
fn a_fake_gets_all_requests() {
    let fake = Fake::new("feed");
    fake.stream::<Upload>(|requests| {
        Answer::ok(Receipt {
            items: requests.len() as u32,
        })
    });
    let receipt = caller(&fake).run(async |cx| {
        let feed = FeedClient::locate(&cx).expect("the fake exports it");
        let mut upload = feed.upload();
        for number in 0..50 {
            let sent = upload.send(item(number.to_string())).await;
            sent.expect("the fake takes all requests");
        }
        upload.finish().await.expect("the fake answers")
    });
    assert_eq!(receipt.items, 50);
    assert_eq!(fake.requests::<Upload>().len(), 50);
}

#[test]
fn a_unary_method_beside_streams_works() {
    let mut run = start();
    let last = run.call::<Last>(item("one"));
    assert_eq!(last.expect("the call must succeed"), item("one"));
}
