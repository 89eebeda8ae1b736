//! Errors of calls, and retries.

use std::time::Duration;

use golden::helloworld::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, GreetingClient,
};
use parigot_guest::{CallError, Context, Fate};

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

// ANCHOR: retry
/// Retries a call as long as the host promises that the call did not run.
pub async fn fetch_greeting(
    cx: &Context,
    greeting: &GreetingClient,
    request: FetchGreetingRequest,
) -> Result<FetchGreetingResponse, CallError<GreetErr>> {
    for _ in 0..10 {
        match greeting.fetch_greeting(request).await {
            Err(error) if error.fate() == Fate::Refused => {
                cx.sleep(Duration::from_millis(100)).await;
            }
            outcome => return outcome,
        }
    }
    greeting.fetch_greeting(request).await
}
// ANCHOR_END: retry
