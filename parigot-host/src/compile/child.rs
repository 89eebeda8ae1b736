//! Compilation in a child process, whose memory the system limits.
//!
//! The author of a module decides how much memory Cranelift takes for it: a module of 200 KiB with
//! some thousand nested loops over as many local values takes gigabytes. Cranelift has no limit of
//! its own, and in this process the system would end the services along with the compiler.
//!
//! ```text
//! parent ─ length as u64, module ─▶ stdin of the child
//! parent ◀─ tag, code or text of the error ─ stdout of the child
//! ```
//!
//! The parent keeps stdin open until the end. The child ends when stdin closes, so no child
//! outlives its parent. A child beyond the limit aborts, and sends no tag.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::compile::engine::engine;
use crate::compile::timeout;
use crate::error::{ModuleError, ThreadError};
use crate::limits::MODULE_BYTES_MAX;

/// Name of the threads that wait for a child.
const NAME: &str = "parigot compile";

const CODE: u8 = 0;
const ERROR: u8 = 1;

/// Command that compiles a module in a process of its own, by [`compile_stdin`].
#[derive(Clone, Debug)]
pub struct CompilerCommand {
    /// Path of the program. Its output is executed.
    pub program: PathBuf,
    /// Arguments of the program.
    pub args: Vec<OsString>,
    /// Limit of the memory, which the program sets for itself, for the text of the error.
    pub memory_bytes_max: u64,
}

/// Output of a child until its end.
struct Answer {
    stdout: Vec<u8>,
    stderr: String,
}

/// Compiles the module on stdin and writes the code to stdout, for a [`CompilerCommand`].
///
/// # Errors
///
/// If stdin has no module, or stdout cannot be written. An error of the module goes to stdout.
pub fn compile_stdin() -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    let mut length = [0; 8];
    stdin.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length).min(MODULE_BYTES_MAX);
    let mut bytes = vec![0; length as usize];
    stdin.read_exact(&mut bytes)?;
    drop(stdin);
    let end_with_parent = || {
        // The parent writes no more. An error is an end too.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(1);
    };
    const PARENT: &str = "parigot parent";
    thread::Builder::new()
        .name(PARENT.into())
        .spawn(end_with_parent)
        .map_err(|error| ThreadError::new(PARENT, &error))?;
    let engine = engine(false);
    // The parent ends this process when the time is over.
    let code = timeout::compile(&engine, bytes, Duration::MAX);
    let mut stdout = io::stdout().lock();
    match code {
        Ok(code) => {
            stdout.write_all(&[CODE])?;
            stdout.write_all(&code)?;
        }
        Err(error) => {
            stdout.write_all(&[ERROR])?;
            stdout.write_all(text_of(&error).as_bytes())?;
        }
    }
    stdout.flush()
}

/// Returns the causes of an error, one per line.
fn text_of(error: &ModuleError) -> String {
    let causes: Vec<_> = match error {
        ModuleError::Compile(error) => error.chain().map(one_line).collect(),
        ModuleError::Thread(error) => vec![one_line(io::Error::from(error.clone()))],
        error => vec![one_line(error)],
    };
    causes.join("\n")
}

fn one_line(error: impl std::fmt::Display) -> String {
    error.to_string().replace('\n', "; ")
}

/// Compiles a module in a child process, for at most `time_max`, and returns its code for
/// `Module::deserialize`.
///
/// # Errors
///
/// If the module is invalid, if the compiler panics, if the child exceeds the time or its memory,
/// or if the system does not start the child.
pub(crate) fn compile(
    command: &CompilerCommand,
    bytes: Vec<u8>,
    time_max: Duration,
) -> Result<Vec<u8>, ModuleError> {
    let mut child = Command::new(&command.program)
        .args(&command.args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => ThreadError::new(NAME, &error).into(),
            _ => ModuleError::Compiler(error),
        })?;
    let answer = answer_of(&mut child, bytes, time_max);
    if answer.is_err() {
        // An error means that the child has ended.
        let _ = child.kill();
    }
    let ended = child.wait().map_err(ModuleError::Compiler)?;
    let Answer { mut stdout, stderr } = answer?;
    match stdout.split_first() {
        Some((&CODE, _)) if ended.success() => Ok(stdout.split_off(1)),
        Some((&ERROR, text)) => Err(error_of(&String::from_utf8_lossy(text), command)),
        _ => Err(death_of(ended, &stderr, command)),
    }
}

/// Sends the module to a child, and returns the child's output.
fn answer_of(child: &mut Child, bytes: Vec<u8>, time_max: Duration) -> Result<Answer, ModuleError> {
    let mut stdin = child.stdin.take().expect("stdin must be a pipe");
    let mut stdout = child.stdout.take().expect("stdout must be a pipe");
    let mut stderr = child.stderr.take().expect("stderr must be a pipe");
    let (sender, answer) = channel();
    let exchange = move || {
        // A child that has died reads no module; its output tells why.
        let _ = stdin
            .write_all(&(bytes.len() as u64).to_le_bytes())
            .and_then(|()| stdin.write_all(&bytes));
        drop(bytes);
        let mut answer = Answer {
            stdout: Vec::new(),
            stderr: String::new(),
        };
        let read = stdout
            .read_to_end(&mut answer.stdout)
            .and_then(|_| stderr.read_to_string(&mut answer.stderr));
        // The receiver is gone if the time is over.
        let _ = sender.send(read.map(|_| answer));
    };
    let started = thread::Builder::new().name(NAME.into()).spawn(exchange);
    started.map_err(|error| ThreadError::new(NAME, &error))?;
    match answer.recv_timeout(time_max) {
        Ok(answer) => answer.map_err(ModuleError::Compiler),
        Err(RecvTimeoutError::Timeout) => Err(ModuleError::CompileTime { time_max }),
        Err(RecvTimeoutError::Disconnected) => unreachable!("the thread must not panic"),
    }
}

/// Returns the error of a module whose compiler has reported these causes, one per line.
fn error_of(text: &str, command: &CompilerCommand) -> ModuleError {
    // A mapping beyond the limit is an error, unlike an allocation.
    if text.ends_with("(os error 12)") {
        return memory_exceeded(command);
    }
    let mut causes = text.lines().rev().map(str::to_owned);
    let innermost = wasmtime::Error::msg(causes.next().unwrap_or_default());
    ModuleError::Compile(causes.fold(innermost, wasmtime::Error::context))
}

/// Returns the error of a module whose compiler has died.
fn death_of(ended: ExitStatus, stderr: &str, command: &CompilerCommand) -> ModuleError {
    // The text of Rust before an abort.
    if stderr.contains("memory allocation of") {
        return memory_exceeded(command);
    }
    let last = stderr.lines().last().unwrap_or_default();
    ModuleError::Compile(wasmtime::Error::msg(format!(
        "the compiler ended: {ended}: {last}"
    )))
}

fn memory_exceeded(command: &CompilerCommand) -> ModuleError {
    ModuleError::CompileMemory {
        bytes_max: command.memory_bytes_max,
    }
}
