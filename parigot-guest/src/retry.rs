//! Repeating calls that have failed.

use alloc::rc::Rc;
use core::time::Duration;

use parigot_abi::{Cause, Fate};
use rand_chacha::rand_core::RngCore;

use crate::call::{Call, CallWithMetadata};
use crate::clock::Sleep;
use crate::context::Context;
use crate::error::CallError;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::random::Random;
use crate::runtime::guest::Guest;

/// Limits of [`retry`].
///
/// The pause before attempt `n + 1` is a random duration between half and all of
/// `backoff * 2^(n - 1)`, which is at most `backoff_max`.
///
/// ```
/// use core::time::Duration;
/// use parigot_guest::RetryPolicy;
///
/// let policy = RetryPolicy { attempts: 5, ..RetryPolicy::default() };
/// assert_eq!(policy.backoff, Duration::from_millis(50));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Largest number of attempts, the first included. Default: 3.
    pub attempts: u32,
    /// Longest duration from the first attempt to the start of the last. Default: 10 s.
    pub time: Duration,
    /// Longest pause before the second attempt. Default: 50 ms.
    pub backoff: Duration,
    /// Longest pause before any attempt. Default: 1 s.
    pub backoff_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            attempts: 3,
            time: Duration::from_secs(10),
            backoff: Duration::from_millis(50),
            backoff_max: Duration::from_secs(1),
        }
    }
}

/// A call that [`retry`] can make again: a [`Call`] or a [`CallWithMetadata`].
pub trait Attempt:
    OfGuest + Future<Output = Result<Self::Response, CallError<<Self::Method as Method>::Error>>>
{
    /// The called method.
    type Method: Method;
    /// The output of a call that succeeds.
    type Response;
}

impl<M: Method> Attempt for Call<M> {
    type Method = M;
    type Response = M::Response;
}

impl<M: Method> Attempt for CallWithMetadata<M> {
    type Method = M;
    type Response = (M::Response, Metadata);
}

/// Keeps [`Attempt`] from being implemented elsewhere.
pub trait OfGuest {
    /// Returns a context of the guest that makes the call.
    #[doc(hidden)]
    fn context(&self) -> Context;
}

impl<M: Method> OfGuest for Call<M> {
    fn context(&self) -> Context {
        Context::new(Rc::clone(self.guest()))
    }
}

impl<M: Method> OfGuest for CallWithMetadata<M> {
    fn context(&self) -> Context {
        Context::new(Rc::clone(self.guest()))
    }
}

/// Makes a call, and makes it again while it fails in a way that permits it.
///
/// A call is repeated if it was refused for a reason that may pass: no instance was reachable, a
/// limit was reached, or the call's deadline passed before the call began. A call whose fate is
/// unknown is repeated only if the `.proto` declares the method as idempotent or without side
/// effects. Answers are never repeated.
///
/// The policy limits the number of attempts and their time. No attempt begins after the deadline of
/// the inbound call that the running task belongs to.
///
/// # Errors
///
/// Returns the error of the last attempt.
///
/// ```no_run
/// # mod greeting {
/// #     include!("../tests/behaviour/greeting.rs");
/// # }
/// # use greeting::*;
/// use parigot_guest::{RetryPolicy, retry};
///
/// # async fn example(greeting: &GreetingClient) -> Result<(), parigot_guest::Error> {
/// let request = FetchGreetingRequest { tongue: 1 };
/// let response = retry(RetryPolicy::default(), || greeting.fetch_greeting(request)).await?;
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
pub async fn retry<A: Attempt>(
    policy: RetryPolicy,
    mut call: impl FnMut() -> A,
) -> Result<A::Response, CallError<<A::Method as Method>::Error>> {
    let mut end_ns = None;
    let mut attempt = 1;
    loop {
        let made = call();
        let guest = made.context().guest;
        let end_ns = *end_ns.get_or_insert_with(|| policy.end_ns(&guest));
        let error = match made.await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        if attempt >= policy.attempts || !may_repeat::<A::Method>(&error) {
            return Err(error);
        }
        let pause = policy.pause(attempt, &guest);
        let pause_ns = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
        if guest.io.now_ns().saturating_add(pause_ns) >= end_ns {
            return Err(error);
        }
        Sleep::new(&guest, pause).await;
        attempt += 1;
    }
}

/// Returns true if repeating the call cannot do harm and may help.
fn may_repeat<M: Method>(error: &CallError<M::Error>) -> bool {
    let Some(status) = error.status() else {
        return false;
    };
    match status.fate() {
        Fate::Answered => false,
        // The same request fails for the same reason again.
        Fate::Refused => !matches!(
            status.cause(),
            Cause::TooLarge | Cause::Undecodable | Cause::NoSuchMethod
        ),
        Fate::Unknown => M::info().is_idempotent() && status.cause() != Cause::Cancelled,
    }
}

impl RetryPolicy {
    /// Returns the time at which no further attempt begins.
    fn end_ns(&self, guest: &Guest) -> u64 {
        let time_ns = u64::try_from(self.time.as_nanos()).unwrap_or(u64::MAX);
        let end_ns = guest.io.now_ns().saturating_add(time_ns);
        end_ns.min(guest.current().deadline_ns)
    }

    /// Returns the pause after an attempt. The random part keeps callers that have failed at the
    /// same time from coming back at the same time.
    fn pause(&self, attempt: u32, guest: &Rc<Guest>) -> Duration {
        let factor = 1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX);
        let longest = self.backoff.saturating_mul(factor).min(self.backoff_max);
        let half = longest / 2;
        let range_ns = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
        let random = Random::new(guest).next_u64();
        half + Duration::from_nanos(random.checked_rem(range_ns.saturating_add(1)).unwrap_or(0))
    }
}
