//! Calls a method that never returns, and expects the error that its guest was killed.

use golden::echo::echo::v1::deed::Kind;
use golden::echo::echo::v1::{Deed, EchoClient};
use parigot_guest::{CallError, Cause, Context, Error, Exit};

#[parigot_guest::program(requires(EchoClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let echo = EchoClient::locate(&cx)?;
    parigot_guest::info!(cx, "about to call");
    match echo
        .misbehave(Deed {
            kind: Kind::Spin.into(),
            number: 0,
        })
        .await
    {
        Err(CallError::Status(status)) if status.cause() == Cause::CalleeKilled => {
            parigot_guest::info!(cx, "killed as expected");
            Ok(Exit::SUCCESS)
        }
        _ => Ok(Exit::FAILURE),
    }
}
