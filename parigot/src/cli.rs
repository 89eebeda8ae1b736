//! The command line: subcommands, arguments and their help texts.

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};

use crate::log_levels::LogLevels;
use crate::{boilerplateid, exit_status, log};

/// Runs services and programs defined by .proto files.
#[derive(Parser)]
#[command(name = "parigot", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Run(Run),
    Debug(Debug),
    Check(Check),
    Graph(Graph),
    Generate(Generate),
    Boilerplateid(Boilerplateid),
    #[command(hide = true)]
    CompileStdin(CompileStdin),
}

/// Run a deployment until its programs have ended.
///
/// If the file distributes the guests over processes, each process is started as a child of this
/// one, and all of them end together.
///
/// The log goes to stderr, each line with time (UTC), level, guest, instance, call
/// and message. Ctrl-C stops the guests in the reverse order of their launch, within the
/// `shutdown_deadline` of the file; a second Ctrl-C exits immediately.
#[derive(Args)]
#[command(after_help = exit_status::OF_RUN, verbatim_doc_comment)]
pub(crate) struct Run {
    /// The deployment file.
    #[arg(value_name = "app.toml")]
    pub(crate) file: PathBuf,

    /// Run only the guests of the table `[process.<NAME>]`.
    ///
    /// This process finds the others through the server of `[network]`, whenever and wherever they
    /// are started. Without programs it runs until it is stopped.
    #[arg(long, value_name = "NAME", verbatim_doc_comment)]
    pub(crate) process: Option<String>,

    /// The program that receives the arguments after `--`, if the file has several programs.
    #[arg(long, value_name = "NAME", requires = "args")]
    pub(crate) program: Option<String>,

    /// Compile guests for a debugger, which `parigot debug` starts as well.
    ///
    /// In place of `build/x.wasm`, the file `build/debug/x.wasm` is run if it exists: the same
    /// guest, built without optimisation. Budgets are 60 s, and deadlines and timers stand still
    /// while the process is stopped. Without --process, the guests of all processes run in this
    /// one.
    #[arg(long, verbatim_doc_comment)]
    pub(crate) debug: bool,

    /// Stop when stdin closes, so that the process never outlives its parent.
    #[arg(long, hide = true)]
    pub(crate) exit_with_stdin: bool,

    /// Descriptor of the standard input for programs; stdin is the pipe of `--exit-with-stdin`.
    #[arg(long, hide = true, requires = "exit_with_stdin")]
    pub(crate) stdin_fd: Option<i32>,

    /// The lowest level to log: off, error, warn, info, debug or trace. Single guests can have
    /// levels of their own, for example `info,links=debug`.
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        verbatim_doc_comment
    )]
    pub(crate) log_level: LogLevels,

    /// The format of the log.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: log::Format,

    #[command(flatten)]
    pub(crate) compiling: Compiling,

    /// Arguments of the program, in addition to its `args` in the file.
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub(crate) args: Vec<String>,
}

impl Run {
    /// Returns the style of this process's log lines.
    pub(crate) fn style(&self) -> log::Style {
        log::Style {
            format: self.log_format,
            process: self.process.clone(),
        }
    }
}

// Options of compilation. No doc comment here: clap would add the text to the help of each command.
#[derive(Args)]
pub(crate) struct Compiling {
    /// Compile all guests, without reading or writing the code cache.
    ///
    /// The cache is $XDG_CACHE_HOME/parigot/code, or else ~/.cache/parigot/code. Entries are
    /// removed after 30 days without use, or when the cache exceeds 1 GiB.
    #[arg(long, verbatim_doc_comment)]
    pub(crate) no_cache: bool,

    /// The time limit for compiling one guest.
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    pub(crate) compile_time: humantime::Duration,

    /// The memory limit for compiling one guest, on Linux.
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = memory_size)]
    pub(crate) compile_memory: MemorySize,
}

/// Number of bytes, as the options write it.
#[derive(Clone, Debug)]
pub(crate) struct MemorySize {
    pub(crate) text: String,
    pub(crate) bytes: u64,
}

fn memory_size(text: &str) -> Result<MemorySize, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let size = units.iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(1 << shift)
    });
    let bytes = size.ok_or("expected a number with a unit, for example `512MiB` or `4GiB`")?;
    Ok(MemorySize {
        text: text.to_owned(),
        bytes,
    })
}

/// Compiles the module on stdin: see `CompilerCommand` of `parigot-host`.
#[derive(Args)]
#[command(hide = true)]
pub(crate) struct CompileStdin {
    /// The limit of memory in bytes.
    pub(crate) memory_bytes_max: u64,
}

