//! Files that a deployment or a command names.
//!
//! Only regular files are read, and only up to a limit: opening a named pipe would wait for a
//! writer, and a device may have no end.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Reads a file. The result has one byte more than `bytes_max` if the file is larger.
///
/// # Errors
///
/// If the file cannot be read, or if it is a folder, a named pipe, a socket or a device.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file for reading.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    // Otherwise opening a named pipe waits for a writer.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.read(true).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_one_byte_beyond_the_limit() {
        let folder = tempfile::tempdir().expect("a temporary folder must be available");
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").expect("the folder must be writable");
        for (bytes_max, expected) in [(3, "1234"), (4, "12345"), (5, "12345")] {
            let bytes = read(&path, bytes_max).expect("the file must be readable");
            assert_eq!(bytes, expected.as_bytes());
        }
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder must be available");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo must run").success());
        for path in [&pipe, folder.path(), Path::new("/dev/zero")] {
            let error = read(path, 10).expect_err("only regular files may be read");
            assert_eq!(
                error.to_string(),
                "it is not a regular file",
                "{}",
                path.display()
            );
        }
    }
}
