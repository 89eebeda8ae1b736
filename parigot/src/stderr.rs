//! Standard error of the command.

use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;
use std::sync::LazyLock;
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
/// lines that were dropped because the log was not read, and `panicked` the line about a panic.
///
/// # Errors
///
/// If the system does not start the thread. The command has not run then.
pub(crate) fn in_background(
    report: impl Fn(Dropped) -> String + Send + 'static,
    panicked: impl Fn(&PanicHookInfo<'_>) -> String + Send + Sync + 'static,
    command: impl FnOnce() -> ExitCode,
) -> Result<ExitCode, ThreadError> {
    // On a terminal, a line stands where it was logged between the output of a program.
    let collect = if io::stderr().is_terminal() {
        Duration::ZERO
    } else {
        COLLECT
    };
    STDERR.start_writer(collect, report)?;
    panic::set_hook(Box::new(move |panic| {
        STDERR.lines(&panicked(panic));
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
