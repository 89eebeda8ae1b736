//! The `parigot` command.

mod boilerplateid;
mod check;
mod generate;
mod graph;
mod interrupt;
mod launch;
mod log;
mod progress;
mod report;
mod run;

use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use tracing::level_filters::LevelFilter;

/// Runs services and programs that talk as .proto files say.
#[derive(Parser)]
#[command(name = "parigot", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(Run),
    Check(Check),
    Graph(Graph),
    Generate(Generate),
    Boilerplateid(Boilerplateid),
}

/// Run a deployment until its programs have ended.
///
/// If the file spreads the guests over processes, each is started as one of its own, and
/// all of them end together.
///
/// The log goes to stderr, each line with time (UTC), level, guest, instance, call
/// and message. Ctrl-C stops the guests, those first that were launched last, and gives
/// them the `shutdown_deadline` of the file for it; a second one leaves at once.
#[derive(Args)]
#[command(after_help = run::STATUSES, verbatim_doc_comment)]
struct Run {
    /// The deployment file.
    #[arg(value_name = "app.toml")]
    file: std::path::PathBuf,

    /// Run the guests of one process, in this one: those of its table `[process.<NAME>]`.
    ///
    /// It finds the others by the server that `[network]` names, whenever and wherever they are
    /// started. Without programs it runs until it is stopped.
    #[arg(long, value_name = "NAME", verbatim_doc_comment)]
    process: Option<String>,

    /// Stop as by Ctrl-C once stdin ends: so a process ends with the one that started it, however that ends.
    #[arg(long, hide = true)]
    leashed: bool,

    /// Log nothing below this level.
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = level())]
    log_level: LevelFilter,

    /// How to write the log.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: log::Format,

    #[command(flatten)]
    compiling: Compiling,
}

impl Run {
    fn style(&self) -> log::Style {
        log::Style {
            format: self.log_format,
            process: self.process.clone(),
        }
    }
}

// How guests are compiled. No doc comment, which would stand in the help of each command.
#[derive(Args)]
struct Compiling {
    /// Compile all guests anew, and keep nothing for the next start.
    ///
    /// Compiled guests are kept in $XDG_CACHE_HOME/parigot/code, or else in ~/.cache/parigot/code,
    /// until they are unused for 30 days or exceed 1 GiB.
    #[arg(long, verbatim_doc_comment)]
    no_cache: bool,

    /// How long compiling one guest may take until it is refused.
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    compile_time: humantime::Duration,
}

/// Prove that a deployment can start, without starting it.
///
/// Every guest is compiled and says what it exports and requires; nothing is launched.
/// Then the order of the launch is found, and each client's schema is compared with
/// that of its exporter. All that is wrong is told at once.
#[derive(Args)]
#[command(after_help = check::STATUSES, verbatim_doc_comment)]
struct Check {
    /// The deployment file.
    #[arg(value_name = "app.toml")]
    file: std::path::PathBuf,

    /// How to write the result; the object goes to stdout, whatever the result is.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: log::Format,

    #[command(flatten)]
    compiling: Compiling,
}

/// Draw who requires what of whom, in the order of the launch.
///
/// A deployment that cannot start is drawn as well: what waits for itself, or for
/// something that nobody exports, is shown as never launched.
#[derive(Args)]
#[command(after_help = graph::STATUSES, verbatim_doc_comment)]
struct Graph {
    /// The deployment file.
    #[arg(value_name = "app.toml")]
    file: std::path::PathBuf,

    /// What to draw with.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: graph::Format,

    #[command(flatten)]
    compiling: Compiling,
}

/// Write stubs and messages for .proto files, as protoc with protoc-gen-parigot does.
///
/// protoc is not needed. What google/protobuf and parigot/v1 have can be
/// imported from anywhere. Files of an edition need protoc or buf. What would stay as it
/// is is not written.
#[derive(Args)]
#[command(verbatim_doc_comment)]
struct Generate {
    /// Look for .proto files in this folder; may be repeated, the first that has a file decides.
    #[arg(
        short = 'I',
        long = "proto-path",
        value_name = "DIR",
        default_value = "."
    )]
    include: Vec<std::path::PathBuf>,

    /// Write to this folder.
    #[arg(long, value_name = "DIR")]
    out: std::path::PathBuf,

    /// Options of protoc-gen-parigot, `key=value` with commas between; may be repeated.
    #[arg(long, value_name = "OPTION")]
    opt: Vec<String>,

    /// The .proto files, all those of a package together.
    #[arg(value_name = "FILE.proto", required = true)]
    files: Vec<std::path::PathBuf>,
}

/// Write a new type of id, for guests in Rust or Go.
///
/// An id is 128 bits, of which 16 say the type and 112 are random. Ids of different types
/// do not compile together, and one is not read as another: their prefixes differ.
#[derive(Args)]
#[command(verbatim_doc_comment)]
struct Boilerplateid {
    /// What the id is of: Ticket makes a TicketId, in Go a TicketID.
    #[arg(value_name = "Name", value_parser = boilerplateid::stem)]
    name: boilerplateid::Stem,

    /// What its text form begins with: one to three of a-z and 0-9, the first a letter.
    #[arg(value_parser = boilerplateid::prefix)]
    prefix: String,

    /// The language to write in.
    #[arg(long, value_name = "LANGUAGE")]
    lang: boilerplateid::Language,

    /// The package that the file is to be in, for Go.
    #[arg(long, value_name = "NAME", default_value = "ids", value_parser = boilerplateid::package)]
    package: String,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(run) => {
            log::install(run.log_level, run.style());
            run::run(&run)
        }
        Command::Check(check) => {
            log::install(LevelFilter::WARN, log::Style::TEXT);
            check::check(&check)
        }
        Command::Graph(graph) => {
            log::install(LevelFilter::WARN, log::Style::TEXT);
            graph::graph(&graph)
        }
        Command::Generate(generate) => generate::run(&generate),
        Command::Boilerplateid(id) => {
            report::print(&boilerplateid::boilerplate(&id));
            ExitCode::SUCCESS
        }
    }
}

fn level() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["off", "error", "warn", "info", "debug", "trace"])
        .map(|level| level.parse().expect("each possible value names a level"))
}
