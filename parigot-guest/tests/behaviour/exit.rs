//! The exit of guests.

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use parigot_guest::{AT_EXIT_MAX, Context, Error, Exit, Failure, NotReady, Ready, info};

use crate::greeting::*;
use crate::harness::{Guest, call, cancel, launched, stop};

#[test]
fn a_program_exits_with_the_status_from_main() {
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
fn an_error_of_main_is_logged_with_its_causes() {
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
    assert_eq!(
        format!("{error:#} | {error:?}"),
        "no breakfast: no eggs | no breakfast: no eggs"
    );
    assert_eq!(error.chain().count(), 2);
    assert!(error.downcast_ref::<Outer>().is_some() && error.downcast_ref::<Inner>().is_none());
    assert_eq!(Error::new("no milk").to_string(), "no milk");
}

/// Logs its drop.
struct LogOnDrop(Context);

impl Drop for LogOnDrop {
    fn drop(&mut self) {
        info!(self.0, "dropped");
    }
}

#[test]
fn no_task_runs_after_exit_and_the_first_exit_counts() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        let other = cx.clone();
        cx.spawn(async move { info!(other, "never") });
        let exit_future = cx.exit(Exit::code(3));
        drop(cx.exit(4));
        info!(cx, "still running");
        match exit_future.await {}
    }
    let (mut guest, trace) = Guest::started(main);
    assert_eq!(trace, ["Info: still running", "exit 3"]);
    assert!(guest.turn([]).is_empty());
    assert_eq!((guest.view().more, guest.wake_at_ns()), (false, None));
}

#[test]
fn a_stopped_program_drops_main_and_exits() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        let _logged = LogOnDrop(cx.clone());
        cx.launch().await?;
        let _call = GreetingClient::locate(&cx)?.fetch_greeting(FetchGreetingRequest { tongue: 1 });
        core::future::pending().await
    }
    let (mut guest, _) = Guest::started(main);
    guest.turn([launched(&[70])]);
    assert_eq!(
        guest.turn([stop()]),
        ["cancel a", "Info: dropped", "exit 0"]
    );
}

/// Forwards each call; tongue 9 exits.
#[derive(Default)]
struct Relay;

impl Greeting for Relay {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        if request.tongue == 9 {
            match cx.exit(9).await {}
        }
        let greeting = GreetingClient::locate(cx).expect("Greeting must be required");
        Ok(greeting
            .fetch_greeting(request)
            .await
            .expect("the test must reply"))
    }
}

#[test]
fn a_stopped_service_finishes_its_calls() {
    let mut guest = Guest::serving::<Relay, _>();
    assert_eq!(
        guest.turn([call(1, 1), call(2, 2)]),
        ["call a: 70.0 tongue 1 for 1", "call b: 70.0 tongue 2 for 2"]
    );
    assert_eq!(
        guest.turn([stop(), call(3, 3)]),
        ["reply 3: UNAVAILABLE (unreachable): the service is stopping"]
    );
    assert_eq!(guest.turn([guest.reply('a', "one")]), ["reply 1: OK one"]);
    assert_eq!(
        guest.turn([guest.reply('b', "two")]),
        ["reply 2: OK two", "exit 0"]
    );
}

#[test]
fn a_stopped_service_without_calls_exits_at_once() {
    assert_eq!(Guest::serving::<Relay, _>().turn([stop()]), ["exit 0"]);
    let mut unready = Guest::service::<Relay, _>();
    unready.start();
    assert_eq!(unready.turn([stop()]), ["exit 0"]);
}

#[test]
fn closing_drops_service_and_handlers_with_contexts() {
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
        ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
            let _counted = Counted { _cx: cx.clone() };
            core::future::pending().await
        }
    }

    let mut guest = Guest::serving::<Counted, _>();
    assert!(guest.turn([call(1, 0), call(2, 0)]).is_empty());
    drop(guest);
    assert_eq!(DROPS.load(Ordering::Relaxed), 3);
}

#[test]
fn a_handler_may_exit() {
    let mut guest = Guest::serving::<Relay, _>();
    assert_eq!(guest.turn([call(1, 9)]), ["exit 9"]);
}

/// Runs a turn after `time` on the guest's clock.
fn pass(guest: &mut Guest, time: Duration) -> Vec<String> {
    guest.now_ns += time.as_nanos() as u64;
    guest.turn([])
}

