//! Combinators: wait for several futures that run concurrently, for example calls to any services.
//!
//! Go's package `future` has the same combinators.
//!
//! | function | completes when | with |
//! |---|---|---|
//! | [`join`] | all futures have ended | all outputs |
//! | [`all`] | all have succeeded, or the first has failed | all responses, or the first error |
//! | [`race`] | the first has ended | its output |
//! | [`any`] | the first has succeeded, or all have failed | its response, or all errors |
//! | [`timeout`] | the future has ended, or the limit has passed | its output, or [`TimedOut`] |
//!
//! All except `timeout` take a tuple of up to eight futures of different types, or an array or
//! `Vec` of one type. Futures that are not needed any more are dropped, which cancels calls: the
//! losers of a race, and the rest of [`all`] after a failure. If several futures end in one turn,
//! the first in the given order counts.
//!
//! ```no_run
//! # mod greeting {
//! #     include!("../tests/behaviour/greeting.rs");
//! # }
//! # use greeting::*;
//! # use std::time::Duration;
//! # use parigot_guest::{Context, Error, Status};
//! use parigot_guest::future::{all, timeout};
//!
//! # async fn example(
//! #     cx: &Context,
//! #     here: GreetingClient,
//! #     there: GreetingClient,
//! # ) -> Result<(), Error> {
//! let calls = (
//!     here.fetch_greeting(FetchGreetingRequest { tongue: 1 }),
//!     there.fetch_greeting(FetchGreetingRequest { tongue: 2 }),
//! );
//! match timeout(cx, Duration::from_secs(1), all(calls)).await? {
//!     Ok((french, english)) => {
//!         parigot_guest::info!(cx, "{} {}", french.greeting, english.greeting);
//!     }
//!     // `find` finds the error of any of the services, or the status of a call.
//!     Err(error) if error.find::<GreetErr>().is_some() => {
//!         parigot_guest::warn!(cx, "unknown tongue");
//!     }
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! # fn main() {}
//! ```
//!
//! Whenever one future wakes the task, all futures that have not ended are polled. For thousands of
//! futures, [spawn](Context::spawn) tasks instead.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::error::Error as StdError;
use core::fmt;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{self, Poll};
use core::time::Duration;

use crate::clock::run_until;
use crate::context::Context;
use crate::error::Error;

/// Waits until all futures have ended. Returns their outputs in the given order.
///
/// ```
/// use core::future::ready;
/// use parigot_guest::future::join;
///
/// # async fn example() {
/// assert_eq!(join((ready(1), ready("two"))).await, (1, "two"));
/// # }
/// ```
pub async fn join<F: Join>(futures: F) -> F::Outputs {
    futures.join().await
}

/// Waits until all futures have succeeded. Returns their responses in the given order.
///
/// # Errors
///
/// The error of the first future that fails; the others are dropped. For a tuple it is an
/// [`Error`], in which [`Error::find`] finds a service's own error or a call's
/// [`Status`](crate::Status).
pub async fn all<F: All>(futures: F) -> Result<F::Responses, F::Error> {
    futures.all().await
}

/// Waits until the first future has ended. Returns its output; the others are dropped.
///
/// # Panics
///
/// If no futures are given.
pub async fn race<F: Race>(futures: F) -> F::Output {
    futures.race().await
}

/// Waits until the first future has succeeded. Returns its response; the others are dropped.
///
/// # Errors
///
/// If all futures have failed, or none are given.
pub async fn any<F: Any>(futures: F) -> Result<F::Response, AllFailed<F::Error>> {
    futures.any().await
}

/// Waits until the future has ended, at most for `limit` from now on the guest's clock. After that
/// the future is dropped.
///
/// A call also has a deadline, which its callee knows and which may be earlier: see
/// [`Client::with_deadline`](crate::Client::with_deadline).
///
/// # Errors
///
/// If `limit` has passed.
pub fn timeout<F: Future>(
    cx: &Context,
    limit: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output, TimedOut>> + use<F> {
    let sleep = cx.sleep(limit);
    async move { run_until(sleep, future).await.ok_or(TimedOut { limit }) }
}

/// The limit of a [`timeout`] has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut {
    limit: Duration,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timed out after {:?}", self.limit)
    }
}

impl StdError for TimedOut {}

/// The errors of all futures given to [`any`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllFailed<E> {
    /// One error for each future, in the given order.
    pub errors: Vec<E>,
}

impl<E: fmt::Display> fmt::Display for AllFailed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.errors[..] {
            [] => f.write_str("no futures given"),
            [first, rest @ ..] => {
                write!(f, "all {} calls failed: {first}", 1 + rest.len())?;
                rest.iter().try_for_each(|error| write!(f, "; {error}"))
            }
        }
    }
}

