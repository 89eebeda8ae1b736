//! Call depth limit of guests, and threads with enough stack for that depth.
//!
//! A guest in a compiled language has two stacks. The first lies in the guest's memory, and the
//! linker sets its size; an overflow is an out-of-bounds access. The second is the thread's stack,
//! which holds return addresses and locals. The engine limits the second stack. The thread needs
//! more than the engine's limit, because an overflow of the thread's stack ends the process.

use std::thread::{self, Builder, JoinHandle};

use crate::limits::GUEST_STACK_BYTES;
use crate::log::dispatch::as_here;

/// Stack that the host itself uses on both sides of a guest, in bytes.
const HOST_STACK_BYTES: usize = 1 << 20;

/// Returns a builder of a thread whose stack is large enough for guests.
pub(crate) fn guest_thread(name: &str) -> Builder {
    Builder::new()
        .name(name.into())
        .stack_size(GUEST_STACK_BYTES + HOST_STACK_BYTES)
}

/// Runs a closure that enters guests on such a thread, because the stack left to the caller is
/// unknown.
pub(crate) fn on_guest_thread<R: Send>(name: &str, run: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let thread = guest_thread(name).spawn_scoped(scope, as_here(run));
        let thread = thread.expect("the thread must start");
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Starts a thread that logs to the subscriber of the calling thread.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    guest_thread(name)
        .spawn(as_here(run))
        .expect("the thread must start")
}
