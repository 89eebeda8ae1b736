//! The control block: a fixed record in the guest's memory through which host and guest see each other's state.
//!
//! 128 bytes, aligned to 8. All addresses are `u64`, in wasm and native guests alike.
//!
//! | offset | type | written by | field |
//! |---:|---|---|---|
//! | 0 | u64 | guest | `inbox_address` |
//! | 8 | u64 | guest | `inbox_capacity`, in bytes |
//! | 16 | u64 | guest | `outbox_address` |
//! | 24 | u64 | guest | `outbox_committed`: bytes of whole frames in the outbox; the host sets it to 0 before each turn |
//! | 32 | u64 | guest | `progress_call`: the inbound call that the running task serves, or [`NO_CALL`] |
//! | 40 | u32 | guest | `progress_service`: that call's service, by its place among the manifest's exports |
//! | 44 | u32 | guest | `progress_method`: its method, by its place in that service |
//! | 48 | u32 | host | `yield_now`: not 0 asks the guest to end its turn after the task that it is polling |
//! | 52 | u32 | guest | `more`: not 0 when the turn ended with work that is ready |
//! | 56 | u64 | guest | `wake_at_ns`: monotonic time at which it wants a turn, or [`NEVER`] |
//! | 64 | u64 | guest | `polls`: tasks polled in this turn |
//! | 72 | u64 | guest | `panic_address`: a buffer for the text of a panic, kept from the start |
//! | 80 | u64 | guest | `panic_capacity`, in bytes |
//! | 88 | u64 | guest | `panic_bytes`: how much of it holds text; 0 means that there was no panic |
//! | 96 | u32 | host | `timers_moved`, in Go guests: not 0 once the guest has read its clock in this turn, and if one of its timers is due |
//! | 100 | | | reserved, zero |
//!
//! After a trap the host reads the committed outbox and the panic's text once, and never enters the guest again; hence the
//! guest stores `outbox_committed` only after the frame's bytes.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// `wake_at_ns` of a guest that waits for messages alone.
pub const NEVER: u64 = u64::MAX;

/// `progress_call`, and the number in a log frame, while no call is being served.
pub const NO_CALL: u64 = u64::MAX;

/// Size of the control block, in bytes.
pub const CONTROL_BYTES: usize = size_of::<Control>();

/// The control block as the guest holds it.
///
/// Its fields are atomics not for other threads, of which there are none, but because the host looks at them after a trap
/// or in the middle of a turn: a store must have happened where the program says so.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct Control {
    inbox_address: AtomicU64,
    inbox_capacity: AtomicU64,
    outbox_address: AtomicU64,
    outbox_committed: AtomicU64,
    progress_call: AtomicU64,
    progress_service: AtomicU32,
    progress_method: AtomicU32,
    yield_now: AtomicU32,
    more: AtomicU32,
    wake_at_ns: AtomicU64,
    polls: AtomicU64,
    panic_address: AtomicU64,
    panic_capacity: AtomicU64,
    panic_bytes: AtomicU64,
    timers_moved: AtomicU32,
    reserved: [u32; 7],
}

/// Offset of `yield_now`, which the host writes.
pub const YIELD_NOW_OFFSET: usize = core::mem::offset_of!(Control, yield_now);
/// Offset of `timers_moved`, which the host writes for guests in Go.
pub const TIMERS_MOVED_OFFSET: usize = core::mem::offset_of!(Control, timers_moved);
/// Offset of `outbox_committed`, which the host sets to 0 before each turn.
pub const OUTBOX_COMMITTED_OFFSET: usize = core::mem::offset_of!(Control, outbox_committed);

const _: () = assert!(
    CONTROL_BYTES == 128
        && YIELD_NOW_OFFSET == 48
        && TIMERS_MOVED_OFFSET == 96
        && OUTBOX_COMMITTED_OFFSET == 24
);

impl Control {
    /// A block with empty boxes, no panic and no wish to be woken.
    pub const fn new() -> Self {
        Control {
            inbox_address: AtomicU64::new(0),
            inbox_capacity: AtomicU64::new(0),
            outbox_address: AtomicU64::new(0),
            outbox_committed: AtomicU64::new(0),
            progress_call: AtomicU64::new(NO_CALL),
            progress_service: AtomicU32::new(0),
            progress_method: AtomicU32::new(0),
            yield_now: AtomicU32::new(0),
            more: AtomicU32::new(0),
            wake_at_ns: AtomicU64::new(NEVER),
            polls: AtomicU64::new(0),
            panic_address: AtomicU64::new(0),
            panic_capacity: AtomicU64::new(0),
            panic_bytes: AtomicU64::new(0),
            timers_moved: AtomicU32::new(0),
            reserved: [0; 7],
        }
    }

