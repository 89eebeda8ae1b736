//! The memory that guest and host share: control block, inbox, outbox and panic text.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, Ref, RefCell};
use core::fmt;

use parigot_abi::frame::{LAUNCH_NUMBER, TooLong};
use parigot_abi::{
    Cause, Code, Control, Detail, Header, Kind, MESSAGE_BYTES_MAX, Outline, Prologue,
};

use crate::runtime::outbox::Outbox;
use crate::runtime::panic_text::PanicText;
use crate::runtime::scope::Scope;

/// The memory that guest and host share. The control block comes first: see
/// [`Guest`](crate::runtime::guest::Guest).
#[repr(C)]
pub(crate) struct Io {
    control: Control,
    panic_text: PanicText,
    inbox: RefCell<Vec<u8>>,
    /// True while the last frame of the inbox is handled.
    pub(crate) is_last_frame: Cell<bool>,
    outbox: Outbox,
    /// Time of this turn.
    clock: Cell<Prologue>,
    /// Deadline of the task that is being polled: the part of its scope that the control block has
    /// no field for.
    deadline_ns: Cell<u64>,
    /// Largest payload in bytes that the host accepts.
    pub(crate) message_bytes_max: Cell<u32>,
    /// Buffer for a log line, whose length is unknown until it is formatted. Kept between lines.
    pub(crate) log_text: RefCell<String>,
}

impl Default for Io {
    fn default() -> Self {
        Io {
            control: Control::new(),
            panic_text: PanicText::default(),
            inbox: RefCell::default(),
            is_last_frame: Cell::new(false),
            outbox: Outbox::default(),
            clock: Cell::new(Prologue {
                monotonic_ns: 0,
                wall_ns: 0,
            }),
            deadline_ns: Cell::new(Scope::NONE.deadline_ns),
            message_bytes_max: Cell::new(MESSAGE_BYTES_MAX),
            log_text: RefCell::default(),
        }
    }
}

/// The turn.
impl Io {
    /// Writes the addresses of the buffers to the control block. Called once, at the final address.
    pub(crate) fn announce(&self) {
        self.panic_text.announce(&self.control);
    }

    /// Grows the inbox to at least `bytes`. Its content is lost.
    pub(crate) fn grow_inbox(&self, bytes: usize) {
        let mut inbox = self.inbox.borrow_mut();
        if inbox.len() < bytes {
            // Not `resize`, which would copy frames that were read already.
            *inbox = alloc::vec![0; bytes];
        }
        self.control.set_inbox(
            inbox.as_mut_ptr().expose_provenance() as u64,
            inbox.len() as u64,
        );
    }

    /// Writes the inbox, as a host does.
    #[cfg(all(feature = "std", not(target_family = "wasm")))]
    pub(crate) fn fill_inbox(&self, bytes: &[u8]) {
        self.grow_inbox(bytes.len());
        self.inbox.borrow_mut()[..bytes.len()].copy_from_slice(bytes);
    }

    /// Returns the frames of the last turn, as a host reads them.
    #[cfg(all(feature = "std", not(target_family = "wasm")))]
    pub(crate) fn sent(&self) -> Vec<u8> {
        self.outbox.sent()
    }

