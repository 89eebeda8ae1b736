//! How guests leave.

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

use parigot_guest::{Context, Error, Exit, NotReady, Ready, info};

use crate::greeting::*;
use crate::harness::{Guest, call, launched, stop};

#[test]
fn a_program_leaves_with_the_status_that_main_returns() {
    async fn main(_: Context) -> Result<Exit, Error> {
        Ok(Exit::code(42))
    }
    let (mut guest, trace) = Guest::started(main);
    assert_eq!(trace, ["exit 42"]);
    assert_eq!((guest.turn([]), guest.view().more), (vec![], false));
}

#[derive(Debug)]
struct Outer(Inner);

#[derive(Debug)]
struct Inner;

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no breakfast")
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no eggs")
    }
}

impl core::error::Error for Inner {}

impl core::error::Error for Outer {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_error_of_main_is_logged_with_what_caused_it() {
    async fn main(_: Context) -> Result<Exit, Error> {
        Err(Outer(Inner))?;
        Ok(Exit::SUCCESS)
    }
    let (_, trace) = Guest::started(main);
    assert_eq!(trace, ["exit 1: no breakfast: no eggs"]);
}

#[test]
fn an_error_prints_one_line_or_its_chain() {
    let error = Error::from(Outer(Inner));
    assert_eq!(format!("{error}"), "no breakfast");
    assert_eq!(format!("{error:#} | {error:?}"), "no breakfast: no eggs | no breakfast: no eggs");
    assert_eq!(error.chain().count(), 2);
    assert!(error.downcast_ref::<Outer>().is_some() && error.downcast_ref::<Inner>().is_none());
    assert_eq!(Error::new("no milk").to_string(), "no milk");
}

/// Says when it is dropped.
struct Farewell(Context);

impl Drop for Farewell {
    fn drop(&mut self) {
        info!(self.0, "dropped");
    }
}

#[test]
fn exit_lets_no_other_task_run_and_the_first_exit_counts() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        let other = cx.clone();
        cx.spawn(async move { info!(other, "never") });
        let leaving = cx.exit(Exit::code(3));
        drop(cx.exit(4));
        info!(cx, "still running");
        match leaving.await {}
    }
    let (mut guest, trace) = Guest::started(main);
    assert_eq!(trace, ["Info: still running", "exit 3"]);
    assert!(guest.turn([]).is_empty());
    assert_eq!((guest.view().more, guest.wake_at_ns()), (false, None));
}

#[test]
fn a_stopped_program_drops_main_and_leaves() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        let _farewell = Farewell(cx.clone());
        cx.launch().await?;
        let _call = GreetingClient::locate(&cx)?.fetch_greeting(FetchGreetingRequest { tongue: 1 });
        core::future::pending().await
    }
    let (mut guest, _) = Guest::started(main);
    guest.turn([launched(&[70])]);
    assert_eq!(guest.turn([stop()]), ["cancel a", "Info: dropped", "exit 0"]);
}

/// Passes each call on; tongue 9 leaves.
#[derive(Default)]
struct Relay;

impl Greeting for Relay {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, GreetErr> {
        if request.tongue == 9 {
            match cx.exit(9).await {}
        }
        let greeting = GreetingClient::locate(cx).expect("it is required");
        Ok(greeting.fetch_greeting(request).await.expect("the test answers"))
    }
}

#[test]
fn a_stopped_service_finishes_its_calls_and_takes_no_more() {
    let mut guest = Guest::serving::<Relay>();
    assert_eq!(guest.turn([call(1, 1), call(2, 2)]), ["call a: 70.0 tongue 1", "call b: 70.0 tongue 2"]);
    assert_eq!(guest.turn([stop(), call(3, 3)]), ["reply 3: UNAVAILABLE (unreachable): the service is stopping"]);
    assert_eq!(guest.turn([guest.reply('a', "one")]), ["reply 1: OK one"]);
    assert_eq!(guest.turn([guest.reply('b', "two")]), ["reply 2: OK two", "exit 0"]);
}

#[test]
fn a_stopped_service_without_calls_leaves_at_once() {
    assert_eq!(Guest::serving::<Relay>().turn([stop()]), ["exit 0"]);
    let mut unready = Guest::service::<Relay>();
    unready.start();
    assert_eq!(unready.turn([stop()]), ["exit 0"]);
}

#[test]
fn a_closed_guest_drops_service_and_handlers_though_they_hold_contexts() {
    static DROPS: AtomicU32 = AtomicU32::new(0);

    struct Counted {
        _cx: Context,
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Ready for Counted {
        async fn ready(cx: &Context) -> Result<Self, NotReady> {
            Ok(Counted { _cx: cx.clone() })
        }
    }

    impl Greeting for Counted {
        async fn fetch_greeting(
            &self,
            cx: &Context,
            _: FetchGreetingRequest,
        ) -> Result<FetchGreetingResponse, GreetErr> {
            let _counted = Counted { _cx: cx.clone() };
            core::future::pending().await
        }
    }

    let mut guest = Guest::serving::<Counted>();
    assert!(guest.turn([call(1, 0), call(2, 0)]).is_empty());
    drop(guest);
    assert_eq!(DROPS.load(Ordering::Relaxed), 3);
}

#[test]
fn a_service_leaves_when_it_asks_to() {
    let mut guest = Guest::serving::<Relay>();
    assert_eq!(guest.turn([call(1, 9)]), ["exit 9"]);
}
