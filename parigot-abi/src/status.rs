//! How a call ends.
//!
//! A reply bears one of the gRPC codes, or, with [`crate::frame::flags::SERVICE_ERROR`], a number of the service's own error
//! enum: the two are never mixed. The *detail* of a reply that failed is
//!
//! | type | field |
//! |---|---|
//! | u32 | the [`Cause`] |
//! | u64, u64 | the instance of the callee, in the wire form of its id; the host sets it, a guest leaves it empty |
//! | | a message in UTF-8, to the detail's end |
//!
//! What a caller may rely on follows from the cause alone: see [`Cause::fate`].

use alloc::borrow::Cow;
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
    /// What happened to a call that ended without a response.
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
        /// No instance of the callee was there to take it.
        Unreachable = 5, "unreachable";
        /// The caller cancelled it.
        Cancelled = 6, "cancelled";
        /// The request is longer than the host lets through.
        TooLarge = 7, "too large";
        /// The callee, or the caller, has as many calls as it may have.
        Overloaded = 8, "overloaded";
        /// The request could not be decoded.
        Undecodable = 9, "undecodable";
        /// The callee has no such method.
        NoSuchMethod = 10, "no such method";
        /// The callee's handler ended it with this status.
        Answered = 11, "answered";
        /// The callee's handler has answered, and the answer did not come through: it is too long, or no message, or there was no room for it.
        AnswerLost = 12, "answer lost";
    }
}

/// What is known of a call that failed: each failure is exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The service has said how it ended: an error of its own, or a status.
    Answered,
    /// It did not run, and never will: making it again does nothing twice.
    Refused,
    /// It may have run, in part or to its end, or still run.
    Unknown,
}

impl Fate {
    /// Its name, as it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Fate::Answered => "answered",
            Fate::Refused => "refused",
            Fate::Unknown => "unknown",
        }
    }
}

impl core::fmt::Display for Fate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl Cause {
    /// What is known of a call that failed for this cause, in all languages. An error of the service's own has no cause, and is
    /// [`Fate::Answered`].
    pub const fn fate(self) -> Fate {
        match self {
            Cause::Answered => Fate::Answered,
            Cause::Unreachable
            | Cause::TooLarge
            | Cause::Overloaded
            | Cause::Undecodable
            | Cause::NoSuchMethod => Fate::Refused,
            Cause::Unspecified
            | Cause::TimedOut
            | Cause::CalleeExited
            | Cause::CalleeKilled
            | Cause::CalleeTrapped
            | Cause::Cancelled
            | Cause::AnswerLost => Fate::Unknown,
        }
    }
}

/// The detail of a reply that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail<'a> {
    /// What happened; a number that this version does not know is read as [`Cause::Unspecified`].
    pub cause: Cause,
    /// The instance of the callee, in the wire form of its id; (0, 0) where there is none.
    pub instance: (u64, u64),
    /// For people.
    pub message: Cow<'a, str>,
}

impl<'a> Detail<'a> {
    /// A detail that names no instance.
    pub const fn new(cause: Cause, message: &'a str) -> Self {
        Detail {
            cause,
            instance: (0, 0),
            message: Cow::Borrowed(message),
        }
    }

    /// Reads it; a detail that is too short is empty, and text that is not UTF-8 is mended: a failure must stay readable.
    pub fn read(bytes: &'a [u8]) -> Self {
        let (cause, rest) = bytes.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let cause = Cause::from_number(u32::from_le_bytes(*cause)).unwrap_or(Cause::Unspecified);
        let (instance, message) = rest.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        let (words, _) = instance.as_chunks();
        let instance = (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]));
        Detail {
            cause,
            instance,
            message: String::from_utf8_lossy(message),
        }
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        20 + self.message.len()
    }

    /// Appends it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.cause.number().to_le_bytes());
        out.extend_from_slice(&self.instance.0.to_le_bytes());
        out.extend_from_slice(&self.instance.1.to_le_bytes());
        out.extend_from_slice(self.message.as_bytes());
    }
}
