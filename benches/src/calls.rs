//! Cost of a call, beside the same call on the references.

use bench_meter::{Case, Measured};

use crate::floor;
use crate::measure::{Bench, Measure};
use crate::report::{Bar, Figure, Row};
use crate::tokio::Contender::{Actor, TonicInMemory, TonicOverUnixSocket};

/// Bytes each way, calls in flight, calls in a round.
const CASES: [(usize, usize, usize); 6] = [
    (16, 1, 50_000),
    (1 << 10, 1, 50_000),
    (64 << 10, 1, 5_000),
    (16, 64, 50_000),
    (1 << 10, 64, 50_000),
    (64 << 10, 64, 5_000),
];

/// tonic makes this many times fewer calls in a round, which then takes about as long as ours.
const TONIC_SHARE: usize = 25;

pub(crate) fn measures() -> Vec<Measure> {
    let call = |(size, in_flight, calls)| {
        let case = Case {
            size,
            in_flight,
            calls,
            timed: false,
        };
        Measure::new(format!("call/{size}/{in_flight}"), move |bench| {
            cost(bench, case)
        })
    };
    let timed = Case {
        size: 16,
        in_flight: 1,
        calls: 50_000,
        timed: true,
    };
    let latency = Measure::new("latency/16/1", move |bench| latency(bench, timed));
    CASES.into_iter().map(call).chain([latency]).collect()
}

/// Rounds of all contenders, run in turn.
#[derive(Default)]
struct Rounds {
    ours: Vec<Measured>,
    actor: Vec<Measured>,
    floor: Vec<Measured>,
    tonic_memory: Vec<Measured>,
    tonic_unix: Vec<Measured>,
    ours_again: Vec<Measured>,
}

impl Rounds {
    fn run(bench: &Bench, case: Case) -> Self {
        let Bench { guests, tokio, .. } = bench;
        let tonic = Case {
            calls: case.calls / TONIC_SHARE,
            ..case
        };
        let mut rounds = Rounds::default();
        for _ in 0..bench.rounds {
            rounds.ours.push(guests.round(case, 0));
            rounds.actor.push(tokio.round(Actor, case));
            rounds.floor.push(floor::round(guests, case));
            rounds.tonic_memory.push(tokio.round(TonicInMemory, tonic));
            rounds
                .tonic_unix
                .push(tokio.round(TonicOverUnixSocket, tonic));
            rounds.ours_again.push(guests.round(case, 0));
        }
        rounds
    }
}

/// Measures the CPU time of a call, relative to each reference.
fn cost(bench: &Bench, case: Case) -> Row {
    let rounds = Rounds::run(bench, case);
    let of_cpu =
        |name, theirs: &[Measured]| Figure::ratio(name, &rounds.ours, theirs, |round| round.cpu_ns);
    let mut row = Row::default();
    row.number("size", case.size)
        .number("in_flight", case.in_flight);
    row.figure(Figure::each("cpu_ns", "ns", &rounds.ours, |round| {
        round.cpu_ns
    }));
    row.figure(Figure::each("median_ns", "ns", &rounds.ours, |round| {
        round.wall_ns
    }));
    for figure in [
        of_cpu("tokio_actor", &rounds.actor),
        Figure::ratio(
            "throughput_of_actor",
            &rounds.actor,
            &rounds.ours,
            |round| round.wall_ns,
        ),
        of_cpu("raw_wasmtime", &rounds.floor),
        of_cpu("tonic_in_memory", &rounds.tonic_memory),
        of_cpu("tonic_over_unix_socket", &rounds.tonic_unix),
    ] {
        let bar = bar(case, figure.name);
        row.figure(figure.bar(bar));
    }
    row.itself(of_cpu("itself", &rounds.ours_again));
    row
}

/// Returns the bar of a case, by the reference.
fn bar(case: Case, compared_with: &str) -> Option<Bar> {
    match (case.size, case.in_flight, compared_with) {
        (16, 1, "tokio_actor") => Some(Bar::AtMost(1.5)),
        (16, 1, "tonic_over_unix_socket") => Some(Bar::AtMost(1.0 / 60.0)),
        // Four fifths of its throughput, if both have a core for themselves.
        (16, 64, "tokio_actor") => Some(Bar::AtMost(1.0 / 0.8)),
        (65_536, 1, "raw_wasmtime") => Some(Bar::AtMost(1.5)),
        _ => None,
    }
}

/// Measures the latency of single calls.
fn latency(bench: &Bench, case: Case) -> Row {
    let rounds = Rounds::run(bench, case);
    let mut row = Row::default();
    row.number("size", case.size)
        .number("in_flight", case.in_flight);
    for (p50, p99, of) in [
        ("p50_ns", "p99_ns", &rounds.ours),
        (
            "p50_ns_of_raw_wasmtime",
            "p99_ns_of_raw_wasmtime",
            &rounds.floor,
        ),
        ("p50_ns_of_actor", "p99_ns_of_actor", &rounds.actor),
        (
            "p50_ns_of_tonic_in_memory",
            "p99_ns_of_tonic_in_memory",
            &rounds.tonic_memory,
        ),
        (
            "p50_ns_of_tonic_over_unix_socket",
            "p99_ns_of_tonic_over_unix_socket",
            &rounds.tonic_unix,
        ),
    ] {
        row.figure(Figure::each(p50, "ns", of, |round| round.p50_ns));
        row.figure(Figure::each(p99, "ns", of, |round| round.p99_ns));
    }
    row.itself(Figure::ratio(
        "itself",
        &rounds.ours,
        &rounds.ours_again,
        |round| round.p50_ns,
    ));
    row
}
