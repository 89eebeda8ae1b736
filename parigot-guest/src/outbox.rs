//! Frames that leave.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use parigot_abi::frame::{FRAME_ALIGN, HEADER_BYTES, TooLong};
use parigot_abi::{Control, FrameBuilder, Header};

/// The frames of a turn, one after the other. The control block counts those that are whole.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: RefCell<Vec<u8>>,
    closed: Cell<bool>,
}

impl Outbox {
    /// Empties it, for a new turn.
    pub(crate) fn clear(&self, control: &Control) {
        let mut bytes = self.bytes.borrow_mut();
        bytes.clear();
        commit(control, &bytes);
    }

    /// Appends a frame whose parts after the header, made by `build`, take at most `content_bytes`.
    ///
    /// Once the outbox is closed, frames vanish.
    ///
    /// # Errors
    ///
    /// If the frame would be 4 GiB or longer; then nothing is appended.
    #[inline]
    pub(crate) fn append(
        &self,
        control: &Control,
        header: Header,
        content_bytes: usize,
        build: impl FnOnce(FrameBuilder<'_>) -> FrameBuilder<'_>,
    ) -> Result<(), TooLong> {
        if self.closed.get() {
            return Ok(());
        }
        let mut bytes = self.bytes.borrow_mut();
        let frame_bytes_max = HEADER_BYTES + content_bytes + FRAME_ALIGN;
        if bytes.capacity() - bytes.len() < frame_bytes_max {
            // This may move the frames. From here to the end they stay, so the control block is true all the time.
            bytes.reserve(frame_bytes_max);
            commit(control, &bytes);
        }
        build(FrameBuilder::new(&mut bytes, header)).finish()?;
        commit(control, &bytes);
        Ok(())
    }

    /// Lets nothing leave any more.
    pub(crate) fn close(&self) {
        self.closed.set(true);
    }
}

fn commit(control: &Control, bytes: &[u8]) {
    control.set_outbox(bytes.as_ptr().expose_provenance() as u64, bytes.len() as u64);
}
