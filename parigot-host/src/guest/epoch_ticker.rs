//! Thread that ticks while guests run, so that long turns are noticed.
//!
//! Each tick increments the epoch of the engine, which interrupts the running guests: see
//! [`crate::guest::budget`]. The thread sleeps while no guest runs, so an idle host costs no CPU
//! time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::error::ThreadError;

/// Time between two ticks. A budget begins and ends at a tick, and both may be late on a busy
/// machine. At 2 ms a budget of 50 ms still ends before 60 ms.
const TICK: Duration = Duration::from_millis(2);

/// Ticking thread, which ends when the ticker is dropped.
pub(crate) struct EpochTicker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// State that the ticking thread shares with the threads that run guests.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `guards` | atomic | threads with a guard | ticking thread, under the lock of `state` |
/// | `ticks` | atomic | ticking thread | any thread |
/// | `state` | lock | ticking thread; `closed` by the owner | both |
/// | `changed` | – | threads with a guard, owner | ticking thread waits under the lock of `state` |
#[derive(Default)]
struct Shared {
    /// Number of [`Awake`] guards.
    guards: AtomicUsize,
    ticks: AtomicU64,
    state: Mutex<TickerState>,
    changed: Condvar,
}

#[derive(Default)]
struct TickerState {
    /// Set while the thread waits for the first guard.
    asleep: bool,
    closed: bool,
}

/// Guard that keeps the ticker running.
pub(crate) struct Awake<'p> {
    shared: &'p Shared,
}

impl EpochTicker {
    /// Starts a thread that calls `tick` every few milliseconds while an [`Awake`] guard exists.
    ///
    /// # Errors
    ///
    /// If the system does not start the thread.
    pub(crate) fn start(tick: impl Fn() + Send + 'static) -> Result<Self, ThreadError> {
        const NAME: &str = "parigot ticks";
        let shared = Arc::<Shared>::default();
        let thread = std::thread::Builder::new().name(NAME.into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(tick)
        });
        let thread = thread.map_err(|error| ThreadError::new(NAME, &error))?;
        Ok(EpochTicker {
            shared,
            thread: Some(thread),
        })
    }

    /// Keeps the ticker running until the returned guard is dropped.
    pub(crate) fn keep_awake(&self) -> Awake<'_> {
        // Only the first guard can find the thread asleep. No wake-up is lost: the thread looks at
        // `guards` and falls asleep under one lock. Either the thread sees this guard, or this
        // thread gets the lock afterwards and sees `asleep`.
        if self.shared.guards.fetch_add(1, Ordering::SeqCst) == 0 && self.shared.state.lock().asleep
        {
            self.shared.changed.notify_one();
        }
        Awake {
            shared: &self.shared,
        }
    }

    /// Returns the number of ticks so far. While the number stays the same, a caller with a guard
    /// has run for less than the time between two ticks.
    #[inline]
    pub(crate) fn tick_count(&self) -> u64 {
        // Relaxed: the number guards no other data, and a late reading only means a late tick.
        self.shared.ticks.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn run(&self, tick: impl Fn()) {
        let mut state = self.state.lock();
        while !state.closed {
            if self.guards.load(Ordering::SeqCst) == 0 {
                state.asleep = true;
                self.changed.wait(&mut state);
                state.asleep = false;
            } else {
                // Returns early only if the ticker was closed; an early tick does no harm then.
                self.changed.wait_for(&mut state, TICK);
                self.ticks.fetch_add(1, Ordering::Relaxed);
                tick();
            }
        }
    }
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        // Without a wake-up: the thread falls asleep after its next tick.
        self.shared.guards.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for EpochTicker {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a tick must not panic");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_ticker_runs_only_while_a_guard_exists() {
        let (send, ticks) = mpsc::channel();
        let epoch_ticker =
            EpochTicker::start(move || send.send(()).expect("the receiver must exist"))
                .expect("the thread must start");
        let wait_until_asleep = || {
            while !epoch_ticker.shared.state.lock().asleep {
                std::thread::yield_now();
            }
        };
        wait_until_asleep();
        assert_eq!(ticks.try_recv(), Err(mpsc::TryRecvError::Empty));
        let awake = epoch_ticker.keep_awake();
        ticks.recv().expect("the ticker must tick");
        ticks.recv().expect("the ticker must tick again");
        drop(awake);
        wait_until_asleep();
        while ticks.try_recv().is_ok() {}
        assert!(epoch_ticker.shared.state.lock().asleep);
        assert_eq!(ticks.try_recv(), Err(mpsc::TryRecvError::Empty));
    }
}
