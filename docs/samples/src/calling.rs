//! Calls with a deadline, cancellation, and without a generated client.

use std::time::Duration;

use golden::helloworld::greeting::v1::{FetchGreetingRequest, GreetingClient, Tongue};
use parigot_guest::{Client, Context, DynamicClient, Error, info};

/// Calls a service with a deadline.
///
/// # Errors
///
/// If the call fails.
pub async fn call_with_deadline(cx: &Context) -> Result<(), Error> {
    // ANCHOR: deadline
    let greeting = GreetingClient::locate(cx)?.with_deadline(Duration::from_millis(500));
    let request = FetchGreetingRequest {
        tongue: Tongue::French.into(),
    };
    let reply = greeting.fetch_greeting(request).await?;
    info!(cx, "{}", reply.greeting);
    // ANCHOR_END: deadline
    Ok(())
}

/// Starts a call and cancels the call by dropping the future.
pub fn cancel(greeting: &GreetingClient) {
    // ANCHOR: cancel
    let call = greeting.fetch_greeting(FetchGreetingRequest::default());
    // The request has been sent. Dropping the future cancels the call.
    drop(call);
    // ANCHOR_END: cancel
}

/// Reads the deadline of the call that a handler serves.
pub fn inspect(cx: &Context) {
    // ANCHOR: inspect
    let remaining = cx
        .deadline()
        .map(|deadline| deadline.saturating_since(cx.now()));
    info!(cx, "{remaining:?} until the deadline");
    // ANCHOR_END: inspect
}

/// Calls a method by name, with a request and a response in protobuf's wire format.
///
/// # Errors
///
/// If the guest does not require the service, or the call fails.
pub async fn call_by_name(cx: &Context, request: &[u8]) -> Result<Vec<u8>, Error> {
    // ANCHOR: dynamic
    let greeting = DynamicClient::locate(cx, "greeting.v1.Greeting")?;
    let response = greeting.call("FetchGreeting", request).await?;
    // ANCHOR_END: dynamic
    Ok(response)
}
