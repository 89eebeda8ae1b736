//! Futures together: several calls, of whatever services, that run side by side.
//!
//! | here, and in Go's package `future` | completes | with |
//! |---|---|---|
//! | [`join`] | when all have ended, however | what each ended with |
//! | [`all`] | when all have succeeded, or the first has failed | all responses, or that error |
//! | [`race`] | when the first has ended, however | what it ended with |
//! | [`any`] | when the first has succeeded, or all have failed | that response, or all errors |
//! | [`timeout`] | when one has ended, or that long has passed | what it ended with, or [`TimedOut`] |
//!
//! All but the last take a tuple of up to eight futures, each of a type of its own, or an array or `Vec` of one type. Those that nobody waits for any
//! more are dropped, which cancels them: what is left of a race, and of [`all`] after a failure. Of several that end in one turn the
//! first in the given order counts.
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
//! # async fn example(cx: &Context, here: GreetingClient, there: GreetingClient) -> Result<(), Error> {
//! let calls = (here.fetch_greeting(FetchGreetingRequest { tongue: 1 }), there.fetch_greeting(FetchGreetingRequest { tongue: 2 }));
//! match timeout(cx, Duration::from_secs(1), all(calls)).await? {
//!     Ok((bonjour, hello)) => parigot_guest::info!(cx, "{} {}", bonjour.greeting, hello.greeting),
//!     // Whatever a service is called, its own error or the status of the call can be found.
//!     Err(error) if error.find::<GreetErr>().is_some() => parigot_guest::warn!(cx, "nobody speaks that"),
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! # fn main() {}
//! ```
//!
//! Each time one of them gets on, those are looked at that have not ended: for thousands, [spawn](Context::spawn) tasks.

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

/// Waits until all futures have ended, and returns what they ended with, in their order: a tuple, an array or a `Vec`.
pub async fn join<F: Join>(futures: F) -> F::Outputs {
    futures.join().await
}

/// Waits until all futures have succeeded, and returns their responses in their order.
///
/// # Errors
///
/// The error of the first that fails; the others are dropped. It is an [`Error`] where the futures are of different types, in which
/// [`Error::find`] finds a service's own error or a call's [`Status`](crate::Status).
pub async fn all<F: All>(futures: F) -> Result<F::Responses, F::Error> {
    futures.all().await
}

/// Waits until the first of the futures has ended, and returns what it ended with. The others are dropped.
///
/// # Panics
///
/// If there are none.
pub async fn race<F: Race>(futures: F) -> F::Output {
    futures.race().await
}

/// Waits until the first of the futures has succeeded, and returns its response. The others are dropped.
///
/// # Errors
///
/// If all have failed, or there are none.
pub async fn any<F: Any>(futures: F) -> Result<F::Response, AllFailed<F::Error>> {
    futures.any().await
}

/// Waits until the future has ended, but not for longer than `limit` from now, on the guest's clock. Then it is dropped.
///
/// A call has a deadline of its own besides, which may be earlier, and which its callee knows: see
/// [`Client::with_deadline`](crate::Client::with_deadline).
///
/// # Errors
///
/// If `limit` has passed before.
pub fn timeout<F: Future>(
    cx: &Context,
    limit: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output, TimedOut>> + use<F> {
    let sleep = cx.sleep(limit);
    async move { run_until(sleep, future).await.ok_or(TimedOut { limit }) }
}

/// A [`timeout`] has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut {
    limit: Duration,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it took longer than {:?}", self.limit)
    }
}

impl StdError for TimedOut {}

/// The errors of futures of which [`any`] was to succeed, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllFailed<E> {
    /// One for each future.
    pub errors: Vec<E>,
}

impl<E: fmt::Display> fmt::Display for AllFailed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.errors[..] {
            [] => f.write_str("there was nothing to succeed"),
            [first, rest @ ..] => {
                write!(f, "none of {} has succeeded: {first}", 1 + rest.len())?;
                rest.iter().try_for_each(|error| write!(f, "; {error}"))
            }
        }
    }
}

impl<E: fmt::Debug + fmt::Display> StdError for AllFailed<E> {}

/// Futures that [`join`] takes.
pub trait Join: sealed::Futures {
    /// What they end with.
    type Outputs;
    #[doc(hidden)]
    fn join(self) -> impl Future<Output = Self::Outputs>;
}

/// Futures that [`all`] takes: their outputs are results.
pub trait All: sealed::Futures {
    /// Their responses.
    type Responses;
    /// The error of any of them.
    type Error;
    #[doc(hidden)]
    fn all(self) -> impl Future<Output = Result<Self::Responses, Self::Error>>;
}

