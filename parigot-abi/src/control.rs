//! The control block: a fixed record in the guest's memory that holds the state shared by host and
//! guest.
//!
//! The block has 256 bytes and is aligned to 8. All addresses are `u64`, in wasm guests and in
//! native guests.
//!
//! | offset | type | written by | field |
//! |---:|---|---|---|
//! | 0 | u64 | guest | `inbox_address` |
//! | 8 | u64 | guest | `inbox_capacity`, in bytes |
//! | 16 | u64 | guest | `outbox_address` |
//! | 24 | u64 | both | `outbox_committed`: bytes of whole frames in the outbox; see below |
//! | 32 | u64 | guest | `progress_call`: inbound call of the running task, or [`NO_CALL`] |
//! | 40 | u32 | guest | `progress_service`: index of that call's service among the exports |
//! | 44 | u32 | guest | `progress_method`: index of that call's method in the service |
//! | 48 | u32 | host | `yield_now`: if not 0, the guest ends its turn after the current task |
//! | 52 | u32 | guest | `more`: not 0 if the turn ended while tasks were ready |
//! | 56 | u64 | guest | `wake_at_ns`: monotonic time of the next requested turn, or [`NEVER`] |
//! | 64 | u64 | guest | `polls`: number of tasks polled in this turn |
//! | 72 | u64 | guest | `panic_address`: buffer for the text of a panic, allocated at the start |
//! | 80 | u64 | guest | `panic_capacity`, in bytes |
//! | 88 | u64 | guest | `panic_bytes`: length of that text; 0 means no panic |
//! | 96 | u32 | host | `timers_moved`, in Go guests; see below |
//! | 100 | u32 | | reserved, zero |
//! | 104 | u64 | guest | `begun` of inbound calls with numbers below 2^63; see below |
//! | 112 | u64 | guest | `begun` of inbound calls with numbers from 2^63 |
//! | 120 | u64 | guest | `marking_address`, in Go guests: see below; 0 in others |
//! | 128 | | | reserved, zero |
//!
//! The host sets `outbox_committed` to 0 before each turn. It sets `timers_moved` to a value other
//! than 0 once the guest has read its clock in the current turn, and if one of the guest's timers
//! is due.
//!
//! `marking_address` is the address of a `u32` that is not 0 while Go's garbage collector marks.
//! The host reads the number in turns that last for milliseconds. A guest that leaves the address
//! at 0 is treated as a guest whose collector never marks.
//!
//! After a trap, the host reads the committed outbox and the panic's text once, and never enters
//! the guest again. Therefore the guest stores `outbox_committed` only after the bytes of a frame.
//!
//! `begun` is the highest number, in its number space, of an inbound call whose handler the guest
//! has entered; 0 before the first. A guest stores the number before any code of the handler runs,
//! and enters handlers in the order of their numbers, as far as it enters them. So the handler of a
//! call with a higher number has not run, and if the guest ends, the host answers that such a call
//! was refused. A guest whose threads enter two handlers at about the same time stores the higher
//! number: the host then takes both for begun.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The `wake_at_ns` of a guest that waits for messages only.
pub const NEVER: u64 = u64::MAX;

/// The `progress_call`, and the number of a log frame, if no call is being served.
pub const NO_CALL: u64 = u64::MAX;

/// Size of the control block, in bytes.
pub const CONTROL_BYTES: usize = size_of::<Control>();

/// The control block in the guest's memory.
///
/// ```
/// use parigot_abi::Control;
///
/// let control = Control::new();
/// control.set_progress(7, 0, 1);
/// assert_eq!(control.progress(), (7, 0, 1));
/// assert!(!control.yield_now());
/// ```
// The fields are atomics although a guest has one thread: the host reads them after a trap or in
// the middle of a turn, so the compiler must not move or merge the stores.
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
    reserved: u32,
    begun: [AtomicU64; 2],
    marking_address: u64,
    reserved_end: [u64; 16],
}

