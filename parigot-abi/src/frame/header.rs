//! The fixed part of a frame.

use crate::frame::kind::Kind;

/// Size of a header, in bytes.
pub const HEADER_BYTES: usize = 64;
/// Alignment of frames, in bytes: each starts and ends at a multiple of this number.
pub const FRAME_ALIGN: usize = 8;
/// The `deadline_ns` of a call without a deadline.
pub const NO_DEADLINE: u64 = u64::MAX;
/// The number of a guest's reply to [`Kind::Launched`]; incoming calls are numbered from 1.
pub const LAUNCH_NUMBER: u64 = 0;

/// The fields of a header, without the lengths. Fields that a kind does not use are 0, and the
/// deadline is [`NO_DEADLINE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The kind's number; see [`Kind::from_number`].
    pub kind: u16,
    /// See [`flags`](crate::frame::flags).
    pub flags: u16,
    /// The number of the call.
    pub number: u64,
    /// The service: a handle or an index.
    pub service: u32,
    /// The index of the method in the service.
    pub method: u32,
    /// Code, error number, level or exit status.
    pub status: u32,
    /// The deadline on the guest's monotonic clock, in nanoseconds.
    pub deadline_ns: u64,
    /// The high and the low half of an id.
    pub id: (u64, u64),
}

impl Header {
    /// Creates a header of a kind with all other fields unset.
    ///
    /// ```
    /// use parigot_abi::{Header, Kind};
    ///
    /// let header = Header { number: 7, ..Header::new(Kind::Cancel) };
    /// assert_eq!(header.deadline_ns, parigot_abi::frame::NO_DEADLINE);
    /// ```
    pub const fn new(kind: Kind) -> Self {
        Header {
            kind: kind as u16,
            flags: 0,
            number: 0,
            service: 0,
            method: 0,
            status: 0,
            deadline_ns: NO_DEADLINE,
            id: (0, 0),
        }
    }

    /// Returns the header as words of 8 bytes.
    // Fields are combined in registers before the store. A processor that later loads a word
    // stored in parts stalls until each partial store has completed.
    #[inline]
    fn to_words(self, lengths: &Lengths) -> [u64; HEADER_BYTES / 8] {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        [
            pair(
                u32::from(self.kind) | u32::from(self.flags) << 16,
                lengths.frame,
            ),
            self.number,
            pair(self.service, self.method),
            pair(self.status, lengths.metadata),
            pair(lengths.detail, lengths.payload),
            self.deadline_ns,
            self.id.0,
            self.id.1,
        ]
    }

    /// Writes the header to the start of `frame`.
    #[inline(always)]
    pub(crate) fn write(self, lengths: &Lengths, frame: &mut [u8]) {
        let head = frame
            .first_chunk_mut::<HEADER_BYTES>()
            .expect("a frame must have room for its header");
        let (words, _) = head.as_chunks_mut::<8>();
        for (bytes, word) in words.iter_mut().zip(self.to_words(lengths)) {
            *bytes = word.to_le_bytes();
        }
    }
}

/// The lengths in a header, in bytes.
pub(crate) struct Lengths {
    pub(crate) frame: u32,
    pub(crate) metadata: u32,
    pub(crate) detail: u32,
    pub(crate) payload: u32,
}

/// Rounds up to a multiple of [`FRAME_ALIGN`].
#[inline]
pub(crate) const fn padded(bytes: u64) -> u64 {
    (bytes + FRAME_ALIGN as u64 - 1) & !(FRAME_ALIGN as u64 - 1)
}
