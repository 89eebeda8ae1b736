//! The guest's clock, which stands still during a turn, and sleeps.

use alloc::rc::Rc;
use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::ops::{Add, Sub};
use core::pin::{Pin, pin};
use core::task::{self, Poll};
use core::time::Duration;

use parigot_abi::control::NEVER;

use crate::detached::detach;
use crate::runtime::guest::Guest;
use crate::runtime::timers::TimerKey;

/// A moment on the guest's clock. The clock begins when the guest starts and never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    ns: u64,
}

impl Instant {
    pub(crate) fn from_ns(ns: u64) -> Self {
        Instant { ns }
    }

    /// Returns the time from the guest's start to this moment.
    pub fn since_start(self) -> Duration {
        Duration::from_nanos(self.ns)
    }

    /// Returns the time from `earlier` to this moment; zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.ns.saturating_sub(earlier.ns))
    }
}

/// Saturates: a moment 584 years or more after the guest's start is never reached.
impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(NEVER);
        Instant {
            ns: self.ns.saturating_add(ns),
        }
    }
}

/// Saturates: see [`Instant::saturating_since`].
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.saturating_since(earlier)
    }
}

/// Completes after a duration: see [`Context::sleep`](crate::Context::sleep).
///
/// Dropping it removes the timer.
#[must_use = "dropping a sleep removes its timer"]
pub struct Sleep {
    guest: Rc<Guest>,
    key: TimerKey,
}

impl Sleep {
    pub(crate) fn new(guest: &Rc<Guest>, duration: Duration) -> Self {
        let end = Instant::from_ns(guest.io.now_ns()) + duration;
        Sleep {
            guest: Rc::clone(guest),
            key: guest.timers.start(end.ns),
        }
    }
}

detach! {
    impl [] Sleep {
        type Response = ();
        type Error = Infallible;
    }
    guest: |sleep| &sleep.guest;
    outcome: |()| Ok(());
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        self.guest.timers.poll(self.key, cx.waker())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.guest.timers.remove(self.key);
    }
}

/// Runs a future until it ends, or until `limit` does: then the result is `None`. A future that
/// ends in the same turn as `limit` wins.
pub(crate) async fn run_until<F: Future>(limit: Sleep, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut limit = pin!(limit);
    poll_fn(|task| match future.as_mut().poll(task) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => limit.as_mut().poll(task).map(|()| None),
    })
    .await
}
