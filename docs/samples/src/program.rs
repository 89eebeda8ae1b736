//! Parts of programs.

use golden::echo::echo::v1::{EchoClient, Payload};
use parigot_guest::{Context, LocateError};

/// Registers work for the exit of the guest.
///
/// # Errors
///
/// If the guest does not require the service.
pub fn close_at_exit(cx: &Context) -> Result<(), LocateError> {
    // ANCHOR: at_exit
    let echo = EchoClient::locate(cx)?;
    cx.at_exit(async move || {
        // The guest leaves in any case, so the error is ignored.
        let _ = echo.echo(Payload::default()).await;
    });
    // ANCHOR_END: at_exit
    Ok(())
}
