//! Counts calls by the lines that callers and callees write to the log.
//!
//! | line | written by | meaning |
//! |---|---|---|
//! | `load: ran 0/17` | callee | call 17 of caller 0 begins |
//! | `load: ran 0/17 late` | callee | call 17 of caller 0 begins after its deadline |
//! | `load: ended 0: ok 0-16 unknown 17-17` | caller | these calls have ended so |
//! | `load: sent 0: 19, slowest recovery 83 ms` | caller | it has made all its calls |
//!
//! The callee writes its line before anything else, and the line is logged even if the callee fails
//! right after. Only a kill of its process loses lines: those that wait for the thread that writes
//! the log. A caller writes one line for hundreds of calls, to keep the log short. The ledger
//! has one byte for each call, so that it can count twenty million.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::report::Report;

/// The state of each call.
#[derive(Debug, Default)]
pub struct Ledger {
    callers: BTreeMap<u32, Caller>,
    ran: u64,
    ended: u64,
    refused: u64,
    /// Set if the process of a callee was killed.
    lost_lines: bool,
}

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A callee has begun a call.
    Ran,
    /// Calls have ended.
    Ended,
    /// A caller has made all its calls.
    Sent,
}

#[derive(Debug, Default)]
struct Caller {
    /// The marks of each call, by call number.
    calls: Vec<u8>,
    /// The number of calls made, once the caller has written it. A caller that was killed never
    /// does.
    sent: Option<u64>,
    slowest_recovery: Duration,
}

const RAN: u8 = 1;
const RAN_TWICE: u8 = 1 << 1;
const LATE: u8 = 1 << 2;
const OK: u8 = 1 << 3;
const REFUSED: u8 = 1 << 4;
const UNKNOWN: u8 = 1 << 5;
const SILENT: u8 = 1 << 6;
const WRONG: u8 = 1 << 7;
const ENDED: u8 = OK | REFUSED | UNKNOWN | SILENT | WRONG;

impl Ledger {
    /// Creates a ledger with room for `calls` calls of caller 0, so that the ledger does not grow
    /// while memory is measured.
    pub fn with_room_for(calls: u64) -> Self {
        let mut ledger = Ledger::default();
        // Filled, because reserved memory is not resident before it is written to.
        let calls = vec![u8::MAX; calls as usize];
        ledger.callers.entry(0).or_default().calls = calls;
        ledger.callers.entry(0).or_default().calls.clear();
        ledger
    }

    /// Reads a line of the log. Returns `None` for a line that is not for the ledger.
    ///
    /// # Panics
    ///
    /// If the line begins with `load: ` and is malformed.
    pub fn read(&mut self, line: &str) -> Option<Entry> {
        let (word, rest) = line.strip_prefix("load: ")?.split_once(' ')?;
        let entry = match word {
            "ran" => self.read_ran(rest).map(|()| Entry::Ran),
            "ended" => self.read_ended(rest).map(|()| Entry::Ended),
            "sent" => self.read_sent(rest).map(|()| Entry::Sent),
            _ => None,
        };
        Some(entry.unwrap_or_else(|| panic!("malformed line for the ledger: {line:?}")))
    }

    /// Returns the number of calls that were begun.
    pub fn ran(&self) -> u64 {
        self.ran
    }

    /// Returns the number of calls that have ended.
    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// Returns the number of calls that have ended as refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Notes that the process of a callee was killed, so the last lines of its log may be lost.
    pub fn lose_lines(&mut self) {
        self.lost_lines = true;
    }

    fn read_ran(&mut self, rest: &str) -> Option<()> {
        let (call, late) = rest.split_once(' ').unwrap_or((rest, ""));
        let (caller, number) = call.split_once('/')?;
        self.ran += 1;
        let call = self.caller(caller)?.call(number.parse().ok()?);
        *call |= if *call & RAN == 0 { RAN } else { RAN_TWICE };
        match late {
            "" => {}
            "late" => *call |= LATE,
            _ => return None,
        }
        Some(())
    }

    fn read_ended(&mut self, rest: &str) -> Option<()> {
        let (caller, rest) = rest.split_once(": ")?;
        let mut words = rest.split(' ');
        while let Some(word) = words.next() {
            let class = match word {
                "ok" => OK,
                "refused" => REFUSED,
                "unknown" => UNKNOWN,
                "silent" => SILENT,
                "wrong" => WRONG,
                _ => return None,
            };
            for range in words.next()?.split(',') {
                let numbers = range_of(range)?;
                let count = 1 + numbers.end() - numbers.start();
                self.ended += count;
                if class == REFUSED {
                    self.refused += count;
                }
                self.caller(caller)?.end(numbers, class);
            }
        }
        Some(())
    }

    fn read_sent(&mut self, rest: &str) -> Option<()> {
        let (caller, rest) = rest.split_once(": ")?;
        let (sent, recovery) = rest.split_once(", slowest recovery ")?;
        let caller = self.caller(caller)?;
        caller.sent = Some(sent.parse().ok()?);
        caller.slowest_recovery =
            Duration::from_millis(recovery.strip_suffix(" ms")?.parse().ok()?);
        Some(())
    }

    fn caller(&mut self, number: &str) -> Option<&mut Caller> {
        Some(self.callers.entry(number.parse().ok()?).or_default())
    }

    /// Returns the counts. `leaked` is the number of calls that were still in a table of a host
    /// when none should have been.
    pub fn report(&self, leaked: u64) -> Report {
        let mut report = Report {
            leaked,
            ..Report::default()
        };
        self.callers
            .values()
            .for_each(|caller| caller.add_to(&mut report));
        if !self.lost_lines {
            report.wrong += std::mem::take(&mut report.unlogged);
        }
        report
    }
}

