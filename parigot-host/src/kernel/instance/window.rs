//! Windows: space that an instance keeps free for the items of its streams.
//!
//! Each stream that an instance receives has a window, which limits the items between the sender
//! and the instance's memory. All windows of an instance come from one pool, so that its streams
//! together leave room in the mailbox for calls and replies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parigot_abi::Credit;
use parigot_abi::frame::HEADER_BYTES;

use crate::limits::WINDOWS_BYTES_MAX;

/// Pool of the windows of one instance.
///
/// The workers of callers reserve windows and the owner of the instance's state frees them, so the
/// number is atomic. `Relaxed` is enough: no reader infers another write from the number.
pub(crate) struct WindowPool {
    used_bytes: AtomicU64,
}

/// Window of one stream. A drop returns the window to the pool, so that no end of a call can forget
/// to.
pub(crate) struct Window {
    pool: Arc<WindowPool>,
    size: Credit,
}

impl WindowPool {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(WindowPool {
            used_bytes: AtomicU64::new(0),
        })
    }

    /// Reserves the window with which a stream begins. Returns `None` without room.
    pub(crate) fn reserve(self: &Arc<Self>) -> Option<Window> {
        self.take(bytes_of(Credit::INITIAL)).then(|| Window {
            pool: Arc::clone(self),
            size: Credit::INITIAL,
        })
    }

    fn take(&self, bytes: u64) -> bool {
        let with_bytes = |used: u64| {
            let used = used + bytes;
            (used <= WINDOWS_BYTES_MAX).then_some(used)
        };
        self.used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_bytes)
            .is_ok()
    }
}

impl Window {
    pub(super) fn size(&self) -> Credit {
        self.size
    }

    /// Grows the window to `wanted`, if the pool has room, and at most to [`Credit::WINDOW_MAX`]. A
    /// window never shrinks.
    pub(super) fn grow(&mut self, wanted: Credit) {
        let grown = self.size.max(Credit {
            items: wanted.items.min(Credit::WINDOW_MAX.items),
            bytes: wanted.bytes.min(Credit::WINDOW_MAX.bytes),
        });
        if grown != self.size && self.pool.take(bytes_of(grown) - bytes_of(self.size)) {
            self.size = grown;
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.pool
            .used_bytes
            .fetch_sub(bytes_of(self.size), Ordering::Relaxed);
    }
}

/// Returns the space in a mailbox for items within a credit.
const fn bytes_of(credit: Credit) -> u64 {
    credit.items * HEADER_BYTES as u64 + credit.bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_limited_together_and_returned() {
        let pool = WindowPool::new();
        let mut windows: Vec<_> = std::iter::from_fn(|| pool.reserve()).collect();
        let count = WINDOWS_BYTES_MAX / bytes_of(Credit::INITIAL);
        assert_eq!(windows.len() as u64, count);
        let first = windows.pop().expect("there are windows");
        drop(first);
        assert!(pool.reserve().is_some(), "a returned window is free");
        drop(windows);
        assert_eq!(pool.used_bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_window_grows_while_the_pool_has_room() {
        let pool = WindowPool::new();
        let huge = Credit {
            items: u64::MAX,
            bytes: u64::MAX,
        };
        let windows: Vec<_> = std::iter::from_fn(|| {
            let mut window = pool.reserve()?;
            window.grow(huge);
            (window.size() == Credit::WINDOW_MAX).then_some(window)
        })
        .collect();
        let count = WINDOWS_BYTES_MAX / bytes_of(Credit::WINDOW_MAX);
        assert_eq!(windows.len() as u64, count);
        let mut last = pool.reserve().expect("a first window is small");
        last.grow(huge);
        assert_eq!(last.size(), Credit::INITIAL, "the pool has no room");
        drop(windows);
        last.grow(huge);
        assert_eq!(last.size(), Credit::WINDOW_MAX);
    }
}
