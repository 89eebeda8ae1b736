//! Cost of an item of a stream, beside a call that does not stream.

use bench_meter::Case;

use crate::measure::{Bench, Measure};
use crate::report::{Bar, Figure, Row};

/// Bytes of an item, items in a round, calls in a round, and the bar of the ratio. An item of
/// 64 KiB goes one way and a call both ways: with four fifths of the bandwidth, an item takes 0.625
/// of a call.
const CASES: [(usize, usize, usize, f64); 2] =
    [(16, 200_000, 50_000, 0.4), (64 << 10, 10_000, 5_000, 0.625)];

pub(crate) fn measures() -> Vec<Measure> {
    CASES
        .map(|(size, items, calls, bar)| {
            Measure::new(format!("stream/{size}"), move |bench| {
                let case = |calls| Case {
                    size,
                    in_flight: 1,
                    calls,
                    timed: false,
                };
                cost(bench, case(items), case(calls), Bar::AtMost(bar))
            })
        })
        .into()
}

fn cost(bench: &Bench, items: Case, calls: Case, bar: Bar) -> Row {
    let (mut streams, mut unary, mut streams_again) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        streams.push(bench.guests.round_of_stream(items));
        unary.push(bench.guests.round(calls, 0));
        streams_again.push(bench.guests.round_of_stream(items));
    }
    let mut row = Row::default();
    row.number("size", items.size);
    row.figure(Figure::each("cpu_ns", "ns", &streams, |round| round.cpu_ns));
    row.figure(Figure::each("cpu_ns_of_call", "ns", &unary, |round| {
        round.cpu_ns
    }));
    row.figure(Figure::ratio("unary_call", &streams, &unary, |round| round.cpu_ns).bar(Some(bar)));
    row.itself(Figure::ratio("itself", &streams, &streams_again, |round| {
        round.cpu_ns
    }));
    row
}
