//! How much an instance may log.
//!
//! A guest that logs without end would fill the disk, and keep those who read the log from what others say. So each instance has an
//! allowance a second of the host's clock: the first line beyond it is replaced by a warning, the others are counted, and
//! the count is told when the second is over.

use std::borrow::Cow;

use parking_lot::Mutex;

use crate::limits::{LOG_LINE_BYTES_MAX, Size};

/// What a line takes of the allowance besides its text: about what the columns before it have.
const COLUMNS_BYTES: u64 = 64;
/// What an allowance is for.
const PERIOD_NS: u64 = 1_000_000_000;

/// The allowance of one instance.
#[derive(Debug)]
pub(crate) struct LogRate {
    bytes_max: u64,
    state: Mutex<RateState>,
}

#[derive(Debug, Default)]
struct RateState {
    /// When the allowance is whole again, on the host's clock.
    until_ns: u64,
    /// What was logged of it.
    logged: Amount,
    left_out: Amount,
}

/// Lines, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    lines: u64,
    bytes: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RateDecision<'a> {
    /// It is logged like this, once it is told what was left out before it.
    Log {
        line: Cow<'a, str>,
        left_out: Option<LeftOut>,
    },
    /// It is the first to be left out, which is told; the rest when the allowance is whole again.
    Warn {
        too_much: TooMuch,
        until_ns: u64,
    },
    LeaveOut,
}

/// An instance has used its allowance up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("logs too much: what exceeds its `log`, {} in a second, is left out", Size(*bytes_max as usize))]
pub(crate) struct TooMuch {
    bytes_max: u64,
}

/// What is not in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("logged too much: {} lines of {} bytes were left out", .0.lines, .0.bytes)]
pub(crate) struct LeftOut(Amount);

impl LogRate {
    /// An allowance of so many bytes in a second.
    pub(crate) fn new(bytes_max: u64) -> Self {
        LogRate {
            bytes_max,
            state: Mutex::default(),
        }
    }

    /// Decides about a line.
    pub(crate) fn judge<'a>(&self, now_ns: u64, text: &'a str) -> RateDecision<'a> {
        let mut state = self.state.lock();
        if now_ns >= state.until_ns {
            state.begin_period(now_ns);
        }
        let line = cut(text);
        let logged = state.logged.plus(line.len());
        // Once something was left out, nothing is logged before that is told: the log has no hole that it does not show.
        if logged.cost() <= self.bytes_max && (state.left_out.lines == 0 || state.logged.lines == 0)
        {
            state.logged = logged;
            return RateDecision::Log {
                line,
                left_out: state.take_left_out(),
            };
        }
        let is_first = state.left_out.lines == 0;
        state.left_out = state.left_out.plus(text.len());
        let too_much = TooMuch {
            bytes_max: self.bytes_max,
        };
        if is_first {
            RateDecision::Warn {
                too_much,
                until_ns: state.until_ns,
            }
        } else {
            RateDecision::LeaveOut
        }
    }

    /// What is not told yet, once the allowance is whole again. The next second begins here: in a turn that goes on for longer, time stands still
    /// for whoever judges, and each line would be one too many again, and told.
    pub(crate) fn settle(&self, now_ns: u64) -> Option<LeftOut> {
        let mut state = self.state.lock();
        if now_ns < state.until_ns {
            return None;
        }
        state.begin_period(now_ns);
        state.take_left_out()
    }

    /// What is not told yet, for an instance that ends.
    pub(crate) fn finish(&self) -> Option<LeftOut> {
        self.state.lock().take_left_out()
    }
}

impl RateState {
    fn begin_period(&mut self, now_ns: u64) {
        self.until_ns = now_ns.saturating_add(PERIOD_NS);
        self.logged = Amount::default();
    }

    fn take_left_out(&mut self) -> Option<LeftOut> {
        let left_out = std::mem::take(&mut self.left_out);
        (left_out.lines > 0).then_some(LeftOut(left_out))
    }
}

/// A line as it is logged: not longer than [`LOG_LINE_BYTES_MAX`], but for the remark that it was cut.
fn cut(text: &str) -> Cow<'_, str> {
    let kept = text.floor_char_boundary(LOG_LINE_BYTES_MAX);
    match text.len() - kept {
        0 => text.into(),
        bytes => format!("{}… ({bytes} bytes more were left out)", &text[..kept]).into(),
    }
}

