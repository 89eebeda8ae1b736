//! Several calls at once.

use std::time::Duration;

use golden::echo::echo::v1::{EchoClient, Payload};
use golden::helloworld::greeting::v1::{FetchGreetingRequest, GreetErr, GreetingClient};
use parigot_guest::future::{all, any, join, race, timeout};
use parigot_guest::{Context, Error, info, warn};

/// Combines calls in each way.
///
/// # Errors
///
/// If a call fails.
pub async fn combine(
    cx: &Context,
    greeting: &GreetingClient,
    echo: &EchoClient,
) -> Result<(), Error> {
    let request = FetchGreetingRequest::default();
    let payload = Payload::default;
    // ANCHOR: combine
    // Two services: a tuple of futures of different types.
    let (greeted, echoed) = all((greeting.fetch_greeting(request), echo.echo(payload()))).await?;

    // One service, several calls: an array or a `Vec` of futures of one type.
    let outcomes = join([echo.echo(payload()), echo.echo(payload())]).await;
    let fastest = race([echo.echo(payload()), echo.echo(payload())]).await?;
    let first_success = any([echo.echo(payload()), echo.echo(payload())]).await?;
    // ANCHOR_END: combine
    info!(
        cx,
        "{} {echoed:?} {} {fastest:?} {first_success:?}",
        greeted.greeting,
        outcomes.len()
    );
    // ANCHOR: timeout
    let calls = all((greeting.fetch_greeting(request), echo.echo(payload())));
    match timeout(cx, Duration::from_secs(1), calls).await? {
        Ok((greeted, _)) => info!(cx, "{}", greeted.greeting),
        // `find` finds the error of either service, or the status of either call.
        Err(error) if error.find::<GreetErr>().is_some() => warn!(cx, "no such language"),
        Err(error) => return Err(error),
    }
    // ANCHOR_END: timeout
    Ok(())
}
