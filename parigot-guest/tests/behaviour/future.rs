//! Combinators of futures.

use core::cell::RefCell;
use core::fmt;
use core::future::ready;
use core::pin::{Pin, pin};
use core::task::{self, Poll, Waker};
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use parigot_guest::future::{AllFailed, all, any, join, race, timeout};
use parigot_guest::{Call, Cause, Code, Context, Error, Exit, Status, info};

use crate::greeting::methods::FetchGreeting;
use crate::greeting::*;
use crate::harness::{Guest, launched};

type Calls = [Call<FetchGreeting>; 3];
type Combine = Box<dyn FnOnce(Context, Calls) -> Pin<Box<dyn Future<Output = String>>>>;

/// Returns a program that has made the calls `a`, `b` and `c`, and that logs the result of
/// `combine`.
fn calling<F: Future<Output = String> + 'static>(
    combine: impl FnOnce(Context, Calls) -> F + 'static,
) -> Guest {
    thread_local! {
        static COMBINE: RefCell<Option<Combine>> = const { RefCell::new(None) };
    }
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let greeting = GreetingClient::locate(&cx)?;
        let calls =
            [1, 2, 3].map(|tongue| greeting.fetch_greeting(FetchGreetingRequest { tongue }));
        let combine = COMBINE.take().expect("the combinator must be set");
        info!(cx, "{}", combine(cx.clone(), calls).await);
        Ok(Exit::SUCCESS)
    }
    COMBINE.set(Some(Box::new(|cx, calls| Box::pin(combine(cx, calls)))));
    let (mut guest, _) = Guest::started(main);
    let made = guest.turn([launched(&[70])]);
    assert_eq!(
        made[1..],
        [
            "call a: 70.0 tongue 1",
            "call b: 70.0 tongue 2",
            "call c: 70.0 tongue 3"
        ]
    );
    guest
}

/// Returns the greeting or the text of the error.
fn text<E: fmt::Display>(result: &Result<FetchGreetingResponse, E>) -> String {
    result
        .as_ref()
        .map_or_else(ToString::to_string, |response| response.greeting.clone())
}

fn texts<'a>(responses: impl IntoIterator<Item = &'a FetchGreetingResponse>) -> String {
    responses
        .into_iter()
        .map(|response| &*response.greeting)
        .collect::<Vec<_>>()
        .join(" ")
}

/// An error of a future that is not a call.
#[derive(Debug)]
struct Tired;

impl fmt::Display for Tired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tired")
    }
}

impl core::error::Error for Tired {}

#[test]
fn join_waits_for_all_however_they_end() {
    let mut tuple = calling(async |cx: Context, [a, b, _c]: Calls| {
        let (a, b, (), four) = join((a, b, cx.sleep(Duration::ZERO), ready(4))).await;
        format!("{}, {}, {four}", text(&a), text(&b))
    });
    let mut array = calling(async |_: Context, calls: Calls| {
        let [a, b, c] = join(calls).await;
        format!("{}, {}, {}", text(&a), text(&b), text(&c))
    });
    let mut list = calling(async |_: Context, calls: Calls| {
        join(Vec::from(calls))
            .await
            .iter()
            .map(text)
            .collect::<Vec<_>>()
            .join(", ")
    });
    for (guest, told) in [
        (&mut tuple, "UNKNOWN_LANG, two, 4"),
        (&mut array, "UNKNOWN_LANG, two, three"),
        (&mut list, "UNKNOWN_LANG, two, three"),
    ] {
        let replies = [guest.reply('b', "two"), guest.reply_error('a', 1)];
        let told_early = guest.turn(replies);
        let three = guest.reply('c', "three");
        let trace = if told_early.is_empty() {
            guest.turn([three])
        } else {
            told_early
        };
        assert_eq!(
            trace.iter().find(|line| line.starts_with("Info")),
            Some(&format!("Info: {told}"))
        );
    }
}

#[test]
fn only_a_race_needs_a_future() {
    let none = Vec::<core::future::Ready<Result<(), Tired>>>::new;
    let mut task = task::Context::from_waker(Waker::noop());
    assert_eq!(
        pin!(join(none())).poll(&mut task).map(|ended| ended.len()),
        Poll::Ready(0)
    );
    assert_eq!(
        pin!(all(none())).poll(&mut task).map(|ended| ended.ok()),
        Poll::Ready(Some(vec![]))
    );
    assert_eq!(
        pin!(any(none()))
            .poll(&mut task)
            .map(|ended| ended.is_err()),
        Poll::Ready(true)
    );
    let race = catch_unwind(AssertUnwindSafe(|| {
        pin!(race(none())).poll(&mut task).is_ready()
    }));
    assert!(race.is_err());
}

#[test]
fn all_waits_for_all_responses() {
    let mut tuple = calling(async |_: Context, [a, b, c]: Calls| {
        let (a, (), b, c) = all((a, ready(Ok::<_, Tired>(())), b, c))
            .await
            .expect("the test must reply");
        texts([&a, &b, &c])
    });
    let mut array = calling(async |_: Context, calls: Calls| {
        texts(&all(calls).await.expect("the test must reply"))
    });
    for guest in [&mut tuple, &mut array] {
        let replies = [guest.reply('c', "three"), guest.reply('a', "one")];
        assert!(guest.turn(replies).is_empty());
        let two = guest.reply('b', "two");
        assert_eq!(guest.turn([two]), ["Info: one two three", "exit 0"]);
    }
}

