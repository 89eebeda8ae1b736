//! Clock and polls of a Go guest while its garbage collector marks live objects.
//!
//! Two workers of Go's runtime mark. Neither stops while the clock stands still and no descriptor
//! becomes readable, so all objects would be marked in one turn:
//!
//! | worker | stops |
//! |---|---|
//! | fractional | once it has used 30 % of the time since marking began; starts again below 25 % |
//! | idle | once a poll with a timeout of zero reports an event |
//!
//! Therefore a turn in which the collector marks differs from other turns, from its first tick on:
//!
//! - Each further tick moves the monotonic clock on, which stops the first worker.
//! - Polls report the descriptor that ends the turn, which stops the second worker. The guest has
//!   another turn at once.
//!
//! The guest's clock is never ahead of the host's clock: the time before the first tick, which is
//! shorter than the time between two ticks, is not counted.
//!
//! Ticks come in real time, but the turn stays reproducible. The guest observes a tick only by a
//! read of the clock or a poll. So the inbox and the number of reads and polls before each tick,
//! which [`Marking`] keeps, determine the turn.

use parigot_abi::control::MARKING_ADDRESS_OFFSET;

use super::memory::{GuestMemory, u32_at, u64_at};
use crate::guest::epoch_ticker::TICK;

/// Ticks without a read and without a poll after which the guest's own code is taken to be at work.
/// The workers read or poll every few milliseconds.
const SILENT_TICKS_MAX: u32 = 5;

/// Monotonic clock of a Go guest, and the ticks in its current turn.
#[derive(Debug, Default)]
pub(super) struct Marking {
    now_ns: u64,
    /// Shows ticks to the guest.
    is_spread: bool,
    /// Reads of the clock, and polls with a timeout of zero, in this turn.
    observations: u32,
    /// Number of observations at the last tick.
    at_last_tick: u32,
    /// Ticks since the last observation.
    silent_ticks: u32,
    /// Number of observations before each tick that was shown to the guest in this turn.
    shown: Vec<u32>,
}

impl Marking {
    /// Sets whether ticks are shown to the guest from now on. Before, all objects are marked in one
    /// turn.
    pub(super) fn spread(&mut self, is_spread: bool) {
        self.is_spread = is_spread;
    }

    /// Returns the time of the guest's clock in nanoseconds.
    pub(super) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Begins a turn at this time.
    pub(super) fn begin_turn(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.observations = 0;
        self.at_last_tick = 0;
        self.silent_ticks = 0;
        self.shown.clear();
    }

    /// Reads the guest's clock.
    pub(super) fn read(&mut self) -> u64 {
        self.observations += 1;
        self.now_ns
    }

    /// Notes a poll with a timeout of zero. Returns true if the poll ends the turn.
    pub(super) fn poll(&mut self) -> bool {
        self.observations += 1;
        !self.shown.is_empty()
    }

    /// Handles a tick while the collector marks. Returns true if the collector itself was at work.
    pub(super) fn tick(&mut self) -> bool {
        if self.observations == self.at_last_tick {
            self.silent_ticks += 1;
        } else {
            self.at_last_tick = self.observations;
            self.silent_ticks = 0;
        }
        if self.observations == 0 || self.silent_ticks > SILENT_TICKS_MAX {
            return false;
        }
        if self.is_spread {
            if !self.shown.is_empty() {
                self.now_ns += TICK.as_nanos() as u64;
            }
            self.shown.push(self.observations);
        }
        true
    }
}

/// Returns true if the collector of the guest with this control block marks.
pub(super) fn is_marking(memory: &GuestMemory<'_>, control: u32) -> bool {
    let word = |address, bytes| memory.bytes(address, bytes).ok();
    let at = GuestMemory::behind(control, MARKING_ADDRESS_OFFSET);
    let address = word(at, 8).map_or(0, |bytes| u64_at(bytes, 0));
    match u32::try_from(address) {
        Ok(0) | Err(_) => false,
        Ok(address) => word(address, 4).is_some_and(|flag| u32_at(flag, 0) != 0),
    }
}
