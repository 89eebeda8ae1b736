//! Repeated calls.

use core::time::Duration;

use parigot_abi::{Cause, Code, Header, Kind};
use parigot_guest::{
    Channel, Context, Error, Exit, Failure, Method, MethodInfo, RetryPolicy, Service, info, retry,
};

use crate::greeting::*;
use crate::harness::{Guest, call_by, launched};

const MS: u64 = 1_000_000;

async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let greeting = GreetingClient::locate(&cx)?;
    let policy = RetryPolicy {
        time: Duration::from_millis(1_000),
        ..RetryPolicy::default()
    };
    let request = FetchGreetingRequest { tongue: 1 };
    match retry(policy, || greeting.fetch_greeting(request)).await {
        Ok(response) => info!(cx, "{}", response.greeting),
        Err(error) => info!(cx, "{}", error.code()),
    }
    Ok(Exit::SUCCESS)
}

fn launched_guest() -> Guest {
    let (mut guest, _) = Guest::started(main);
    guest.now_ns = 1_000;
    let trace = guest.turn([launched(&[70])]);
    assert_eq!(trace, ["reply 0: OK", "call a: 70.0 tongue 1"]);
    guest
}

/// Fails the call, and returns the pause before the next.
fn pause_after(guest: &mut Guest, letter: char, cause: Cause) -> u64 {
    let failure = guest.reply_failure(letter, Code::Unavailable, cause, "");
    assert!(guest.turn([failure]).is_empty());
    let at = guest.wake_at_ns().expect("the guest must wait");
    let pause = at - guest.now_ns;
    guest.now_ns = at;
    pause
}

async fn print_cost(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let greeting = GreetingClient::locate(&cx)?;
    let request = FetchGreetingRequest { tongue: 1 };
    let call = || greeting.fetch_greeting(request).with_metadata();
    let (response, metadata) = retry(RetryPolicy::default(), call).await?;
    let cost = metadata.trailers().get("cost").unwrap_or_default();
    info!(cx, "{} for {cost}", response.greeting);
    Ok(Exit::SUCCESS)
}

#[test]
fn a_repeated_call_keeps_its_metadata() {
    let (mut guest, _) = Guest::started(print_cost);
    guest.turn([launched(&[70])]);
    pause_after(&mut guest, 'a', Cause::Unreachable);
    assert_eq!(guest.turn([]), ["call b: 70.0 tongue 1"]);
    let reply = guest.reply_with('b', Header::new(Kind::Reply), |frame| {
        frame.metadata("cost", "7").payload(b"\x0a\x02hi")
    });
    assert_eq!(guest.turn([reply]), ["Info: hi for 7", "exit 0"]);
}

#[test]
fn a_refused_call_is_repeated_after_a_growing_pause() {
    let mut guest = launched_guest();
    let first = pause_after(&mut guest, 'a', Cause::Overloaded);
    assert!((25 * MS..=50 * MS).contains(&first), "{first}");
    assert_eq!(guest.turn([]), ["call b: 70.0 tongue 1"]);
    let second = pause_after(&mut guest, 'b', Cause::Unreachable);
    assert!((50 * MS..=100 * MS).contains(&second), "{second}");
    assert_eq!(guest.turn([]), ["call c: 70.0 tongue 1"]);
    assert_eq!(
        guest.turn([guest.reply('c', "hello")]),
        ["Info: hello", "exit 0"]
    );
}

#[test]
fn attempts_and_time_are_limited() {
    let mut guest = launched_guest();
    pause_after(&mut guest, 'a', Cause::Overloaded);
    guest.turn([]);
    pause_after(&mut guest, 'b', Cause::Overloaded);
    guest.turn([]);
    let failure = guest.reply_failure('c', Code::Unavailable, Cause::Overloaded, "");
    assert_eq!(guest.turn([failure]), ["Info: UNAVAILABLE", "exit 0"]);

    let mut guest = launched_guest();
    guest.now_ns += 990 * MS;
    let failure = guest.reply_failure('a', Code::Unavailable, Cause::Overloaded, "");
    assert_eq!(guest.turn([failure]), ["Info: UNAVAILABLE", "exit 0"]);
}