/// Parses a range such as `17-19`.
fn range_of(text: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.split_once('-')?;
    Some(first.parse().ok()?..=last.parse().ok()?)
}

impl Caller {
    fn call(&mut self, number: u64) -> &mut u8 {
        let index = number as usize;
        if index >= self.calls.len() {
            self.calls.resize(index + 1, 0);
        }
        &mut self.calls[index]
    }

    fn end(&mut self, numbers: RangeInclusive<u64>, class: u8) {
        for number in numbers {
            let call = self.call(number);
            *call |= if *call & ENDED == 0 { class } else { WRONG };
        }
    }

    fn add_to(&self, report: &mut Report) {
        let count =
            |is: &dyn Fn(u8) -> bool| self.calls.iter().filter(|call| is(**call)).count() as u64;
        let any = |marks: u8| count(&|call| call & marks != 0);
        let ended = any(ENDED);
        // A caller that was killed is not there to miss the calls that it has not written.
        let sent = self.sent.unwrap_or(ended);
        report.sent += sent;
        report.ok += any(OK);
        report.refused += any(REFUSED);
        report.unknown += any(UNKNOWN);
        report.unknown_not_begun += count(&|call| call & (UNKNOWN | RAN) == UNKNOWN);
        report.silent += any(SILENT) + sent.saturating_sub(ended);
        report.run_twice += any(RAN_TWICE);
        report.late += any(LATE);
        report.unlogged += count(&|call| call & (OK | RAN) == OK);
        report.wrong += any(WRONG)
            + count(&|call| call & REFUSED != 0 && call & RAN != 0)
            + if self.sent.is_some() {
                (self.calls.len() as u64).saturating_sub(sent)
            } else {
                0
            };
        report.recovery = report.recovery.max(self.slowest_recovery);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &[&str]) -> Report {
        let mut ledger = Ledger::default();
        lines
            .iter()
            .for_each(|line| assert!(ledger.read(&format!("load: {line}")).is_some(), "{line}"));
        ledger.report(0)
    }

    #[test]
    fn each_call_is_counted_in_its_class() {
        let report = report(&[
            "ran 0/0",
            "ran 0/1",
            "ran 0/3",
            "ended 0: ok 0-1 refused 2-2 unknown 3-4",
            "sent 0: 5, slowest recovery 12 ms",
        ]);
        let recovery = Duration::from_millis(12);
        assert_eq!(
            report,
            Report {
                sent: 5,
                ok: 2,
                refused: 1,
                unknown: 2,
                unknown_not_begun: 1,
                recovery,
                ..Report::default()
            }
        );
        assert!(report.is_kept());
    }

    #[test]
    fn a_killed_process_may_lose_the_last_lines_of_its_log() {
        let mut ledger = Ledger::default();
        ledger.read("load: ended 0: ok 0-0");
        ledger.read("load: sent 0: 1, slowest recovery 0 ms");
        assert_eq!((ledger.report(0).wrong, ledger.report(0).unlogged), (1, 0));
        ledger.lose_lines();
        assert_eq!((ledger.report(0).wrong, ledger.report(0).unlogged), (0, 1));
    }

    #[test]
    fn each_broken_promise_is_counted() {
        let sent = "sent 0: 2, slowest recovery 0 ms";
        let broken = |lines: &[&str]| {
            let report = report(&[lines, &[sent]].concat());
            assert!(!report.is_kept(), "{report}");
            (report.silent, report.run_twice, report.late, report.wrong)
        };
        assert_eq!(
            broken(&["ran 0/0", "ended 0: ok 0-0"]),
            (1, 0, 0, 0),
            "one call has not ended"
        );
        assert_eq!(
            broken(&["ended 0: unknown 0-0 silent 1-1"]),
            (1, 0, 0, 0),
            "one call has ended late"
        );
        assert_eq!(
            broken(&["ran 0/0", "ran 0/0", "ended 0: unknown 0-1"]),
            (0, 1, 0, 0)
        );
        assert_eq!(
            broken(&["ran 0/0 late", "ended 0: unknown 0-1"]),
            (0, 0, 1, 0)
        );
        assert_eq!(
            broken(&["ran 0/0", "ended 0: refused 0-0 unknown 1-1"]),
            (0, 0, 0, 1),
            "refused and run"
        );
        assert_eq!(
            broken(&["ended 0: ok 0-0 unknown 1-1"]),
            (0, 0, 0, 1),
            "answered and not run"
        );
        assert_eq!(
            broken(&["ended 0: unknown 0-1", "ended 0: unknown 1-1"]),
            (0, 0, 0, 1),
            "ended twice"
        );
        assert_eq!(
            broken(&["ended 0: unknown 0-1", "ran 0/2"]),
            (0, 0, 0, 1),
            "run and not sent"
        );
    }

    #[test]
    fn a_killed_caller_misses_no_calls() {
        assert_eq!(
            report(&["ran 1/0", "ran 1/1", "ended 1: ok 0-0"]),
            Report {
                sent: 1,
                ok: 1,
                ..Report::default()
            }
        );
    }

    #[test]
    fn other_lines_are_ignored() {
        let mut ledger = Ledger::default();
        assert_eq!(
            ledger.read("restarted after 83 ms: restart 1 of 10 in 60s"),
            None
        );
        assert_eq!(ledger.read("calling"), None);
        assert_eq!(ledger.read("sent a malformed frame"), None);
        assert_eq!(ledger.read("load: ran 0/7"), Some(Entry::Ran));
    }
}
