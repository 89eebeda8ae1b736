//! Rate limit of a guest's log.
//!
//! Without a limit, a guest that logs endlessly would fill the disk and hide the lines of others.
//! Each instance may log a number of bytes per period of one second, on the host's clock. The first
//! line beyond the limit is replaced by a warning. Further lines are counted, and the count is
//! logged at the end of the period.

use std::borrow::Cow;

use parking_lot::Mutex;

use crate::limits::{LOG_LINE_BYTES_MAX, Size};

/// Cost of a line in addition to its text: about the length of the columns before the text.
const COLUMNS_BYTES: u64 = 64;
/// Length of a period.
const PERIOD_NS: u64 = 1_000_000_000;

/// Log rate limit of one instance.
#[derive(Debug)]
pub(crate) struct LogRate {
    /// Limit per period.
    bytes_max: u64,
    // The worker that runs the instance logs lines, and the timer thread settles periods.
    state: Mutex<RateState>,
}

#[derive(Debug, Default)]
struct RateState {
    /// End of the current period on the host's clock.
    until_ns: u64,
    /// Lines that were logged in the current period.
    logged: Amount,
    /// Lines that were dropped and not reported yet.
    dropped: Amount,
}

/// Number of lines, and of the bytes of their texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    lines: u64,
    bytes: u64,
}

/// Decision about a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RateDecision<'a> {
    /// The line is logged, after a report of the lines that were dropped before.
    Log {
        line: Cow<'a, str>,
        dropped: Option<DroppedLines>,
    },
    /// The line is the first that is dropped, so a warning is logged. The number of dropped lines
    /// is to be logged at `until_ns`.
    Warn {
        exceeded: LimitExceeded,
        until_ns: u64,
    },
    /// The line is dropped and counted.
    Drop,
}

/// Warning that an instance has reached its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "log rate limit exceeded: lines beyond `log`, {} per second, are dropped",
    Size(*bytes_max as usize)
)]
pub(crate) struct LimitExceeded {
    bytes_max: u64,
}

/// Report of dropped lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("log rate limit exceeded: dropped {} lines of {} bytes", .0.lines, .0.bytes)]
pub(crate) struct DroppedLines(Amount);

impl LogRate {
    /// Creates a limit of `bytes_max` per period.
    pub(crate) fn new(bytes_max: u64) -> Self {
        LogRate {
            bytes_max,
            state: Mutex::default(),
        }
    }

    /// Decides about a line, and counts the line, with its attributes.
    pub(crate) fn decide<'a>(
        &self,
        now_ns: u64,
        text: &'a str,
        attribute_bytes: usize,
    ) -> RateDecision<'a> {
        let mut state = self.state.lock();
        if now_ns >= state.until_ns {
            state.begin_period(now_ns);
        }
        let line = truncate(text);
        let logged = state.logged.plus(line.len() + attribute_bytes);
        // After a dropped line, nothing more is logged in the same period: the log has no silent
        // gap, and a short line does not overtake a long one.
        let has_gap = state.dropped.lines > 0 && state.logged.lines > 0;
        if logged.cost() <= self.bytes_max && !has_gap {
            state.logged = logged;
            return RateDecision::Log {
                line,
                dropped: state.take_dropped(),
            };
        }
        let is_first = state.dropped.lines == 0;
        state.dropped = state.dropped.plus(text.len() + attribute_bytes);
        if is_first {
            RateDecision::Warn {
                exceeded: LimitExceeded {
                    bytes_max: self.bytes_max,
                },
                until_ns: state.until_ns,
            }
        } else {
            RateDecision::Drop
        }
    }

    /// Returns the dropped lines if the period is over, and begins the next period.
    ///
    /// The next period must begin here. The time that [`LogRate::decide`] gets is the start of the
    /// turn, so a turn of several seconds would never begin a period. Then each line after a report
    /// would be the first that is dropped, with a warning of its own.
    pub(crate) fn take_dropped(&self, now_ns: u64) -> Option<DroppedLines> {
        let mut state = self.state.lock();
        if now_ns < state.until_ns {
            return None;
        }
        state.begin_period(now_ns);
        state.take_dropped()
    }

    /// Returns the dropped lines of an instance that has ended.
    pub(crate) fn finish(&self) -> Option<DroppedLines> {
        self.state.lock().take_dropped()
    }
}

impl RateState {
    fn begin_period(&mut self, now_ns: u64) {
        self.until_ns = now_ns.saturating_add(PERIOD_NS);
        self.logged = Amount::default();
    }

    fn take_dropped(&mut self) -> Option<DroppedLines> {
        let dropped = std::mem::take(&mut self.dropped);
        (dropped.lines > 0).then_some(DroppedLines(dropped))
    }
}

