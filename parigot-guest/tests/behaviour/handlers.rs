//! Futures that are moved into the event loop, with handlers for their results.

use core::cell::RefCell;
use core::time::Duration;
use std::rc::Rc;

use parigot_guest::{Context, Error, Exit, info};

use crate::greeting::*;
use crate::harness::{Guest, launched};

fn tongue(tongue: i32) -> FetchGreetingRequest {
    FetchGreetingRequest { tongue }
}

/// Launches, calls twice with all kinds of handlers, and never awaits a call.
async fn handlers_only(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let greeting = GreetingClient::locate(&cx)?;
    for number in 1..=2 {
        let one = cx.clone();
        let two = cx.clone();
        let three = cx.clone();
        greeting
            .fetch_greeting(tongue(number))
            .success(move |reply| info!(one, "first: {}", reply.greeting))
            .failure(move |error| info!(two, "failed: {error}"))
            .success(move |reply| info!(three, "second: {}", reply.greeting));
    }
    core::future::pending().await
}

#[test]
fn matching_handlers_run_in_order_of_registration() {
    let (mut guest, _) = Guest::started(handlers_only);
    guest.turn([launched(&[70])]);
    assert_eq!(
        guest.turn([guest.reply('a', "bonjour")]),
        ["Info: first: bonjour", "Info: second: bonjour"]
    );
    assert_eq!(
        guest.turn([guest.reply_error('b', 1)]),
        ["Info: failed: UNKNOWN_LANG"]
    );
}

#[test]
fn a_late_handler_runs_at_once() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let inside = cx.clone();
        let call = GreetingClient::locate(&cx)?
            .fetch_greeting(tongue(1))
            .success(move |reply| info!(inside, "early: {}", reply.greeting));
        cx.sleep(Duration::from_nanos(1)).await;
        info!(cx, "outcome: {}", call.outcome().is_some());
        let one = cx.clone();
        let two = cx.clone();
        let _ = call
            .failure(move |_| info!(one, "never"))
            .success(move |reply| info!(two, "late: {}", reply.greeting));
        info!(cx, "after");
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    guest.turn([launched(&[70])]);
    assert_eq!(
        guest.turn([guest.reply('a', "bonjour")]),
        ["Info: early: bonjour"]
    );
    guest.now_ns += 1;
    assert_eq!(
        guest.turn([]),
        [
            "Info: outcome: true",
            "Info: late: bonjour",
            "Info: after",
            "exit 0"
        ]
    );
}

#[test]
fn a_handler_may_register_another() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        let nap = cx.sleep(Duration::ZERO).success(|()| {});
        let inner = nap.clone();
        let one = cx.clone();
        let two = cx.clone();
        nap.success(move |()| {
            inner.success(move |()| info!(one, "inner"));
        })
        .success(move |()| info!(two, "outer"));
        core::future::pending().await
    }
    let (mut guest, trace) = Guest::started(main);
    assert!(trace.is_empty());
    assert_eq!(guest.turn([]), ["Info: inner", "Info: outer"]);
}

#[test]
fn launch_calls_and_exit_need_no_await() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        let reply = Rc::new(RefCell::new(String::new()));
        cx.clone()
            .launch()
            .success(move |()| {
                let greeting = GreetingClient::locate(&cx).expect("Greeting must be required");
                greeting.fetch_greeting(tongue(1)).success(move |response| {
                    reply.borrow_mut().push_str(&response.greeting);
                    let last = cx.clone();
                    cx.exit(7)
                        .success(move |()| info!(last, "{}, world", reply.borrow()));
                });
            })
            .failure(|status| panic!("{status}"));
        core::future::pending().await
    }
    let (mut guest, _) = Guest::started(main);
    assert_eq!(
        guest.turn([launched(&[70])]),
        ["reply 0: OK", "call a: 70.0 tongue 1"]
    );
    assert_eq!(
        guest.turn([guest.reply('a', "bonjour")]),
        ["Info: bonjour, world", "exit 7"]
    );
}
