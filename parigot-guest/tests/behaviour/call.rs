//! Outbound calls.

use parigot_abi::{Cause, Code};
use parigot_guest::futures_lite::future::zip;
use parigot_guest::{CallError, Client, Context, Error, Exit, info};

use crate::greeting::*;
use crate::harness::{Guest, launched};

fn tongue(tongue: i32) -> FetchGreetingRequest {
    FetchGreetingRequest { tongue }
}

/// Makes one call and logs how it ended.
async fn one_call(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    match GreetingClient::locate(&cx)?.fetch_greeting(tongue(1)).await {
        Ok(reply) => info!(cx, "{}", reply.greeting),
        Err(CallError::Service(error)) => info!(cx, "service error {error:?}"),
        Err(CallError::Unrecognized(number)) => info!(cx, "unrecognized {number}"),
        Err(CallError::Status(status)) => info!(cx, "{status}"),
    }
    Ok(Exit::SUCCESS)
}

fn check_reply(reply: impl FnOnce(&Guest) -> Vec<u8>, expected: &str) {
    let (mut guest, _) = Guest::started(one_call);
    assert_eq!(
        guest.turn([launched(&[70])]),
        ["reply 0: OK", "call a: 70.0 tongue 1"]
    );
    let reply = reply(&guest);
    assert_eq!(
        guest.turn([reply]),
        [format!("Info: {expected}").as_str(), "exit 0"]
    );
}

#[test]
fn a_call_completes_with_the_response() {
    check_reply(|guest| guest.reply('a', "bonjour"), "bonjour");
}

#[test]
fn a_call_completes_with_the_error_of_the_service() {
    check_reply(
        |guest| guest.reply_error('a', 1),
        "service error UnknownLang",
    );
}

#[test]
fn an_unknown_error_keeps_its_number() {
    check_reply(|guest| guest.reply_error('a', -9), "unrecognized -9");
}

#[test]
fn an_unanswered_call_reports_cause_and_method() {
    check_reply(
        |guest| guest.reply_failure('a', Code::DeadlineExceeded, Cause::TimedOut, "after 3s"),
        "DEADLINE_EXCEEDED: timed out: after 3s \
         (greeting.v1.Greeting/FetchGreeting, call cal_0000000000000000000001ag)",
    );
}

#[test]
fn an_undecodable_response_is_an_internal_error() {
    let (mut guest, _) = Guest::started(one_call);
    guest.turn([launched(&[70])]);
    let trace = guest.turn([guest.reply_payload('a', &[0xff])]);
    assert!(
        trace[0].starts_with("Info: INTERNAL: answer lost: the response cannot be decoded: "),
        "{trace:?}"
    );
}

#[test]
fn calls_are_sent_at_once_and_replied_in_any_order() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let greeting = GreetingClient::locate(&cx)?;
        let one = greeting.fetch_greeting(tongue(1));
        let two = greeting.fetch_greeting(tongue(2));
        let (one, two) = zip(one, two).await;
        info!(cx, "{} {}", one?.greeting, two?.greeting);
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    assert_eq!(
        guest.turn([launched(&[70])]),
        [
            "reply 0: OK",
            "call a: 70.0 tongue 1",
            "call b: 70.0 tongue 2"
        ]
    );
    assert!(guest.turn([guest.reply('b', "two")]).is_empty());
    assert_eq!(
        guest.turn([guest.reply('a', "one")]),
        ["Info: one two", "exit 0"]
    );
}

#[test]
fn an_unread_reply_outlives_its_inbox() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let greeting = GreetingClient::locate(&cx)?;
        let early = greeting.fetch_greeting(tongue(1));
        greeting.fetch_greeting(tongue(2)).await?;
        info!(cx, "{}", early.await?.greeting);
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    guest.turn([launched(&[70])]);
    assert!(guest.turn([guest.reply('a', "kept")]).is_empty());
    assert_eq!(
        guest.turn([guest.reply('b', "overwrites the inbox")]),
        ["Info: kept", "exit 0"]
    );
}

#[test]
fn a_too_large_request_fails_at_once() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let error = GreetingClient::locate(&cx)?
            .fetch_greeting(tongue(1))
            .await
            .unwrap_err();
        let status = error.status().expect("the call must fail with a status");
        assert_eq!(
            (status.code(), status.cause()),
            (Code::ResourceExhausted, Cause::TooLarge)
        );
        assert_eq!(
            status.message(),
            "request of 2 bytes exceeds the limit of 1"
        );
        assert!(status.call_id().is_empty() && status.instance_id().is_empty());
        assert_eq!(
            (status.service(), status.method()),
            (Some("greeting.v1.Greeting"), Some("FetchGreeting"))
        );
        assert!(error.is_refused() && !error.is_timed_out() && !error.is_cancelled());
        Ok(Exit::SUCCESS)
    }
    let mut guest = Guest::program(main);
    guest.message_bytes_max = 1;
    guest.start();
    assert_eq!(guest.turn([launched(&[70])]), ["reply 0: OK", "exit 0"]);
}

#[test]
fn duplicate_and_late_replies_are_ignored() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let greeting = GreetingClient::locate(&cx)?;
        for number in 1..=3 {
            info!(
                cx,
                "{}",
                greeting.fetch_greeting(tongue(number)).await?.greeting
            );
        }
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    guest.turn([launched(&[70])]);
    let twice = [guest.reply('a', "first"), guest.reply('a', "second")];
    assert_eq!(guest.turn(twice), ["Info: first", "call b: 70.0 tongue 2"]);
    // The second call has the slot of the first.
    assert!(guest.turn([guest.reply('a', "late")]).is_empty());
    assert_eq!(
        guest.turn([guest.reply('b', "right")]),
        ["Info: right", "call c: 70.0 tongue 3"]
    );
}

#[test]
fn each_call_of_a_client_carries_its_metadata() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let plain = GreetingClient::locate(&cx)?;
        let marked = plain
            .with_metadata("user", "ann")
            .with_metadata("trace", "7");
        let _calls = (
            marked.fetch_greeting(tongue(1)),
            plain.fetch_greeting(tongue(2)),
        );
        core::future::pending().await
    }
    let (mut guest, _) = Guest::started(main);
    assert_eq!(
        guest.turn([launched(&[70])]),
        [
            "reply 0: OK",
            "call a: 70.0 tongue 1, user=ann, trace=7",
            "call b: 70.0 tongue 2"
        ]
    );
}
