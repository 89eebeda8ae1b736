//! Time as a guest sees it: it stands still during a turn. Timers are kept here; the host is told the earliest.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::future::Future;
use core::ops::{Add, Sub};
use core::pin::Pin;
use core::task::{self, Poll, Waker};
use core::time::Duration;

use parigot_abi::control::NEVER;

use crate::detached::detach;
use crate::runtime::guest::Guest;

/// A moment on the guest's clock, which never goes back and began when the guest started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    ns: u64,
}

impl Instant {
    pub(crate) fn from_ns(ns: u64) -> Self {
        Instant { ns }
    }

    pub(crate) fn ns(self) -> u64 {
        self.ns
    }

    /// How long the guest had run by then.
    pub fn since_start(self) -> Duration {
        Duration::from_nanos(self.ns)
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn saturating_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.ns.saturating_sub(earlier.ns))
    }
}

/// What is 584 years or more after the guest's start is never.
impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(NEVER);
        Instant {
            ns: self.ns.saturating_add(ns),
        }
    }
}

/// How long after the other this is; zero if it is not after it.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.saturating_since(earlier)
    }
}

/// When a timer ends, in ns, and which of those that end then it is.
type TimerKey = (u64, u64);

/// The timers that have not ended. A search tree and no heap: one that is forgotten must leave at once.
pub(crate) struct Timers {
    waiting: RefCell<BTreeMap<TimerKey, Option<Waker>>>,
    /// The end of the earliest, or [`NEVER`]: each turn looks at it twice.
    wake_at_ns: Cell<u64>,
    made: Cell<u64>,
}

impl Default for Timers {
    fn default() -> Self {
        Timers {
            waiting: RefCell::default(),
            wake_at_ns: Cell::new(NEVER),
            made: Cell::new(0),
        }
    }
}

impl Timers {
    fn start(&self, end: Instant) -> TimerKey {
        let key = (end.ns, self.made.get());
        self.made.set(key.1 + 1);
        self.waiting.borrow_mut().insert(key, None);
        self.find_earliest();
        key
    }

    fn find_earliest(&self) {
        let earliest = self
            .waiting
            .borrow()
            .first_key_value()
            .map_or(NEVER, |((ns, _), _)| *ns);
        self.wake_at_ns.set(earliest);
    }

    fn poll(&self, key: TimerKey, waker: &Waker) -> Poll<()> {
        let mut waiting = self.waiting.borrow_mut();
        let Some(slot) = waiting.get_mut(&key) else {
            return Poll::Ready(());
        };
        let unused = match slot {
            Some(known) if known.will_wake(waker) => None,
            _ => slot.replace(waker.clone()),
        };
        // Dropped after the borrow: a combinator's waker may own futures.
        drop(waiting);
        drop(unused);
        Poll::Pending
    }

    fn forget(&self, key: TimerKey) {
        let unused = self.waiting.borrow_mut().remove(&key);
        self.find_earliest();
        drop(unused);
    }

    /// Wakes whoever waits for a moment that has come, in the order of those moments.
    pub(crate) fn end(&self, now: Instant) {
        while self.wake_at_ns() <= now.ns {
            let Some((_, waker)) = self.waiting.borrow_mut().pop_first() else {
                return;
            };
            self.find_earliest();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// The end of the earliest timer, or [`NEVER`].
    pub(crate) fn wake_at_ns(&self) -> u64 {
        self.wake_at_ns.get()
    }

    pub(crate) fn clear(&self) {
        let wakers: Vec<_> = core::mem::take(&mut *self.waiting.borrow_mut())
            .into_values()
            .collect();
        drop(wakers);
    }
}

/// Completes once a duration has passed: see [`Context::sleep`](crate::Context::sleep).
///
/// Dropping it forgets the timer.
#[must_use = "dropping a sleep forgets its timer"]
pub struct Sleep {
    guest: Rc<Guest>,
    key: TimerKey,
}

impl Sleep {
    pub(crate) fn new(guest: &Rc<Guest>, duration: Duration) -> Self {
        let key = guest.timers.start(guest.now() + duration);
        Sleep {
            guest: Rc::clone(guest),
            key,
        }
    }
}

detach! {
    impl [] Sleep { type Response = (); type Error = Infallible; }
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
        self.guest.timers.forget(self.key);
    }
}
