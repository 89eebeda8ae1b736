//! How deep a guest may call, and the threads that have room for it.
//!
//! A guest written in a compiled language has two stacks. One lies in its memory and is as large as its linker made it; it ends with
//! an access out of bounds. The other is the thread's, where the engine keeps return addresses and locals: it ends where the
//! engine says, and the thread must have more than that, or the process ends with it.

use std::thread::{self, Builder, JoinHandle};

use crate::limits::GUEST_STACK_BYTES;
use crate::log::dispatch::as_here;

/// What the host takes of a stack, on both sides of a guest.
const HOST_STACK_BYTES: usize = 1 << 20;

/// A thread on which guests may run.
pub(crate) fn guest_thread(name: &str) -> Builder {
    Builder::new()
        .name(name.into())
        .stack_size(GUEST_STACK_BYTES + HOST_STACK_BYTES)
}

/// Runs what enters guests on such a thread, for nobody knows how much of its stack the caller has left.
pub(crate) fn on_guest_thread<R: Send>(name: &str, run: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let thread = guest_thread(name).spawn_scoped(scope, as_here(run));
        let thread = thread.expect("a process may have another thread");
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Starts a thread that logs to whom its maker logs.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    guest_thread(name)
        .spawn(as_here(run))
        .expect("a process may have a few more threads")
}
