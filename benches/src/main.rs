//! What a call costs, and what guests cost that do nothing, beside what it costs elsewhere.
//!
//! Everything is pinned to one core and judged by CPU time. A measure alternates its contenders round by round in one run, so that what the
//! machine does to one it does to the others; a figure is the median over the rounds, with its quartiles.
//!
//! Arguments: `--rounds N` (at least 15), and any words; only measures whose name holds one of them are run.

mod calls;
mod crowd;
mod floor;
mod go;
mod hello;
mod host;
mod kill;
mod report;
mod start;
mod tokio;

use bench_meter::pin_to_one_core;

use crate::host::Guests;
use crate::report::Row;
use crate::tokio::Tokio;

/// Rounds of each contender of a measure.
const ROUNDS: usize = 15;

/// What measures run, built.
pub(crate) struct Bench {
    rounds: usize,
    guests: Guests,
    tokio: Tokio,
}

/// Something that is measured.
pub(crate) struct Measure {
    name: String,
    run: Box<dyn Fn(&Bench) -> Row>,
}

impl Bench {
    fn build(rounds: usize) -> Self {
        Bench {
            rounds: rounds.max(ROUNDS),
            guests: Guests::build(),
            tokio: Tokio::build(),
        }
    }
}

impl Measure {
    pub(crate) fn new(name: impl Into<String>, run: impl Fn(&Bench) -> Row + 'static) -> Self {
        Measure {
            name: name.into(),
            run: Box::new(run),
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    pin_to_one_core();
    match args.split_first() {
        Some((first, args)) if first == start::IN_THIS_PROCESS => start::in_this_process(args),
        _ => run(&args),
    }
}

/// Runs the measures that are asked for.
fn run(args: &[String]) {
    let (rounds, words) = read(args);
    let bench = Bench::build(rounds);
    let wanted = |measure: &Measure| {
        words.is_empty() || words.iter().any(|word| measure.name.contains(word))
    };
    let all = [
        calls::measures(),
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
                    .expect("a number follows --rounds")
            }
            _ => words.push(arg.clone()),
        }
    }
    (rounds, words)
}
