//! The timers of a guest. The host knows only the earliest, from the control block.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::{Poll, Waker};

use parigot_abi::control::NEVER;

/// Key of a timer: its end in ns on the guest's clock, and a number that tells timers with the
/// same end apart.
pub(crate) type TimerKey = (u64, u64);

/// The timers that have not ended. A search tree rather than a heap, because a dropped timer must
/// be removed at once.
pub(crate) struct Timers {
    waiting: RefCell<BTreeMap<TimerKey, Option<Waker>>>,
    /// End of the earliest timer, or [`NEVER`]. Cached, because each turn reads it twice.
    wake_at_ns: Cell<u64>,
    created: Cell<u64>,
}

impl Default for Timers {
    fn default() -> Self {
        Timers {
            waiting: RefCell::default(),
            wake_at_ns: Cell::new(NEVER),
            created: Cell::new(0),
        }
    }
}

impl Timers {
    /// Starts a timer that ends at `end_ns`.
    pub(crate) fn start(&self, end_ns: u64) -> TimerKey {
        let key = (end_ns, self.created.get());
        self.created.set(key.1 + 1);
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

    /// Returns ready if the timer has ended. Otherwise `waker` is woken when it ends.
    pub(crate) fn poll(&self, key: TimerKey, waker: &Waker) -> Poll<()> {
        let mut waiting = self.waiting.borrow_mut();
        let Some(slot) = waiting.get_mut(&key) else {
            return Poll::Ready(());
        };
        let replaced = match slot {
            Some(known) if known.will_wake(waker) => None,
            _ => slot.replace(waker.clone()),
        };
        // Dropped after the borrow: a combinator's waker may own futures, which own timers.
        drop(waiting);
        drop(replaced);
        Poll::Pending
    }

    /// Removes a timer, unless the timer has already ended.
    pub(crate) fn remove(&self, key: TimerKey) {
        let removed = self.waiting.borrow_mut().remove(&key);
        self.find_earliest();
        drop(removed);
    }

    /// Ends all timers up to `now_ns`, the earliest first, and wakes the tasks that wait for them.
    pub(crate) fn fire(&self, now_ns: u64) {
        while self.wake_at_ns() <= now_ns {
            let Some((_, waker)) = self.waiting.borrow_mut().pop_first() else {
                return;
            };
            self.find_earliest();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Returns the end of the earliest timer, or [`NEVER`].
    pub(crate) fn wake_at_ns(&self) -> u64 {
        self.wake_at_ns.get()
    }

    /// Removes all timers.
    pub(crate) fn clear(&self) {
        let wakers: Vec<_> = core::mem::take(&mut *self.waiting.borrow_mut())
            .into_values()
            .collect();
        // Dropped after the borrow, as in `poll`.
        drop(wakers);
    }
}