#[test]
fn exit_hooks_run_in_reverse_and_may_make_calls() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let greeting = GreetingClient::locate(&cx)?;
        let first = cx.clone();
        let last = cx.clone();
        let other = cx.clone();
        cx.at_exit(async move || info!(first, "registered first"));
        cx.at_exit(async move || {
            let reply = greeting
                .fetch_greeting(FetchGreetingRequest { tongue: 1 })
                .await;
            info!(last, "{}", reply.expect("the test must reply").greeting);
        });
        cx.spawn(async move {
            other.sleep(Duration::ZERO).await;
            info!(other, "never");
        });
        Ok(Exit::code(3))
    }
    let (mut guest, _) = Guest::started(main);
    assert_eq!(
        guest.turn([launched(&[70])]),
        ["reply 0: OK", "call a: 70.0 tongue 1"]
    );
    assert_eq!(pass(&mut guest, Duration::from_millis(1)), [""; 0]);
    let adieu = guest.reply('a', "adieu");
    assert_eq!(
        guest.turn([adieu]),
        ["Info: adieu", "Info: registered first", "exit 3"]
    );
    assert!(guest.turn([]).is_empty());
}

#[test]
fn a_slow_exit_hook_is_dropped_and_logged() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        let first = cx.clone();
        cx.at_exit(async move || info!(first, "registered first"));
        let logged = LogOnDrop(cx.clone());
        cx.at_exit(async move || {
            let _logged = logged;
            core::future::pending().await
        });
        match cx.exit(3).await {}
    }
    let line = line!() - 6;
    let (mut guest, trace) = Guest::started(main);
    assert_eq!(trace, [""; 0]);
    assert_eq!(
        guest.wake_at_ns(),
        Some(guest.now_ns + AT_EXIT_MAX.as_nanos() as u64)
    );
    assert_eq!(
        pass(&mut guest, AT_EXIT_MAX - Duration::from_nanos(1)),
        [""; 0]
    );
    let logged = format!(
        "Error: exit hook of {}:{line}:12 did not finish within 1s",
        file!().replace('\\', "/")
    );
    let expected = ["Info: dropped", &logged, "Info: registered first", "exit 3"];
    assert_eq!(pass(&mut guest, Duration::from_nanos(1)), expected);
}

/// Forwards calls like `Relay`, and logs at the exit.
struct Polite;

impl Ready for Polite {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        let own = cx.clone();
        cx.at_exit(async move || {
            own.sleep(Duration::from_millis(1)).await;
            info!(own, "goodbye");
        });
        Ok(Polite)
    }
}

impl Greeting for Polite {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        Relay.fetch_greeting(cx, request).await
    }
}

#[test]
fn exit_hooks_run_after_a_stopped_service_s_calls() {
    let mut guest = Guest::serving::<Polite, _>();
    assert_eq!(
        guest.turn([call(1, 1), stop()]),
        ["call a: 70.0 tongue 1 for 1"]
    );
    let one = guest.reply('a', "one");
    assert_eq!(guest.turn([one]), ["reply 1: OK one"]);
    let refused = guest.turn([call(2, 1), stop()]);
    assert_eq!(
        refused,
        ["reply 2: UNAVAILABLE (unreachable): the service is stopping"]
    );
    assert_eq!(
        pass(&mut guest, Duration::from_millis(1)),
        ["Info: goodbye", "exit 0"]
    );
}

#[test]
fn a_handler_cancelled_during_the_exit_is_dropped() {
    let mut guest = Guest::serving::<Polite, _>();
    assert_eq!(guest.turn([call(1, 1)]), ["call a: 70.0 tongue 1 for 1"]);
    assert_eq!(
        guest.turn([call(2, 9)]),
        [""; 0],
        "the exit hook must be waiting"
    );
    let cancelled = [
        "cancel a",
        "reply 1: CANCELLED (cancelled): the caller cancelled the call",
    ];
    assert_eq!(guest.turn([cancel(1)]), cancelled);
    assert_eq!(
        pass(&mut guest, Duration::from_millis(1)),
        ["Info: goodbye", "exit 9"]
    );
}

#[test]
fn an_exit_during_the_exit_changes_nothing() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        let own = cx.clone();
        cx.at_exit(async move || drop(own.exit(5)));
        Ok(Exit::code(3))
    }
    assert_eq!(Guest::started(main).1, ["exit 3"]);
}

#[test]
fn ready_may_exit() {
    struct Hasty;

    impl Ready for Hasty {
        async fn ready(cx: &Context) -> Result<Self, NotReady> {
            match cx.exit(6).await {}
        }
    }

    impl Greeting for Hasty {
        async fn fetch_greeting(
            &self,
            _: &Context,
            _: FetchGreetingRequest,
        ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
            Err(GreetErr::UnknownLang.into())
        }
    }

    let mut guest = Guest::service::<Hasty, _>();
    guest.start();
    assert_eq!(guest.turn([launched(&[70])]), ["exit 6"]);
}
