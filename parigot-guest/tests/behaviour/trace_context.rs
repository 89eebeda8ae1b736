//! Nested calls carry the trace context of their call.

use parigot_abi::{Header, Kind};
use parigot_guest::{Client, Context, Failure};
use prost::Message;

use crate::deadline::Spawner;
use crate::greeting::*;
use crate::harness::{Guest, Inbound, call, frame};

/// Returns a call with a trace context and other metadata.
fn traced(number: u64, tongue: i32) -> Inbound {
    let payload = FetchGreetingRequest { tongue }.encode_to_vec();
    frame(
        Header {
            number,
            ..Header::new(Kind::Call)
        },
        |frame| {
            frame
                .metadata("user", "ann")
                .metadata("tracestate", "s")
                .metadata("traceparent", "p")
                .payload(&payload)
        },
    )
}

/// Forwards each call; the tongue selects metadata of the nested call.
#[derive(Default)]
struct Relay;

impl Greeting for Relay {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        let greeting = GreetingClient::locate(cx).expect("Greeting must be required");
        let greeting = match request.tongue {
            1 => greeting.with_metadata("size", "big"),
            2 => greeting.with_metadata("traceparent", "mine"),
            _ => greeting,
        };
        cx.yield_now().await;
        greeting
            .fetch_greeting(request)
            .await
            .map_err(|_| GreetErr::UnknownLang.into())
    }
}

#[test]
fn a_nested_call_inherits_or_replaces_the_trace() {
    let mut guest = Guest::serving::<Relay, _>();
    assert_eq!(
        guest.turn([traced(1, 0)]),
        ["call a: 70.0 tongue 0 for 1, traceparent=p, tracestate=s"]
    );
    assert_eq!(
        guest.turn([traced(2, 1)]),
        ["call b: 70.0 tongue 1 for 2, size=big, traceparent=p, tracestate=s"]
    );
    assert_eq!(
        guest.turn([traced(3, 2)]),
        ["call c: 70.0 tongue 2 for 3, traceparent=mine"]
    );
}

#[test]
fn each_of_two_handlers_has_its_own_trace() {
    let mut guest = Guest::serving::<Relay, _>();
    assert_eq!(
        guest.turn([call(1, 0), traced(2, 0), call(3, 0)]),
        [
            "call a: 70.0 tongue 0 for 1",
            "call b: 70.0 tongue 0 for 2, traceparent=p, tracestate=s",
            "call c: 70.0 tongue 0 for 3"
        ]
    );
}

#[test]
fn a_spawned_task_inherits_the_trace_of_its_context() {
    let mut guest = Guest::serving::<Spawner, _>();
    let sent = guest.turn([traced(1, 0)]);
    let calls: Vec<_> = sent
        .iter()
        .filter(|line| line.starts_with("call"))
        .collect();
    assert_eq!(
        calls,
        [
            "call a: 70.0 tongue 0 for 1, traceparent=p, tracestate=s",
            "call b: 70.0 tongue 0 for 1, traceparent=p, tracestate=s",
            "call c: 70.0 tongue 0",
        ],
        "{sent:?}"
    );
}
