//! Calls with a deadline, metadata, cancellation, and without a generated client.

use std::time::Duration;

use golden::helloworld::greeting::v1::{FetchGreetingRequest, GreetingClient, Tongue};
use parigot_guest::{Client, Context, DynamicClient, Error, info};

/// Calls a service with a deadline and metadata.
///
/// # Errors
///
/// If the call fails.
pub async fn call_with_deadline(cx: &Context) -> Result<(), Error> {
    // ANCHOR: deadline
    let greeting = GreetingClient::locate(cx)?
        .with_deadline(Duration::from_millis(500))
        .with_metadata("tenant", "acme");
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

/// Reads the metadata and the deadline of the call that a handler serves.
pub fn inspect(cx: &Context) {
    // ANCHOR: inspect
    let tenant = cx.metadata("tenant").unwrap_or("none");
    let remaining = cx
        .deadline()
        .map(|deadline| deadline.saturating_since(cx.now()));
    info!(cx, "tenant {tenant}, {remaining:?} until the deadline");
    // ANCHOR_END: inspect
}

/// Adds metadata to the response of a handler.
pub fn respond(cx: &Context) {
    // ANCHOR: respond
    cx.set_header("served-by", cx.instance_id().to_string());
    cx.set_trailer("cost", "7");
    // ANCHOR_END: respond
}

/// Reads the metadata of a response.
///
/// # Errors
///
/// If the call fails.
pub async fn read_response(cx: &Context, greeting: &GreetingClient) -> Result<(), Error> {
    let request = FetchGreetingRequest::default();
    // ANCHOR: response
    let (reply, metadata) = greeting.fetch_greeting(request).with_metadata().await?;
    let cost = metadata.trailers().get("cost").unwrap_or("nothing");
    info!(cx, "{} for {cost}", reply.greeting);
    // ANCHOR_END: response
    Ok(())
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
