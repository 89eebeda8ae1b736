//! Call depth limit of guests, and threads with enough stack for that depth.
//!
//! A guest in a compiled language has two stacks:
//!
//! - One lies in the guest's memory and holds values whose address is taken. The linker sets its
//!   size. An overflow is an out-of-bounds access, which traps.
//! - The other is the thread's stack, which holds return addresses and locals. The engine limits
//!   the guest's share to [`GUEST_STACK_BYTES`], and an overflow traps as well.
//!
//! The thread needs more than the engine's limit, because the host's own frames lie on the same
//! stack, and an overflow of the thread's stack ends the process.

use std::thread::{self, Builder, JoinHandle};

use crate::error::ThreadError;
use crate::limits::GUEST_STACK_BYTES;
use crate::log::dispatch::as_here;

/// Stack for the host's frames below and above the guest's, in bytes.
const HOST_STACK_BYTES: usize = 1 << 20;

/// Returns a builder of a thread whose stack is large enough for guests.
fn guest_thread(name: &str) -> Builder {
    Builder::new()
        .name(name.into())
        .stack_size(GUEST_STACK_BYTES + HOST_STACK_BYTES)
}

/// Runs a closure that enters guests on such a thread, and waits for it. The caller's own thread
/// belongs to the embedding program, so the stack that is left there is unknown.
///
/// # Errors
///
/// If the system does not start the thread.
pub(crate) fn on_guest_thread<R: Send>(
    name: &str,
    run: impl FnOnce() -> R + Send,
) -> Result<R, ThreadError> {
    thread::scope(|scope| {
        let started = guest_thread(name).spawn_scoped(scope, as_here(run));
        let thread = started.map_err(|error| ThreadError::new(name, &error))?;
        Ok(thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Starts a thread that logs to the subscriber of the calling thread.
///
/// # Errors
///
/// If the system does not start the thread.
pub(crate) fn spawn(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, ThreadError> {
    let started = guest_thread(name).spawn(as_here(run));
    started.map_err(|error| ThreadError::new(name, &error))
}
