//! Log subscriber of the calling thread, for other threads.

/// Wraps `run` so that it logs to the calling thread's subscriber, on any thread.
pub(crate) fn as_here<R>(run: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    move || tracing::dispatcher::with_default(&dispatch, run)
}
