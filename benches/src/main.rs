//! Benchmarks of calls and idle guests, beside references in the same run.
//!
//! Everything is pinned to one core and judged by CPU time. A measure alternates its contenders
//! round by round in one run, so that disturbances of the machine affect all of them. A figure is
//! the median over the rounds, with its quartiles.
//!
//! Arguments: `--rounds N` (at least 15), and words. With words, only measures run whose name
//! contains one of them.

mod calls;
mod crowd;
mod floor;
mod go;
mod hello;
mod host;
mod kill;
mod measure;
mod report;
mod start;
mod streams;
mod tokio;

use bench_meter::pin_to_one_core;

use crate::measure::{Bench, Measure, ROUNDS};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    pin_to_one_core();
    match args.split_first() {
        Some((first, args)) if first == start::IN_THIS_PROCESS => start::in_this_process(args),
        _ => run(&args),
    }
}

/// Runs the measures that the arguments select.
fn run(args: &[String]) {
    let (rounds, words) = read(args);
    let bench = Bench::build(rounds);
    let wanted = |measure: &Measure| {
        words.is_empty() || words.iter().any(|word| measure.name.contains(word))
    };
    let all = [
        calls::measures(),
        streams::measures(),
        go::measures(),
        crowd::measures(),
        start::measures(),
        kill::measures(),
        hello::measures(),
    ];
    report::heading();
    for measure in all.into_iter().flatten().filter(wanted) {
        report::print(&measure.name, &(measure.run)(&bench));
    }
}

fn read(args: &[String]) -> (usize, Vec<String>) {
    let mut rounds = ROUNDS;
    let mut words = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--rounds" => {
                rounds = args
                    .next()
                    .and_then(|n| n.parse().ok())
                    .expect("--rounds must be followed by a number")
            }
            _ => words.push(arg.clone()),
        }
    }
    (rounds, words)
}
