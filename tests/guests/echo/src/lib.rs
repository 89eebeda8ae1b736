//! Serves echo.v1.Echo, which echoes payloads and fails on request.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::hint::black_box;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use golden::echo::echo::v1::deed::Kind;
use golden::echo::echo::v1::{Deed, Echo, EchoErr, EchoServer, Payload};
use parigot_guest::{Context, Failure};

#[derive(Default)]
struct Echoing;

impl Echo for Echoing {
    async fn echo(&self, _: &Context, request: Payload) -> Result<Payload, Failure<EchoErr>> {
        Ok(request)
    }

    async fn misbehave(&self, cx: &Context, deed: Deed) -> Result<Payload, Failure<EchoErr>> {
        match deed.kind() {
            Kind::Nothing => {}
            Kind::Panic => panic!("told to panic"),
            #[cfg(target_arch = "wasm32")]
            Kind::Trap => core::arch::wasm32::unreachable(),
            #[cfg(not(target_arch = "wasm32"))]
            Kind::Trap => std::process::abort(),
            Kind::Leave => match cx.exit(deed.number as u8).await {},
            Kind::Refuse => return Err(EchoErr::Refused.into()),
            Kind::Hang => {
                let _dropped = Dropped(cx.clone());
                parigot_guest::info!(cx, "hanging");
                pending::<()>().await;
            }
            Kind::Sleep => {
                parigot_guest::info!(cx, "sleeping");
                cx.sleep(Duration::from_millis(deed.number.into())).await;
            }
            Kind::Spin => loop {
                std::hint::spin_loop();
            },
            Kind::Toil => toil(cx, deed.number).await,
            Kind::Swell => {
                return Ok(Payload {
                    data: vec![7; deed.number as usize],
                });
            }
        }
        Ok(Payload::default())
    }

    async fn persist(&self, cx: &Context, deed: Deed) -> Result<Payload, Failure<EchoErr>> {
        self.misbehave(cx, deed).await
    }
}

/// Spawns `tasks` tasks that are all ready. Each computes for about a millisecond without yielding.
async fn toil(cx: &Context, tasks: u32) {
    let left = Rc::new(Cell::new(tasks));
    let waiter = poll_fn(|task| Poll::Ready(task.waker().clone())).await;
    for _ in 0..tasks {
        let left = Rc::clone(&left);
        let waiter = waiter.clone();
        cx.spawn(async move {
            black_box((0..500_000_u32).fold(0, |sum, k| black_box(sum ^ k)));
            left.set(left.get() - 1);
            waiter.wake();
        });
    }
    poll_fn(|_| {
        if left.get() == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Logs that the handler was dropped.
struct Dropped(Context);

impl Drop for Dropped {
    fn drop(&mut self) {
        parigot_guest::info!(self.0, "cancelled");
    }
}

parigot_guest::service!(Echoing, exports(EchoServer));
