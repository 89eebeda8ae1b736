//! The log: one line a frame; the host adds who and when.

use core::fmt::{self, Write};

use parigot_abi::frame::Level;
use parigot_abi::{Header, Kind};

use crate::runtime::guest::Guest;

/// Sends a line about that inbound call.
pub(crate) fn write(guest: &Guest, level: Level, call: u64, text: fmt::Arguments<'_>) {
    // Not straight into the outbox: a `Display` of the user's may itself call or log. That one finds an empty buffer.
    let mut buffer = guest.log_text.take();
    if buffer.write_fmt(text).is_err() {
        buffer.push_str(" (and a part that failed to print)");
    }
    let line = guest.cut(&buffer);
    let header = Header {
        number: call,
        status: level as u32,
        ..Header::new(Kind::Log)
    };
    guest.send_short(header, None, line.as_bytes());
    buffer.clear();
    guest.log_text.replace(buffer);
}

macro_rules! levels {
    ($dollar:tt $($(#[$doc:meta])* $name:ident = $level:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Takes a context and then what `format!` takes.
        #[macro_export]
        macro_rules! $name {
            ($dollar cx:expr, $dollar ($dollar text:tt)+) => {
                $dollar cx.log($crate::Level::$level, ::core::format_args!($dollar ($dollar text)+))
            };
        }
    )*};
}

levels! { $
    /// Logs that something failed.
    error = Error;
    /// Logs that something may fail.
    warn = Warn;
    /// Logs what people want to know.
    info = Info;
    /// Logs what developers want to know.
    debug = Debug;
    /// Logs everything else.
    trace = Trace;
}
