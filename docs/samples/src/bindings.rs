//! A guest that uses two exporters of one service.

use golden::helloworld::greeting::v1::{FetchGreetingRequest, GreetingClient};
use parigot_guest::{Context, Error, Exit, info};

// ANCHOR: bindings
#[parigot_guest::program(requires(GreetingClient as "work", GreetingClient as "home"))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let request = FetchGreetingRequest::default();
    for binding in ["work", "home"] {
        let greeting = GreetingClient::locate_named(&cx, binding)?;
        info!(cx, "{}", greeting.fetch_greeting(request).await?.greeting);
    }
    Ok(Exit::SUCCESS)
}
// ANCHOR_END: bindings
