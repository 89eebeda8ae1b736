//! Cost of a call between guests in Go, beside the same call between guests in Rust.

use bench_meter::Case;

use crate::measure::{Bench, Measure};
use crate::report::{Bar, Figure, Row};

/// Guests in Rust make this many times more calls in a round, which then takes about as long.
const RUST_CALLS: usize = 5;

pub(crate) fn measures() -> Vec<Measure> {
    let between = |(in_flight, bar)| {
        let case = Case {
            size: 16,
            in_flight,
            calls: 10_000,
            timed: false,
        };
        Measure::new(format!("go/{}/{in_flight}", case.size), move |bench| {
            cost(bench, case, bar)
        })
    };
    [(1, Some(Bar::AtMost(15.0))), (64, None)]
        .map(between)
        .into()
}

fn cost(bench: &Bench, case: Case, bar: Option<Bar>) -> Row {
    bench.guests.build_go();
    let (mut go, mut rust, mut go_again) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        go.push(bench.guests.round_in_go(case));
        rust.push(bench.guests.round(
            Case {
                calls: case.calls * RUST_CALLS,
                ..case
            },
            0,
        ));
        go_again.push(bench.guests.round_in_go(case));
    }
    let mut row = Row::default();
    row.number("size", case.size)
        .number("in_flight", case.in_flight);
    row.figure(Figure::each("cpu_ns", "ns", &go, |round| round.cpu_ns));
    row.figure(Figure::each("cpu_ns_of_rust", "ns", &rust, |round| {
        round.cpu_ns
    }));
    row.figure(Figure::ratio("rust_to_rust", &go, &rust, |round| round.cpu_ns).bar(bar));
    row.itself(Figure::ratio("itself", &go, &go_again, |round| {
        round.cpu_ns
    }));
    row
}
