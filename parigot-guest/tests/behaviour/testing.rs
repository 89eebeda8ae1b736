//! Tests of guests with [`parigot_guest::testing`], as users write them.

use std::time::Duration;

use parigot_guest::rand_core::RngCore;
use parigot_guest::testing::{Answer, Fake, FakeStdio, TestCall, TestGuest};
use parigot_guest::{
    CallError, Cause, Code, Context, DynamicClient, Error, Exit, Failure, Fate, NotReady, Ready,
    Status, info,
};

use crate::greeting::methods::FetchGreeting;
use crate::greeting::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// Passes greetings on, and does more for some tongues.
mod relay {
    use super::*;

    struct Relay {
        greeting: GreetingClient,
        prefix: String,
    }

    impl Ready for Relay {
        async fn ready(cx: &Context) -> Result<Self, NotReady> {
            // A preparation that takes time.
            cx.sleep(HOUR / 2).await;
            let prefix = cx.env("PREFIX").unwrap_or_default();
            if prefix == "bad" {
                return Err(NotReady::new("the prefix is bad"));
            }
            Ok(Relay {
                greeting: GreetingClient::locate(cx)?,
                prefix: prefix.into(),
            })
        }
    }

    impl Greeting for Relay {
        async fn fetch_greeting(
            &self,
            cx: &Context,
            request: FetchGreetingRequest,
        ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
            match request.tongue {
                2 => return Err(GreetErr::UnknownLang.with_message("no such tongue")),
                3 => cx.sleep(HOUR / 2).await,
                4 => std::future::pending().await,
                5 => match cx.exit(7).await {},
                _ => {}
            }
            info!(
                cx,
                "greeting {}",
                cx.metadata("user").unwrap_or("a stranger")
            );
            cx.set_header("served-by", "relay");
            cx.set_trailer("cost", "1");
            let greeting = parigot_guest::Client::with_metadata(&self.greeting, "from", "relay");
            let reply = greeting.fetch_greeting(request).await?;
            Ok(FetchGreetingResponse {
                greeting: self.prefix.clone() + &reply.greeting,
            })
        }
    }

    parigot_guest::service!(Relay, exports(GreetingServer), requires(GreetingClient));
}

/// Calls services by the names of their bindings, and one by the name of the service.
mod chooser {
    use super::*;

    #[parigot_guest::program(requires(
        GreetingClient as "work",
        GreetingClient as "home",
        "greeting.v1.Greeting"
    ))]
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        for name in ["work", "home"] {
            let client = GreetingClient::locate_named(&cx, name)?;
            info!(cx, "{}", client.fetch_greeting(tongue(1)).await?.greeting);
        }
        let client = DynamicClient::locate(&cx, "greeting.v1.Greeting")?;
        info!(cx, "{:?}", client.call("FetchGreeting", &[]).await?);
        Ok(Exit::SUCCESS)
    }
}

/// Reads lines, and writes their lengths.
mod lengths {
    use super::*;
    use parigot_guest::stdio::{Stdin, StdioClient, Stdout};

    #[parigot_guest::program(requires(StdioClient))]
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let stdout = Stdout::locate(&cx)?;
        let mut stdin = Stdin::locate(&cx)?;
        while let Some(line) = stdin.read_line().await? {
            stdout.println(line.len()).await?;
        }
        Err(Error::new("no more lines"))
    }
}

/// Returns a fake that answers with the number of the tongue.
fn numbers() -> Fake {
    let fake = Fake::new("numbers");
    fake.on::<FetchGreeting>(|request| Ok(response(request.tongue)));
    fake
}

fn response(greeting: impl ToString) -> FetchGreetingResponse {
    FetchGreetingResponse {
        greeting: greeting.to_string(),
    }
}

fn tongue(tongue: i32) -> FetchGreetingRequest {
    FetchGreetingRequest { tongue }
}

/// Calls a greeting from within a guest.
async fn greet(cx: &Context) -> Result<String, CallError<GreetErr>> {
    let client = GreetingClient::locate(cx).expect("the service must be required");
    let reply = client.fetch_greeting(tongue(1)).await?;
    Ok(reply.greeting)
}

#[test]
fn a_service_answers_with_the_help_of_a_fake() {
    let fake = numbers();
    let mut guest = TestGuest::new(relay::GUEST)
        .fake(&fake)
        .env("PREFIX", "no. ")
        .start();
    let reply = guest.call::<FetchGreeting>(tongue(9));
    assert_eq!(reply.ok(), Some(response("no. 9")));
    assert_eq!(fake.requests::<FetchGreeting>(), [tongue(9)]);
    assert_eq!(guest.log(), ["greeting a stranger"]);
}

#[test]
fn metadata_reaches_the_guest_the_fake_and_the_test() {
    let fake = numbers();
    let mut guest = TestGuest::new(relay::GUEST).fake(&fake).start();
    let call = TestCall::<FetchGreeting>::new(tongue(9)).with_metadata("user", "ann");
    let call = guest.begin(call);
    assert!(guest.wait(&call).is_ok());
    assert_eq!(guest.log(), ["greeting ann"]);
    assert_eq!(
        fake.metadata::<FetchGreeting>(),
        [[("from".to_owned(), "relay".to_owned())]]
    );
    let metadata = call.metadata();
    assert_eq!(metadata.headers().get("served-by"), Some("relay"));
    assert_eq!(metadata.trailers().get("cost"), Some("1"));
}

