//! The `parigot` command.
//!
//! | file | responsibility |
//! |---|---|
//! | `cli.rs` | the command line and its help texts |
//! | `run.rs` | `parigot run`, in this process |
//! | `process_group.rs` | `parigot run` of a deployment with several processes |
//! | `check.rs`, `graph.rs`, `generate/`, `boilerplateid.rs` | one subcommand each |
//! | `debugger/` | `parigot debug`, and the scripts of gdb and lldb |
//! | `compile_stdin.rs` | the process that compiles one guest |
//! | `edge.rs` | listeners for clients from outside (feature) |
//! | `exit_status.rs` | the exit statuses |
//! | `host_settings.rs` | the host's settings from the command line |
//! | `interrupt.rs` | signals |
//! | `log.rs`, `log_levels.rs`, `escape.rs` | log lines, as text or JSON |
//! | `stderr.rs`, `log_queue.rs`, `progress.rs` | standard error, written by a thread of its own |
//! | `panic_report.rs` | report about a panic of the host |
//! | `listeners.rs` | edges of a deployment as `check` and `graph` show them |
//! | `providers.rs` | providers of a deployment as `check` shows them |
//! | `names.rs` | names of guests and roles as the commands print them |
//! | `stdin.rs` | standard input for programs of a child process |
//! | `thread.rs` | start of a thread |
//! | `report.rs`, `next_step.rs` | problems of a deployment, for people and programs |

mod attributes;
mod boilerplateid;
mod check;
mod cli;
mod compile_stdin;
mod debugger;
mod drawing;
mod edge;
mod escape;
mod exit_status;
mod generate;
mod graph;
mod host_settings;
mod interrupt;
mod listeners;
mod log;
mod log_levels;
mod log_queue;
mod names;
mod next_step;
mod panic_report;
mod process_group;
mod program_args;
mod progress;
mod providers;
mod report;
mod run;
mod stderr;
mod stdin;
mod thread;

use std::panic::PanicHookInfo;
use std::process::ExitCode;

use clap::Parser as _;
use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::cli::{Cli, Command};
use crate::exit_status::REFUSED;
use crate::log_levels::LogLevels;
use crate::report::Problem;

fn main() -> ExitCode {
    raise_file_limit();
    let cli = Cli::try_parse().unwrap_or_else(|error| cli::with_tip(error).exit());
    match cli.command {
        Command::Run(run) => {
            log::install(run.log_level.clone(), run.style());
            let style = run.style();
            let report = move |dropped| log::host_line(Level::WARN, &dropped, &style);
            let style = run.style();
            let panicked = move |panic: &PanicHookInfo<'_>| panic_report::write(panic, &style);
            stderr::in_background(report, panicked, || run::run(&run)).unwrap_or_else(|error| {
                Problem::Thread(&error).print(&run.style());
                REFUSED.into()
            })
        }
        Command::Debug(debug) => debugger::run(&debug),
        Command::Check(check) => {
            log::install(LogLevels::all(LevelFilter::WARN), log::Style::TEXT);
            check::check(&check)
        }
        Command::Graph(graph) => {
            log::install(LogLevels::all(LevelFilter::WARN), log::Style::TEXT);
            graph::graph(&graph)
        }
        Command::Generate(generate) => generate::run(&generate),
        Command::CompileStdin(compile) => compile_stdin::run(&compile),
        Command::Boilerplateid(id) => {
            let text = boilerplateid::boilerplate(&id.name, &id.prefix, id.lang, &id.package);
            report::print(&text, ExitCode::SUCCESS)
        }
    }
}

/// Raises the limit of open files to the largest that this process may set. Many systems start
/// processes with 1,024, for the sake of programs that use `select`, and each connection is a file.
fn raise_file_limit() {
    // Without effect if the system refuses: an error names the limit once a file is missing.
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(u64::MAX);
}
