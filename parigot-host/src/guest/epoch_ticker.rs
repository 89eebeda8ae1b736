//! The epoch_ticker by which turns that take long are noticed: a thread that ticks while someone runs guests, and sleeps with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Time between two ticks. A budget begins at a tick and ends at a tick, each of which comes late when the machine is busy: then too, a budget of
/// 50 ms is to be over before 60 ms.
const TICK: Duration = Duration::from_millis(2);

/// A thread that ticks; it ends when this is dropped.
pub(crate) struct EpochTicker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    awake: AtomicUsize,
    beats: AtomicU64,
    state: Mutex<TickerState>,
    changed: Condvar,
}

#[derive(Default)]
struct TickerState {
    /// The thread waits for someone to wake up.
    asleep: bool,
    closed: bool,
}

/// Someone runs guests as long as this lives.
pub(crate) struct Awake<'p> {
    shared: &'p Shared,
}

impl EpochTicker {
    /// Calls `tick` every few milliseconds while someone is awake.
    pub(crate) fn start(tick: impl Fn() + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let thread = std::thread::Builder::new().name("parigot epoch_ticker".into());
        let thread = thread.spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(tick)
        });
        EpochTicker {
            shared,
            thread: Some(thread.expect("a process may have another thread")),
        }
    }

    /// Makes sure that it ticks until the returned value is dropped.
    pub(crate) fn keep_awake(&self) -> Awake<'_> {
        if self.shared.awake.fetch_add(1, Ordering::SeqCst) == 0 && self.shared.state.lock().asleep
        {
            self.shared.changed.notify_one();
        }
        Awake {
            shared: &self.shared,
        }
    }

    /// How often it has ticked: as long as this does not change, someone who is awake has taken no longer than from one tick to the next.
    #[inline]
    pub(crate) fn beat(&self) -> u64 {
        self.shared.beats.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn run(&self, tick: impl Fn()) {
        let mut state = self.state.lock();
        while !state.closed {
            if self.awake.load(Ordering::SeqCst) == 0 {
                state.asleep = true;
                self.changed.wait(&mut state);
                state.asleep = false;
            } else {
                self.changed.wait_for(&mut state, TICK);
                self.beats.fetch_add(1, Ordering::Relaxed);
                tick();
            }
        }
    }
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        self.shared.awake.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for EpochTicker {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a tick does not panic");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn it_ticks_while_someone_is_awake_and_not_before_or_after() {
        let (send, ticks) = mpsc::channel();
        let epoch_ticker = EpochTicker::start(move || send.send(()).expect("the test listens"));
        let wait_until_asleep = || {
            while !epoch_ticker.shared.state.lock().asleep {
                std::thread::yield_now();
            }
        };
        wait_until_asleep();
        assert_eq!(ticks.try_recv(), Err(mpsc::TryRecvError::Empty));
        let awake = epoch_ticker.keep_awake();
        ticks.recv().expect("it ticks");
        ticks.recv().expect("and again");
        drop(awake);
        wait_until_asleep();
        while ticks.try_recv().is_ok() {}
        assert!(epoch_ticker.shared.state.lock().asleep);
        assert_eq!(ticks.try_recv(), Err(mpsc::TryRecvError::Empty));
    }
}
