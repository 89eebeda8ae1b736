//! Latencies of single calls.

use std::time::Instant;

use crate::Measured;

/// The latencies of single calls, if they are timed.
#[derive(Debug)]
pub struct Latencies {
    timed: bool,
    took_ns: Vec<u64>,
}

impl Latencies {
    /// Creates a list for `calls` calls. Without `timed` it reads no clock and stays empty.
    pub fn new(timed: bool, calls: usize) -> Self {
        Latencies {
            timed,
            took_ns: Vec::with_capacity(if timed { calls } else { 0 }),
        }
    }

    /// Starts timing a call.
    pub fn begin(&self) -> Option<Instant> {
        self.timed.then(Instant::now)
    }

    /// Records the end of a call.
    pub fn end(&mut self, begin: Option<Instant>) {
        if let Some(begin) = begin {
            self.took_ns.push(begin.elapsed().as_nanos() as u64);
        }
    }

    /// Adds the latencies of another task.
    pub fn append(&mut self, mut other: Latencies) {
        self.took_ns.append(&mut other.took_ns);
    }

    /// Adds the quantiles to the results of a round.
    pub fn complete(mut self, round: Measured) -> Measured {
        self.took_ns.sort_unstable();
        let quantile = |percent| {
            self.took_ns
                .get(self.took_ns.len() * percent / 100)
                .map_or(0.0, |ns| *ns as f64)
        };
        Measured {
            p50_ns: quantile(50),
            p99_ns: quantile(99),
            ..round
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_all_tasks() {
        let of = |took_ns| Latencies {
            timed: true,
            took_ns,
        };
        let mut all = of((0..100).collect());
        all.append(of((100..200).rev().collect()));
        let measured = all.complete(Measured::default());
        assert_eq!((measured.p50_ns, measured.p99_ns), (100.0, 198.0));
    }

    #[test]
    fn untimed_quantiles_are_0() {
        let mut none = Latencies::new(false, 10);
        none.end(none.begin());
        assert_eq!(none.complete(Measured::default()), Measured::default());
    }
}