    /// Says where the inbox is and how many bytes it holds.
    pub fn set_inbox(&self, address: u64, capacity: u64) {
        self.inbox_address.store(address, Ordering::Relaxed);
        self.inbox_capacity.store(capacity, Ordering::Relaxed);
    }

    /// Says where the outbox is and how many of its bytes are whole frames.
    pub fn set_outbox(&self, address: u64, committed: u64) {
        self.outbox_address.store(address, Ordering::Release);
        self.set_committed(committed);
    }

    /// Says how many bytes of the outbox are whole frames.
    pub fn set_committed(&self, committed: u64) {
        self.outbox_committed.store(committed, Ordering::Release);
    }

    /// Says what the task that is about to be polled works for: see [`NO_CALL`].
    pub fn set_progress(&self, call: u64, service: u32, method: u32) {
        self.progress_service.store(service, Ordering::Relaxed);
        self.progress_method.store(method, Ordering::Relaxed);
        self.progress_call.store(call, Ordering::Release);
    }

    /// What the running task works for, as it was set last: the call, its service and its method.
    pub fn progress(&self) -> (u64, u32, u32) {
        let service = self.progress_service.load(Ordering::Relaxed);
        (
            self.progress_call.load(Ordering::Relaxed),
            service,
            self.progress_method.load(Ordering::Relaxed),
        )
    }

    /// Whether the host wants the turn to end.
    pub fn yield_now(&self) -> bool {
        self.yield_now.load(Ordering::Relaxed) != 0
    }

    /// Says how the turn ended: whether work is ready, when to wake at the latest, and how many tasks were polled.
    pub fn set_turn(&self, more: bool, wake_at_ns: u64, polls: u64) {
        self.more.store(more as u32, Ordering::Relaxed);
        self.wake_at_ns.store(wake_at_ns, Ordering::Relaxed);
        self.polls.store(polls, Ordering::Relaxed);
    }

    /// Says where a panic's text would be written.
    pub fn set_panic_buffer(&self, address: u64, capacity: u64) {
        self.panic_address.store(address, Ordering::Relaxed);
        self.panic_capacity.store(capacity, Ordering::Relaxed);
    }

    /// Says that a panic's text of so many bytes stands in the buffer.
    pub fn set_panic(&self, bytes: u64) {
        self.panic_bytes.store(bytes, Ordering::Release);
    }

    /// How many bytes of a panic's text were written.
    pub fn panic_bytes(&self) -> u64 {
        self.panic_bytes.load(Ordering::Acquire)
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

/// The control block as the host reads it: a copy, of which nothing may be believed before it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlView {
    /// Where the inbox is.
    pub inbox_address: u64,
    /// How many bytes it holds.
    pub inbox_capacity: u64,
    /// Where the outbox is.
    pub outbox_address: u64,
    /// How many of its bytes are whole frames.
    pub outbox_committed: u64,
    /// The inbound call that the running task serves, or [`NO_CALL`].
    pub progress_call: u64,
    /// That call's service.
    pub progress_service: u32,
    /// That call's method.
    pub progress_method: u32,
    /// Whether work is ready.
    pub more: bool,
    /// When the guest wants its next turn, or [`NEVER`].
    pub wake_at_ns: u64,
    /// Tasks polled in the last turn.
    pub polls: u64,
    /// Where a panic's text is.
    pub panic_address: u64,
    /// How much fits there.
    pub panic_capacity: u64,
    /// How much of it is text.
    pub panic_bytes: u64,
}

/// A field of the block, in its bytes.
#[inline]
fn field<const N: usize>(block: &[u8; CONTROL_BYTES], at: usize) -> [u8; N] {
    *block[at..]
        .first_chunk()
        .expect("a field lies inside of the block")
}

impl ControlView {
    /// The inbound call that the running task serves, if it serves one.
    pub fn culprit(&self) -> Option<u64> {
        (self.progress_call != NO_CALL).then_some(self.progress_call)
    }

    /// Reads the block out of the guest's memory.
    #[inline]
    pub fn read(bytes: &[u8; CONTROL_BYTES]) -> Self {
        let long = |at| u64::from_le_bytes(field(bytes, at));
        let word = |at| u32::from_le_bytes(field(bytes, at));
        ControlView {
            inbox_address: long(0),
            inbox_capacity: long(8),
            outbox_address: long(16),
            outbox_committed: long(24),
            progress_call: long(32),
            progress_service: word(40),
            progress_method: word(44),
            more: word(52) != 0,
            wake_at_ns: long(56),
            polls: long(64),
            panic_address: long(72),
            panic_capacity: long(80),
            panic_bytes: long(88),
        }
    }
}
