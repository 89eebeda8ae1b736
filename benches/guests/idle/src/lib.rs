//! Logs a line, and waits forever.

use std::future::pending;

use parigot_guest::{Context, Error, Exit};

#[parigot_guest::program]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    parigot_guest::info!(cx, "idle");
    pending().await
}
