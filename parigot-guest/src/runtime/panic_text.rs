//! The panic text: a message for the host, written without allocating.

use core::cell::Cell;
use core::fmt::{self, Write};

use parigot_abi::Control;

/// Longest text in bytes; the rest is cut off.
const CAPACITY_BYTES: usize = 2048;

/// Buffer that the control block points to. It is part of the guest, so that a panic caused by
/// exhausted memory can still be described.
pub(crate) struct PanicText {
    bytes: [Cell<u8>; CAPACITY_BYTES],
}

impl Default for PanicText {
    fn default() -> Self {
        PanicText {
            bytes: [const { Cell::new(0) }; CAPACITY_BYTES],
        }
    }
}

impl PanicText {
    /// Writes the address and capacity of the buffer to the control block.
    pub(crate) fn announce(&self, control: &Control) {
        control.set_panic_buffer(
            self.bytes.as_ptr().expose_provenance() as u64,
            CAPACITY_BYTES as u64,
        );
    }

    /// Writes a text, and its length to the control block.
    pub(crate) fn write(&self, control: &Control, text: fmt::Arguments<'_>) {
        let mut writer = Writer {
            bytes: &self.bytes,
            written: 0,
        };
        // An error means that the text was cut off.
        let _ = writer.write_fmt(text);
        control.set_panic(writer.written as u64);
    }
}

struct Writer<'a> {
    bytes: &'a [Cell<u8>],
    written: usize,
}

impl Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = &self.bytes[self.written..];
        let fitting = &text[..text.floor_char_boundary(free.len())];
        free.iter()
            .zip(fitting.bytes())
            .for_each(|(cell, byte)| cell.set(byte));
        self.written += fitting.len();
        if fitting.len() == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
