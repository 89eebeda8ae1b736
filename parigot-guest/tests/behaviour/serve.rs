//! Inbound calls.

use parigot_abi::{Code, Header, Kind};
use parigot_guest::creation::ByDefault;
use parigot_guest::prost::Message;
use parigot_guest::{
    Context, Definition, Descriptors, Export, Exports, Failure, MethodInfo, Serve, Server, Service,
    Status, alloc,
};

use crate::greeting::*;
use crate::harness::{Guest, call, call_frame, cancel, launched};

/// Has a different answer for each tongue.
#[derive(Default)]
struct Greeter;

impl Greeting for Greeter {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        match request.tongue {
            0 => Err(GreetErr::NoError.into()),
            1 => Err(GreetErr::UnknownLang.into()),
            2 => {
                let greeting = GreetingClient::locate(cx).expect("Greeting must be required");
                let reply = greeting
                    .fetch_greeting(FetchGreetingRequest { tongue: 3 })
                    .await;
                Ok(reply.expect("the test must reply"))
            }
            many => Ok(FetchGreetingResponse {
                greeting: "o".repeat(many as usize),
            }),
        }
    }
}

#[test]
fn a_handler_answers_once_with_response_or_error() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(
        guest.turn([call(1, 4), call(2, 1)]),
        ["reply 1: OK oooo", "reply 2: error 1"]
    );
    assert!(guest.turn([]).is_empty());
}

#[test]
fn handlers_run_side_by_side() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(
        guest.turn([call(1, 2), call(2, 2)]),
        ["call a: 70.0 tongue 3 for 1", "call b: 70.0 tongue 3 for 2"]
    );
    assert_eq!(guest.turn([call(3, 3)]), ["reply 3: OK ooo"]);
    assert_eq!(guest.turn([guest.reply('b', "bee")]), ["reply 2: OK bee"]);
    assert_eq!(guest.turn([guest.reply('a', "eh")]), ["reply 1: OK eh"]);
}

#[test]
fn error_number_0_fails_as_internal() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(
        guest.turn([call(1, 0)]),
        ["reply 1: INTERNAL (answered): returned error number 0"]
    );
}

#[test]
fn an_undecodable_request_is_refused() {
    let mut guest = Guest::serving::<Greeter, _>();
    let trace = guest.turn([call_frame(
        Header {
            number: 1,
            ..Header::new(Kind::Call)
        },
        &[0xff],
    )]);
    let expected =
        "reply 1: INVALID_ARGUMENT (undecodable): the request of FetchGreeting cannot be decoded: ";
    assert!(
        trace[0].starts_with(expected) && trace.len() == 1,
        "{trace:?}"
    );
}

#[test]
fn an_unknown_method_or_service_is_unimplemented() {
    let mut guest = Guest::serving::<Greeter, _>();
    let method = Header {
        number: 1,
        method: 9,
        ..Header::new(Kind::Call)
    };
    let service = Header {
        number: 2,
        service: 9,
        ..Header::new(Kind::Call)
    };
    assert_eq!(
        guest.turn([call_frame(method, &[]), call_frame(service, &[])]),
        [
            "reply 1: UNIMPLEMENTED (no such method)",
            "reply 2: UNIMPLEMENTED (no such method)"
        ]
    );
}

#[test]
fn a_too_large_response_becomes_a_failure() {
    let mut guest = Guest::service::<Greeter, _>();
    guest.message_bytes_max = 100;
    guest.start();
    guest.turn([launched(&[70])]);
    assert_eq!(
        guest.turn([call(1, 98), call(2, 99)]),
        [
            format!("reply 1: OK {}", "o".repeat(98)).as_str(),
            "reply 2: RESOURCE_EXHAUSTED (answer lost): \
             response of 101 bytes exceeds the limit of 100",
        ]
    );
}

#[test]
fn a_cancelled_handler_is_dropped_and_answered() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(guest.turn([call(1, 2)]), ["call a: 70.0 tongue 3 for 1"]);
    // The handler's nested call is cancelled with it.
    assert_eq!(
        guest.turn([cancel(1)]),
        [
            "cancel a",
            "reply 1: CANCELLED (cancelled): the caller cancelled the call"
        ]
    );
    assert!(guest.turn([guest.reply('a', "late"), cancel(1)]).is_empty());
}

#[test]
fn a_handler_cancelled_before_its_start_never_runs() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(
        guest.turn([call(1, 2), cancel(1)]),
        ["reply 1: CANCELLED (cancelled): the caller cancelled the call"]
    );
    assert_eq!(guest.view().polls, 0);
}

#[test]
fn a_cancel_that_crosses_the_reply_is_ignored() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(guest.turn([call(1, 3)]), ["reply 1: OK ooo"]);
    assert!(guest.turn([cancel(1)]).is_empty());
}

/// A service without an error enum.
struct Get;

static PLAIN: Service = Service {
    name: "plain.v1.Plain",
    schema: 1,
    methods: &[MethodInfo::new("Get")],
    descriptors: Descriptors::NONE,
};

impl parigot_guest::Method for Get {
    type Request = FetchGreetingRequest;
    type Response = FetchGreetingResponse;
    type Error = Status;
    const SERVICE: &'static Service = &PLAIN;
    const INDEX: u32 = 0;
}

#[derive(Default)]
struct Plain;

impl Serve<Plain> for Get {
    async fn serve(
        _: &Plain,
        _: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Status> {
        let code = if request.tongue == 0 {
            Code::Ok
        } else {
            Code::NotFound
        };
        Err(Status::new(code, "no such tongue"))
    }
}

impl Server<Plain> for Get {
    const SERVICE: &'static Service = &PLAIN;

    fn dispatch(service: &alloc::rc::Rc<Plain>, call: parigot_guest::Incoming) {
        call.serve::<Get, Plain>(service);
    }
}

#[test]
fn a_service_without_error_enum_fails_with_a_status() {
    struct GetAlone;
    impl Exports<Plain> for GetAlone {
        const ALL: &'static [Export<Plain>] = &[Export::new::<Get>()];
    }
    let mut guest = Guest::open(Definition::service::<Plain, GetAlone, _>(&[], ByDefault));
    assert_eq!(guest.start(), ["launch"]);
    assert_eq!(guest.turn([launched(&[])]), ["reply 0: OK"]);
    assert_eq!(
        guest.turn([call(1, 1)]),
        ["reply 1: NOT_FOUND (answered): no such tongue"]
    );
    assert_eq!(
        guest.turn([call(2, 0)]),
        ["reply 2: INTERNAL (answered): returned error number 0"]
    );
}

#[test]
fn a_request_is_decoded_at_any_place_in_the_inbox() {
    let mut guest = Guest::serving::<Greeter, _>();
    let payload = FetchGreetingRequest { tongue: 5 }.encode_to_vec();
    let header = |number| Header {
        number,
        ..Header::new(Kind::Call)
    };
    assert_eq!(
        guest.turn([
            call(1, 4),
            call_frame(header(2), &payload),
            call_frame(header(3), &payload)
        ]),
        ["reply 1: OK oooo", "reply 2: OK ooooo", "reply 3: OK ooooo"]
    );
}
