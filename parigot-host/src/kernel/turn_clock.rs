//! Clocks of one worker, which read the host's clock as rarely as guests permit.

use crate::clock::Clock;

/// Monotonic clock of a worker: one read for each turn, or for two turns that a handoff joins.
///
/// # Fast path
///
/// A read of the clock takes longer than most of the work of a worker between two turns. Thus two
/// turns may share a read if the first turn ended before the next epoch tick, at most 2 ms later.
/// The second turn never shares with a third, so the time of a call advances. This saves 6 % of
/// the time of a call (benches/README.md). The tests below prove the conditions.
#[derive(Default)]
pub(crate) struct TurnClock {
    now_ns: u64,
    /// Epoch tick at which `now_ns` was read; `None` once two turns have shared the read.
    tick: Option<u64>,
}

impl TurnClock {
    /// Returns the time of the current turn, or of the last one.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Begins a turn: reads the clock, in the epoch tick `tick`.
    #[inline]
    pub(crate) fn begin(&mut self, tick: u64, clock: &dyn Clock) {
        self.tick = Some(tick);
        self.now_ns = clock.monotonic_ns();
    }

    /// Begins a turn that follows a handoff, in the epoch tick `tick`. Keeps the time of the last
    /// turn if possible.
    ///
    /// `began_ns` is the time at which the instance began its last turn. That turn may have been
    /// on another worker with a later read, and the time of an instance must not decrease.
    #[inline]
    pub(crate) fn continue_from(&mut self, tick: u64, began_ns: u64, clock: &dyn Clock) {
        let is_usable = self.tick.take() == Some(tick) && began_ns <= self.now_ns;
        if !is_usable {
            self.begin(tick, clock);
        }
    }
}

/// Time of day, derived from the monotonic clock.
///
/// The clock is read at most once in 5 ms. In between, the time advances with the monotonic clock,
/// so an adjusted system clock is noticed after 5 ms.
#[derive(Default)]
pub(crate) struct WallClock {
    /// Difference from the monotonic clock to the time of day.
    ahead_ns: u64,
    /// Monotonic time from which the clock must be read again.
    good_until_ns: u64,
}

impl WallClock {
    const GOOD_FOR_NS: u64 = 5_000_000;

    /// Returns the time of day at a moment of the monotonic clock.
    #[inline]
    pub(crate) fn read(&mut self, clock: &dyn Clock, monotonic_ns: u64) -> u64 {
        if monotonic_ns >= self.good_until_ns {
            self.ahead_ns = clock.wall_ns().wrapping_sub(monotonic_ns);
            self.good_until_ns = monotonic_ns + Self::GOOD_FOR_NS;
        }
        monotonic_ns.wrapping_add(self.ahead_ns)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;

    const TICK: u64 = 1;

    /// A turn clock that was read at 10 ns in the first tick, and a clock that shows 20 ns since.
    fn begun() -> (TurnClock, ManualClock) {
        let clock = ManualClock::new(Duration::ZERO);
        clock.advance(Duration::from_nanos(10));
        let mut turn = TurnClock::default();
        turn.begin(TICK, &clock);
        clock.advance(Duration::from_nanos(10));
        (turn, clock)
    }

    #[test]
    fn two_turns_share_a_read_and_a_third_does_not() {
        let (mut turn, clock) = begun();
        turn.continue_from(TICK, 10, &clock);
        assert_eq!(turn.now_ns(), 10);
        turn.continue_from(TICK, 10, &clock);
        assert_eq!(turn.now_ns(), 20);
        clock.advance(Duration::from_nanos(10));
        turn.continue_from(TICK, 20, &clock);
        assert_eq!(turn.now_ns(), 20, "the new read can be shared again");
    }

    #[test]
    fn a_turn_after_the_next_tick_reads_the_clock() {
        let (mut turn, clock) = begun();
        turn.continue_from(TICK + 1, 0, &clock);
        assert_eq!(turn.now_ns(), 20);
    }

    #[test]
    fn the_time_of_an_instance_does_not_decrease() {
        let (mut turn, clock) = begun();
        turn.continue_from(TICK, 11, &clock);
        assert_eq!(turn.now_ns(), 20);
    }
}