impl<E: fmt::Debug + fmt::Display> StdError for AllFailed<E> {}

/// Futures that [`join`] takes.
pub trait Join: sealed::Futures {
    /// The outputs, in the given order.
    type Outputs;
    #[doc(hidden)]
    fn join(self) -> impl Future<Output = Self::Outputs>;
}

/// Futures that [`all`] takes: their outputs are results.
pub trait All: sealed::Futures {
    /// The responses, in the given order.
    type Responses;
    /// The error of any of them.
    type Error;
    #[doc(hidden)]
    fn all(self) -> impl Future<Output = Result<Self::Responses, Self::Error>>;
}

/// Futures that [`race`] takes: their outputs have one type.
pub trait Race: sealed::Futures {
    /// The output of each.
    type Output;
    #[doc(hidden)]
    fn race(self) -> impl Future<Output = Self::Output>;
}

/// Futures that [`any`] takes: their outputs are results, and their responses have one type.
pub trait Any: sealed::Futures {
    /// The response of each.
    type Response;
    /// The error of any of them.
    type Error;
    #[doc(hidden)]
    fn any(self) -> impl Future<Output = Result<Self::Response, AllFailed<Self::Error>>>;
}

mod sealed {
    /// A tuple, an array or a `Vec` of futures.
    pub trait Futures {}
}

/// Polls a future unless it has ended. Returns true if it has ended now or before.
fn poll_once<F: Future>(
    future: Pin<&mut F>,
    output: &mut Option<F::Output>,
    task: &mut task::Context<'_>,
) -> bool {
    if output.is_none()
        && let Poll::Ready(ready) = future.poll(task)
    {
        *output = Some(ready);
    }
    output.is_some()
}

/// Futures of one type, each with its output once it has ended.
type Started<F> = Vec<(Pin<Box<F>>, Option<<F as Future>::Output>)>;

fn start<F: Future>(futures: Vec<F>) -> Started<F> {
    futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect()
}

/// Waits for the first output for which `decides` is true. Returns `None` if all futures have ended
/// without one.
async fn until<F: Future>(
    futures: &mut Started<F>,
    decides: fn(&F::Output) -> bool,
) -> Option<F::Output> {
    poll_fn(|task| {
        let mut missing = false;
        for (future, output) in &mut *futures {
            missing |= !poll_once(future.as_mut(), output, task);
            if let Some(decision) = output.take_if(|output| decides(output)) {
                return Poll::Ready(Some(decision));
            }
        }
        if missing {
            Poll::Pending
        } else {
            Poll::Ready(None)
        }
    })
    .await
}

fn outputs<F: Future>(futures: Started<F>) -> impl Iterator<Item = F::Output> {
    futures
        .into_iter()
        .map(|(_, output)| output.expect("all futures must have ended"))
}

impl<F: Future> sealed::Futures for Vec<F> {}

impl<F: Future> Join for Vec<F> {
    type Outputs = Vec<F::Output>;

