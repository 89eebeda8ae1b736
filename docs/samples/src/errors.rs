//! Errors of handlers and calls, and retries.

use std::time::Duration;

use golden::echo::echo::v1::{EchoClient, Payload};
use golden::helloworld::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, Greeting, GreetingClient, Tongue,
};
use parigot_guest::{
    CallError, Code, Context, Failure, RetryPolicy, Status, info, prost_types, retry,
};

type Outcome = Result<FetchGreetingResponse, CallError<GreetErr>>;

/// Describes the outcome of a call.
pub fn describe(outcome: &Outcome) -> String {
    // ANCHOR: match
    match outcome {
        Ok(reply) => reply.greeting.clone(),
        // An error of the service's own enum.
        Err(CallError::Service(GreetErr::UnknownLang, _)) => "no such language".into(),
        Err(CallError::Service(error, _)) => format!("error {error}"),
        // An error number that is newer than this guest's `.proto`.
        Err(CallError::Unrecognized(number, _)) => format!("error {number}"),
        // A failure between caller and service, or a status returned by the handler.
        Err(CallError::Status(status)) => {
            format!(
                "{}, {}: {}",
                status.code(),
                status.cause(),
                status.message()
            )
        }
    }
    // ANCHOR_END: match
}

/// A service whose handler fails in several ways.
#[derive(Debug, Default)]
pub struct Greeter;

impl Greeting for Greeter {
    // ANCHOR: fail
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        match request.tongue() {
            // A value of the enum alone.
            Tongue::Unspecified => Err(GreetErr::UnknownLang.into()),
            // With a text for people, and a message for programs.
            Tongue::German => Err(GreetErr::UnknownLang
                .with_message("the translator is back in 3 s")
                .with_detail(&prost_types::Duration {
                    seconds: 3,
                    nanos: 0,
                })),
            // A status, which needs no value in the enum.
            Tongue::French if cx.metadata("tenant").is_none() => {
                Err(Status::new(Code::Unauthenticated, "no tenant").into())
            }
            // `?` converts the failure of a nested call to a status.
            _ => {
                let echo = EchoClient::locate(cx)?.echo(Payload::default()).await?;
                let greeting = String::from_utf8_lossy(&echo.data).into_owned();
                Ok(FetchGreetingResponse { greeting })
            }
        }
    }
    // ANCHOR_END: fail
}

/// Logs the parts of an error.
pub fn inspect(cx: &Context, error: &CallError<GreetErr>) {
    // ANCHOR: details
    info!(cx, "{}: {}", error.code(), error.message());
    for pause in error.details::<prost_types::Duration>() {
        info!(cx, "retry after {} s", pause.seconds);
    }
    // ANCHOR_END: details
}

/// Retries a call for up to 30 seconds.
///
/// # Errors
///
/// The error of the last attempt.
pub async fn fetch_greeting(greeting: &GreetingClient, request: FetchGreetingRequest) -> Outcome {
    // ANCHOR: retry
    let policy = RetryPolicy {
        attempts: 20,
        time: Duration::from_secs(30),
        ..RetryPolicy::default()
    };
    retry(policy, || greeting.fetch_greeting(request)).await
    // ANCHOR_END: retry
}
