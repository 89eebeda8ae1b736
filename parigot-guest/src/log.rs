//! The log. A line is one frame; the host adds the time, the guest and the call.

use core::fmt::{self, Write};

use parigot_abi::frame::Level;
use parigot_abi::{Header, Kind};

use crate::runtime::guest::Guest;

/// Sends a line about the inbound call with this number.
pub(crate) fn write(guest: &Guest, level: Level, call: u64, text: fmt::Arguments<'_>) {
    // Not formatted straight into the outbox: a `Display` of the user may itself make a call or
    // log. A nested line finds an empty buffer here.
    let mut buffer = guest.io.log_text.take();
    if buffer.write_fmt(text).is_err() {
        buffer.push_str(" (a part of the line failed to format)");
    }
    let line = guest.io.cut(&buffer);
    let header = Header {
        number: call,
        status: level as u32,
        ..Header::new(Kind::Log)
    };
    guest.io.send_short(header, None, line.as_bytes());
    buffer.clear();
    guest.io.log_text.replace(buffer);
}

macro_rules! levels {
    ($dollar:tt $($(#[$doc:meta])* $name:ident = $level:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Takes a [`Context`](crate::Context), then the arguments of `format!`.
        #[macro_export]
        macro_rules! $name {
            ($dollar cx:expr, $dollar ($dollar text:tt)+) => {
                $dollar cx.log($crate::Level::$level, ::core::format_args!($dollar ($dollar text)+))
            };
        }
    )*};
}

levels! { $
    /// Logs a failure.
    error = Error;
    /// Logs a possible failure.
    warn = Warn;
    /// Logs an event that users want to see.
    ///
    /// ```
    /// # fn example(cx: &parigot_guest::Context, count: u32) {
    /// parigot_guest::info!(cx, "{count} orders");
    /// # }
    /// ```
    info = Info;
    /// Logs an event that developers want to see.
    debug = Debug;
    /// Logs every other event.
    trace = Trace;
}