impl Amount {
    fn plus(self, bytes: usize) -> Self {
        Amount {
            lines: self.lines + 1,
            bytes: self.bytes.saturating_add(bytes as u64),
        }
    }

    fn cost(self) -> u64 {
        self.bytes
            .saturating_add(self.lines.saturating_mul(COLUMNS_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// An allowance of three times `flood`.
    fn three() -> LogRate {
        LogRate::new(3 * (COLUMNS_BYTES + 5))
    }

    fn logged(text: &str) -> RateDecision<'_> {
        RateDecision::Log {
            line: text.into(),
            left_out: None,
        }
    }

    fn warned(rate: &LogRate, until_ns: u64) -> RateDecision<'static> {
        RateDecision::Warn {
            too_much: TooMuch {
                bytes_max: rate.bytes_max,
            },
            until_ns,
        }
    }

    #[test]
    fn a_guest_that_keeps_to_its_allowance_is_never_stopped() {
        let rate = three();
        for k in 0..100 {
            assert_eq!(rate.judge(k * SECOND / 3, "flood"), logged("flood"));
        }
        assert_eq!(rate.finish(), None);
    }

    #[test]
    fn lines_beyond_the_allowance_are_counted_and_told_when_the_second_is_over() {
        let rate = three();
        for _ in 0..3 {
            assert_eq!(rate.judge(7, "flood"), logged("flood"));
        }
        assert_eq!(rate.judge(8, "flood"), warned(&rate, 7 + SECOND));
        assert_eq!(rate.judge(6 + SECOND, "flood"), RateDecision::LeaveOut);
        assert_eq!(rate.settle(6 + SECOND), None, "it is not over");
        let RateDecision::Log {
            left_out: Some(left_out),
            ..
        } = rate.judge(7 + SECOND, "flood")
        else {
            panic!("another second, another allowance");
        };
        assert_eq!(
            left_out.to_string(),
            "logged too much: 2 lines of 10 bytes were left out"
        );
        assert_eq!(rate.judge(8 + SECOND, "flood"), logged("flood"));
        assert_eq!(rate.finish(), None, "it was told");
    }

    #[test]
    fn what_was_left_out_is_told_of_a_guest_that_falls_silent() {
        let rate = three();
        (0..4).for_each(|_| _ = rate.judge(0, "flood"));
        assert_eq!(
            rate.settle(SECOND),
            Some(LeftOut(Amount { lines: 1, bytes: 5 }))
        );
        assert_eq!(rate.settle(SECOND), None, "it was told");
    }

    #[test]
    fn a_turn_that_is_longer_than_a_second_gets_no_more_than_an_allowance_a_second() {
        let rate = three();
        // Time stands still for the lines of one turn.
        for second in 1..=3 {
            for _ in 0..3 {
                assert!(matches!(
                    rate.judge(0, "flood"),
                    RateDecision::Log { left_out: None, .. }
                ));
            }
            assert_eq!(rate.judge(0, "flood"), warned(&rate, second * SECOND));
            assert_eq!(rate.judge(0, "flood"), RateDecision::LeaveOut);
            assert_eq!(
                rate.settle(second * SECOND),
                Some(LeftOut(Amount {
                    lines: 2,
                    bytes: 10
                }))
            );
        }
    }

    #[test]
    fn a_short_line_does_not_overtake_a_long_one() {
        let rate = three();
        assert_eq!(rate.judge(0, "a"), logged("a"));
        assert_eq!(rate.judge(0, &"b".repeat(500)), warned(&rate, SECOND));
        assert_eq!(rate.judge(0, "c"), RateDecision::LeaveOut);
        assert_eq!(
            rate.finish(),
            Some(LeftOut(Amount {
                lines: 2,
                bytes: 501
            }))
        );
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let text = format!("a{}", "é".repeat(LOG_LINE_BYTES_MAX / 2));
        let expected = format!(
            "{}… (2 bytes more were left out)",
            &text[..LOG_LINE_BYTES_MAX - 1]
        );
        assert_eq!(LogRate::new(1 << 20).judge(0, &text), logged(&expected));
    }

    #[test]
    fn an_allowance_that_is_used_up_says_so() {
        let too_much = TooMuch { bytes_max: 1 << 20 };
        assert_eq!(
            too_much.to_string(),
            "logs too much: what exceeds its `log`, 1 MiB in a second, is left out"
        );
    }
}