#[test]
fn failures_of_guest_and_fake_have_messages_and_fates() {
    let fake = numbers();
    let mut guest = TestGuest::new(relay::GUEST).fake(&fake).start();
    let error = guest
        .call::<FetchGreeting>(tongue(2))
        .expect_err("the tongue is unknown");
    assert_eq!(error.service_error(), Some(&GreetErr::UnknownLang));
    assert_eq!(error.message(), "no such tongue");

    let mut client = TestGuest::client().fake(&fake).start();
    let mut outcome = |answer: fn() -> Answer<FetchGreeting>| {
        fake.answer::<FetchGreeting>(move |_| answer());
        let error = client
            .run(async |cx| greet(&cx).await)
            .expect_err("a failure");
        (error.code(), error.fate(), error.message().to_owned())
    };
    let failed = |code, fate, message: &str| (code, fate, message.to_owned());
    assert_eq!(
        outcome(|| Answer::error(Status::new(Code::NotFound, "gone"))),
        failed(Code::NotFound, Fate::Answered, "gone")
    );
    assert_eq!(
        outcome(|| Answer::status(Code::Unavailable, Cause::Unreachable, "closed")),
        failed(Code::Unavailable, Fate::Refused, "closed")
    );
    assert_eq!(
        outcome(|| Answer::crash("the oven is cold")),
        failed(Code::Internal, Fate::Unknown, "the oven is cold")
    );
    assert_eq!(
        outcome(Answer::never),
        failed(
            Code::DeadlineExceeded,
            Fate::Unknown,
            "no reply within the deadline"
        )
    );
}

#[test]
fn the_clock_stands_still_until_the_test_advances_it() {
    let fake = numbers();
    let mut guest = TestGuest::new(relay::GUEST).fake(&fake).start();
    let call = guest.begin(TestCall::<FetchGreeting>::new(tongue(3)).within(HOUR));
    guest.advance(HOUR / 2 - Duration::from_nanos(1));
    assert!(!call.has_ended());
    guest.advance(Duration::from_nanos(1));
    assert_eq!(call.outcome().and_then(Result::ok), Some(response(3)));

    fake.answer::<FetchGreeting>(|_| Answer::ok(response("late")).after(HOUR / 4));
    let late = guest.begin(TestCall::<FetchGreeting>::new(tongue(1)).within(HOUR));
    guest.advance(HOUR / 4);
    // The call of the guest had the deadline of its own call, not the default of 3 seconds.
    assert_eq!(late.outcome().and_then(Result::ok), Some(response("late")));

    let (slept, wall) = guest.run(async |cx| {
        let before = cx.now();
        cx.sleep(HOUR).await;
        (cx.now() - before, cx.wall())
    });
    assert_eq!(slept, HOUR);
    assert_eq!(wall, Duration::from_secs(946_684_800) + HOUR / 4 * 9);
}

#[test]
fn a_call_ends_at_its_deadline_or_by_a_cancellation() {
    let mut guest = TestGuest::new(relay::GUEST).fake(&numbers()).start();
    let error = guest.call::<FetchGreeting>(tongue(4)).err();
    assert_eq!(
        error.map(|error| error.code()),
        Some(Code::DeadlineExceeded)
    );

    let call = guest.begin(TestCall::<FetchGreeting>::new(tongue(4)));
    guest.cancel(&call);
    let error = call.outcome().and_then(Result::err);
    assert_eq!(error.map(|error| error.code()), Some(Code::Cancelled));
}

#[test]
fn random_numbers_follow_from_the_seed() {
    let random = |seed| {
        let mut guest = TestGuest::client().seed(seed).start();
        guest.run(async |cx| cx.random().next_u64())
    };
    assert_eq!(random(1), random(1));
    assert_ne!(random(1), random(2));
}

#[test]
fn a_program_reads_and_writes_a_fake_of_its_streams() {
    let stdio = FakeStdio::new("one\nthree\n");
    let mut guest = TestGuest::new(lengths::GUEST).stdio(&stdio).start();
    assert_eq!(guest.wait_for_exit(), 1);
    assert_eq!(stdio.output(), b"3\n5\n");
    assert_eq!(guest.log(), ["no more lines"]);
}

#[test]
fn an_exit_ends_the_calls_of_a_service() {
    let mut guest = TestGuest::new(relay::GUEST).fake(&numbers()).start();
    let error = guest.call::<FetchGreeting>(tongue(5)).expect_err("an exit");
    assert_eq!(error.fate(), Fate::Unknown);
    assert_eq!(guest.exit_status(), Some(7));
    let error = guest
        .call::<FetchGreeting>(tongue(1))
        .expect_err("no guest");
    assert_eq!(error.fate(), Fate::Refused);
    assert_eq!(TestGuest::client().start().stop(), 0);
}

#[test]
fn names_of_requirements_are_bound_to_fakes() {
    let formal = Fake::new("formal");
    formal.on::<FetchGreeting>(|_| Ok(response("good morning")));
    let mut guest = TestGuest::new(chooser::GUEST)
        .fake(&numbers())
        .fake(&formal)
        .bind("work", &formal)
        .start();
    assert_eq!(guest.wait_for_exit(), 0);
    assert_eq!(guest.log(), ["good morning", "1", "[10, 1, 48]"]);
}

#[test]
#[should_panic = "the guest requires greeting.v1.Greeting, which no fake exports"]
fn a_requirement_needs_a_fake() {
    TestGuest::new(relay::GUEST).start();
}

#[test]
#[should_panic = "the service is not ready: the prefix is bad"]
fn a_service_that_is_not_ready_fails_the_test() {
    let guest = TestGuest::new(relay::GUEST).env("PREFIX", "bad");
    guest.fake(&numbers()).start();
}

#[test]
#[should_panic = "an hour does not bring about the result of the function"]
fn a_function_that_never_returns_fails_the_test() {
    TestGuest::client()
        .start()
        .run(async |_| std::future::pending::<()>().await);
}
