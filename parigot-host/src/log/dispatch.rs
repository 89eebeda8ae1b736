//! Carries the calling thread's log subscriber to other threads.

/// Makes `run` log on any thread to whom the calling one logs.
pub(crate) fn as_here<R>(run: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    move || tracing::dispatcher::with_default(&dispatch, run)
}
