//! One thread that wakes instances when their time has come; it waits, it never polls.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::clock::Clock;

/// Alarms at moments of a clock, at most one for each key.
pub(crate) struct Timers<T> {
    clock: Arc<dyn Clock>,
    state: Mutex<TimerState<T>>,
    changed: Condvar,
}

struct TimerState<T> {
    /// By moment in ns, then by key.
    alarms: BTreeMap<(u64, u64), T>,
    closed: bool,
}

impl<T: Send + 'static> Timers<T> {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let state = TimerState {
            alarms: BTreeMap::new(),
            closed: false,
        };
        let timers = Arc::new(Timers {
            clock,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let weak = Arc::downgrade(&timers);
        timers.clock.on_moved(Box::new(move || {
            if let Some(timers) = weak.upgrade() {
                // Once the lock was had, the thread is either waiting or has yet to read the clock.
                drop(timers.state.lock());
                timers.changed.notify_one();
            }
        }));
        timers
    }

    /// Sets the alarm of `key`, which was at `previous_ns` if it was set.
    pub(crate) fn set(&self, key: u64, previous_ns: Option<u64>, at_ns: u64, target: T) {
        let mut state = self.state.lock();
        if let Some(previous_ns) = previous_ns {
            state.alarms.remove(&(previous_ns, key));
        }
        let first = state
            .alarms
            .first_key_value()
            .is_none_or(|(first, _)| (at_ns, key) < *first);
        state.alarms.insert((at_ns, key), target);
        drop(state);
        if first {
            self.changed.notify_one();
        }
    }

    /// Forgets all alarms and makes [`Timers::run`] return.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.alarms.clear();
        drop(state);
        self.changed.notify_one();
    }

    /// When the first alarm is due.
    #[cfg(feature = "testing")]
    pub(crate) fn first_ns(&self) -> Option<u64> {
        self.state
            .lock()
            .alarms
            .first_key_value()
            .map(|((at_ns, _), _)| *at_ns)
    }

    /// Takes the first alarm, with its moment, if it is due.
    #[cfg(feature = "testing")]
    pub(crate) fn take_due(&self) -> Option<(u64, T)> {
        let now_ns = self.clock.monotonic_ns();
        let mut state = self.state.lock();
        let first = state
            .alarms
            .first_entry()
            .filter(|first| first.key().0 <= now_ns)?;
        let ((at_ns, _), target) = first.remove_entry();
        Some((at_ns, target))
    }

    /// Calls `fire` with the moment and the target of each alarm that falls due, until closed.
    pub(crate) fn run(&self, fire: impl Fn(u64, T)) {
        let mut state = self.state.lock();
        while !state.closed {
            let now_ns = self.clock.monotonic_ns();
            match state.alarms.first_entry() {
                None => self.changed.wait(&mut state),
                Some(first) if first.key().0 > now_ns => {
                    match self.clock.real_time_until(first.key().0) {
                        None => self.changed.wait(&mut state),
                        Some(wait) => drop(self.changed.wait_for(&mut state, wait)),
                    }
                }
                Some(first) => {
                    let ((at_ns, _), target) = first.remove_entry();
                    MutexGuard::unlocked(&mut state, || fire(at_ns, target));
                }
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
            thread.run(|_, target| send.send(target).expect("the test listens"))
        });
        (timers, fired)
    }

    #[test]
    fn alarms_fire_in_order_of_time_then_of_key() {
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
    fn a_clock_that_stands_fires_nothing() {
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
    fn an_alarm_that_is_set_again_fires_once() {
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
    fn the_system_clock_fires_after_its_time() {
        let clock = Arc::new(SystemClock::new());
        let (timers, fired) = running(Arc::clone(&clock) as Arc<dyn Clock>);
        let at_ns = clock.monotonic_ns() + 2_000_000;
        timers.set(1, None, at_ns, ());
        fired.recv().expect("it fires");
        assert!(clock.monotonic_ns() >= at_ns);
        timers.close();
    }
}