/// Futures that [`race`] takes: their outputs are of one type.
pub trait Race: sealed::Futures {
    /// What each ends with.
    type Output;
    #[doc(hidden)]
    fn race(self) -> impl Future<Output = Self::Output>;
}

/// Futures that [`any`] takes: their outputs are results, and their responses of one type.
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

/// Polls a future unless its output is there. Says whether it is now.
fn ends<F: Future>(
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

/// Futures of one type, each with its output once that is there.
type Started<F> = Vec<(Pin<Box<F>>, Option<<F as Future>::Output>)>;

fn start<F: Future>(futures: Vec<F>) -> Started<F> {
    futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect()
}

/// Waits for the first output that decides, or until all are there.
async fn until<F: Future>(
    futures: &mut Started<F>,
    decides: fn(&F::Output) -> bool,
) -> Option<F::Output> {
    poll_fn(|task| {
        let mut missing = false;
        for (future, output) in &mut *futures {
            missing |= !ends(future.as_mut(), output, task);
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
        .map(|(_, output)| output.expect("all have ended"))
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
            .expect("a race of no futures has no first")
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
        .unwrap_or_else(|_| unreachable!("there are as many outputs as futures"))
}

/// The same for tuples, without memory of the heap. Of each future: its type, the types in its result, and names for it and its output.
macro_rules! tuples {
    ($(($($F:ident $T:ident $E:ident $future:ident $output:ident),+))+) => { $(
        impl<$($F: Future),+> sealed::Futures for ($($F,)+) {}

        impl<$($F: Future),+> Join for ($($F,)+) {
            type Outputs = ($($F::Output,)+);

            async fn join(self) -> Self::Outputs {
                let ($($future,)+) = self;
                $(let (mut $future, mut $output) = (pin!($future), None);)+
                poll_fn(|task| {
                    let mut missing = false;
                    $(missing |= !ends($future.as_mut(), &mut $output, task);)+
                    if missing { Poll::Pending } else { Poll::Ready(()) }
                })
                .await;
                ($($output.expect("all have ended"),)+)
            }
        }

        impl<$($F: Future<Output = Result<$T, $E>>, $T, $E: Into<Error>),+> All for ($($F,)+) {
            type Responses = ($($T,)+);
            type Error = Error;

            async fn all(self) -> Result<Self::Responses, Error> {
                let ($($future,)+) = self;
                $(let (mut $future, mut $output) = (pin!($future), None);)+
                poll_fn(|task| {
                    let mut missing = false;
                    $(
                        missing |= !ends($future.as_mut(), &mut $output, task);
                        if let Some(Err(error)) = $output.take_if(|output| output.is_err()) {
                            return Poll::Ready(Err(error.into()));
                        }
                    )+
                    if missing { Poll::Pending } else { Poll::Ready(Ok(())) }
                })
                .await?;
                let ($(Some(Ok($output)),)+) = ($($output,)+) else { unreachable!("all have succeeded") };
                Ok(($($output,)+))
            }
        }

        impl<Output, $($F: Future<Output = Output>),+> Race for ($($F,)+) {
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

        impl<Response, $($F: Future<Output = Result<Response, $E>>, $E: Into<Error>),+> Any for ($($F,)+) {
            type Response = Response;
            type Error = Error;

            async fn any(self) -> Result<Response, AllFailed<Error>> {
                let ($($future,)+) = self;
                $(let (mut $future, mut $output) = (pin!($future), None);)+
                let first = poll_fn(|task| {
                    let mut missing = false;
                    $(
                        missing |= !ends($future.as_mut(), &mut $output, task);
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

tuples! {
    (A TA EA a oa, B TB EB b ob)
    (A TA EA a oa, B TB EB b ob, C TC EC c oc)
    (A TA EA a oa, B TB EB b ob, C TC EC c oc, D TD ED d od)
    (A TA EA a oa, B TB EB b ob, C TC EC c oc, D TD ED d od, E TE EE e oe)
    (A TA EA a oa, B TB EB b ob, C TC EC c oc, D TD ED d od, E TE EE e oe, F TF EF f of)
    (A TA EA a oa, B TB EB b ob, C TC EC c oc, D TD ED d od, E TE EE e oe, F TF EF f of, G TG EG g og)
    (A TA EA a oa, B TB EB b ob, C TC EC c oc, D TD ED d od, E TE EE e oe, F TF EF f of, G TG EG g og, H TH EH h oh)
}
