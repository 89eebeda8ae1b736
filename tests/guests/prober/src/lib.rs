//! A program that calls greeting.v1.Greeting until it is stopped. It logs a line after each hundred
//! calls, and its counts when it is stopped.

use std::time::Duration;

use golden::helloworld::greeting::v1::{FetchGreetingRequest, GreetingClient, Tongue};
use parigot_guest::{Context, Error, Exit};

/// Pause between two calls, which leaves CPU time to the guests under test. None with the argument
/// `--no-pause`.
const PAUSE: Duration = Duration::from_millis(1);

#[parigot_guest::program(requires(GreetingClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let greeting = GreetingClient::locate(&cx)?;
    let mut counts = Counts {
        cx: cx.clone(),
        answered: 0,
        failed: 0,
        longest: Duration::ZERO,
    };
    let has_no_pause = cx.args().iter().any(|arg| arg == "--no-pause");
    loop {
        let begin = cx.now();
        if !has_no_pause {
            cx.sleep(PAUSE).await;
        }
        match greeting
            .fetch_greeting(FetchGreetingRequest {
                tongue: Tongue::French.into(),
            })
            .await
        {
            Ok(_) => counts.answered += 1,
            Err(_) => counts.failed += 1,
        }
        counts.longest = counts.longest.max(cx.now() - begin);
        if (counts.answered + counts.failed).is_multiple_of(100) {
            parigot_guest::info!(cx, "calling");
        }
    }
}

/// Counts of the calls. Logs them when dropped, as `main` is when the guest is stopped.
struct Counts {
    cx: Context,
    answered: u64,
    failed: u64,
    /// The longest time from one call to the next.
    longest: Duration,
}

impl Drop for Counts {
    fn drop(&mut self) {
        let Counts {
            answered,
            failed,
            longest,
            ..
        } = self;
        parigot_guest::info!(
            self.cx,
            "answered {answered}, failed {failed}, longest {} us",
            longest.as_micros()
        );
    }
}