/// Offset of `yield_now`, which the host writes, in bytes.
pub const YIELD_NOW_OFFSET: usize = core::mem::offset_of!(Control, yield_now);
/// Offset of `timers_moved`, which the host writes for guests in Go, in bytes.
pub const TIMERS_MOVED_OFFSET: usize = core::mem::offset_of!(Control, timers_moved);
/// Offset of `marking_address`, which guests in Go set, in bytes.
pub const MARKING_ADDRESS_OFFSET: usize = core::mem::offset_of!(Control, marking_address);
/// Offset of `outbox_committed`, which the host sets to 0 before each turn, in bytes.
pub const OUTBOX_COMMITTED_OFFSET: usize = core::mem::offset_of!(Control, outbox_committed);

const _: () = assert!(
    CONTROL_BYTES == 256
        && YIELD_NOW_OFFSET == 48
        && TIMERS_MOVED_OFFSET == 96
        && MARKING_ADDRESS_OFFSET == 120
        && OUTBOX_COMMITTED_OFFSET == 24
        && core::mem::offset_of!(Control, begun) == 104
);

impl Control {
    /// Creates a block with empty boxes, without a panic and without a wake time.
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
            reserved: 0,
            begun: [const { AtomicU64::new(0) }; 2],
            marking_address: 0,
            reserved_end: [0; 16],
        }
    }

    /// Sets the address and the capacity of the inbox, in bytes.
    pub fn set_inbox(&self, address: u64, capacity: u64) {
        self.inbox_address.store(address, Ordering::Relaxed);
        self.inbox_capacity.store(capacity, Ordering::Relaxed);
    }

    /// Sets the address of the outbox and the number of its bytes that are whole frames.
    pub fn set_outbox(&self, address: u64, committed: u64) {
        self.outbox_address.store(address, Ordering::Release);
        self.set_committed(committed);
    }

    /// Sets the number of bytes of the outbox that are whole frames.
    pub fn set_committed(&self, committed: u64) {
        self.outbox_committed.store(committed, Ordering::Release);
    }

    /// Sets the call of the task to be polled next, with its service and method. Without a call,
    /// `call` is [`NO_CALL`].
    pub fn set_progress(&self, call: u64, service: u32, method: u32) {
        self.progress_service.store(service, Ordering::Relaxed);
        self.progress_method.store(method, Ordering::Relaxed);
        self.progress_call.store(call, Ordering::Release);
    }

    /// Returns the call of the running task, its service and its method, as set last.
    pub fn progress(&self) -> (u64, u32, u32) {
        let service = self.progress_service.load(Ordering::Relaxed);
        (
            self.progress_call.load(Ordering::Relaxed),
            service,
            self.progress_method.load(Ordering::Relaxed),
        )
    }

    /// Records that the handler of an inbound call is about to run.
    #[inline]
    pub fn set_begun(&self, call: u64) {
        self.begun[space(call)].store(call, Ordering::Release);
    }

    /// Reports whether the host requests the end of the turn.
    pub fn yield_now(&self) -> bool {
        self.yield_now.load(Ordering::Relaxed) != 0
    }

    /// Sets the result of a turn: ready work, the latest time of the next turn in nanoseconds, and
    /// the number of polled tasks.
    pub fn set_turn(&self, more: bool, wake_at_ns: u64, polls: u64) {
        self.more.store(more as u32, Ordering::Relaxed);
        self.wake_at_ns.store(wake_at_ns, Ordering::Relaxed);
        self.polls.store(polls, Ordering::Relaxed);
    }

    /// Sets the address and the capacity of the buffer for a panic's text, in bytes.
    pub fn set_panic_buffer(&self, address: u64, capacity: u64) {
        self.panic_address.store(address, Ordering::Relaxed);
        self.panic_capacity.store(capacity, Ordering::Relaxed);
    }

    /// Sets the length of a panic's text in the buffer, in bytes.
    pub fn set_panic(&self, bytes: u64) {
        self.panic_bytes.store(bytes, Ordering::Release);
    }

    /// Returns the length of a panic's text in the buffer, in bytes.
    pub fn panic_bytes(&self) -> u64 {
        self.panic_bytes.load(Ordering::Acquire)
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the index of the number space of an inbound call.
#[inline]
const fn space(call: u64) -> usize {
    (call >> 63) as usize
}

/// A copy of the control block on the host. The host must check every field before use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlView {
    /// Address of the inbox.
    pub inbox_address: u64,
    /// Capacity of the inbox, in bytes.
    pub inbox_capacity: u64,
    /// Address of the outbox.
    pub outbox_address: u64,
    /// Number of bytes of the outbox that are whole frames.
    pub outbox_committed: u64,
    /// The inbound call of the running task, or [`NO_CALL`].
    pub progress_call: u64,
    /// Index of that call's service among the exports.
    pub progress_service: u32,
    /// Index of that call's method in the service.
    pub progress_method: u32,
    /// True if tasks are ready.
    pub more: bool,
    /// Monotonic time of the next requested turn, in nanoseconds, or [`NEVER`].
    pub wake_at_ns: u64,
    /// Number of tasks polled in the last turn.
    pub polls: u64,
    /// Address of the buffer for a panic's text.
    pub panic_address: u64,
    /// Capacity of that buffer, in bytes.
    pub panic_capacity: u64,
    /// Length of the text in that buffer, in bytes.
    pub panic_bytes: u64,
    /// Highest number of an inbound call whose handler was entered, for each number space.
    pub begun: [u64; 2],
}

