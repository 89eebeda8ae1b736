//! A program that calls greeting.v1.Greeting until it is stopped, and says what has become of its calls: each hundred, and at its end.

use std::time::Duration;

use golden::helloworld::greeting::v1::{FetchGreetingRequest, GreetingClient, Tongue};
use parigot_guest::{Context, Error, Exit};

/// Between two calls, so that it leaves room for what it is beside; none after the argument `--hurry`.
const PAUSE: Duration = Duration::from_millis(1);

#[parigot_guest::program(requires(GreetingClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let greeting = GreetingClient::locate(&cx)?;
    let mut tally = Tally {
        cx: cx.clone(),
        answered: 0,
        failed: 0,
        longest: Duration::ZERO,
    };
    let hurries = cx.args().iter().any(|arg| arg == "--hurry");
    loop {
        let begin = cx.now();
        if !hurries {
            cx.sleep(PAUSE).await;
        }
        match greeting
            .fetch_greeting(FetchGreetingRequest {
                tongue: Tongue::French.into(),
            })
            .await
        {
            Ok(_) => tally.answered += 1,
            Err(_) => tally.failed += 1,
        }
        tally.longest = tally.longest.max(cx.now() - begin);
        if (tally.answered + tally.failed).is_multiple_of(100) {
            parigot_guest::info!(cx, "calling");
        }
    }
}

/// What has become of the calls; says so when it is dropped, as `main` is when the guest is stopped.
struct Tally {
    cx: Context,
    answered: u64,
    failed: u64,
    /// From one call to the next.
    longest: Duration,
}

impl Drop for Tally {
    fn drop(&mut self) {
        let Tally {
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
