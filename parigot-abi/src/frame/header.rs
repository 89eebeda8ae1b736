//! The fixed part of a frame.

use crate::frame::kind::Kind;

/// Size of a header, in bytes.
pub const HEADER_BYTES: usize = 64;
/// Frames start and end at multiples of this.
pub const FRAME_ALIGN: usize = 8;
/// `deadline_ns` of a call that sets none.
pub const NO_DEADLINE: u64 = u64::MAX;
/// The number under which a guest answers [`Kind::Launched`]; calls that arrive are numbered from 1.
pub const LAUNCH_NUMBER: u64 = 0;

/// What a header says besides lengths. Fields that a kind does not use are 0, the deadline [`NO_DEADLINE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The kind's number; [`Kind::from_number`] tells if this version knows it.
    pub kind: u16,
    /// See [`flags`](crate::frame::flags).
    pub flags: u16,
    /// Which call.
    pub number: u64,
    /// Which service.
    pub service: u32,
    /// Which of its methods.
    pub method: u32,
    /// Code, error number, level or exit status.
    pub status: u32,
    /// On the guest's monotonic clock.
    pub deadline_ns: u64,
    /// The high and the low half of an id.
    pub id: (u64, u64),
}

impl Header {
    /// A header of that kind, everything else unset.
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

    /// The header in words of 8 bytes. Fields are put together before they are stored, since a processor that copies a word
    /// which was stored in parts waits for each of them.
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

    /// Writes the header of a frame that begins where `frame` does.
    #[inline(always)]
    pub(crate) fn write(self, lengths: &Lengths, frame: &mut [u8]) {
        let head = frame
            .first_chunk_mut::<HEADER_BYTES>()
            .expect("a frame has room for its header");
        let (words, _) = head.as_chunks_mut::<8>();
        for (bytes, word) in words.iter_mut().zip(self.to_words(lengths)) {
            *bytes = word.to_le_bytes();
        }
    }
}

pub(crate) struct Lengths {
    pub(crate) frame: u32,
    pub(crate) metadata: u32,
    pub(crate) detail: u32,
    pub(crate) payload: u32,
}

/// The next multiple of [`FRAME_ALIGN`].
#[inline]
pub(crate) const fn padded(bytes: u64) -> u64 {
    (bytes + FRAME_ALIGN as u64 - 1) & !(FRAME_ALIGN as u64 - 1)
}
