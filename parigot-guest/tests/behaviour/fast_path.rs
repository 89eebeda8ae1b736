//! The fast paths of a call are equal to the general path.
//!
//! A frame that is skipped behind the others turns the fast paths off: something is ahead of the
//! task that becomes ready. So each test runs the same turns with and without it, and compares all
//! that the host can see.

use core::pin::{Pin, pin};
use core::task::{self, Poll};
use core::time::Duration;

use parigot_abi::{Cause, Code, Header, Kind};
use parigot_guest::{Context, Error, Exit, Failure, info};

use crate::greeting::*;
use crate::harness::{Guest, Inbound, call, call_by, cancel, frame, launched, stop};

/// Does something else for each tongue.
#[derive(Default)]
struct Worker;

impl Greeting for Worker {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        match request.tongue {
            1 => return Err(GreetErr::UnknownLang.into()),
            2 => cx.yield_now().await,
            3 => {
                let greeting = GreetingClient::locate(cx).expect("Greeting must be required");
                let reply = greeting.fetch_greeting(request).await;
                return reply.map_err(|_| GreetErr::UnknownLang.into());
            }
            4 => cx.sleep(Duration::from_nanos(1)).await,
            5 => {
                let inside = cx.clone();
                cx.spawn(async move { info!(inside, "spawned") });
            }
            6 => match cx.exit(6).await {},
            _ => {}
        }
        Ok(FetchGreetingResponse::default())
    }
}

/// A frame of a kind that only guests send, which a guest skips.
fn skipped() -> Inbound {
    frame(Header::new(Kind::Log), |frame| frame)
}

/// Runs a turn in both guests, in the second one with a skipped frame behind the others.
fn check_turn(guests: &mut [Guest; 2], frames: &dyn Fn(&Guest) -> Vec<Inbound>) {
    let [fast, general] = guests;
    let fast_frames = frames(fast);
    let mut general_frames = frames(general);
    general_frames.push(skipped());
    assert_eq!(fast.turn(fast_frames), general.turn(general_frames));
    let fast_view = fast.view();
    let general_view = general.view();
    assert_eq!(fast_view.polls, general_view.polls);
    assert_eq!(fast_view.more, general_view.more);
    assert_eq!(fast_view.wake_at_ns, general_view.wake_at_ns);
    assert_eq!(fast_view.progress_call, general_view.progress_call);
    fast.now_ns += 1;
    general.now_ns += 1;
}

#[test]
fn a_call_has_the_same_effect_on_both_paths() {
    for first in 0..=6 {
        for second in 0..=6 {
            let mut guests = [(); 2].map(|()| Guest::serving::<Worker, _>());
            check_turn(&mut guests, &|_| vec![call(1, first)]);
            check_turn(&mut guests, &|_| vec![call(2, second), call(3, first)]);
            check_turn(&mut guests, &|_| vec![cancel(2), call_by(4, first, 1)]);
            check_turn(&mut guests, &|_| vec![stop()]);
            check_turn(&mut guests, &|_| vec![call(5, second)]);
        }
    }
}

#[test]
fn a_call_has_the_same_effect_at_the_limit_of_polls() {
    for max_polls in 0..=2 {
        let mut guests = [(); 2].map(|()| Guest::serving::<Worker, _>());
        for guest in &mut guests {
            guest.max_polls = max_polls;
        }
        check_turn(&mut guests, &|_| vec![call(1, 2)]);
        check_turn(&mut guests, &|_| vec![call(2, 5)]);
        check_turn(&mut guests, &|_| vec![]);
    }
}

#[test]
fn a_reply_has_the_same_effect_on_both_paths() {
    let replies: [fn(&Guest) -> Inbound; 3] = [
        |guest| guest.reply('a', "bonjour"),
        |guest| guest.reply_error('a', 1),
        |guest| guest.reply_failure('a', Code::Unavailable, Cause::Unreachable, "gone"),
    ];
    for reply in replies {
        let mut guests = [(); 2].map(|()| Guest::serving::<Worker, _>());
        check_turn(&mut guests, &|_| vec![call(1, 3), call(2, 3)]);
        check_turn(&mut guests, &|guest| vec![reply(guest)]);
        check_turn(&mut guests, &|guest| vec![reply(guest), stop()]);
        check_turn(&mut guests, &|guest| {
            vec![call(3, 0), guest.reply('b', "two")]
        });
    }
}

/// Polls a future with a clone of the task's waker.
struct WithClonedWaker<F>(F);

impl<F: Future + Unpin> Future for WithClonedWaker<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let waker = cx.waker().clone();
        let mut cx = task::Context::from_waker(&waker);
        pin!(&mut self.0).poll(&mut cx)
    }
}

#[test]
fn a_waker_and_its_clone_wake_the_same_task() {
    async fn direct(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let call = GreetingClient::locate(&cx)?.fetch_greeting(FetchGreetingRequest { tongue: 1 });
        info!(cx, "{}", call.await?.greeting);
        Ok(Exit::SUCCESS)
    }
    async fn cloned(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let call = GreetingClient::locate(&cx)?.fetch_greeting(FetchGreetingRequest { tongue: 1 });
        info!(cx, "{}", WithClonedWaker(call).await?.greeting);
        Ok(Exit::SUCCESS)
    }
    let mut guests = [Guest::started(direct).0, Guest::started(cloned).0];
    for guest in &mut guests {
        let made = guest.turn([launched(&[70])]);
        assert_eq!(made, ["reply 0: OK", "call a: 70.0 tongue 1"]);
        let reply = guest.reply('a', "bonjour");
        assert_eq!(guest.turn([reply]), ["Info: bonjour", "exit 0"]);
        assert_eq!(guest.view().polls, 1);
    }
}
