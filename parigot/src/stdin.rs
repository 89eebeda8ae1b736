//! Standard input for programs of a child process.
//!
//! The stdin of a child process is a pipe from its parent: see `process_group.rs`. So a child whose
//! programs read stdin inherits the parent's stdin as a further descriptor, `--stdin-fd`.

use std::fs::File;
use std::io;

use crate::cli::Run;

/// Standard input that a child process inherits.
#[derive(Debug)]
pub(crate) struct InheritedStdin(#[cfg(unix)] std::os::fd::OwnedFd);

#[cfg(unix)]
impl InheritedStdin {
    /// Opens a descriptor that child processes inherit until this value is dropped.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        // Unlike the functions of std, `dup` does not close the descriptor when a child starts.
        Ok(Some(InheritedStdin(rustix::io::dup(io::stdin())?)))
    }

    /// Returns the option that names the descriptor.
    pub(crate) fn option(&self) -> String {
        use std::os::fd::AsRawFd;
        format!("--stdin-fd={}", self.0.as_raw_fd())
    }
}

#[cfg(not(unix))]
impl InheritedStdin {
    /// Returns `None`: child processes have an empty standard input.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn option(&self) -> String {
        String::new()
    }
}

/// Returns the standard input of the programs of this process; `None` stands for stdin.
///
/// # Errors
///
/// If the file that stands for an empty standard input cannot be opened.
pub(crate) fn of_programs(run: &Run) -> io::Result<Option<File>> {
    #[cfg(unix)]
    const EMPTY: &str = "/dev/null";
    #[cfg(not(unix))]
    const EMPTY: &str = "NUL";
    match run.stdin_fd {
        #[cfg(unix)]
        Some(descriptor) => {
            use std::os::fd::FromRawFd;
            // SAFETY: the parent process has opened the descriptor for this process and names it in
            // `--stdin-fd`. Nothing else in this process uses it.
            Ok(Some(unsafe { File::from_raw_fd(descriptor) }))
        }
        // Stdin is the pipe from the parent.
        _ if run.exit_with_stdin => File::open(EMPTY).map(Some),
        _ => Ok(None),
    }
}
