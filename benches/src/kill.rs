//! CPU time after which a method that never returns is killed.

use std::collections::BTreeMap;

use crate::host::Guests;
use crate::measure::{Bench, Measure};
use crate::report::{Bar, Figure, Row};

/// Number of kills in a row, each in a deployment of its own.
const KILLS: usize = 1_000;

const TABLES: &str = "[service.echo]\nwasm = \"bench_echo.wasm\"\n[program.provoker]\nwasm = \
                      \"bench_provoker.wasm\"\n";

pub(crate) fn measures() -> Vec<Measure> {
    vec![Measure::new("kill", kills)]
}

fn kills(bench: &Bench) -> Row {
    let mut after_ms: Vec<f64> = (0..KILLS).map(|_| kill(&bench.guests)).collect();
    after_ms.sort_by(f64::total_cmp);
    let one = |index: usize| &after_ms[index..=index];
    let mut row = Row::default();
    row.number("kills", KILLS);
    row.figure(Figure::each("thread_cpu_ms", "ms", &after_ms, |ms| *ms));
    row.figure(Figure::each("earliest_ms", "ms", one(0), |ms| *ms).bar(Some(Bar::AtLeast(50.0))));
    row.figure(
        Figure::each("latest_ms", "ms", one(KILLS - 1), |ms| *ms).bar(Some(Bar::AtMost(60.0))),
    );
    row.histogram = histogram(&after_ms);
    row
}

/// Counts the times in each whole millisecond.
fn histogram(after_ms: &[f64]) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    after_ms
        .iter()
        .for_each(|ms| *counts.entry(*ms as u64).or_default() += 1);
    counts
}

/// Returns the CPU time in ms of the worker's thread from the call of a method that loops to the
/// end of its guest.
fn kill(guests: &Guests) -> f64 {
    let host = guests.start(TABLES);
    let begin = host.wait_for("about to call").moment;
    let end = host.wait_for("was killed").moment;
    // The caller gets the error, too.
    host.wait_for("killed as expected");
    host.stop();
    (end.thread - begin.thread).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_loops_is_killed_after_its_budget() {
        assert!(kill(&Guests::build()) >= 50.0);
    }
}
