//! Calls the echo service, several calls at a time. Logs when it begins and ends, and the
//! latencies.
//!
//! Arguments: number of calls, bytes of payload, calls in flight, and `timed` to time each call.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use golden::echo::echo::v1::{EchoClient, Payload};
use parigot_guest::{Context, Error, Exit};

/// Number of calls before the first measured one.
const WARM_UP: usize = 2_000;

#[derive(Clone)]
struct Caller {
    cx: Context,
    echo: EchoClient,
    bytes: usize,
    /// Latency of each call in ns, from the turn in which the call left to the turn in which its
    /// answer arrived. `None` unless calls are timed.
    took_ns: Option<Rc<RefCell<Vec<u64>>>>,
}

#[parigot_guest::program(requires(EchoClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    // Ends the turn. The next turn comes after those of all guests that are launched with this one.
    cx.sleep(Duration::ZERO).await;
    let [calls, bytes, in_flight, timed] = cx.args() else {
        return Ok(Exit::FAILURE);
    };
    let (calls, in_flight): (usize, usize) = (calls.parse()?, in_flight.parse()?);
    let caller = Caller {
        cx: cx.clone(),
        echo: EchoClient::locate(&cx)?,
        bytes: bytes.parse()?,
        took_ns: None,
    };
    caller.clone().run(WARM_UP.min(calls), in_flight).await?;
    let took_ns = (timed == "timed").then(|| Rc::new(RefCell::new(Vec::with_capacity(calls))));
    parigot_guest::info!(cx, "begin");
    cx.sleep(Duration::ZERO).await;
    Caller {
        took_ns: took_ns.clone(),
        ..caller
    }
    .run(calls, in_flight)
    .await?;
    parigot_guest::info!(cx, "end");
    // The line is sent when the turn ends.
    cx.sleep(Duration::ZERO).await;
    let [p50, p99] = took_ns.map_or([0, 0], |took_ns| quantiles(&mut took_ns.borrow_mut()));
    parigot_guest::info!(cx, "took {p50} {p99}");
    Ok(Exit::SUCCESS)
}

impl Caller {
    /// Makes `calls` calls, divided over `in_flight` tasks, each of which makes one after the
    /// other.
    async fn run(self, calls: usize, in_flight: usize) -> Result<(), Error> {
        if in_flight == 1 {
            return self.call_repeatedly(calls).await;
        }
        let running = Rc::new(Cell::new(in_flight));
        let waiter = poll_fn(|task| Poll::Ready(task.waker().clone())).await;
        for _ in 0..in_flight {
            let (caller, running, waiter) = (self.clone(), Rc::clone(&running), waiter.clone());
            self.cx.spawn(async move {
                caller
                    .call_repeatedly(calls / in_flight)
                    .await
                    .expect("the echo service must answer");
                running.set(running.get() - 1);
                waiter.wake();
            });
        }
        poll_fn(|_| {
            if running.get() == 0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        Ok(())
    }

    async fn call_repeatedly(&self, calls: usize) -> Result<(), Error> {
        for _ in 0..calls {
            let begin = self.took_ns.as_ref().map(|_| self.cx.now());
            let reply = self
                .echo
                .echo(Payload {
                    data: vec![7; self.bytes],
                })
                .await?;
            assert_eq!(reply.data.len(), self.bytes);
            if let (Some(begin), Some(took_ns)) = (begin, &self.took_ns) {
                took_ns
                    .borrow_mut()
                    .push((self.cx.now() - begin).as_nanos() as u64);
            }
        }
        Ok(())
    }
}

/// Returns the median and the 99th percentile.
fn quantiles(took_ns: &mut [u64]) -> [u64; 2] {
    took_ns.sort_unstable();
    [50, 99].map(|percent| took_ns[took_ns.len() * percent / 100])
}