/// Run a deployment in a debugger: gdb, or lldb.
///
/// Starts the debugger on `parigot run --debug app.toml`, prepared for the code of guests: a
/// breakpoint can be set before its guest is compiled, a step stays in its thread, `bt` shows
/// the callers in the host, and gdb prints strings, vectors and references of guests.
///
/// A trap of a guest stops the program where it happens; `continue` lets the host handle it.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Debug {
    /// The deployment file.
    #[arg(value_name = "app.toml", required_unless_present = "write_scripts")]
    pub(crate) file: Option<PathBuf>,

    /// Use lldb instead of gdb.
    #[arg(long)]
    pub(crate) lldb: bool,

    /// A breakpoint, for example greeting/src/lib.rs:17; may be repeated.
    #[arg(long = "break", value_name = "FILE:LINE")]
    pub(crate) breakpoints: Vec<String>,

    /// A command of the debugger for the first stop, for example `bt`; may be repeated.
    #[arg(long = "command", value_name = "COMMAND")]
    pub(crate) commands: Vec<String>,

    /// Exit after the commands instead of reading more of them, and end the deployment.
    #[arg(long)]
    pub(crate) batch: bool,

    /// Write the scripts parigot-gdb.py and parigot-lldb.py to a folder, for a debugger that an
    /// editor starts. Needs no other argument.
    #[arg(long, value_name = "DIR", verbatim_doc_comment)]
    pub(crate) write_scripts: Option<PathBuf>,

    /// Options of `parigot run`, and arguments of the program behind a second `--`.
    #[arg(last = true, value_name = "OPTIONS")]
    pub(crate) options: Vec<String>,
}

/// Check that a deployment can start, without starting it.
///
/// Compiles each guest, reads its exports and requirements, and stops. Then the order of the
/// launch is computed, and each client's schema is compared with the schema of its exporter.
/// All problems are reported at once.
#[derive(Args)]
#[command(after_help = exit_status::OF_CHECK, verbatim_doc_comment)]
pub(crate) struct Check {
    /// The deployment file.
    #[arg(value_name = "app.toml")]
    pub(crate) file: PathBuf,

    /// The format of the result; with json, the object goes to stdout in any case.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: log::Format,

    /// Refuse a deployment with warnings as well.
    #[arg(long)]
    pub(crate) strict: bool,

    #[command(flatten)]
    pub(crate) compiling: Compiling,
}

/// Draw which guest requires which service, in the order of the launch.
///
/// A deployment that cannot start is drawn as well: guests that wait for each other, or for a
/// service without an exporter, are shown as never launched.
#[derive(Args)]
#[command(after_help = exit_status::OF_GRAPH, verbatim_doc_comment)]
pub(crate) struct Graph {
    /// The deployment file.
    #[arg(value_name = "app.toml")]
    pub(crate) file: PathBuf,

    /// The format of the drawing.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Drawing,

    #[command(flatten)]
    pub(crate) compiling: Compiling,
}

/// Write stubs and messages for .proto files, as protoc with protoc-gen-parigot does.
///
/// protoc is not needed. The files of google/protobuf and parigot/v1 can be imported
/// without a copy. Files with an edition need protoc or buf. Unchanged files are not
/// rewritten.
///
/// With `--opt lang=go` the stubs expect the messages of protoc-gen-go in the same Go packages,
/// those of `go_package`: run protoc with `--go_out=DIR` and the same `paths`, `module` and
/// `M` options. The command prints the lines to run while the messages are missing.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Generate {
    /// A folder to search for .proto files; may be repeated, the first that has the file is used.
    #[arg(
        short = 'I',
        long = "proto-path",
        value_name = "DIR",
        default_value = "."
    )]
    pub(crate) include: Vec<PathBuf>,

    /// The folder to write to.
    #[arg(long, value_name = "DIR", required_unless_present = "write_protos")]
    pub(crate) out: Option<PathBuf>,

    /// A folder to write the files of parigot/v1 to, for `protoc --proto_path=DIR` and buf.
    /// Needs no other argument.
    #[arg(long, value_name = "DIR", verbatim_doc_comment)]
    pub(crate) write_protos: Option<PathBuf>,

    /// Options of protoc-gen-parigot: `key=value`, separated by commas; may be repeated.
    #[arg(long, value_name = "OPTION")]
    pub(crate) opt: Vec<String>,

    /// The .proto files; name all files of a package together.
    #[arg(
        value_name = "FILE.proto",
        required_unless_present = "write_protos",
        requires = "out"
    )]
    pub(crate) files: Vec<PathBuf>,
}

/// Write the code of a new id type, for guests in Rust or Go.
///
/// An id has 128 bits: 16 for its type and 112 random ones. Mixing ids of different types does not
/// compile, and the text of one type is not parsed as another: their prefixes differ.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Boilerplateid {
    /// The name of the thing: Ticket makes a TicketId, in Go a TicketID.
    #[arg(value_name = "Name", value_parser = boilerplateid::stem)]
    pub(crate) name: boilerplateid::Stem,

    /// The prefix of the text form: one to three of a-z and 0-9, the first a letter.
    #[arg(value_parser = boilerplateid::prefix)]
    pub(crate) prefix: String,

    /// The language to write in.
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) lang: boilerplateid::Language,

    /// The package clause of the file, for Go.
    #[arg(long, value_name = "NAME", default_value = "ids", value_parser = boilerplateid::package)]
    pub(crate) package: String,
}

/// Adds a tip to the error of an argument that `parigot run` does not know: arguments of the
/// program follow `--`. clap itself has the tip only for arguments that begin with `-`.
pub(crate) fn with_tip(mut error: clap::Error) -> clap::Error {
    let is_run = std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == "run");
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(unknown)) => unknown.clone(),
        _ => return error,
    };
    if is_run && error.kind() == ErrorKind::UnknownArgument && !unknown.starts_with('-') {
        let tip = format!("to pass '{unknown}' to the program, use '-- {unknown}'");
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

/// Formats of `parigot graph`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Drawing {
    /// Text in columns.
    Text,
    /// The language of Graphviz.
    Dot,
    /// The language of Mermaid, which Markdown on GitHub renders.
    Mermaid,
}
