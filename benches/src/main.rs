//! What a call costs, beside what it costs elsewhere.
//!
//! Everything is pinned to one core and judged by the CPU time of the process. Each row alternates its subjects round by round in one
//! run, so that what the machine does to one it does to the others; a figure is the median of the rounds' ratios.
//!
//! Arguments: `--rounds N` (at least 15), and any words; only rows whose name holds one of them are run.

mod actor;
mod cpu;
mod floor;
mod guests;
mod report;

use std::path::Path;

use report::{Ratio, Row};

/// Rounds of each subject of a row.
const ROUNDS: usize = 15;

/// What is measured: payload of request and response, calls in flight, calls in a round.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    size: usize,
    in_flight: usize,
    calls: usize,
}

const CASES: [Case; 6] = [
    Case { size: 16, in_flight: 1, calls: 100_000 },
    Case { size: 1 << 10, in_flight: 1, calls: 100_000 },
    Case { size: 64 << 10, in_flight: 1, calls: 10_000 },
    Case { size: 16, in_flight: 64, calls: 100_000 },
    Case { size: 1 << 10, in_flight: 64, calls: 100_000 },
    Case { size: 64 << 10, in_flight: 64, calls: 10_000 },
];

/// What one call took in one round, in ns: of the clock, of the CPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    wall_ns: f64,
    cpu_ns: f64,
}

fn main() {
    let (rounds, wanted) = arguments();
    cpu::pin_to_one_core();
    let guests = guests::build();
    report::heading();
    for case in CASES {
        let name = format!("call/{}/{}", case.size, case.in_flight);
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word)) {
            report::print(&measure(name, case, rounds, &guests));
        }
    }
}

fn arguments() -> (usize, Vec<String>) {
    let mut rounds = ROUNDS;
    let mut words = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => rounds = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS),
            _ => words.push(argument),
        }
    }
    (rounds.max(ROUNDS), words)
}

fn measure(name: String, case: Case, rounds: usize, guests: &Path) -> Row {
    let (mut ours, mut again) = (Vec::new(), Vec::new());
    let mut actor = Vec::new();
    let mut floor = Vec::new();
    for _ in 0..rounds {
        ours.push(guests::round(guests, case));
        actor.push(actor::round(case));
        floor.push(floor::round(guests, case));
        again.push(guests::round(guests, case));
    }
    let ratios = vec![
        Ratio::new("tokio_actor", &ours, &actor),
        Ratio::new("raw_wasmtime", &ours, &floor),
        Ratio::new("itself", &ours, &again),
    ];
    Row { case: name, size: case.size, in_flight: case.in_flight, ours, ratios }
}
