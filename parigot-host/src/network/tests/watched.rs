//! Values that guests change and tests wait for.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Limit that ends a test that would wait forever. No test passes or fails by its speed.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(120);

/// Value that guests change and a test waits for.
pub(super) struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T: Default> Watched<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Watched {
            value: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    pub(super) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let changed = change(&mut self.value.lock());
        self.changed.notify_all();
        changed
    }

    /// Blocks until `find` returns a result for the value.
    pub(super) fn wait_for<R>(&self, mut find: impl FnMut(&mut T) -> Option<R>) -> R {
        let until = Instant::now() + WAIT_MAX;
        let mut value = self.value.lock();
        loop {
            if let Some(found) = find(&mut value) {
                return found;
            }
            assert!(
                !self.changed.wait_until(&mut value, until).timed_out(),
                "the awaited change did not happen within {WAIT_MAX:?}"
            );
        }
    }
}

/// Polls state that has no event until `find` returns a result.
pub(super) fn poll_until<R>(what: &str, mut find: impl FnMut() -> Option<R>) -> R {
    let until = Instant::now() + WAIT_MAX;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < until, "not within {WAIT_MAX:?}: {what}");
        thread::yield_now();
    }
}
