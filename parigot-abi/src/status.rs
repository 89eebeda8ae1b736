//! The end of a call: code, cause, fate and detail.
//!
//! The status of a reply is a gRPC code or, with [`crate::frame::flags::SERVICE_ERROR`], a number
//! of the service's error enum, never both. The *detail* of a failed reply is
//!
//! | type | field |
//! |---|---|
//! | u32 | the [`Cause`] |
//! | u64, u64 | id of the callee's instance, in its wire form; only the host sets the id |
//! | string | a message for people |
//! | u32 | number of details for programs |
//! | details | string: full name of a message type; bytes: the message |
//!
//! A detail has at most [`DETAIL_BYTES_MAX`] bytes. A service error may have a detail too, whose
//! cause is [`Cause::Answered`].
//!
//! The cause alone determines the [`Fate`] of the call: see [`Cause::fate`].

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::cursor::{Cursor, push_bytes};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $number:literal, $text:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum $name { $($(#[$variant_doc])* $variant = $number,)* }

        impl $name {
            /// Returns the value with that number, or `None` if this version has none.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// Returns the number on the wire.
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// Returns the name, as it is printed.
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
    /// The status codes of gRPC (<https://grpc.io/docs/guides/status-codes/>), with their numbers
    /// and meanings.
    Code {
        /// The call succeeded.
        Ok = 0, "OK";
        /// The caller cancelled the call.
        Cancelled = 1, "CANCELLED";
        /// No other code describes the failure.
        Unknown = 2, "UNKNOWN";
        /// The request is invalid, regardless of the state of the service.
        InvalidArgument = 3, "INVALID_ARGUMENT";
        /// The call was not answered before its deadline; the call may have run.
        DeadlineExceeded = 4, "DEADLINE_EXCEEDED";
        /// The requested entity does not exist.
        NotFound = 5, "NOT_FOUND";
        /// The entity to be created exists.
        AlreadyExists = 6, "ALREADY_EXISTS";
        /// The caller is not permitted to make this call.
        PermissionDenied = 7, "PERMISSION_DENIED";
        /// A limit was reached: a size, a mailbox, a number of calls.
        ResourceExhausted = 8, "RESOURCE_EXHAUSTED";
        /// The system is not in the state that the call requires.
        FailedPrecondition = 9, "FAILED_PRECONDITION";
        /// The call was aborted, usually because of a conflict with another call.
        Aborted = 10, "ABORTED";
        /// The request exceeds the valid range.
        OutOfRange = 11, "OUT_OF_RANGE";
        /// The callee has no such method.
        Unimplemented = 12, "UNIMPLEMENTED";
        /// The callee failed: a trap, a panic, or a malformed response.
        Internal = 13, "INTERNAL";
        /// The callee is gone or unreachable; a retry may succeed.
        Unavailable = 14, "UNAVAILABLE";
        /// Data was lost.
        DataLoss = 15, "DATA_LOSS";
        /// The caller is not authenticated.
        Unauthenticated = 16, "UNAUTHENTICATED";
    }
}

codes! {
    /// The reason why a call ended without a response.
    Cause {
        /// No cause was given.
        Unspecified = 0, "unspecified";
        /// The deadline passed.
        TimedOut = 1, "timed out";
        /// The callee exited before it answered.
        CalleeExited = 2, "callee exited";
        /// The host killed the callee: it exceeded its time budget or its memory limit.
        CalleeKilled = 3, "callee killed";
        /// The callee trapped or panicked.
        CalleeTrapped = 4, "callee trapped";
        /// No instance of the callee could receive the call.
        Unreachable = 5, "unreachable";
        /// The caller cancelled the call.
        Cancelled = 6, "cancelled";
        /// The request exceeds the host's limit on messages.
        TooLarge = 7, "too large";
        /// The callee or the caller has reached its limit of outstanding calls, or the callee is
        /// so busy that the call would begin too late.
        Overloaded = 8, "overloaded";
        /// The request could not be decoded.
        Undecodable = 9, "undecodable";
        /// The callee has no such method.
        NoSuchMethod = 10, "no such method";
        /// The callee's handler returned this status.
        Answered = 11, "answered";
        /// The callee's handler answered, but the response was lost: too long, malformed, or
        /// without room in a buffer.
        AnswerLost = 12, "answer lost";
        /// The deadline passed before the call began.
        Expired = 13, "expired";
    }
}

/// The knowledge about the effects of a failed call. Every failure has exactly one fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The service answered, with an error of its enum or with a status.
    Answered,
    /// The call did not run and never will, so that a retry cannot run it twice.
    Refused,
    /// The call may have run, in part or completely, or may still run.
    Unknown,
}

impl Fate {
    /// Returns the name, as it is printed.
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
    /// Returns the fate of a call that failed for this cause. All SDKs use the same table. An error
    /// of the service's enum has no cause, and its fate is [`Fate::Answered`].
    ///
    /// ```
    /// use parigot_abi::{Cause, Fate};
    ///
    /// assert_eq!(Cause::Overloaded.fate(), Fate::Refused);
    /// assert_eq!(Cause::TimedOut.fate(), Fate::Unknown);
    /// ```
    pub const fn fate(self) -> Fate {
        match self {
            Cause::Answered => Fate::Answered,
            Cause::Unreachable
            | Cause::TooLarge
            | Cause::Overloaded
            | Cause::Undecodable
            | Cause::NoSuchMethod
            | Cause::Expired => Fate::Refused,
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

/// Limit on a [`Detail`] in its wire form, in bytes: 8 KiB, because a detail travels in HTTP
/// headers, where many proxies have this limit.
pub const DETAIL_BYTES_MAX: usize = 8 << 10;

/// Size of a detail without text and without details, in bytes.
const DETAIL_BYTES_MIN: usize = 4 + 16 + 4 + 4;

/// The detail of a failed reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail<'a> {
    /// The cause; numbers unknown to this version are read as [`Cause::Unspecified`].
    pub cause: Cause,
    /// Id of the callee's instance, in its wire form; (0, 0) if there is none.
    pub instance: (u64, u64),
    /// A message for people.
    pub message: Cow<'a, str>,
    /// Messages for programs, in the callee's order.
    pub details: Vec<ErrorDetail<'a>>,
}

/// A message that describes an error to programs: a `google.protobuf.Any`, as gRPC's error details
/// are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDetail<'a> {
    /// Full name of the message's type, `google.rpc.ErrorInfo`.
    pub type_name: Cow<'a, str>,
    /// The message in its wire form.
    pub value: &'a [u8],
}

impl ErrorDetail<'_> {
    /// Returns the length of the wire form, in bytes.
    fn bytes(&self) -> usize {
        8 + self.type_name.len() + self.value.len()
    }
}

impl<'a> Detail<'a> {
    /// Creates a detail without an instance and without details for programs.
    pub const fn new(cause: Cause, message: &'a str) -> Self {
        Detail {
            cause,
            instance: (0, 0),
            message: Cow::Borrowed(message),
            details: Vec::new(),
        }
    }

    /// Reads a detail. Every input gives a detail, so that a failure stays readable: a part that is
    /// missing is empty, a text that is cut off is read as far as it goes, and invalid UTF-8 is
    /// replaced. The list ends before the first entry that is cut off.
    ///
    /// ```
    /// use parigot_abi::{Cause, Detail};
    ///
    /// let mut bytes = Vec::new();
    /// Detail::new(Cause::TimedOut, "late").write(&mut bytes);
    /// assert_eq!(Detail::read(&bytes).message, "late");
    /// ```
    pub fn read(bytes: &'a [u8]) -> Self {
        let mut rest = bytes;
        let cause = take(&mut rest).map_or(0, u32::from_le_bytes);
        let instance = take::<16>(&mut rest).unwrap_or([0; 16]);
        let (words, _) = instance.as_chunks();
        let message = take_counted(&mut rest);
        let mut details = Vec::new();
        // The vector grows with the entries in the input, not with the announced count.
        for _ in 0..take(&mut rest).map_or(0, u32::from_le_bytes) {
            let Some(detail) = take_error_detail(&mut rest) else {
                break;
            };
            details.push(detail);
        }
        Detail {
            cause: Cause::from_number(cause).unwrap_or(Cause::Unspecified),
            instance: (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])),
            message: String::from_utf8_lossy(message),
            details,
        }
    }

    /// Returns the length of the wire form, in bytes; at most [`DETAIL_BYTES_MAX`].
    pub fn bytes(&self) -> usize {
        let (text, details) = self.fitting();
        let details: usize = details.iter().map(ErrorDetail::bytes).sum();
        DETAIL_BYTES_MIN + text.len() + details
    }

    /// Appends the wire form to `out`. A detail longer than [`DETAIL_BYTES_MAX`] is shortened: it
    /// keeps the first entries that fit, and then as much of the text as fits.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (text, details) = self.fitting();
        out.extend_from_slice(&self.cause.number().to_le_bytes());
        out.extend_from_slice(&self.instance.0.to_le_bytes());
        out.extend_from_slice(&self.instance.1.to_le_bytes());
        push_bytes(out, text.as_bytes());
        // At most 1024 entries fit.
        out.extend_from_slice(&(details.len() as u32).to_le_bytes());
        for detail in details {
            push_bytes(out, detail.type_name.as_bytes());
            push_bytes(out, detail.value);
        }
    }

    /// Returns the text and the entries that fit in [`DETAIL_BYTES_MAX`].
    fn fitting(&self) -> (&str, &[ErrorDetail<'a>]) {
        let mut room = DETAIL_BYTES_MAX - DETAIL_BYTES_MIN;
        let mut count = 0;
        for detail in &self.details {
            let Some(left) = room.checked_sub(detail.bytes()) else {
                break;
            };
            room = left;
            count += 1;
        }
        let text = &self.message[..self.message.floor_char_boundary(room)];
        (text, &self.details[..count])
    }
}

/// Removes the first `N` bytes from `rest`. If there are fewer, `rest` becomes empty.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = match rest.split_first_chunk::<N>() {
        Some((first, behind)) => (Some(*first), behind),
        None => (None, &[][..]),
    };
    *rest = behind;
    first
}

/// Removes a `u32` count and that many bytes from `rest`, or as many as there are.
fn take_counted<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let count = take(rest).map_or(0, u32::from_le_bytes) as usize;
    let (bytes, behind) = rest.split_at(count.min(rest.len()));
    *rest = behind;
    bytes
}

/// Removes an entry of the list from `rest`. Returns `None` if the entry is cut off.
fn take_error_detail<'a>(rest: &mut &'a [u8]) -> Option<ErrorDetail<'a>> {
    let mut cursor = Cursor::new(rest);
    let type_name = cursor.bytes("a type name").ok()?;
    let value = cursor.bytes("a message").ok()?;
    *rest = cursor.rest();
    Some(ErrorDetail {
        type_name: String::from_utf8_lossy(type_name),
        value,
    })
}
