//! The `parigot` command.

mod log;
mod progress;
mod run;

use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use tracing::level_filters::LevelFilter;

/// Runs services and programs that were compiled from .proto files to wasm.
#[derive(Parser)]
#[command(name = "parigot", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(Run),
}

/// Run a deployment until its programs have ended.
///
/// The log goes to stderr, each line with time (UTC), level, guest, instance, call
/// and message. Ctrl-C stops the guests in order, a second one leaves at once.
#[derive(Args)]
#[command(after_help = run::STATUSES, verbatim_doc_comment)]
struct Run {
    /// The deployment file.
    #[arg(value_name = "app.toml")]
    file: std::path::PathBuf,

    /// Log nothing below this level.
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = level())]
    log_level: LevelFilter,

    /// How to write the log.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: log::Format,

    /// Compile all guests anew, and keep nothing for the next start.
    ///
    /// Compiled guests are kept in $XDG_CACHE_HOME/parigot/code, or else in ~/.cache/parigot/code,
    /// until they are unused for 30 days or exceed 1 GiB.
    #[arg(long, verbatim_doc_comment)]
    no_cache: bool,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(run) => {
            log::install(run.log_level, run.log_format);
            run::run(&run)
        }
    }
}

fn level() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["off", "error", "warn", "info", "debug", "trace"])
        .map(|level| level.parse().expect("each possible value names a level"))
}
