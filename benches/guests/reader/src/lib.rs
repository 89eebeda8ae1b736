//! Reads one stream of items. Logs when it begins and ends.
//!
//! Arguments, as for the caller: number of items, bytes of each; two more are not used.

use std::time::Duration;

use golden::streams::streams::{FeedClient, Item};
use parigot_guest::{Context, Error, Exit};

/// Number of items before the first measured one: the window of the stream grows meanwhile.
const WARM_UP: usize = 2_000;

#[parigot_guest::program(requires(FeedClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let [items, bytes, ..] = cx.args() else {
        return Ok(Exit::FAILURE);
    };
    let (items, bytes): (usize, usize) = (items.parse()?, bytes.parse()?);
    let request = Item {
        text: "x".repeat(bytes),
    };
    let mut responses = FeedClient::locate(&cx)?.watch(request);
    for item in 0..WARM_UP + items {
        if item == WARM_UP {
            parigot_guest::info!(cx, "begin");
            cx.sleep(Duration::ZERO).await;
        }
        let response = responses.next().await?;
        assert!(response.is_some_and(|response| response.text.len() == bytes));
    }
    parigot_guest::info!(cx, "end");
    cx.sleep(Duration::ZERO).await;
    Ok(Exit::SUCCESS)
}
