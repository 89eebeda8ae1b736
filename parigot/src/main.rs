//! The `parigot` command.

mod log;
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
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(Run { file, log_level }) => {
            log::install(log_level);
            run::run(&file)
        }
    }
}

fn level() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["off", "error", "warn", "info", "debug", "trace"])
        .map(|level| level.parse().expect("each possible value names a level"))
}