/// Returns the bytes of a field.
#[inline]
fn field<const N: usize>(block: &[u8; CONTROL_BYTES], at: usize) -> [u8; N] {
    *block[at..]
        .first_chunk()
        .expect("a field must lie inside the block")
}

impl ControlView {
    /// Returns the inbound call of the running task, if there is one.
    pub fn running_call(&self) -> Option<u64> {
        (self.progress_call != NO_CALL).then_some(self.progress_call)
    }

    /// Returns false only if the handler of this inbound call was never entered.
    ///
    /// ```
    /// use parigot_abi::control::{CONTROL_BYTES, ControlView};
    ///
    /// let mut view = ControlView::read(&[0; CONTROL_BYTES]);
    /// view.begun = [7, 0];
    /// assert!(view.has_begun(7) && !view.has_begun(8));
    /// assert!(!view.has_begun(1 << 63 | 1), "the number spaces are separate");
    /// ```
    #[inline]
    pub fn has_begun(&self, call: u64) -> bool {
        call <= self.begun[space(call)]
    }

    /// Reads the block again. The numbers of begun calls do not decrease, whatever the guest has
    /// written: a call that has begun may have effects, and its callers must not learn otherwise.
    ///
    /// ```
    /// use parigot_abi::control::{CONTROL_BYTES, ControlView};
    ///
    /// let mut view = ControlView::read(&[0; CONTROL_BYTES]);
    /// view.begun = [7, 1 << 63 | 2];
    /// view.update(&[0; CONTROL_BYTES]);
    /// assert_eq!(view.begun, [7, 1 << 63 | 2]);
    /// ```
    #[inline]
    pub fn update(&mut self, bytes: &[u8; CONTROL_BYTES]) {
        *self = ControlView::read_after(bytes, self.begun);
    }

    /// Reads a copy of the block from the guest's memory.
    #[inline]
    pub fn read(bytes: &[u8; CONTROL_BYTES]) -> Self {
        ControlView::read_after(bytes, [0; 2])
    }

    /// Reads the block; `begun` are the numbers of begun calls so far.
    #[inline(always)]
    fn read_after(bytes: &[u8; CONTROL_BYTES], begun: [u64; 2]) -> Self {
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
            begun: [long(104).max(begun[0]), long(112).max(begun[1])],
        }
    }
}
