//! A program that runs until it is stopped. It registers two exit hooks: one calls echo.v1.Echo,
//! and one never ends.

use std::future::pending;

use golden::echo::echo::v1::{EchoClient, Payload};
use parigot_guest::{Context, Error, Exit};

#[parigot_guest::program(requires(EchoClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let echo = EchoClient::locate(&cx)?;
    let hook_cx = cx.clone();
    cx.at_exit(async move || {
        let bytes = echo
            .echo(Payload { data: vec![7; 7] })
            .await
            .map(|answer| answer.data.len());
        parigot_guest::info!(hook_cx, "goodbye {bytes:?}");
    });
    cx.at_exit(async || pending().await);
    parigot_guest::info!(cx, "asleep");
    pending().await
}
