//! Replacements of std's printing macros.
//!
//! A wasm guest has no standard output, so the output of std's macros disappears. Import these
//! macros instead; they have the same arguments:
//!
//! ```
//! use parigot_guest::{dbg, eprintln, println};
//!
//! println!("{} orders", dbg!(1 + 1));
//! ```
//!
//! Deny the clippy lints `print_stdout`, `print_stderr` and `dbg_macro`, which report std's macros.

use core::fmt;

use parigot_abi::frame::Level;

use crate::log;
use crate::runtime::current;

/// Logs a text as a line of the guest whose turn is running. Natively and outside of a turn, the
/// text goes to standard output or standard error.
#[doc(hidden)]
pub fn line(level: Level, text: fmt::Arguments<'_>) {
    let logged = current::with_current(|guest| {
        log::write(guest, level, guest.current().number, text);
    });
    if logged.is_none() {
        print_outside_of_a_turn(level, text);
    }
}

#[cfg(feature = "std")]
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "outside of a turn there is no log"
)]
fn print_outside_of_a_turn(level: Level, text: fmt::Arguments<'_>) {
    if level == Level::Error {
        std::eprintln!("{text}");
    } else {
        std::println!("{text}");
    }
}

/// Does nothing: a guest without std has no output outside of a turn.
#[cfg(not(feature = "std"))]
fn print_outside_of_a_turn(_: Level, _: fmt::Arguments<'_>) {}

/// Logs a line at the level INFO, where std's macro prints to standard output.
///
/// Takes the arguments of `format!`. [`info!`](crate::info) also names the call of its context.
#[macro_export]
macro_rules! println {
    () => { $crate::print::line($crate::Level::Info, ::core::format_args!("")) };
    ($($text:tt)+) => {
        $crate::print::line($crate::Level::Info, ::core::format_args!($($text)+))
    };
}

/// Logs a line at the level ERROR, where std's macro prints to standard error.
///
/// Takes the arguments of `format!`.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::print::line($crate::Level::Error, ::core::format_args!("")) };
    ($($text:tt)+) => {
        $crate::print::line($crate::Level::Error, ::core::format_args!($($text)+))
    };
}

/// Logs an expression with its value and its position in the source at the level INFO, and returns
/// the value.
#[macro_export]
macro_rules! dbg {
    ($value:expr $(,)?) => {
        match $value {
            value => {
                $crate::print::line(
                    $crate::Level::Info,
                    ::core::format_args!(
                        "[{}:{}:{}] {} = {:#?}",
                        ::core::file!(),
                        ::core::line!(),
                        ::core::column!(),
                        ::core::stringify!($value),
                        &value
                    ),
                );
                value
            }
        }
    };
    ($($value:expr),+ $(,)?) => { ($($crate::dbg!($value)),+,) };
}
