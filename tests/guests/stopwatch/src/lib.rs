//! A program that times its calls to echo.v1.Echo, and logs quantiles of their latencies.
//!
//! Arguments: number of calls, calls in flight.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use golden::echo::echo::v1::{EchoClient, Payload};
use parigot_guest::{Client, Context, Error, Exit};

/// Deadline of a call: long, since a late call counts by its latency.
const DEADLINE: Duration = Duration::from_secs(60);

/// Calls between two lines about the progress.
const CALLS_PER_LINE: usize = 10_000;

/// Latencies of the answered calls, from the turn in which a call left to the turn in which its
/// answer arrived.
type Latencies = Rc<RefCell<Vec<Duration>>>;

#[parigot_guest::program(requires(EchoClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let [calls, in_flight] = cx.args() else {
        return Ok(Exit::FAILURE);
    };
    let (calls, in_flight): (usize, usize) = (calls.parse()?, in_flight.parse()?);
    let echo = EchoClient::locate(&cx)?.with_deadline(DEADLINE);
    let latencies = Latencies::default();
    for _ in 0..in_flight {
        let (echo, latencies) = (echo.clone(), Rc::clone(&latencies));
        cx.spawn(call_repeatedly(
            cx.clone(),
            echo,
            calls / in_flight,
            latencies,
        ));
    }
    // A lane holds a reference to the latencies as long as it runs.
    while Rc::strong_count(&latencies) > 1 {
        cx.sleep(Duration::from_millis(10)).await;
    }
    let mut latencies = latencies.borrow_mut();
    latencies.sort_unstable();
    let quantile = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_micros();
    parigot_guest::info!(
        cx,
        "timed {} calls in us: p50 {} p99 {} max {}",
        latencies.len(),
        quantile(50),
        quantile(99),
        quantile(100)
    );
    Ok(Exit::SUCCESS)
}

async fn call_repeatedly(cx: Context, echo: EchoClient, calls: usize, latencies: Latencies) {
    for _ in 0..calls {
        let begun = cx.now();
        let answer = echo.echo(Payload { data: vec![7; 16] }).await;
        answer.expect("each call must be answered");
        let mut latencies = latencies.borrow_mut();
        latencies.push(cx.now() - begun);
        if latencies.len().is_multiple_of(CALLS_PER_LINE) {
            parigot_guest::info!(cx, "answered so far: {}", latencies.len());
        }
    }
}
