//! Makes many calls to a service that breaks at random, and says what they came to.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use e2e::Deployed;
use load::{Callee, Soak};

/// Makes many calls to a service that breaks at random, and says what they came to. The status is 1 if a promise was broken.
#[derive(Parser)]
struct Arguments {
    /// How many calls to make.
    #[arg(long, default_value_t = 400_000)]
    calls: u64,
    /// How many are in flight at once.
    #[arg(long, default_value_t = 64)]
    lanes: u32,
    /// One in so many breaks the service; 0 is never.
    #[arg(long, default_value_t = 20_000)]
    harm_every: u64,
    /// Which calls break it, and how.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// What the service is written in.
    #[arg(long, default_value = "rust")]
    callee: Language,
    /// Put the callers into another process than the service, and a nats-server between them.
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
