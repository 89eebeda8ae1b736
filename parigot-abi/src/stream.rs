//! Streams: the frames of a call whose method streams, and credit.
//!
//! A call of a method that streams is a call as any other, from its [`Kind::Call`] to its one
//! [`Kind::Reply`], with frames in between:
//!
//! | frame | from | payload |
//! |---|---|---|
//! | `Call` | caller | the request; empty if requests stream |
//! | `Open` | callee | none; the metadata holds headers. At most one, before the first item |
//! | `Item` | both | one message |
//! | `Credit` | both | a [`Credit`] |
//! | `End` | caller | none: the caller sends no more items |
//! | `Reply` | callee | the response; empty if responses stream |
//! | `Cancel` | caller | none |
//!
//! [`StreamFrame::read`] checks the frames that only streams have.
//!
//! # Order and end
//!
//! The frames of a call arrive in the order in which they were sent. The callee may reply before
//! the requests have ended; the caller then sends no more. A reply is the only end of a call: a
//! stream of responses without a successful reply is incomplete. A stream of requests is complete
//! with its `End`, so a caller that stops before the end cancels the call. Frames of a call that
//! has ended are ignored.
//!
//! # Credit
//!
//! A sender of items counts the items of a stream and their payload bytes. It may send an item if
//! [`Credit::permits`] says so: while at least one item and one byte are left. So one item may
//! exceed the bytes, or no item could be longer than the first window. The host ends a guest that
//! sends an item without credit.
//!
//! Each stream begins with [`Credit::INITIAL`], of which no frame tells. The receiver of the items
//! extends it by `Credit` frames, which hold totals since the call began: of several credits the
//! highest counts, so that none can be doubled or lost. The difference of the credit and the
//! consumed items is the *window*, at most [`Credit::WINDOW_MAX`]. A receiver grants for items that
//! its code has taken, never for those that wait in a queue. The host may pass on less than was
//! granted, and the rest later.

use crate::cursor::{Cursor, Malformed};
use crate::frame::{Frame, Kind, flags};

/// Numbers of items and of their payload bytes, since the call began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credit {
    /// Items.
    pub items: u64,
    /// Payload bytes of the items.
    pub bytes: u64,
}

impl Credit {
    /// Credit of each stream when its call begins: 4 items and 4 KiB.
    pub const INITIAL: Credit = Credit {
        items: 4,
        bytes: 4 << 10,
    };
    /// Largest window: 256 items and 1 MiB.
    pub const WINDOW_MAX: Credit = Credit {
        items: 256,
        bytes: 1 << 20,
    };

    /// Reads the payload of a [`Kind::Credit`] frame: u64 items, u64 bytes.
    ///
    /// # Errors
    ///
    /// Returns [`Malformed`] if the payload has not 16 bytes.
    ///
    /// ```
    /// use parigot_abi::Credit;
    ///
    /// let credit = Credit::read(&Credit::INITIAL.to_bytes());
    /// assert_eq!(credit, Ok(Credit::INITIAL));
    /// ```
    pub fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(payload);
        let items = cursor.u64("a number of items")?;
        let bytes = cursor.u64("a number of bytes")?;
        cursor.end()?;
        Ok(Credit { items, bytes })
    }

    /// Returns the wire form.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.items.to_le_bytes());
        bytes[8..].copy_from_slice(&self.bytes.to_le_bytes());
        bytes
    }

    /// Reports whether a sender with this credit may send an item after it has sent `sent`.
    ///
    /// ```
    /// use parigot_abi::Credit;
    ///
    /// let sent = Credit { items: 3, bytes: 4095 };
    /// assert!(Credit::INITIAL.permits(sent), "an item of any size");
    /// assert!(!Credit::INITIAL.permits(sent.with_item(1)));
    /// ```
    pub const fn permits(self, sent: Credit) -> bool {
        sent.items < self.items && sent.bytes < self.bytes
    }

    /// Returns the numbers with one more item of that size.
    #[must_use]
    pub const fn with_item(self, payload_bytes: usize) -> Self {
        Credit {
            items: self.items.saturating_add(1),
            bytes: self.bytes.saturating_add(payload_bytes as u64),
        }
    }

    /// Returns the higher number of each.
    #[must_use]
    pub fn max(self, other: Credit) -> Self {
        Credit {
            items: self.items.max(other.items),
            bytes: self.bytes.max(other.bytes),
        }
    }
}

/// A frame that only streams have, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFrame<'a> {
    /// The number of the call.
    pub number: u64,
    /// True if the frame travels from the caller to the callee: [`flags::TO_CALLEE`].
    pub is_to_callee: bool,
    /// The content.
    pub content: StreamContent<'a>,
}

/// Content of a [`StreamFrame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamContent<'a> {
    /// One message.
    Item(&'a [u8]),
    /// The receiver of the frame may have sent so much.
    Credit(Credit),
    /// The caller sends no more items.
    End,
}

impl<'a> StreamFrame<'a> {
    /// Reads a frame of the kind [`Kind::Item`], [`Kind::Credit`] or [`Kind::End`].
    ///
    /// # Errors
    ///
    /// Returns [`Malformed`] if the kind is another one, or if the frame has parts that its kind
    /// has not. The offset counts from the start of the frame.
    pub fn read(frame: &Frame<'a>) -> Result<Self, Malformed> {
        let check = |is_so: bool, offset: usize, expected: &'static str| {
            if is_so {
                Ok(())
            } else {
                Err(Malformed { offset, expected })
            }
        };
        let is_to_callee = frame.header.flags & flags::TO_CALLEE != 0;
        let content = match frame.kind() {
            Some(Kind::Item) => StreamContent::Item(frame.payload),
            Some(Kind::Credit) => {
                let is_credit = frame.payload.len() == 16;
                check(is_credit, 36, "a credit of 16 bytes")?;
                StreamContent::Credit(Credit::read(frame.payload)?)
            }
            Some(Kind::End) => {
                check(is_to_callee, 2, "an end that travels to the callee")?;
                check(frame.payload.is_empty(), 36, "an end without a payload")?;
                StreamContent::End
            }
            _ => {
                return Err(Malformed {
                    offset: 0,
                    expected: "an item, a credit or an end",
                });
            }
        };
        check(frame.metadata.is_empty(), 28, "no metadata in a stream")?;
        check(frame.detail.is_empty(), 32, "no detail in a stream")?;
        Ok(StreamFrame {
            number: frame.header.number,
            is_to_callee,
            content,
        })
    }
}
