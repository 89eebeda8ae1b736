//! Metadata of requests and responses.

use golden::echo::echo::v1::{EchoErr, Payload};
use golden::helloworld::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, GreetingClient,
};
use parigot_guest::{CallError, Client, Context, Error, Failure, LocateError, info};

/// Returns a client whose calls carry metadata.
///
/// # Errors
///
/// If the guest does not require the service.
pub fn with_metadata(cx: &Context, signature: &[u8]) -> Result<GreetingClient, LocateError> {
    // ANCHOR: send
    let greeting = GreetingClient::locate(cx)?
        .with_metadata("tenant", "acme")
        .with_metadata_bin("signature-bin", signature);
    // ANCHOR_END: send
    Ok(greeting)
}

// ANCHOR: serve
/// A handler that reads the metadata of its call, and answers with headers and a trailer.
///
/// # Errors
///
/// If the call has no tenant. The caller receives the headers in this case, too.
pub async fn echo(cx: &Context, request: Payload) -> Result<Payload, Failure<EchoErr>> {
    cx.set_header("served-by", cx.instance_id().to_string());
    if let Some(signature) = cx.metadata_bin("signature-bin") {
        cx.set_header_bin("signature-bin", &signature);
    }
    let tenant = cx.metadata("tenant").ok_or(EchoErr::Refused)?;
    info!(cx, "tenant {tenant}");
    cx.set_trailer("cost", request.data.len().to_string());
    Ok(request)
}
// ANCHOR_END: serve

/// Reads the metadata of a response.
///
/// # Errors
///
/// If the call fails.
pub async fn receive(
    cx: &Context,
    greeting: &GreetingClient,
    request: FetchGreetingRequest,
) -> Result<FetchGreetingResponse, Error> {
    // ANCHOR: receive
    let (response, metadata) = greeting.fetch_greeting(request).with_metadata().await?;
    let served_by = metadata.headers().get("served-by").unwrap_or("unknown");
    let cost = metadata.trailers().get("cost").unwrap_or("0");
    info!(cx, "served by {served_by}, cost {cost}");
    // ANCHOR_END: receive
    Ok(response)
}

/// Returns the instance that a failed call has reached.
pub fn served_by(error: &CallError<GreetErr>) -> Option<&str> {
    // ANCHOR: failed
    error.metadata().headers().get("served-by")
    // ANCHOR_END: failed
}