    pub(crate) fn inbox(&self) -> Ref<'_, Vec<u8>> {
        self.inbox.borrow()
    }

    pub(crate) fn clear_outbox(&self) {
        self.outbox.clear(&self.control);
    }

    /// Drops all frames that are sent from now on.
    pub(crate) fn close_outbox(&self) {
        self.outbox.close();
    }

    /// Sets the time, which stands still until the next turn.
    pub(crate) fn set_clock(&self, now: Prologue) {
        self.clock.set(now);
    }

    /// Returns the time since the guest's start, in ns.
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.get().monotonic_ns
    }

    /// Returns the time since 1970-01-01 00:00 UTC, in ns.
    pub(crate) fn wall_ns(&self) -> u64 {
        self.clock.get().wall_ns
    }

    /// Writes the result of a turn to the control block.
    pub(crate) fn end_turn(&self, more: bool, wake_at_ns: u64, polls: u32) {
        self.control.set_turn(more, wake_at_ns, polls.into());
    }

    /// Returns true if the host asks the guest to end the turn after the current poll.
    pub(crate) fn must_yield(&self) -> bool {
        self.control.yield_now()
    }

    /// Sets the scope of the task that is being polled.
    pub(crate) fn enter_scope(&self, scope: Scope) {
        scope.show(&self.control);
        self.deadline_ns.set(scope.deadline_ns);
    }

    /// Tells the host that the handler of an inbound call is about to run.
    #[inline]
    pub(crate) fn begin_call(&self, number: u64) {
        self.control.set_begun(number);
    }

    /// Makes the control block name the call of `scope` in this turn's result.
    pub(crate) fn show_scope(&self, scope: Scope) {
        scope.show(&self.control);
    }

    /// Returns the scope of the task that is being polled.
    pub(crate) fn current_scope(&self) -> Scope {
        Scope::shown(&self.control, self.deadline_ns.get())
    }

    /// Leaves a text for the host, which reads it if the guest fails.
    pub(crate) fn leave_panic_text(&self, text: fmt::Arguments<'_>) {
        self.panic_text.write(&self.control, text);
    }
}

/// Frames that the guest sends.
impl Io {
    /// Sends a frame with a message, which `encode` appends to its argument.
    ///
    /// # Errors
    ///
    /// If the frame would be 4 GiB or longer. Then nothing is sent.
    #[inline]
    pub(crate) fn send(
        &self,
        outline: Outline<'_>,
        encode: impl FnOnce(&mut &mut [u8]),
    ) -> Result<(), TooLong> {
        self.outbox.append(&self.control, outline, |mut payload| {
            encode(&mut payload);
            assert!(
                payload.is_empty(),
                "a message must be as long as its announced length"
            );
        })
    }

    /// Sends a frame with an optional detail and a payload. Not for messages of the user: the frame
    /// must be shorter than 4 GiB.
    pub(crate) fn send_short(&self, header: Header, detail: Option<Detail<'_>>, payload: &[u8]) {
        self.send_parts(header, &[], detail, payload);
    }

    /// Sends a frame as [`Io::send_short`] does, with metadata in its wire form.
    ///
    /// Out of line, because frames of calls are sent by [`Io::send`].
    #[inline(never)]
    pub(crate) fn send_parts(
        &self,
        header: Header,
        metadata: &[u8],
        detail: Option<Detail<'_>>,
        payload: &[u8],
    ) {
        let mut detail_bytes = Vec::new();
        if let Some(detail) = &detail {
            detail_bytes.reserve(detail.bytes());
            detail.write(&mut detail_bytes);
        }
        let outline = Outline {
            header,
            metadata,
            detail: &detail_bytes,
            payload_bytes: payload.len(),
        };
        let sent = self.outbox.append(&self.control, outline, |place| {
            place.copy_from_slice(payload)
        });
        sent.expect("a frame without a message of the user must be shorter than 4 GiB");
    }

    /// Sends a frame that is only a header.
    #[cold]
    pub(crate) fn send_bare(&self, header: Header) {
        self.send_short(header, None, &[]);
    }

    /// Asks the host to launch the guest.
    pub(crate) fn request_launch(&self) {
        self.send_bare(Header::new(Kind::Launch));
    }

    /// Tells the host that the guest can serve calls.
    pub(crate) fn confirm_launch(&self) {
        self.send_bare(Header {
            number: LAUNCH_NUMBER,
            ..Header::new(Kind::Reply)
        });
    }

    /// Answers a call, or the launch, with a failure.
    ///
    /// Out of line like everything that builds failures, to keep handlers small.
    #[cold]
    pub(crate) fn reply_failure(&self, number: u64, code: Code, cause: Cause, message: &str) {
        let header = Header {
            number,
            status: code.number(),
            ..Header::new(Kind::Reply)
        };
        self.send_short(header, Some(Detail::new(cause, self.cut(message))), &[]);
    }

    /// Cuts a text to the largest payload that the host accepts.
    pub(crate) fn cut<'a>(&self, text: &'a str) -> &'a str {
        &text[..text.floor_char_boundary(self.message_bytes_max.get() as usize)]
    }
}
