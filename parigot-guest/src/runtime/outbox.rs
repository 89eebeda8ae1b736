//! The outbox: frames that the guest sends in this turn.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use parigot_abi::frame::TooLong;
use parigot_abi::{Control, Outline};

/// The frames of a turn, one after the other. The control block counts the bytes of whole frames.
#[derive(Default)]
pub(crate) struct Outbox {
    /// Frames, followed by free space. All of it is initialised, so that frames are written in
    /// place without a bounds check for each byte.
    bytes: RefCell<Vec<u8>>,
    /// End of the last frame.
    end: Cell<usize>,
    closed: Cell<bool>,
}

impl Outbox {
    /// Removes all frames, for a new turn.
    pub(crate) fn clear(&self, control: &Control) {
        self.end.set(0);
        control.set_committed(0);
    }

    /// Appends a frame whose payload `encode` writes. Once the outbox is closed, frames are
    /// dropped.
    ///
    /// # Errors
    ///
    /// If the frame would be 4 GiB or longer. Then nothing is appended.
    #[inline]
    pub(crate) fn append(
        &self,
        control: &Control,
        outline: Outline<'_>,
        encode: impl FnOnce(&mut [u8]),
    ) -> Result<(), TooLong> {
        if self.closed.get() {
            return Ok(());
        }
        let frame_bytes = outline.frame_bytes()?;
        let mut bytes = self.bytes.borrow_mut();
        let start = self.end.get();
        if bytes.len() - start < frame_bytes {
            make_room(&mut bytes, start, frame_bytes, control);
        }
        let end = start + frame_bytes;
        outline.write(&mut bytes[start..end], encode);
        self.end.set(end);
        // Last, so that a trap while encoding leaves only whole frames for the host to read.
        control.set_committed(end as u64);
        Ok(())
    }

    /// Returns the frames so far.
    #[cfg(all(feature = "std", not(target_family = "wasm")))]
    pub(crate) fn sent(&self) -> Vec<u8> {
        self.bytes.borrow()[..self.end.get()].into()
    }

    /// Drops all frames that are appended from now on.
    pub(crate) fn close(&self) {
        self.closed.set(true);
    }
}

/// Grows the buffer by at least `frame_bytes` behind the frames that end at `end`.
#[cold]
fn make_room(bytes: &mut Vec<u8>, end: usize, frame_bytes: usize, control: &Control) {
    bytes.reserve(end + frame_bytes - bytes.len());
    bytes.resize(bytes.capacity(), 0);
    // The frames may have moved.
    control.set_outbox(bytes.as_ptr().expose_provenance() as u64, end as u64);
}
