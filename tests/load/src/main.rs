//! Makes many calls to a service that fails at random, and prints the counts.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use e2e::Deployed;
use load::{Callee, Soak};

/// Makes many calls to a service that fails at random, and prints the counts. The exit status is 1
/// if a promise was broken.
#[derive(Parser)]
struct Arguments {
    /// Number of calls.
    #[arg(long, default_value_t = 400_000)]
    calls: u64,
    /// Number of calls in flight at a time.
    #[arg(long, default_value_t = 64)]
    lanes: u32,
    /// One call in this many makes the service fail; 0 is never.
    #[arg(long, default_value_t = 20_000)]
    harm_every: u64,
    /// Seed of the choice which calls make the service fail, and how.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Language of the service.
    #[arg(long, default_value = "rust")]
    callee: Language,
    /// Run callers and service in two processes, connected by a NATS server.
    #[arg(long)]
    apart: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    Rust,
    Go,
}

fn main() -> ExitCode {
    let Arguments {
        calls,
        lanes,
        harm_every,
        seed,
        callee,
        apart,
    } = Arguments::parse();
    let callee = match callee {
        Language::Rust => Callee::Rust,
        Language::Go => Callee::Go,
    };
    let deployed = if apart {
        Deployed::Apart
    } else {
        Deployed::Together
    };
    let soaked = Soak {
        deployed,
        callee,
        calls,
        lanes,
        harm_every,
        seed,
    }
    .run();
    println!("{soaked}");
    if soaked.ended.report.is_kept() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
