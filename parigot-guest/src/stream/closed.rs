//! Errors of sinks.

use core::fmt;

use parigot_abi::Code;

use crate::failure::Failure;
use crate::status::Status;

/// The stream takes no more items, because its call has ended or is cancelled.
///
/// In a handler, `?` converts it to the failure `CANCELLED`. At a caller, the result of the call
/// tells why the call has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream is closed: its call has ended")
    }
}

impl core::error::Error for Closed {}

impl From<Closed> for Status {
    fn from(closed: Closed) -> Self {
        Status::new(Code::Cancelled, alloc::format!("{closed}"))
    }
}

impl<E> From<Closed> for Failure<E> {
    fn from(closed: Closed) -> Self {
        Failure::Status(closed.into())
    }
}

/// An item that `try_send` did not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// The receiver must take items first. `ready` waits for that.
    Full(T),
    /// The stream takes no more items.
    Closed(T),
}

impl<T> TrySendError<T> {
    /// Returns the item.
    pub fn into_item(self) -> T {
        match self {
            TrySendError::Full(item) | TrySendError::Closed(item) => item,
        }
    }

    /// Returns true if the item may be sent later.
    pub fn is_full(&self) -> bool {
        matches!(self, TrySendError::Full(_))
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrySendError::Full(_) => f.write_str("the stream is full: its receiver is behind"),
            TrySendError::Closed(_) => fmt::Display::fmt(&Closed, f),
        }
    }
}

impl<T: fmt::Debug> core::error::Error for TrySendError<T> {}
