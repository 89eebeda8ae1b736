//! Import `poll_oneoff`: the poll in which Go's scheduler shows that it is idle.

use parigot_abi::control::NEVER;
use parigot_abi::{GO_IDLE_FD as IDLE_FD, GO_PARKED_FD as PARKED_FD};

use super::Wasi;
use super::memory::{Errno, GuestMemory, u32_at, u64_at};
use crate::error::Blocked;

/// Subscriptions per poll; a poll with more is rejected.
pub(super) const SUBSCRIPTIONS_MAX: u32 = 1024;

/// Consecutive polls that may try to block while nothing can wake the guest.
const BLOCKED_POLLS_MAX: u32 = 1000;

impl Wasi {
    /// Answers each subscription that is ready, and never blocks.
    ///
    /// # Errors
    ///
    /// [`Blocked`] if the guest waits for an event that cannot arrive within the turn; the engine
    /// then ends the guest. An invalid argument is an [`Errno`] that the guest receives.
    pub(super) fn poll_oneoff(
        &mut self,
        mut memory: GuestMemory<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        written: u32,
    ) -> Result<Result<(), Errno>, Blocked> {
        let wanted = match Wanted::read(&memory, subscriptions, count) {
            Ok(wanted) => wanted,
            Err(errno) => return Ok(Err(errno)),
        };
        let due = self.due(wanted)?;
        Ok(write_events(&mut memory, &due, events, written))
    }

    /// Returns the events that answer a poll: see the section on the end of a turn in [`super`].
    fn due(&mut self, wanted: Wanted) -> Result<Vec<Event>, Blocked> {
        if !wanted.refused.is_empty() {
            return Ok(wanted.refused);
        }
        if wanted.timeout_ns == Some(0) {
            let ends_turn = self.marking.poll();
            let idle = wanted.idle.filter(|_| ends_turn);
            if idle.is_some() {
                self.is_cut = true;
                self.idle_is_readable = true;
            }
            return Ok(idle.into_iter().collect());
        }
        let Some(idle) = wanted.idle else {
            // Not an error at once: Go's runtime also polls for a clock alone with a very short
            // timeout, and expects no event in this case either.
            self.blocked_polls += 1;
            return if self.blocked_polls > BLOCKED_POLLS_MAX {
                Err(Blocked)
            } else {
                Ok(Vec::new())
            };
        };
        self.blocked_polls = 0;
        self.wake_at_ns = wanted.timeout_ns.map_or(NEVER, |timeout| {
            self.marking.now_ns().saturating_add(timeout)
        });
        self.idle_is_readable = true;
        self.is_cut = false;
        Ok(vec![idle])
    }
}

/// Writes events one after the other at `events`, and their number at `written`.
fn write_events(
    memory: &mut GuestMemory<'_>,
    due: &[Event],
    events: u32,
    written: u32,
) -> Result<(), Errno> {
    for (k, event) in due.iter().enumerate() {
        let at = GuestMemory::behind(events, k * Event::BYTES);
        memory.write(at, &event.to_bytes())?;
    }
    memory.write_u32(written, due.len() as u32)
}

/// Subscriptions of a poll.
#[derive(Default)]
struct Wanted {
    /// Shortest timeout of the clocks, from now.
    timeout_ns: Option<u64>,
    /// Answer for [`IDLE_FD`], if subscribed.
    idle: Option<Event>,
    /// Answers for subscriptions that can never become ready.
    refused: Vec<Event>,
}

impl Wanted {
    /// Reads subscriptions, records of 48 bytes:
    ///
    /// | at | type | field |
    /// |---|---|---|
    /// | 0 | `u64` | mark of the caller, copied into the event |
    /// | 8 | `u8` | kind |
    /// | 16 | `u32` | number of the clock; for other kinds the descriptor |
    /// | 24 | `u64` | time of the clock |
    /// | 40 | `u16` | flags of the clock |
    fn read(memory: &GuestMemory<'_>, subscriptions: u32, count: u32) -> Result<Self, Errno> {
        const BYTES: usize = 48;
        const ABSOLUTE: u8 = 1;
        if count == 0 || count > SUBSCRIPTIONS_MAX {
            return Err(Errno::Inval);
        }
        let mut wanted = Wanted::default();
        for record in memory
            .bytes(subscriptions, count as usize * BYTES)?
            .chunks_exact(BYTES)
        {
            let mark = u64_at(record, 0);
            let kind = record[8];
            let fd = u32_at(record, 16);
            match (kind, fd) {
                (Event::CLOCK, _) if record[40] & ABSOLUTE != 0 => return Err(Errno::Notsup),
                (Event::CLOCK, _) => {
                    let timeout_ns = u64_at(record, 24);
                    let least = wanted.timeout_ns.unwrap_or(u64::MAX);
                    wanted.timeout_ns = Some(timeout_ns.min(least));
                }
                (Event::READ, IDLE_FD) => {
                    wanted.idle = Some(Event {
                        mark,
                        errno: 0,
                        kind,
                        bytes: 1,
                    });
                }
                // Never readable: the subscription only gives the scheduler something to poll.
                (Event::READ, PARKED_FD) => {}
                (Event::READ | Event::WRITE, _) => wanted.refused.push(Event {
                    mark,
                    errno: Errno::Badf as u16,
                    kind,
                    bytes: 0,
                }),
                _ => return Err(Errno::Inval),
            }
        }
        Ok(wanted)
    }
}

/// Event that answers one subscription of a poll.
pub(super) struct Event {
    /// Mark of the caller, copied from the subscription.
    mark: u64,
    /// Error number; 0 if the wait is over.
    errno: u16,
    kind: u8,
    /// Number of readable bytes.
    bytes: u64,
}

impl Event {
    const BYTES: usize = 32;

    pub(super) const CLOCK: u8 = 0;
    pub(super) const READ: u8 = 1;
    pub(super) const WRITE: u8 = 2;

    fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut record = [0; Self::BYTES];
        record[..8].copy_from_slice(&self.mark.to_le_bytes());
        record[8..10].copy_from_slice(&self.errno.to_le_bytes());
        record[10] = self.kind;
        record[16..24].copy_from_slice(&self.bytes.to_le_bytes());
        record
    }
}
