//! How a call ends.
//!
//! A reply bears one of the gRPC codes, or, with [`crate::frame::flags::SERVICE_ERROR`], a number of the service's own error
//! enum: the two are never mixed. The *detail* of a reply that failed is a `u32` [`Cause`] and then a message in UTF-8.

use alloc::string::String;
use alloc::vec::Vec;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum $name { $($(#[$variant_doc])* $variant = $number,)* }

        impl $name {
            /// The value of that number.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// The number on the wire.
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// Its name, as it is printed.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

codes! {
    /// The codes of gRPC (<https://grpc.io/docs/guides/status-codes/>), with its numbers and meanings.
    Code {
        /// The call was answered.
        Ok = 0, "OK";
        /// The caller cancelled it.
        Cancelled = 1, "CANCELLED";
        /// Nothing better is known.
        Unknown = 2, "UNKNOWN";
        /// The request makes no sense, whatever the state of the service.
        InvalidArgument = 3, "INVALID_ARGUMENT";
        /// It was not answered in time; it may have run.
        DeadlineExceeded = 4, "DEADLINE_EXCEEDED";
        /// What was asked for does not exist.
        NotFound = 5, "NOT_FOUND";
        /// What was to be made exists.
        AlreadyExists = 6, "ALREADY_EXISTS";
        /// The caller may not do that.
        PermissionDenied = 7, "PERMISSION_DENIED";
        /// A bound was reached: a size, a mailbox, a number of calls.
        ResourceExhausted = 8, "RESOURCE_EXHAUSTED";
        /// The system is not in the state that the call needs.
        FailedPrecondition = 9, "FAILED_PRECONDITION";
        /// Given up, mostly for a conflict with another call.
        Aborted = 10, "ABORTED";
        /// Beyond the end of something.
        OutOfRange = 11, "OUT_OF_RANGE";
        /// The callee has no such method.
        Unimplemented = 12, "UNIMPLEMENTED";
        /// The callee broke: a trap, a panic, an answer that is no message.
        Internal = 13, "INTERNAL";
        /// The callee is gone or not to be reached; trying again may help.
        Unavailable = 14, "UNAVAILABLE";
        /// Data was lost.
        DataLoss = 15, "DATA_LOSS";
        /// The caller is not known.
        Unauthenticated = 16, "UNAUTHENTICATED";
    }
}

codes! {
    /// What happened to a call that ended without its callee's answer.
    Cause {
        /// Nobody said.
        Unspecified = 0, "unspecified";
        /// Its deadline passed.
        TimedOut = 1, "timed out";
        /// The callee left while it had the call.
        CalleeExited = 2, "callee exited";
        /// The host killed the callee: it held its thread too long, or grew too big.
        CalleeKilled = 3, "callee killed";
        /// The callee trapped or panicked.
        CalleeTrapped = 4, "callee trapped";
        /// No instance of the callee is there.
        Unreachable = 5, "unreachable";
        /// The caller cancelled it.
        Cancelled = 6, "cancelled";
        /// The message is longer than the host lets through.
        TooLarge = 7, "too large";
        /// The callee has as many calls as it may have.
        Overloaded = 8, "overloaded";
        /// The message could not be decoded.
        Undecodable = 9, "undecodable";
        /// The callee has no such method.
        NoSuchMethod = 10, "no such method";
    }
}

/// The detail of a reply that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// What happened; a number that this version does not know is read as [`Cause::Unspecified`].
    pub cause: Cause,
    /// For people.
    pub message: String,
}

impl Detail {
    /// Reads it; a detail that is too short is empty, and text that is not UTF-8 is mended: a failure must stay readable.
    pub fn read(bytes: &[u8]) -> Self {
        let Some((cause, message)) = bytes.split_first_chunk::<4>() else {
            return Detail { cause: Cause::Unspecified, message: String::new() };
        };
        Detail {
            cause: Cause::from_number(u32::from_le_bytes(*cause)).unwrap_or(Cause::Unspecified),
            message: String::from_utf8_lossy(message).into_owned(),
        }
    }

    /// Appends it to `out`.
    pub fn write(cause: Cause, message: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&cause.number().to_le_bytes());
        out.extend_from_slice(message.as_bytes());
    }
}
