//! Threads that the system does not start.

use std::io;

use miette::Diagnostic;

/// Error of a thread that the system does not start.
#[derive(Clone, Debug, thiserror::Error, Diagnostic)]
#[error("cannot start the thread `{thread}`: {reason}")]
#[diagnostic(help("{}", ThreadError::NEXT_STEP))]
pub struct ThreadError {
    thread: String,
    /// Text of the system.
    reason: String,
}

impl ThreadError {
    pub(crate) const NEXT_STEP: &str = "raise the limit of threads: `ulimit -u` for the user, \
                                        `pids.max` for the cgroup or container";

    /// Creates the error of the thread with this name.
    pub fn new(thread: &str, reason: &io::Error) -> Self {
        ThreadError {
            thread: thread.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// Formats the error with its next step.
impl From<ThreadError> for io::Error {
    fn from(error: ThreadError) -> Self {
        io::Error::other(format!("{error}; {}", ThreadError::NEXT_STEP))
    }
}
