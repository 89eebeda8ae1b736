//! Counts of the calls of a run.

use std::fmt;
use std::time::Duration;

/// Counts of the calls of a run. If every promise was kept, `ok`, `refused` and `unknown` add up to
/// `sent`, and all counts from `silent` to `leaked` are 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls that were made.
    pub sent: u64,
    /// Calls that were answered.
    pub ok: u64,
    /// Calls that failed with the promise that they have not run.
    pub refused: u64,
    /// Calls that failed without that promise.
    pub unknown: u64,
    /// Calls among `unknown` that were never begun, or that their caller has dropped.
    pub unknown_not_begun: u64,
    /// Calls that have not ended, or ended long after their deadline.
    pub silent: u64,
    /// Calls that ran more than once.
    pub run_twice: u64,
    /// Calls that were begun after their deadline.
    pub late: u64,
    /// Calls that were answered, and whose begin was in the lost end of a killed process's log.
    pub unlogged: u64,
    /// Calls that were refused and have run, were answered and have not run, ended twice, got the
    /// answer of another call, or were never made.
    pub wrong: u64,
    /// Calls that were still in a table of a host 20 seconds after the last caller had finished.
    pub leaked: u64,
    /// The longest time from a failed call to the next answer.
    pub recovery: Duration,
}

impl Report {
    /// Returns true if every promise was kept.
    pub fn is_kept(&self) -> bool {
        let Report {
            sent,
            ok,
            refused,
            unknown,
            silent,
            run_twice,
            late,
            wrong,
            leaked,
            ..
        } = self;
        ok + refused + unknown == *sent && [silent, run_twice, late, wrong, leaked] == [&0; 5]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report {
            sent,
            ok,
            refused,
            unknown,
            unknown_not_begun: _,
            unlogged: _,
            silent,
            run_twice,
            late,
            wrong,
            leaked,
            recovery,
        } = self;
        writeln!(
            f,
            "    sent       ok  refused  unknown  silent | run-twice  late  wrong  leaked | \
             recover_ms"
        )?;
        write!(
            f,
            "{sent:8} {ok:8} {refused:8} {unknown:8} {silent:7} | {run_twice:9} {late:5} {wrong:6} \
             {leaked:7} | {:10}",
            recovery.as_millis()
        )
    }
}
