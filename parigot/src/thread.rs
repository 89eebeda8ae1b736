//! Threads of the command.

use std::thread::{Builder, JoinHandle};

use parigot_host::ThreadError;

/// Starts a thread.
///
/// # Errors
///
/// If the system does not start the thread.
pub(crate) fn spawn<R: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> R + Send + 'static,
) -> Result<JoinHandle<R>, ThreadError> {
    let started = Builder::new().name(name.into()).spawn(run);
    started.map_err(|error| ThreadError::new(name, &error))
}
