//! Queue of instances that are ready to run, shared by all workers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};

use crate::kernel::index::InstanceIndex;

/// Instances that are ready to run and that no worker has taken, first in, first out.
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    filled: Condvar,
    /// Number of instances, for reads without the lock. Written under the lock; `Relaxed`, because
    /// the number only decides about fairness and may be outdated when it is used.
    count: AtomicUsize,
}

struct QueueState {
    ready: VecDeque<InstanceIndex>,
    closed: bool,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Queue {
            state: Mutex::new(QueueState {
                ready: VecDeque::new(),
                closed: false,
            }),
            filled: Condvar::new(),
            count: AtomicUsize::new(0),
        }
    }

    /// Appends an instance and wakes one worker, if a worker sleeps.
    pub(crate) fn push(&self, instance: InstanceIndex) {
        let mut state = self.state.lock();
        state.ready.push_back(instance);
        self.count.store(state.ready.len(), Ordering::Relaxed);
        // The woken worker needs the lock, so it is released first.
        drop(state);
        self.filled.notify_one();
    }

    /// Removes the first instance; blocks until there is one. Returns `None` once closed.
    pub(crate) fn take(&self) -> Option<InstanceIndex> {
        let mut state = self.state.lock();
        while !state.closed {
            if let Some(first) = state.ready.pop_front() {
                self.count.store(state.ready.len(), Ordering::Relaxed);
                return Some(first);
            }
            self.filled.wait(&mut state);
        }
        None
    }

    /// Removes the first instance, if there is one.
    pub(crate) fn try_take(&self) -> Option<InstanceIndex> {
        let mut state = self.state.lock();
        let first = state.ready.pop_front();
        self.count.store(state.ready.len(), Ordering::Relaxed);
        first
    }

    /// Returns whether no instance waits, without the lock.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Removes all instances and makes [`Queue::take`] return `None` on all threads.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.ready.clear();
        drop(state);
        self.filled.notify_all();
    }
}