/// Cuts a line to [`LOG_LINE_BYTES_MAX`], and appends a remark if the line was longer.
pub(crate) fn truncate(text: &str) -> Cow<'_, str> {
    let kept = text.floor_char_boundary(LOG_LINE_BYTES_MAX);
    match text.len() - kept {
        0 => text.into(),
        bytes => format!("{}… (truncated by {bytes} bytes)", &text[..kept]).into(),
    }
}

impl Amount {
    fn plus(self, bytes: usize) -> Self {
        Amount {
            lines: self.lines + 1,
            bytes: self.bytes.saturating_add(bytes as u64),
        }
    }

    /// Returns the bytes that count against the limit.
    fn cost(self) -> u64 {
        self.bytes
            .saturating_add(self.lines.saturating_mul(COLUMNS_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Creates a limit of three lines `flood` per period.
    fn three_lines() -> LogRate {
        LogRate::new(3 * (COLUMNS_BYTES + 5))
    }

    fn logged(text: &str) -> RateDecision<'_> {
        RateDecision::Log {
            line: text.into(),
            dropped: None,
        }
    }

    fn warned(rate: &LogRate, until_ns: u64) -> RateDecision<'static> {
        RateDecision::Warn {
            exceeded: LimitExceeded {
                bytes_max: rate.bytes_max,
            },
            until_ns,
        }
    }

    #[test]
    fn a_guest_within_its_limit_loses_no_line() {
        let rate = three_lines();
        for k in 0..100 {
            assert_eq!(rate.decide(k * SECOND / 3, "flood", 0), logged("flood"));
        }
        assert_eq!(rate.finish(), None);
    }

    #[test]
    fn dropped_lines_are_counted_until_the_period_ends() {
        let rate = three_lines();
        for _ in 0..3 {
            assert_eq!(rate.decide(7, "flood", 0), logged("flood"));
        }
        assert_eq!(rate.decide(8, "flood", 0), warned(&rate, 7 + SECOND));
        assert_eq!(rate.decide(6 + SECOND, "flood", 0), RateDecision::Drop);
        assert_eq!(
            rate.take_dropped(6 + SECOND),
            None,
            "the period is not over"
        );
        let RateDecision::Log {
            dropped: Some(dropped),
            ..
        } = rate.decide(7 + SECOND, "flood", 0)
        else {
            panic!("the next period must have a limit of its own");
        };
        assert_eq!(
            dropped.to_string(),
            "log rate limit exceeded: dropped 2 lines of 10 bytes"
        );
        assert_eq!(rate.decide(8 + SECOND, "flood", 0), logged("flood"));
        assert_eq!(rate.finish(), None, "the lines were reported already");
    }

    #[test]
    fn dropped_lines_of_a_silent_guest_are_reported() {
        let rate = three_lines();
        (0..4).for_each(|_| _ = rate.decide(0, "flood", 0));
        assert_eq!(
            rate.take_dropped(SECOND),
            Some(DroppedLines(Amount { lines: 1, bytes: 5 }))
        );
        assert_eq!(
            rate.take_dropped(SECOND),
            None,
            "the lines were reported already"
        );
    }

    #[test]
    fn a_turn_over_a_second_has_one_limit_per_second() {
        let rate = three_lines();
        // All lines of a turn have the time of its start.
        for second in 1..=3 {
            for _ in 0..3 {
                assert!(matches!(
                    rate.decide(0, "flood", 0),
                    RateDecision::Log { dropped: None, .. }
                ));
            }
            assert_eq!(rate.decide(0, "flood", 0), warned(&rate, second * SECOND));
            assert_eq!(rate.decide(0, "flood", 0), RateDecision::Drop);
            assert_eq!(
                rate.take_dropped(second * SECOND),
                Some(DroppedLines(Amount {
                    lines: 2,
                    bytes: 10
                }))
            );
        }
    }

    #[test]
    fn a_short_line_does_not_overtake_a_long_one() {
        let rate = three_lines();
        assert_eq!(rate.decide(0, "a", 0), logged("a"));
        assert_eq!(rate.decide(0, &"b".repeat(500), 0), warned(&rate, SECOND));
        assert_eq!(rate.decide(0, "c", 0), RateDecision::Drop);
        assert_eq!(
            rate.finish(),
            Some(DroppedLines(Amount {
                lines: 2,
                bytes: 501
            }))
        );
    }

    #[test]
    fn a_long_line_is_truncated_between_characters() {
        let text = format!("a{}", "é".repeat(LOG_LINE_BYTES_MAX / 2));
        let expected = format!(
            "{}… (truncated by 2 bytes)",
            &text[..LOG_LINE_BYTES_MAX - 1]
        );
        assert_eq!(LogRate::new(1 << 20).decide(0, &text, 0), logged(&expected));
    }

    #[test]
    fn the_warning_names_the_limit() {
        let exceeded = LimitExceeded { bytes_max: 1 << 20 };
        assert_eq!(
            exceeded.to_string(),
            "log rate limit exceeded: lines beyond `log`, 1 MiB per second, are dropped"
        );
    }
}
