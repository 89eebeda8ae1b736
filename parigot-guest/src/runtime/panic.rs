//! The last words of a guest that breaks: a text in a buffer that is there from the start, written without allocating.

use core::cell::Cell;
use core::fmt::{self, Write};

use parigot_abi::Control;

/// How long a text may be; the rest is cut off.
const CAPACITY_BYTES: usize = 2048;

/// The buffer that the control block names.
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
    /// Tells the host where it is.
    pub(crate) fn announce(&self, control: &Control) {
        control.set_panic_buffer(
            self.bytes.as_ptr().expose_provenance() as u64,
            CAPACITY_BYTES as u64,
        );
    }

    /// Writes a text and says how long it is.
    pub(crate) fn write(&self, control: &Control, text: fmt::Arguments<'_>) {
        let mut writer = Writer {
            bytes: &self.bytes,
            written: 0,
        };
        // An error says that the text was cut off.
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
        let room = &self.bytes[self.written..];
        let fitting = &text[..text.floor_char_boundary(room.len())];
        room.iter()
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

/// Sees to it that panics leave a text.
#[cfg(feature = "std")]
pub(crate) fn install_hook() {
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(alloc::boxed::Box::new(move |info| {
            if let Some(location) = info.location() {
                let message = info.payload_as_str().unwrap_or("a value that is no text");
                crate::turn::leave_panic_text(format_args!("panicked at {location}: {message}"));
            }
            previous(info);
        }));
    });
}

/// Without std there is no hook: the panic handler leaves the text, this crate's or the user's.
#[cfg(not(feature = "std"))]
pub(crate) fn install_hook() {}

#[cfg(all(
    feature = "panic-handler",
    not(feature = "std"),
    target_family = "wasm"
))]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    if let Some(location) = info.location() {
        crate::turn::leave_panic_text(format_args!("panicked at {location}: {}", info.message()));
    }
    core::arch::wasm32::unreachable()
}
