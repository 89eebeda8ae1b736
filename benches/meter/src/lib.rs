//! Measurement that all contenders share, in whichever process they run.
//!
//! A round is a number of calls of one [`Case`], made by one contender. Its result is a
//! [`Measured`]. A contender in a process of its own gets the case as arguments and prints the
//! result as a line.

mod clock;
mod latencies;

use std::fmt;
use std::str::FromStr;

pub use clock::{Moment, pin_to_one_core};
pub use latencies::Latencies;

/// The calls of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Bytes of payload of the request and of the response.
    pub size: usize,
    /// Number of calls in flight at a time.
    pub in_flight: usize,
    /// Number of measured calls.
    pub calls: usize,
    /// True if each call is timed by itself, which adds the cost of reading a clock.
    pub timed: bool,
}

/// Cost of a call in one round, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Real time of the round, divided by its calls.
    pub wall_ns: f64,
    /// CPU time of all threads of the process, divided by the calls.
    pub cpu_ns: f64,
    /// Median latency; 0 unless calls were timed.
    pub p50_ns: f64,
    /// 99th percentile of the latencies; 0 unless calls were timed.
    pub p99_ns: f64,
}

impl Case {
    /// Returns the number of calls before the first measured one.
    pub fn warm_up(&self) -> usize {
        self.calls.min(2_000)
    }

    /// Returns the case as arguments of a process.
    pub fn to_args(self) -> [String; 4] {
        let timed = if self.timed { "timed" } else { "untimed" };
        [
            self.calls.to_string(),
            self.size.to_string(),
            self.in_flight.to_string(),
            timed.into(),
        ]
    }

    /// Parses the arguments that [`Case::to_args`] returns.
    pub fn from_args(args: &[String]) -> Option<Self> {
        let [calls, size, in_flight, timed] = args else {
            return None;
        };
        let [calls, size, in_flight] = [calls, size, in_flight].map(|arg| arg.parse().ok());
        Some(Case {
            calls: calls?,
            size: size?,
            in_flight: in_flight?,
            timed: timed == "timed",
        })
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.wall_ns, self.cpu_ns, self.p50_ns, self.p99_ns
        )
    }
}

impl FromStr for Measured {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[wall_ns, cpu_ns, p50_ns, p99_ns]) => Ok(Measured {
                wall_ns,
                cpu_ns,
                p50_ns,
                p99_ns,
            }),
            _ => Err(format!("expected four numbers, found {line:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_and_results_round_trip_as_text() {
        let case = Case {
            size: 16,
            in_flight: 64,
            calls: 1_000,
            timed: true,
        };
        assert_eq!(Case::from_args(&case.to_args()), Some(case));
        let measured = Measured {
            wall_ns: 1_527.25,
            cpu_ns: 1_500.0,
            p50_ns: 0.0,
            p99_ns: 1.5,
        };
        assert_eq!(measured.to_string().parse(), Ok(measured));
    }
}