#[test]
fn all_ends_with_a_failure_and_cancels_the_rest() {
    let mut tuple = calling(async |_: Context, [a, b, c]: Calls| {
        let error = all((a, b, c, ready(Ok::<_, Tired>(()))))
            .await
            .expect_err("one call must fail");
        let [own, status] = [
            error.find::<GreetErr>().is_some(),
            error.find::<Status>().is_some(),
        ];
        format!("{error:#}, own {own}, status {status}")
    });
    let one = tuple.reply('a', "one");
    assert!(tuple.turn([one]).is_empty());
    let failure = tuple.reply_failure('b', Code::Unavailable, Cause::Unreachable, "gone");
    let trace = tuple.turn([failure]);
    assert_eq!(trace[0], "cancel c");
    assert!(
        trace[1].starts_with("Info: UNAVAILABLE: unreachable: gone (")
            && trace[1].ends_with("), own false, status true"),
        "{trace:?}"
    );

    let mut array = calling(async |_: Context, calls: Calls| {
        let error = Error::from(all(calls).await.expect_err("one call must fail"));
        format!("{error:#}, own {:?}", error.find::<GreetErr>())
    });
    let failure = array.reply_error('c', 1);
    assert_eq!(
        array.turn([failure]),
        [
            "cancel a",
            "cancel b",
            "Info: UNKNOWN_LANG, own Some(UnknownLang)",
            "exit 0"
        ]
    );
}

#[test]
fn race_ends_with_the_first_and_cancels_the_rest() {
    let mut tuple = calling(async |_: Context, [a, b, _c]: Calls| text(&race((a, b)).await));
    let mut array = calling(async |_: Context, [a, b, _c]: Calls| text(&race([a, b]).await));
    for guest in [&mut tuple, &mut array] {
        let failure = guest.reply_error('b', 1);
        assert_eq!(
            guest.turn([failure])[..3],
            ["cancel a", "cancel c", "Info: UNKNOWN_LANG"]
        );
    }
    // Of replies in one turn, the first in the order of the race wins.
    let mut both = calling(async |_: Context, [a, b, _c]: Calls| text(&race((a, b)).await));
    let replies = [both.reply('b', "two"), both.reply('a', "one")];
    assert_eq!(both.turn(replies)[..2], ["cancel c", "Info: one"]);
}

#[test]
fn any_ends_with_a_success_and_cancels_the_rest() {
    let mut tuple = calling(async |_: Context, [a, b, c]: Calls| {
        text(&any((ready(Err(Tired)), a, b, c)).await)
    });
    let mut array = calling(async |_: Context, calls: Calls| text(&any(calls).await));
    for guest in [&mut tuple, &mut array] {
        let failure = guest.reply_error('a', 1);
        assert!(guest.turn([failure]).is_empty());
        let two = guest.reply('b', "two");
        assert_eq!(guest.turn([two]), ["cancel c", "Info: two", "exit 0"]);
    }
}

#[test]
fn any_fails_with_all_errors() {
    let mut tuple = calling(async |_: Context, [a, b, c]: Calls| {
        let AllFailed { errors } = any((ready(Err(Tired)), a, b, c))
            .await
            .expect_err("all calls must fail");
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    });
    let mut list = calling(async |_: Context, calls: Calls| text(&any(Vec::from(calls)).await));
    for (guest, told) in [
        (
            &mut tuple,
            "tired; UNKNOWN_LANG; UNKNOWN_LANG; UNKNOWN_LANG",
        ),
        (
            &mut list,
            "all 3 calls failed: UNKNOWN_LANG; UNKNOWN_LANG; UNKNOWN_LANG",
        ),
    ] {
        let failures = ['b', 'a', 'c'].map(|letter| guest.reply_error(letter, 1));
        assert_eq!(guest.turn(failures), [&format!("Info: {told}"), "exit 0"]);
    }
    let of_none = AllFailed::<Tired> { errors: vec![] };
    assert_eq!(of_none.to_string(), "no futures given");
}

#[test]
fn a_timeout_drops_only_a_future_that_is_too_slow() {
    const LIMIT: Duration = Duration::from_millis(5);
    let limited =
        async |cx: Context, [a, b, c]: Calls| match timeout(&cx, LIMIT, join((a, b, c))).await {
            Ok((a, _, _)) => text(&a),
            Err(error) => error.to_string(),
        };
    let mut late = calling(limited);
    assert_eq!(
        late.wake_at_ns(),
        Some(late.now_ns + LIMIT.as_nanos() as u64)
    );
    let one = late.reply('a', "one");
    assert!(late.turn([one]).is_empty());
    late.now_ns += LIMIT.as_nanos() as u64;
    let trace = late.turn([]);
    assert_eq!(
        (trace.len(), &*trace[2], &*trace[3]),
        (4, "Info: timed out after 5ms", "exit 0"),
        "{trace:?}"
    );

    let mut just_in_time = calling(limited);
    just_in_time.now_ns += LIMIT.as_nanos() as u64;
    let replies = ['a', 'b', 'c'].map(|letter| just_in_time.reply(letter, "one"));
    assert_eq!(just_in_time.turn(replies), ["Info: one", "exit 0"]);
}

#[test]
fn losers_are_dropped_with_what_they_own() {
    let owned = Rc::new(());
    let kept = Rc::clone(&owned);
    let mut guest = calling(async move |_: Context, [a, _b, _c]: Calls| {
        let forever = async move {
            let _kept = kept;
            core::future::pending().await
        };
        text(&race((a, forever)).await)
    });
    assert_eq!(Rc::strong_count(&owned), 2);
    let one = guest.reply('a', "one");
    guest.turn([one]);
    assert_eq!(Rc::strong_count(&owned), 1);
}
