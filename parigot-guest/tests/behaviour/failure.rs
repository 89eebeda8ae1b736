//! Failures of handlers: errors, statuses, messages, details; and the errors of nested calls.

use parigot_abi::frame::flags;
use parigot_abi::{Cause, Code, Detail, ErrorDetail, Header, Kind};
use parigot_guest::id::CallId;
use parigot_guest::prost::Message;
use parigot_guest::prost_types::{Duration, Timestamp};
use parigot_guest::{CallError, Context, Error, Exit, Failure, Fate, Status, info, proto};

use crate::greeting::*;
use crate::harness::{Guest, call, launched};

const PAUSE: Duration = Duration {
    seconds: 3,
    nanos: 0,
};

/// Fails in a different way for each tongue.
#[derive(Default)]
struct Greeter;

impl Greeting for Greeter {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        match request.tongue {
            0 => Err(GreetErr::UnknownLang)?,
            1 => Err(GreetErr::UnknownLang.with_message("no French")),
            2 => Err(GreetErr::UnknownLang
                .with_detail(&PAUSE)
                .with_message("later")),
            3 => Err(Status::new(Code::Unavailable, "closed").with_detail(&PAUSE))?,
            4 => Err(Failure::from(Status::new(Code::Aborted, "")).with_message("conflict")),
            5 => Err(Error::new("the oven is cold"))?,
            6 => Err(GreetErr::NoError
                .with_message("never sent")
                .with_detail(&PAUSE)),
            8 => Err(CallId::try_from(proto::Id::default()).unwrap_err())?,
            _ => Ok(GreetingClient::locate(cx)?.fetch_greeting(request).await?),
        }
    }
}

#[test]
fn a_handler_fails_with_error_status_message_and_details() {
    let mut guest = Guest::serving::<Greeter, _>();
    let trace = guest.turn((0..7).map(|tongue| call(tongue as u64 + 1, tongue)));
    assert_eq!(
        trace,
        [
            "reply 1: error 1",
            "reply 2: error 1: no French",
            "reply 3: error 1: later + google.protobuf.Duration [8, 3]",
            "reply 4: UNAVAILABLE (answered): closed + google.protobuf.Duration [8, 3]",
            "reply 5: ABORTED (answered): conflict",
            "reply 6: UNKNOWN (answered): the oven is cold",
            "reply 7: INTERNAL (answered): returned error number 0",
        ]
    );
}

#[test]
fn a_missing_id_is_an_invalid_argument() {
    let mut guest = Guest::serving::<Greeter, _>();
    let expected = "INVALID_ARGUMENT (answered): no CallId: the id is missing";
    assert_eq!(guest.turn([call(1, 8)]), [format!("reply 1: {expected}")]);
    assert_eq!(
        Status::from(CallId::try_from(proto::Id::default()).unwrap_err()).to_string(),
        "INVALID_ARGUMENT: no CallId: the id is missing"
    );
}

#[test]
fn the_error_of_a_nested_call_becomes_a_status() {
    let mut guest = Guest::serving::<Greeter, _>();
    guest.turn([call(1, 7), call(2, 7)]);
    assert_eq!(
        guest.turn([guest.reply_error('a', 1)]),
        ["reply 1: FAILED_PRECONDITION (answered): UNKNOWN_LANG"]
    );
    let failure = guest.reply_failure('b', Code::Unavailable, Cause::Overloaded, "full");
    let trace = guest.turn([failure]);
    assert!(
        trace[0].starts_with("reply 2: UNAVAILABLE (answered): overloaded: full ("),
        "{trace:?}"
    );
}

#[test]
fn a_caller_reads_message_and_details() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let greeting = GreetingClient::locate(&cx)?;
        for _ in 0..2 {
            let request = FetchGreetingRequest { tongue: 1 };
            let error = greeting.fetch_greeting(request).await.unwrap_err();
            assert_eq!(error.details::<Duration>(), [PAUSE]);
            assert!(error.details::<Timestamp>().is_empty());
            let own = error.service_error().copied();
            info!(cx, "{error}; {}; {} {own:?}", error.message(), error.code());
            assert_eq!(error.fate(), Fate::Answered);
            // The text of the cause is not printed twice.
            let text = error.to_string();
            assert_eq!(format!("{:#}", Error::from(error)), text);
        }
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    guest.turn([launched(&[70])]);
    let pause = PAUSE.encode_to_vec();
    let entry = |type_name: &'static str, value| ErrorDetail {
        type_name: type_name.into(),
        value,
    };
    let detail = Detail {
        details: vec![
            entry("google.protobuf.Timestamp", b"\xff"),
            entry("google.protobuf.Duration", &pause),
            entry("google.protobuf.Duration", b"\xff"),
        ],
        ..Detail::new(Cause::Answered, "later")
    };
    for (letter, number, expected) in [
        (
            'a',
            1,
            "UNKNOWN_LANG: later; later; FAILED_PRECONDITION Some(UnknownLang)",
        ),
        (
            'b',
            9,
            "unknown error number 9: later; later; FAILED_PRECONDITION None",
        ),
    ] {
        let header = Header {
            flags: flags::SERVICE_ERROR,
            status: number,
            ..Header::new(Kind::Reply)
        };
        let reply = guest.reply_with(letter, header, |frame| frame.detail(&detail));
        let trace = guest.turn([reply]);
        assert_eq!(trace[0], format!("Info: {expected}"));
    }
}

#[test]
fn a_failure_prints_error_and_message() {
    let failure = GreetErr::UnknownLang.with_message("no French");
    assert_eq!(failure.to_string(), "UNKNOWN_LANG: no French");
    let failure: Failure<GreetErr> =
        CallError::Service(GreetErr::UnknownLang, Default::default()).into();
    assert_eq!(failure.to_string(), "FAILED_PRECONDITION: UNKNOWN_LANG");
}

#[test]
fn a_failure_converts_to_the_error_of_its_caller() {
    let failure = GreetErr::UnknownLang
        .with_message("later")
        .with_detail(&PAUSE);
    let error = CallError::from(failure);
    assert_eq!(error.service_error(), Some(&GreetErr::UnknownLang));
    assert_eq!(error.message(), "later");
    assert_eq!(error.details::<Duration>(), [PAUSE]);
    let closed = Failure::<GreetErr>::from(Status::new(Code::Unavailable, "closed"));
    assert_eq!(CallError::from(closed).code(), Code::Unavailable);
}
