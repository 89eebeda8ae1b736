//! Errors of calls, and retries.

use golden::helloworld::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, GreetingClient,
};
use parigot_guest::{CallError, Context, Error, Failure, RetryPolicy, info, prost_types, retry};

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

/// Fails with an error, a message for people and a detail for programs.
pub fn no_french() -> Failure<GreetErr> {
    // ANCHOR: detail
    let pause = prost_types::Duration {
        seconds: 3,
        nanos: 0,
    };
    GreetErr::UnknownLang
        .with_message("no French before 9")
        .with_detail(&pause)
    // ANCHOR_END: detail
}

/// Logs message and details of a failed call.
pub fn log(cx: &Context, error: &CallError<GreetErr>) {
    // ANCHOR: read
    info!(cx, "the service says: {}", error.message());
    for pause in error.details::<prost_types::Duration>() {
        info!(cx, "try again in {} s", pause.seconds);
    }
    // ANCHOR_END: read
}

/// Makes a call, and repeats the call if that cannot do harm.
///
/// # Errors
///
/// If the last attempt fails.
pub async fn fetch_greeting(greeting: &GreetingClient) -> Result<(), Error> {
    let request = FetchGreetingRequest::default();
    // ANCHOR: retry
    let policy = RetryPolicy {
        attempts: 5,
        ..RetryPolicy::default()
    };
    let reply = retry(policy, || greeting.fetch_greeting(request)).await?;
    // ANCHOR_END: retry
    drop(reply);
    Ok(())
}
