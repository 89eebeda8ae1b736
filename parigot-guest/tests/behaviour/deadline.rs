//! Deadlines of nested calls.

use core::time::Duration;

use parigot_guest::{Client, Context, Failure};

use crate::greeting::*;
use crate::harness::{Guest, call, call_by};

/// Forwards each call. The tongue is the deadline of the nested call in microseconds; 0 means none.
#[derive(Default)]
struct Relay;

impl Greeting for Relay {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        let mut greeting = GreetingClient::locate(cx).expect("Greeting must be required");
        if request.tongue != 0 {
            greeting = greeting.with_deadline(Duration::from_micros(request.tongue as u64));
        }
        // An await in between does not change the deadline.
        cx.yield_now().await;
        greeting
            .fetch_greeting(request)
            .await
            .map_err(|_| GreetErr::UnknownLang.into())
    }
}

#[test]
fn a_nested_call_has_the_earlier_deadline() {
    let mut guest = Guest::serving::<Relay, _>();
    guest.now_ns = 1_000_000;
    assert_eq!(guest.turn([call(1, 0)]), ["call a: 70.0 tongue 0 for 1"]);
    assert_eq!(
        guest.turn([call_by(2, 0, 5_000_000)]),
        ["call b: 70.0 tongue 0 for 2, by 5000000"]
    );
    assert_eq!(
        guest.turn([call_by(3, 300, 5_000_000)]),
        ["call c: 70.0 tongue 300 for 3, by 1300000"]
    );
    assert_eq!(
        guest.turn([call_by(4, 9_000, 5_000_000)]),
        ["call d: 70.0 tongue 9000 for 4, by 5000000"]
    );
    assert_eq!(
        guest.turn([call(5, 300)]),
        ["call e: 70.0 tongue 300 for 5, by 1300000"]
    );
}

#[test]
fn each_of_two_handlers_has_its_own_deadline() {
    let mut guest = Guest::serving::<Relay, _>();
    assert_eq!(
        guest.turn([call_by(1, 0, 7_000), call_by(2, 0, 8_000), call(3, 0)]),
        [
            "call a: 70.0 tongue 0 for 1, by 7000",
            "call b: 70.0 tongue 0 for 2, by 8000",
            "call c: 70.0 tongue 0 for 3"
        ]
    );
}

/// Makes calls from a spawned task, from a background task, and from the handler of a call.
#[derive(Default)]
pub(crate) struct Spawner;

impl Greeting for Spawner {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        let greeting = GreetingClient::locate(cx).expect("Greeting must be required");
        for cx in [cx.clone(), cx.background()] {
            let greeting = greeting.clone();
            cx.spawn(async move {
                let _ = greeting.fetch_greeting(request).await;
            });
        }
        greeting.fetch_greeting(request).success(move |_| {
            drop(greeting.fetch_greeting(request));
        });
        Ok(FetchGreetingResponse::default())
    }
}

#[test]
fn a_spawned_task_belongs_to_the_call_of_its_context() {
    let mut guest = Guest::serving::<Spawner, _>();
    assert_eq!(
        guest.turn([call_by(1, 0, 9_000)]),
        [
            "call a: 70.0 tongue 0 for 1, by 9000", // detached
            "reply 1: OK",
            "call b: 70.0 tongue 0 for 1, by 9000", // spawned
            "call c: 70.0 tongue 0",                // in the background
        ]
    );
    assert_eq!(
        guest.turn([guest.reply('a', "")]),
        ["call d: 70.0 tongue 0 for 1, by 9000", "cancel d"]
    );
}

/// Answers with the requested tongue.
#[derive(Default)]
struct Parrot;

impl Greeting for Parrot {
    async fn fetch_greeting(
        &self,
        _: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        Ok(FetchGreetingResponse {
            greeting: request.tongue.to_string(),
        })
    }
}

#[test]
fn a_call_after_its_deadline_does_not_start() {
    const LATE: &str =
        "reply 1: DEADLINE_EXCEEDED (expired): the deadline passed before the call began";
    let mut guest = Guest::serving::<Parrot, _>();
    guest.now_ns = 5_000;
    assert_eq!(guest.turn([call_by(1, 0, 5_000)]), [LATE]);
    assert_eq!(guest.turn([call_by(2, 0, 5_001)]), ["reply 2: OK 0"]);
}

#[test]
fn a_queued_call_does_not_start_after_its_deadline() {
    let mut guest = Guest::serving::<Parrot, _>();
    guest.max_polls = 1;
    assert_eq!(
        guest
            .turn([call_by(1, 1, 9_000), call_by(2, 2, 9_000)])
            .len(),
        1
    );
    guest.now_ns = 9_000;
    let late = guest.turn([]);
    assert_eq!(late.len(), 1);
    assert!(late[0].contains("DEADLINE_EXCEEDED"), "{late:?}");
}
