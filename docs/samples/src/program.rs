//! Parts of programs.

use golden::echo::echo::v1::{EchoClient, Payload};
use parigot_guest::stdio::{Stdin, Stdout};
use parigot_guest::{Context, Error, LocateError};

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

/// Writes the length of each line of the input.
///
/// # Errors
///
/// If the guest does not require standard input and output, or a stream fails.
pub async fn line_lengths(cx: &Context) -> Result<(), Error> {
    // ANCHOR: stdio
    let mut stdin = Stdin::locate(cx)?;
    let stdout = Stdout::locate(cx)?;
    while let Some(line) = stdin.read_line().await? {
        stdout.println(line.len()).await?;
    }
    // ANCHOR_END: stdio
    Ok(())
}
