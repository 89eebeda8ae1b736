//! Report about a panic of the host, which is always a bug of the host.

use std::backtrace::Backtrace;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use tracing::Level;

use crate::log::{self, Style};

/// Writes a report about a panic into the user's folder for state, and returns the log line that
/// names the report.
pub(crate) fn write(panic: &PanicHookInfo<'_>, style: &Style) -> String {
    let cause = cause_of(panic);
    let text = format!("{cause}\n\n{}", Backtrace::force_capture());
    let report = match folder() {
        Some(folder) => write_to(&folder, &text),
        None => Err(io::Error::other("the user has no home folder")),
    };
    let rest = match report {
        Ok(path) => format!(
            "a report for the authors of parigot is in {}",
            path.display()
        ),
        Err(error) => format!("no report could be written: {error}"),
    };
    let message = format!("the host has a bug: {cause}; {rest}");
    log::host_line(Level::ERROR, &message, style)
}

/// Returns thread, place and message of a panic, as std prints them.
fn cause_of(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    format!("thread '{}' {panic}", thread.name().unwrap_or("<unnamed>"))
}

/// Returns `parigot` in the user's folder for state, as the XDG Base Directory Specification
/// defines it.
fn folder() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let states = set
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".local/state")))?;
    Some(states.join("parigot"))
}

/// Writes a report to a new file in a folder, which only the user can read.
fn write_to(folder: &Path, text: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let path = folder.join(format!("panic-{time}-{}.txt", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let version = env!("CARGO_PKG_VERSION");
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    writeln!(file, "parigot {version} on {system} {machine}\n{text}")?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::panic;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_panic_is_described_by_thread_place_and_message() {
        let (sender, causes) = channel();
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| _ = sender.send(cause_of(panic))));
        let thread = thread::Builder::new().name("oven".into());
        let ended = thread
            .spawn(|| panic!("cold"))
            .map(thread::JoinHandle::join);
        panic::set_hook(before);
        assert!(matches!(ended, Ok(Err(_))), "the thread must panic");
        let cause = causes.recv().expect("the hook must be called");
        let begin = format!("thread 'oven' panicked at {}:", file!());
        assert!(cause.starts_with(&begin), "{cause}");
        assert!(cause.ends_with(":\ncold"), "{cause}");
    }

    #[test]
    fn a_report_is_readable_by_the_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = std::env::temp_dir().join(format!("parigot-report-{}", std::process::id()));
        let path = write_to(&folder, "cause\n\nframes").expect("the folder must be writable");
        let text = fs::read_to_string(&path).expect("the report must be there");
        let mode = path
            .metadata()
            .map(|file| file.permissions().mode() & 0o777);
        fs::remove_dir_all(&folder).expect("the test owns the folder");
        assert!(text.starts_with("parigot "), "{text}");
        assert!(text.ends_with("cause\n\nframes\n"), "{text}");
        assert!(matches!(mode, Ok(0o600)), "{mode:?}");
    }
}