    async fn join(self) -> Vec<F::Output> {
        let mut futures = start(self);
        until(&mut futures, |_| false).await;
        outputs(futures).collect()
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> All for Vec<F> {
    type Responses = Vec<T>;
    type Error = E;

    async fn all(self) -> Result<Vec<T>, E> {
        let mut futures = start(self);
        match until(&mut futures, Result::is_err).await {
            Some(error) => error.map(|_| Vec::new()),
            None => outputs(futures).collect(),
        }
    }
}

impl<F: Future> Race for Vec<F> {
    type Output = F::Output;

    async fn race(self) -> F::Output {
        until(&mut start(self), |_| true)
            .await
            .expect("race must be given at least one future")
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Any for Vec<F> {
    type Response = T;
    type Error = E;

    async fn any(self) -> Result<T, AllFailed<E>> {
        let mut futures = start(self);
        match until(&mut futures, Result::is_ok).await {
            Some(Ok(response)) => Ok(response),
            _ => Err(AllFailed {
                errors: outputs(futures).filter_map(Result::err).collect(),
            }),
        }
    }
}

impl<F: Future, const N: usize> sealed::Futures for [F; N] {}

impl<F: Future, const N: usize> Join for [F; N] {
    type Outputs = [F::Output; N];

    async fn join(self) -> [F::Output; N] {
        as_many(Vec::from(self).join().await)
    }
}

impl<F: Future<Output = Result<T, E>>, T, E, const N: usize> All for [F; N] {
    type Responses = [T; N];
    type Error = E;

    async fn all(self) -> Result<[T; N], E> {
        Vec::from(self).all().await.map(as_many)
    }
}

impl<F: Future, const N: usize> Race for [F; N] {
    type Output = F::Output;

    async fn race(self) -> F::Output {
        Vec::from(self).race().await
    }
}

impl<F: Future<Output = Result<T, E>>, T, E, const N: usize> Any for [F; N] {
    type Response = T;
    type Error = E;

    async fn any(self) -> Result<T, AllFailed<E>> {
        Vec::from(self).any().await
    }
}

fn as_many<T, const N: usize>(outputs: Vec<T>) -> [T; N] {
    outputs
        .try_into()
        .unwrap_or_else(|_| unreachable!("each future has one output"))
}

/// Implements the traits for tuples, without allocating.
///
/// Each future is given as `(Future Response Error, future output)`: type parameters for the type
/// of the future and for the two sides of its result, and variables for the future and its output.
macro_rules! tuples {
    ($([$((
        $Future:ident $Response:ident $Error:ident, $future:ident $output:ident
    ))+])+) => { $(
        impl<$($Future: Future),+> sealed::Futures for ($($Future,)+) {}

        impl<$($Future: Future),+> Join for ($($Future,)+) {
            type Outputs = ($($Future::Output,)+);

            async fn join(self) -> Self::Outputs {
                let ($($future,)+) = self;
                $(
                    let mut $future = pin!($future);
                    let mut $output = None;
                )+
                poll_fn(|task| {
                    let mut missing = false;
                    $(missing |= !poll_once($future.as_mut(), &mut $output, task);)+
                    if missing { Poll::Pending } else { Poll::Ready(()) }
                })
                .await;
                ($($output.expect("all futures must have ended"),)+)
            }
        }

        impl<$(
            $Future: Future<Output = Result<$Response, $Error>>, $Response, $Error: Into<Error>
        ),+> All for ($($Future,)+) {
            type Responses = ($($Response,)+);
            type Error = Error;

            async fn all(self) -> Result<Self::Responses, Error> {
                let ($($future,)+) = self;
                $(
                    let mut $future = pin!($future);
                    let mut $output = None;
                )+
                poll_fn(|task| {
                    let mut missing = false;
                    $(
                        missing |= !poll_once($future.as_mut(), &mut $output, task);
                        if let Some(Err(error)) = $output.take_if(|output| output.is_err()) {
                            return Poll::Ready(Err(error.into()));
                        }
                    )+
                    if missing { Poll::Pending } else { Poll::Ready(Ok(())) }
                })
                .await?;
                let ($(Some(Ok($output)),)+) = ($($output,)+) else {
                    unreachable!("all futures have succeeded")
                };
                Ok(($($output,)+))
            }
        }

        impl<Output, $($Future: Future<Output = Output>),+> Race for ($($Future,)+) {
            type Output = Output;

            async fn race(self) -> Output {
                let ($($future,)+) = self;
                $(let mut $future = pin!($future);)+
                poll_fn(|task| {
                    $(if let Poll::Ready(output) = $future.as_mut().poll(task) {
                        return Poll::Ready(output);
                    })+
                    Poll::Pending
                })
                .await
            }
        }

        impl<Response, $(
            $Future: Future<Output = Result<Response, $Error>>, $Error: Into<Error>
        ),+> Any for ($($Future,)+) {
            type Response = Response;
            type Error = Error;

            async fn any(self) -> Result<Response, AllFailed<Error>> {
                let ($($future,)+) = self;
                $(
                    let mut $future = pin!($future);
                    let mut $output = None;
                )+
                let first = poll_fn(|task| {
                    let mut missing = false;
                    $(
                        missing |= !poll_once($future.as_mut(), &mut $output, task);
                        if let Some(Ok(response)) = $output.take_if(|output| output.is_ok()) {
                            return Poll::Ready(Some(response));
                        }
                    )+
                    if missing { Poll::Pending } else { Poll::Ready(None) }
                });
                match first.await {
                    Some(response) => Ok(response),
                    None => {
                        let mut errors = Vec::new();
                        $(errors.extend($output.and_then(Result::err).map(Into::into));)+
                        Err(AllFailed { errors })
                    }
                }
            }
        }
    )+ };
}

/// Calls `tuples!` for the first two of the futures, the first three, and so on.
macro_rules! tuples_up_to {
    ([$($done:tt)+]) => { tuples! { [$($done)+] } };
    ([$($done:tt)+] $next:tt $($rest:tt)*) => {
        tuples! { [$($done)+] }
        tuples_up_to! { [$($done)+ $next] $($rest)* }
    };
}

tuples_up_to! {
    [(A ResponseA ErrorA, a output_a) (B ResponseB ErrorB, b output_b)]
    (C ResponseC ErrorC, c output_c)
    (D ResponseD ErrorD, d output_d)
    (E ResponseE ErrorE, e output_e)
    (F ResponseF ErrorF, f output_f)
    (G ResponseG ErrorG, g output_g)
    (H ResponseH ErrorH, h output_h)
}