#[test]
fn a_call_is_repeated_only_without_harm_and_with_hope() {
    for cause in [
        Cause::Answered,
        Cause::TooLarge,
        Cause::Undecodable,
        Cause::NoSuchMethod,
        Cause::CalleeTrapped,
        Cause::TimedOut,
        Cause::Cancelled,
    ] {
        let mut guest = launched_guest();
        let failure = guest.reply_failure('a', Code::Unavailable, cause, "");
        assert_eq!(
            guest.turn([failure]),
            ["Info: UNAVAILABLE", "exit 0"],
            "{cause}"
        );
    }
    let mut guest = launched_guest();
    let error = guest.reply_error('a', 1);
    assert_eq!(guest.turn([error]), ["Info: FAILED_PRECONDITION", "exit 0"]);
}

/// The service, whose method is declared as idempotent.
static REPEATABLE: Service = Service {
    methods: &[MethodInfo::new("FetchGreeting").idempotent()],
    ..Service::named("greeting.v1.Greeting")
};

struct FetchAgain;

impl Method for FetchAgain {
    type Request = FetchGreetingRequest;
    type Response = FetchGreetingResponse;
    type Error = GreetErr;
    const SERVICE: &'static Service = &REPEATABLE;
    const INDEX: u32 = 0;
}

async fn main_again(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let greeting = Channel::locate(&cx, &REPEATABLE)?;
    let request = FetchGreetingRequest { tongue: 1 };
    let policy = RetryPolicy::default();
    match retry(policy, || greeting.call::<FetchAgain>(request)).await {
        Ok(response) => info!(cx, "{}", response.greeting),
        Err(error) => info!(cx, "{}", error.code()),
    }
    Ok(Exit::SUCCESS)
}

#[test]
fn an_idempotent_call_of_unknown_fate_is_repeated() {
    let launched_guest = || {
        let (mut guest, _) = Guest::started(main_again);
        guest.turn([launched(&[70])]);
        guest
    };
    for cause in [Cause::CalleeTrapped, Cause::TimedOut, Cause::AnswerLost] {
        let mut guest = launched_guest();
        pause_after(&mut guest, 'a', cause);
        assert_eq!(guest.turn([]), ["call b: 70.0 tongue 1"], "{cause}");
        let reply = guest.reply('b', "hello");
        assert_eq!(guest.turn([reply]), ["Info: hello", "exit 0"], "{cause}");
    }
    // Repeated calls must not change an answer, help an impossible one, or outlive their caller.
    for cause in [Cause::Answered, Cause::TooLarge, Cause::Cancelled] {
        let mut guest = launched_guest();
        let failure = guest.reply_failure('a', Code::Unavailable, cause, "");
        let trace = guest.turn([failure]);
        assert_eq!(trace, ["Info: UNAVAILABLE", "exit 0"], "{cause}");
    }
}

/// Repeats its call in a handler, and answers with an error once the attempts are over.
#[derive(Default)]
struct Repeater;

impl Greeting for Repeater {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        let greeting = GreetingClient::locate(cx)?;
        let call = || greeting.fetch_greeting(request);
        Ok(retry(RetryPolicy::default(), call).await?)
    }
}

#[test]
fn no_attempt_begins_after_the_deadline_of_the_inbound_call() {
    let mut guest = Guest::serving::<Repeater, _>();
    // The first pause takes at least 25 ms.
    guest.turn([call_by(1, 1, guest.now_ns + 20 * MS)]);
    let failure = guest.reply_failure('a', Code::Unavailable, Cause::Overloaded, "full");
    let trace = guest.turn([failure]);
    assert!(
        trace[0].starts_with("reply 1: UNAVAILABLE (answered): overloaded: full"),
        "{trace:?}"
    );
}
