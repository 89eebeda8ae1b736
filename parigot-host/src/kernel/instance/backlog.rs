//! Estimate of the time until a new call would begin, so that a call without a chance is refused at
//! once.
//!
//! A guest has a backlog while turns end with calls that the guest has received and not begun.
//! During a backlog, each turn measures the time for each call that has begun since the turn
//! before. The time includes the turns of other instances in between. Without a backlog there is no
//! estimate, and no call is refused: turns cost nothing for the measurement then, and old
//! measurements do not count.
//!
//! Only calls through the mailbox matter: a handoff needs an idle instance, which begins the call
//! at once.

use std::sync::atomic::{AtomicU64, Ordering};

use super::mailbox::FIRST_NUMBER_IN_MAILBOX;

/// Length of a backlog from which on there is an estimate, in ns. A shorter one refuses no call.
const SHORT_NS: u64 = 100_000_000;

/// Largest time that an estimate considers, in ns. Beyond it, older measurements lose half of their
/// weight.
const WINDOW_NS: u64 = 4 * SHORT_NS;

/// State of the backlog that senders see. Both numbers are `Relaxed`: an estimate may be outdated.
pub(super) struct Backlog {
    /// Average time for each call that begins, in ns; 0 without a backlog.
    call_ns: AtomicU64,
    /// Number of the last call that has begun.
    begun: AtomicU64,
}

/// Measurement of a backlog, by the owner of the instance's state.
#[derive(Clone, Copy)]
pub(super) struct Measurement {
    since_ns: u64,
    /// Number of the last call that had begun then.
    begun: u64,
    /// Measured time in ns, and the number of calls that have begun in this time.
    spent_ns: u64,
    calls: u64,
}

impl Backlog {
    pub(super) fn none() -> Self {
        Backlog {
            call_ns: AtomicU64::new(0),
            begun: AtomicU64::new(FIRST_NUMBER_IN_MAILBOX),
        }
    }

    /// Returns the expected time in ns until a new call begins. `last_number` is the number of the
    /// last call, and `pending` the number of calls without a reply. Only calls that have neither a
    /// reply nor begun are ahead of the new one.
    #[inline]
    pub(super) fn wait_ns(&self, last_number: u64, pending: usize) -> u64 {
        let call_ns = self.call_ns.load(Ordering::Relaxed);
        if call_ns == 0 {
            return 0;
        }
        let not_begun = last_number.saturating_sub(self.begun.load(Ordering::Relaxed));
        call_ns.saturating_mul(not_begun.min(pending as u64))
    }

    /// Continues or begins a measurement, at the start of a turn.
    #[cold]
    pub(super) fn measure(
        &self,
        last: Option<Measurement>,
        now_ns: u64,
        begun: u64,
    ) -> Measurement {
        let begun = begun.max(FIRST_NUMBER_IN_MAILBOX);
        self.begun.store(begun, Ordering::Relaxed);
        let Some(mut sum) = last else {
            return Measurement {
                since_ns: now_ns,
                begun,
                spent_ns: 0,
                calls: 0,
            };
        };
        sum.spent_ns += now_ns.saturating_sub(sum.since_ns);
        sum.calls += begun.saturating_sub(sum.begun);
        if sum.spent_ns >= SHORT_NS && sum.calls > 0 {
            self.call_ns
                .store(sum.spent_ns / sum.calls, Ordering::Relaxed);
        }
        if sum.spent_ns >= WINDOW_NS && sum.calls > 1 {
            sum.spent_ns /= 2;
            sum.calls /= 2;
        }
        Measurement {
            since_ns: now_ns,
            begun,
            ..sum
        }
    }

    /// Ends the backlog.
    #[cold]
    pub(super) fn end(&self) {
        self.call_ns.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Returns a backlog, and the measurement after turns of 10 ms that begin `calls` calls each.
    fn measured(turns: u64, calls: u64) -> (Backlog, Measurement) {
        let backlog = Backlog::none();
        let begun = |turn| FIRST_NUMBER_IN_MAILBOX + turn * calls;
        let mut last = backlog.measure(None, 0, begun(0));
        for turn in 1..=turns {
            last = backlog.measure(Some(last), turn * 10 * MS, begun(turn));
        }
        (backlog, last)
    }

    #[test]
    fn a_short_backlog_has_no_estimate() {
        let (backlog, last) = measured(9, 5);
        assert_eq!(backlog.wait_ns(u64::MAX, 1_000), 0);
        backlog.measure(Some(last), 100 * MS, last.begun + 5);
        let last_number = last.begun + 15;
        assert_eq!(backlog.wait_ns(last_number, 1_000), 10 * 2 * MS);
        assert_eq!(
            backlog.wait_ns(last_number, 3),
            3 * 2 * MS,
            "the others have ended"
        );
        backlog.end();
        assert_eq!(backlog.wait_ns(last_number, 1_000), 0);
    }

    #[test]
    fn an_estimate_follows_the_last_measurements() {
        let (backlog, mut last) = measured(1_000, 5);
        for turn in 1_001..=1_300 {
            last = backlog.measure(Some(last), turn * 10 * MS, last.begun + 1);
        }
        assert_eq!(backlog.wait_ns(last.begun + 1, 1) / MS, 10);
    }

    #[test]
    fn turns_without_a_begun_call_count() {
        let (backlog, last) = measured(100, 0);
        assert_eq!(backlog.wait_ns(u64::MAX, 1), 0, "no call has begun");
        let last = backlog.measure(Some(last), 1_010 * MS, last.begun + 1);
        assert_eq!(backlog.wait_ns(last.begun + 2, 2), 2 * 1_010 * MS);
    }
}
