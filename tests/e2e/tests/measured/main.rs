//! Tests that measure CPU time, memory or latency. They run one after the other, because each
//! would change what another one measures.
//!
//! A binary of its own, because the other tests of this crate run in parallel in their process.
//! Cargo runs one test binary at a time.

mod budget;
mod collector;
mod go_bars;
mod idle;
mod restarts;
mod streams;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until no other test of this binary runs.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A failed test poisons the lock, and leaves nothing behind that the next one could notice.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
