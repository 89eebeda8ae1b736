//! Calls the echo service as often as it is told, some calls at a time, and says when it begins and ends.
//!
//! Arguments: calls, bytes of payload, calls in flight.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use golden::echo::echo::v1::{EchoClient, Payload};
use parigot_guest::{Context, Error, Exit};

/// Calls before the first that counts.
const WARM_UP: usize = 2_000;

#[parigot_guest::program(requires(EchoClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let echo = EchoClient::locate(&cx)?;
    let numbers = cx.args().iter().map(|arg| arg.parse()).collect::<Result<Vec<usize>, _>>()?;
    let [calls, bytes, in_flight] = numbers[..] else { return Ok(Exit::FAILURE) };
    run(&cx, &echo, WARM_UP.min(calls), bytes, in_flight).await?;
    parigot_guest::info!(cx, "begin");
    cx.yield_now().await;
    run(&cx, &echo, calls, bytes, in_flight).await?;
    parigot_guest::info!(cx, "end");
    Ok(Exit::SUCCESS)
}

/// Makes `calls` calls; each of `in_flight` tasks makes its share, one after the other.
async fn run(cx: &Context, echo: &EchoClient, calls: usize, bytes: usize, in_flight: usize) -> Result<(), Error> {
    if in_flight == 1 {
        return call_repeatedly(echo.clone(), calls, bytes).await;
    }
    let running = Rc::new(Cell::new(in_flight));
    let caller = poll_fn(|task| Poll::Ready(task.waker().clone())).await;
    for _ in 0..in_flight {
        let (echo, running, caller) = (echo.clone(), Rc::clone(&running), caller.clone());
        cx.spawn(async move {
            call_repeatedly(echo, calls / in_flight, bytes).await.expect("the echo answers");
            running.set(running.get() - 1);
            caller.wake();
        });
    }
    poll_fn(|_| if running.get() == 0 { Poll::Ready(()) } else { Poll::Pending }).await;
    Ok(())
}

async fn call_repeatedly(echo: EchoClient, calls: usize, bytes: usize) -> Result<(), Error> {
    for _ in 0..calls {
        let reply = echo.echo(Payload { data: vec![7; bytes] }).await?;
        assert_eq!(reply.data.len(), bytes);
    }
    Ok(())
}
