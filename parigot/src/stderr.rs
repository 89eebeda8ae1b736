//! Standard error of the command.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use parigot_host::ThreadError;

use crate::log_queue::{Dropped, LogQueue, STALL_MAX};

/// Stderr. No other code writes to it, so that lines never mix.
pub(crate) static STDERR: LazyLock<LogQueue<io::Stderr>> =
    LazyLock::new(|| LogQueue::new(io::stderr()));

/// Time for which lines are collected before they are written.
const COLLECT: Duration = Duration::from_millis(1);

/// Runs a command whose threads never wait for stderr: a thread of its own writes the log.
///
/// All that is queued at the end is written, if the log is read. `report` returns the line about
/// lines that were dropped because the log was not read.
///
/// # Errors
///
/// If the system does not start the thread. The command has not run then.
pub(crate) fn in_background(
    report: impl Fn(Dropped) -> String + Send + 'static,
    command: impl FnOnce() -> ExitCode,
) -> Result<ExitCode, ThreadError> {
    // On a terminal, a line stands where it was logged between the output of a program.
    let collect = if io::stderr().is_terminal() {
        Duration::ZERO
    } else {
        COLLECT
    };
    STDERR.start_writer(collect, report)?;
    panic::set_hook(Box::new(|panic| {
        STDERR.lines(&text_of(panic));
        // The process can abort before its end flushes.
        STDERR.flush(STALL_MAX);
    }));
    let status = command();
    STDERR.flush(Duration::MAX);
    Ok(status)
}

/// Ends the process with this status, after a second at most: a log that is read slowly is cut off.
pub(crate) fn exit(status: u8) -> ! {
    STDERR.flush(STALL_MAX);
    std::process::exit(status.into())
}

/// Returns the message and, if one was asked for, the backtrace of a panic, as std prints them.
fn text_of(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => {
            format!("thread '{name}' {panic}\nstack backtrace:\n{backtrace}\n")
        }
        _ => format!(
            "thread '{name}' {panic}\nnote: run with `RUST_BACKTRACE=1` to display a backtrace\n"
        ),
    }
}

/// Environment variable that asks for colours without a terminal: <https://bixense.com/clicolors/>.
pub(crate) const FORCE_COLOUR: &str = "CLICOLOR_FORCE";

/// Returns whether to colour: stderr is a terminal that has colours or [`FORCE_COLOUR`] is set, and
/// `NO_COLOR` is not (<https://no-color.org>).
pub(crate) fn takes_colour() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let by_terminal = io::stderr().is_terminal() && !terminal_is_dumb();
    (by_terminal || is_set(FORCE_COLOUR)) && !is_set("NO_COLOR")
}

/// Returns whether the terminal understands no escape sequences.
fn terminal_is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// Returns whether a line can be redrawn: stderr is a terminal, and not the log of a CI.
pub(crate) fn can_be_redrawn() -> bool {
    io::stderr().is_terminal() && !terminal_is_dumb() && std::env::var_os("CI").is_none()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_panic_is_reported_with_its_thread_and_place() {
        let (sender, texts) = channel();
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| _ = sender.send(text_of(panic))));
        let thread = thread::Builder::new().name("oven".into());
        let ended = thread
            .spawn(|| panic!("cold"))
            .map(thread::JoinHandle::join);
        panic::set_hook(before);
        assert!(matches!(ended, Ok(Err(_))), "the thread must panic");
        let text = texts.recv().expect("the hook must be called");
        let begin = format!("thread 'oven' panicked at {}:", file!());
        assert!(text.starts_with(&begin), "{text}");
        assert!(text.contains(":\ncold\n"), "{text}");
    }
}
