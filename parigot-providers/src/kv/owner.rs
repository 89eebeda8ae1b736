//! The owner of a store: a lock file beside the store names the process that uses it.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// Lock of a store. The system releases the lock at the end of the process.
#[derive(Debug)]
pub(super) struct Owner {
    _lock: File,
}

impl Owner {
    /// Takes the lock, and writes the id of this process and the name of this machine into the lock
    /// file.
    ///
    /// # Errors
    ///
    /// With the other process as the lock file names it, or with the error of the system.
    pub(super) fn lock(store: &Path) -> Result<Self, OwnerError> {
        let mut name = store.as_os_str().to_owned();
        name.push(".owner");
        let options = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(name);
        let mut file = options.map_err(OwnerError::System)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // The owner may be writing the text right now.
                let _ = file.read_to_string(&mut owner);
                return Err(OwnerError::Owned(owner.trim().to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(OwnerError::System(error)),
        }
        let text = format!("process {} on {}\n", std::process::id(), machine());
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(OwnerError::System)?;
        Ok(Owner { _lock: file })
    }
}

/// Reason why a lock was not taken.
#[derive(Debug)]
pub(super) enum OwnerError {
    /// The other owner.
    Owned(String),
    System(io::Error),
}

/// Returns the name of this machine.
#[cfg(unix)]
fn machine() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn machine() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "this machine".to_owned())
}
