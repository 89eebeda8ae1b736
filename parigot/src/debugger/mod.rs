//! `parigot debug`: starts gdb or lldb on `parigot run --debug`, prepared for the code of guests.
//!
//! | file | responsibility |
//! |---|---|
//! | `parigot-gdb.py` | settings, unwinder, printers and commands of gdb |
//! | `parigot.lldb` | settings of lldb |

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{fs, io};

use crate::cli::Debug;
use crate::exit_status::{FAILED, REFUSED};

const GDB_SCRIPT: &str = include_str!("parigot-gdb.py");
const LLDB_SCRIPT: &str = include_str!("parigot.lldb");

/// Environment variable with the text of the script for gdb. A file would need a folder to which
/// no other user can write.
const VARIABLE: &str = "PARIGOT_GDB_SCRIPT";

/// Command of gdb that runs the script.
const RUN_SCRIPT: &str = "python import os; exec(os.environ['PARIGOT_GDB_SCRIPT'])";

/// Names of lldb, to which distributions add the version.
const LLDB_NAMES: [&str; 8] = [
    "lldb-22", "lldb-21", "lldb-20", "lldb-19", "lldb-18", "lldb-17", "lldb-16", "lldb",
];

/// Error of `parigot debug`.
#[derive(Debug, thiserror::Error)]
enum DebuggerError {
    #[error(
        "{debugger} is missing: install it, for example with `apt-get install {package}`, or \
         {alternative}"
    )]
    Missing {
        debugger: &'static str,
        package: &'static str,
        alternative: &'static str,
    },
    #[error("cannot start {debugger}: {error}")]
    Start { debugger: String, error: io::Error },
    #[error("expected FILE:LINE for --break, for example greeting/src/lib.rs:17, found {found:?}")]
    Place { found: String },
    #[error("cannot write the scripts to {folder}: {error}")]
    Scripts { folder: String, error: io::Error },
}

/// Starts the debugger in place of this process, or writes the scripts.
pub(crate) fn run(debug: &Debug) -> ExitCode {
    let result = match (&debug.write_scripts, &debug.file) {
        (Some(folder), _) => write_scripts(folder),
        (None, Some(file)) => start(debug, file),
        (None, None) => unreachable!("clap requires one of the two"),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            match error {
                DebuggerError::Scripts { .. } => FAILED.into(),
                _ => REFUSED.into(),
            }
        }
    }
}

/// Writes the scripts for a debugger that an editor starts.
fn write_scripts(folder: &Path) -> Result<(), DebuggerError> {
    let write = |name: &str, text: &str| fs::write(folder.join(name), text);
    fs::create_dir_all(folder)
        .and_then(|()| write("parigot-gdb.py", GDB_SCRIPT))
        .and_then(|()| write("parigot.lldb", LLDB_SCRIPT))
        .map_err(|error| DebuggerError::Scripts {
            folder: folder.display().to_string(),
            error,
        })
}

/// Replaces this process by the debugger.
fn start(debug: &Debug, file: &Path) -> Result<(), DebuggerError> {
    let places = debug.breakpoints.iter().map(|place| split(place));
    let places = places.collect::<Result<Vec<_>, _>>()?;
    let mut command = if debug.lldb {
        lldb(debug, &places)?
    } else {
        gdb(debug, &places)?
    };
    let own = std::env::current_exe().unwrap_or_else(|_| "parigot".into());
    command.arg(own).args(["run", "--debug"]);
    // The arguments of the program come last, behind their `--`.
    let options = debug.options.iter().position(|option| option == "--");
    let (options, arguments) = debug
        .options
        .split_at(options.unwrap_or(debug.options.len()));
    command.args(options).arg(file).args(arguments);
    let error = command.exec();
    Err(DebuggerError::Start {
        debugger: command.get_program().to_string_lossy().into_owned(),
        error,
    })
}

/// Splits a place into file and line.
fn split(place: &str) -> Result<(&str, &str), DebuggerError> {
    place
        .rsplit_once(':')
        .filter(|(file, line)| !file.is_empty() && line.parse::<u32>().is_ok())
        .ok_or_else(|| DebuggerError::Place {
            found: place.to_owned(),
        })
}

/// Returns the command of gdb, up to the arguments of the debugged program.
fn gdb(debug: &Debug, places: &[(&str, &str)]) -> Result<Command, DebuggerError> {
    let gdb = found(&["gdb"]).ok_or(DebuggerError::Missing {
        debugger: "gdb",
        package: "gdb",
        alternative: "use lldb by `--lldb`",
    })?;
    let mut command = Command::new(gdb);
    command.arg("-quiet").env(VARIABLE, GDB_SCRIPT);
    // Rust's scripts for the host are in its toolchain, and gdb complains if it cannot find them.
    command.args(["-iex", "set auto-load python-scripts off"]);
    command.args(debug.batch.then_some("-batch"));
    command.args(["-ex", RUN_SCRIPT]);
    for (file, line) in places {
        command.arg("-ex").arg(format!("break {file}:{line}"));
    }
    command.args(["-ex", "run"]);
    for line in &debug.commands {
        command.args(["-ex", line]);
    }
    command.arg("--args");
    Ok(command)
}

/// Returns the command of lldb, up to the arguments of the debugged program.
fn lldb(debug: &Debug, places: &[(&str, &str)]) -> Result<Command, DebuggerError> {
    let lldb = found(&LLDB_NAMES).ok_or(DebuggerError::Missing {
        debugger: "lldb",
        package: "lldb-19",
        alternative: "use gdb without `--lldb`",
    })?;
    let mut command = Command::new(lldb);
    command.args(debug.batch.then_some("--batch"));
    let is_command = |line: &&str| !line.is_empty() && !line.starts_with('#');
    for line in LLDB_SCRIPT.lines().filter(is_command) {
        command.args(["-o", line]);
    }
    for (file, line) in places {
        command
            .arg("-o")
            .arg(format!("breakpoint set --file {file} --line {line}"));
    }
    command.args(["-o", "run"]);
    for line in &debug.commands {
        command.args(["-o", line]);
    }
    command.arg("--");
    Ok(command)
}

/// Returns the first of these programs that is in a folder of `PATH`.
fn found(names: &[&str]) -> Option<OsString> {
    let path = std::env::var_os("PATH")?;
    let mut programs = names.iter().flat_map(|name| {
        let folders = std::env::split_paths(&path);
        folders.map(move |folder| folder.join(name))
    });
    programs.find(|program| program.is_file()).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_and_a_line() {
        assert!(matches!(split("src/lib.rs:17"), Ok(("src/lib.rs", "17"))));
        for place in ["src/lib.rs", ":17", "src/lib.rs:x", "src/lib.rs:"] {
            let error = split(place).expect_err("the place must be refused");
            assert!(error.to_string().contains(place), "{error}");
        }
    }
}
