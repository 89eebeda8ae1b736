//! Response metadata: headers and trailers.

use parigot_abi::{Cause, Code, Detail, ErrorDetail, Header, Kind};
use parigot_guest::prost::Message;
use parigot_guest::prost_types::Duration;
use parigot_guest::{Context, DynamicClient, Error, Exit, Failure, Status, info};

use crate::greeting::*;
use crate::harness::{Guest, Inbound, call, cancel, frame, launched};

fn tongue(tongue: i32) -> FetchGreetingRequest {
    FetchGreetingRequest { tongue }
}

/// Sets metadata, in different ways for each tongue.
#[derive(Default)]
struct Greeter;

impl Greeting for Greeter {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        match request.tongue {
            0 => cx.set_trailer("cost", "1"),
            1 => {
                cx.set_header("served-by", "a");
                cx.clone().set_header("served-by", "b");
                cx.set_header_bin("token-bin", &[0, 1, 2, 0xff]);
                cx.set_trailer_bin("digest-bin", b"");
            }
            2 => {
                cx.set_header("served-by", "c");
                cx.set_trailer("cost", "2");
                return Err(GreetErr::UnknownLang.into());
            }
            3 => {
                cx.set_header("served-by", "d");
                return Err(Status::new(Code::NotFound, "no such tongue").into());
            }
            4 => {
                cx.set_header("Parigot-Caller", "forged");
                cx.set_trailer_bin("digest", b"");
            }
            5 => {
                cx.set_header("served-by", "e");
                GreetingClient::locate(cx)?
                    .fetch_greeting(tongue(5))
                    .await?;
                cx.set_trailer("cost", "5");
            }
            _ => {
                let (early, late) = (cx.clone(), cx.clone());
                cx.spawn(async move {
                    late.yield_now().await;
                    late.set_header("served-by", "too late");
                });
                cx.background().set_header("served-by", "background");
                early.set_trailer("cost", "6");
            }
        }
        Ok(FetchGreetingResponse::default())
    }
}

#[test]
fn a_response_carries_headers_and_trailers() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(guest.turn([call(1, 0)]), ["reply 1: OK; cost=1"]);
    assert_eq!(
        guest.turn([call(2, 1)]),
        [
            "open 2: served-by=a, served-by=b, token-bin=AAEC/w",
            "reply 2: OK; digest-bin="
        ]
    );
}

#[test]
fn a_failure_carries_headers_and_trailers() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(
        guest.turn([call(1, 2), call(2, 3)]),
        [
            "open 1: served-by=c",
            "reply 1: error 1; cost=2",
            "open 2: served-by=d",
            "reply 2: NOT_FOUND (answered): no such tongue"
        ]
    );
}

#[test]
fn a_reserved_key_is_dropped_and_logged() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(
        guest.turn([call(1, 4)]),
        [
            "Warn for 1: metadata key \"Parigot-Caller\" dropped: \
             only the host sets keys that begin with parigot-",
            "Warn for 1: metadata key \"digest\" dropped: \
             the key of a binary value must end with -bin",
            "reply 1: OK"
        ]
    );
}

#[test]
fn metadata_waits_for_the_end_of_its_handler() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(
        guest.turn([call(1, 5), call(2, 0)]),
        ["call a: 70.0 tongue 5 for 1", "reply 2: OK; cost=1"]
    );
    assert_eq!(
        guest.turn([guest.reply('a', "")]),
        ["open 1: served-by=e", "reply 1: OK; cost=5"]
    );
    // A cancelled handler's metadata is dropped with it.
    assert_eq!(guest.turn([call(3, 5)]), ["call b: 70.0 tongue 5 for 3"]);
    assert_eq!(
        guest.turn([cancel(3)]),
        [
            "cancel b",
            "reply 3: CANCELLED (cancelled): the caller cancelled the call"
        ]
    );
}

#[test]
fn metadata_after_the_reply_is_dropped() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(guest.turn([call(1, 6)]), ["reply 1: OK; cost=6"]);
    assert!(guest.turn([]).is_empty());
    // Also on the path through the queue.
    assert_eq!(
        guest.turn([call(2, 6), call(3, 6)]),
        ["reply 2: OK; cost=6", "reply 3: OK; cost=6"]
    );
}

/// Makes a call and logs what came with its end.
async fn one_call(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let greeting = GreetingClient::locate(&cx)?;
    match greeting.fetch_greeting(tongue(1)).with_metadata().await {
        Ok((response, metadata)) => {
            let token = metadata.headers().get_bin("token-bin");
            info!(cx, "{} {metadata:?} {token:?}", response.greeting);
        }
        Err(error) => info!(cx, "{error} {:?}", error.metadata()),
    }
    // The metadata of a call that does not ask for it is dropped.
    match greeting.fetch_greeting(tongue(2)).await {
        Ok(response) => info!(cx, "{}", response.greeting),
        Err(error) => {
            let costs: Vec<_> = error.metadata().trailers().get_all("cost").collect();
            info!(cx, "{error} {costs:?} {:?}", error.metadata().headers());
        }
    }
    Ok(Exit::SUCCESS)
}

