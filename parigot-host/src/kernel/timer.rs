//! Timers that wake instances at moments of the clock. The timer thread waits; it never polls.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::clock::Clock;

/// Timers at moments of a clock, at most one for each key.
pub(crate) struct Timers<T> {
    clock: Arc<dyn Clock>,
    /// Held for a few instructions only, so that setting a timer never waits for a callback.
    state: Mutex<TimerState<T>>,
    /// Signals the timer thread that the first timer, `closed` or the clock has changed.
    changed: Condvar,
}

/// Timers that are set.
pub(crate) struct TimerState<T> {
    /// Targets by moment in ns, then by key: the key makes the order of simultaneous timers
    /// repeatable.
    timers: BTreeMap<(u64, u64), T>,
    closed: bool,
}

impl<T> TimerState<T> {
    /// Returns the moment of the first timer.
    pub(crate) fn first_ns(&self) -> Option<u64> {
        let ((at_ns, _), _) = self.timers.first_key_value()?;
        Some(*at_ns)
    }

    /// Removes the first timer if its moment has come, and returns its moment and target.
    pub(crate) fn take_due(&mut self, now_ns: u64) -> Option<(u64, T)> {
        let first = self.timers.first_entry()?;
        if first.key().0 > now_ns {
            return None;
        }
        let ((at_ns, _), target) = first.remove_entry();
        Some((at_ns, target))
    }
}

impl<T: Send + 'static> Timers<T> {
    /// Creates an empty set of timers on a clock.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let state = TimerState {
            timers: BTreeMap::new(),
            closed: false,
        };
        let timers = Arc::new(Timers {
            clock,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        // A weak reference, because the clock may live longer than the timers.
        let weak = Arc::downgrade(&timers);
        timers.clock.on_moved(Box::new(move || {
            if let Some(timers) = weak.upgrade() {
                // The timer thread reads the clock and begins to wait under one lock. Once this
                // thread has had the lock, that thread either waits, and receives the signal, or
                // has yet to read the clock.
                drop(timers.state.lock());
                timers.changed.notify_one();
            }
        }));
        timers
    }

    /// Sets the timer of `key` to `at_ns`; `previous_ns` is the moment to which it is set now, if
    /// it is set.
    ///
    /// The caller knows the previous moment, which saves a second map from keys to moments.
    pub(crate) fn set(&self, key: u64, previous_ns: Option<u64>, at_ns: u64, target: T) {
        let mut state = self.state.lock();
        if let Some(previous_ns) = previous_ns {
            state.timers.remove(&(previous_ns, key));
        }
        let is_first = state
            .timers
            .first_key_value()
            .is_none_or(|(first, _)| (at_ns, key) < *first);
        state.timers.insert((at_ns, key), target);
        drop(state);
        // A later timer does not change how long the timer thread waits.
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Removes all timers and makes [`Timers::run`] return.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.timers.clear();
        drop(state);
        self.changed.notify_one();
    }

    /// Gives access to the timers, for a caller that fires them without [`Timers::run`].
    pub(crate) fn lock(&self) -> MutexGuard<'_, TimerState<T>> {
        self.state.lock()
    }

    /// Calls `fire` with the moment and the target of each timer whose moment has come, until
    /// closed.
    pub(crate) fn run(&self, fire: impl Fn(u64, T)) {
        let mut state = self.lock();
        while !state.closed {
            let now_ns = self.clock.monotonic_ns();
            if let Some((at_ns, target)) = state.take_due(now_ns) {
                // Without the lock, because a callback may set timers.
                MutexGuard::unlocked(&mut state, || fire(at_ns, target));
                continue;
            }
            // The lock is held from the look at the timers until the wait, so a timer that is set
            // in between is not missed.
            let wait = state
                .first_ns()
                .and_then(|first_ns| self.clock.real_time_until(first_ns));
            match wait {
                // No timer is set, or the clock moves by hand: only a change ends the wait.
                None => self.changed.wait(&mut state),
                Some(wait) => drop(self.changed.wait_for(&mut state, wait)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::clock::{ManualClock, SystemClock};

    fn running<T: Send + Sync + 'static>(
        clock: Arc<dyn Clock>,
    ) -> (Arc<Timers<T>>, mpsc::Receiver<T>) {
        let timers = Timers::new(clock);
        let (send, fired) = mpsc::channel();
        let thread = Arc::clone(&timers);
        std::thread::spawn(move || {
            thread.run(|_, target| send.send(target).expect("the test must receive"))
        });
        (timers, fired)
    }

    #[test]
    fn timers_fire_by_time_then_by_key() {
        let clock = Arc::new(ManualClock::new(Duration::ZERO));
        let (timers, fired) = running(Arc::clone(&clock) as Arc<dyn Clock>);
        timers.set(3, None, 30, "c");
        timers.set(9, None, 10, "a");
        timers.set(4, None, 30, "d");
        timers.set(1, None, 20, "b");
        clock.advance(Duration::from_nanos(30));
        assert_eq!(
            fired.iter().take(4).collect::<Vec<_>>(),
            ["a", "b", "c", "d"]
        );
        timers.close();
    }

    #[test]
    fn a_timer_does_not_fire_before_the_clock_moves() {
        let clock = Arc::new(ManualClock::new(Duration::ZERO));
        let (timers, fired) = running(Arc::clone(&clock) as Arc<dyn Clock>);
        timers.set(1, None, 10, "late");
        clock.advance(Duration::from_nanos(9));
        timers.set(2, None, 5, "due");
        assert_eq!(fired.recv(), Ok("due"));
        assert_eq!(fired.try_recv(), Err(mpsc::TryRecvError::Empty));
        timers.close();
    }

    #[test]
    fn a_timer_that_is_set_again_fires_once() {
        let clock = Arc::new(ManualClock::new(Duration::ZERO));
        let (timers, fired) = running(Arc::clone(&clock) as Arc<dyn Clock>);
        timers.set(1, None, 10, "first");
        timers.set(1, Some(10), 20, "again");
        timers.set(2, None, 30, "last");
        clock.advance(Duration::from_nanos(30));
        assert_eq!(fired.iter().take(2).collect::<Vec<_>>(), ["again", "last"]);
        timers.close();
    }

    #[test]
    fn the_system_clock_fires_after_the_moment() {
        let clock = Arc::new(SystemClock::new());
        let (timers, fired) = running(Arc::clone(&clock) as Arc<dyn Clock>);
        let at_ns = clock.monotonic_ns() + 2_000_000;
        timers.set(1, None, at_ns, ());
        fired.recv().expect("the timer must fire");
        assert!(clock.monotonic_ns() >= at_ns);
        timers.close();
    }
}
