//! Cost of a call beside guests that do nothing.

use bench_meter::Case;

use crate::measure::{Bench, Measure};
use crate::report::{Bar, Figure, Row};

const CASE: Case = Case {
    size: 16,
    in_flight: 1,
    calls: 50_000,
    timed: true,
};

pub(crate) fn measures() -> Vec<Measure> {
    let beside = |(idle, bar)| {
        Measure::new(format!("crowd/{idle}"), move |bench| {
            crowd(bench, idle, bar)
        })
    };
    [(1_000, Some(Bar::AtMost(1.1))), (10_000, None)]
        .map(beside)
        .into()
}

/// Measures caller and service beside `idle` guests, relative to the two alone.
fn crowd(bench: &Bench, idle: usize, bar: Option<Bar>) -> Row {
    let (mut among, mut alone, mut alone_again) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        among.push(bench.guests.round(CASE, idle));
        alone.push(bench.guests.round(CASE, 0));
        alone_again.push(bench.guests.round(CASE, 0));
    }
    let mut row = Row::default();
    row.number("idle", idle);
    row.figure(Figure::each("cpu_ns", "ns", &among, |round| round.cpu_ns));
    row.figure(Figure::each("p50_ns", "ns", &among, |round| round.p50_ns));
    row.figure(Figure::each("p99_ns", "ns", &among, |round| round.p99_ns));
    row.figure(Figure::ratio("cpu_of_two_alone", &among, &alone, |round| round.cpu_ns).bar(bar));
    row.figure(Figure::ratio("p50_of_two_alone", &among, &alone, |round| round.p50_ns).bar(bar));
    row.figure(Figure::ratio("p99_of_two_alone", &among, &alone, |round| {
        round.p99_ns
    }));
    row.itself(Figure::ratio("itself", &alone, &alone_again, |round| {
        round.cpu_ns
    }));
    row
}