fn open(number: u64) -> Inbound {
    let header = Header {
        number,
        ..Header::new(Kind::Open)
    };
    frame(header, |frame| {
        frame
            .metadata("served-by", "a")
            .metadata("token-bin", "AAEC/w==")
    })
}

#[test]
fn a_caller_reads_headers_and_trailers() {
    let (mut guest, _) = Guest::started(one_call);
    guest.turn([launched(&[70])]);
    // Headers may come long before the reply.
    assert!(guest.turn([open(guest.number('a'))]).is_empty());
    let reply = guest.reply_with('a', Header::new(Kind::Reply), |frame| {
        frame.metadata("cost", "1").payload(b"\x0a\x02hi")
    });
    assert_eq!(
        guest.turn([reply]),
        [
            "Info: hi Metadata { headers: {\"served-by\": \"a\", \"token-bin\": \"AAEC/w==\"}, \
             trailers: {\"cost\": \"1\"} } Some([0, 1, 2, 255])",
            "call b: 70.0 tongue 2"
        ]
    );
    let number = guest.number('b');
    let trace = guest.turn([open(number), open(number), guest.reply('b', "plain")]);
    assert_eq!(trace, ["Info: plain", "exit 0"]);
}

#[test]
fn a_caller_reads_the_metadata_of_a_failure() {
    let (mut guest, _) = Guest::started(one_call);
    guest.turn([launched(&[70])]);
    let failure = guest.reply_failure('a', Code::Unavailable, Cause::CalleeExited, "gone");
    let trace = guest.turn([open(guest.number('a')), failure]);
    assert!(
        trace[0].ends_with(
            "Metadata { headers: {\"served-by\": \"a\", \"token-bin\": \"AAEC/w==\"}, \
             trailers: {} }"
        ),
        "{trace:?}"
    );
    let header = Header {
        flags: parigot_abi::frame::flags::SERVICE_ERROR,
        status: 1,
        ..Header::new(Kind::Reply)
    };
    let failure = guest.reply_with('b', header, |frame| {
        frame.metadata("cost", "1").metadata("cost", "2")
    });
    assert_eq!(
        guest.turn([open(guest.number('b')), failure]),
        [
            "Info: UNKNOWN_LANG [\"1\", \"2\"] {\"served-by\": \"a\", \"token-bin\": \"AAEC/w==\"}",
            "exit 0"
        ]
    );
}

/// Makes two calls without generated code, and logs what came with their ends.
async fn dynamic_calls(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let greeting = DynamicClient::locate(&cx, "greeting.v1.Greeting")?;
    for _ in 0..2 {
        let call = greeting.call("FetchGreeting", &[]);
        match call.with_metadata().await {
            Ok((response, metadata)) => info!(cx, "{response:?} {metadata:?}"),
            Err(error) => {
                let pauses = error.details::<Duration>();
                let seconds: Vec<_> = pauses.iter().map(|pause| pause.seconds).collect();
                info!(cx, "{error}, {seconds:?} {:?}", error.metadata());
            }
        }
    }
    Ok(Exit::SUCCESS)
}

#[test]
fn a_dynamic_caller_reads_metadata_and_details() {
    const METADATA: &str = "Metadata { headers: {\"served-by\": \"a\", \"token-bin\": \
                            \"AAEC/w==\"}, trailers: {\"cost\": \"1\"} }";
    let (mut guest, _) = Guest::started(dynamic_calls);
    guest.turn([launched(&[70])]);
    let reply = guest.reply_with('a', Header::new(Kind::Reply), |frame| {
        frame.metadata("cost", "1").payload(&[8, 1])
    });
    let trace = guest.turn([open(guest.number('a')), reply]);
    assert_eq!(trace[0], format!("Info: [8, 1] {METADATA}"));
    let header = Header {
        flags: parigot_abi::frame::flags::SERVICE_ERROR,
        status: 1,
        ..Header::new(Kind::Reply)
    };
    let pauses = [4, 3].map(|seconds| Duration { seconds, nanos: 0 }.encode_to_vec());
    let entry = |value| ErrorDetail {
        type_name: "google.protobuf.Duration".into(),
        value,
    };
    let detail = Detail {
        details: pauses.iter().map(|pause| entry(&**pause)).collect(),
        ..Detail::new(Cause::Answered, "later")
    };
    let failure = guest.reply_with('b', header, |frame| {
        frame.metadata("cost", "1").detail(&detail)
    });
    let trace = guest.turn([open(guest.number('b')), failure]);
    let error = "the service failed with error 1: later, [4, 3]";
    assert_eq!(
        trace,
        [format!("Info: {error} {METADATA}"), "exit 0".into()]
    );
}

#[test]
fn headers_of_an_unknown_call_are_ignored() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert!(guest.turn([open(7), open(0)]).is_empty());
    assert_eq!(guest.turn([call(1, 0)]), ["reply 1: OK; cost=1"]);
}
