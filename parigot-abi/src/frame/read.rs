//! Reading frames.

use alloc::vec::Vec;

use crate::cursor::{Cursor, Malformed};
use crate::frame::header::{HEADER_BYTES, Header, Lengths, padded};
use crate::frame::kind::{Kind, flags};

/// A frame, borrowed from the bytes that hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The fixed part.
    pub header: Header,
    /// Keys and values: see [`Frame::metadata_pairs`].
    pub metadata: &'a [u8],
    /// A [`Detail`](crate::Detail) in its wire form.
    pub detail: &'a [u8],
    /// The message.
    pub payload: &'a [u8],
    /// The whole frame, from the header to the padding.
    pub bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Appends the same frame with another header to `out`.
    // One copy of the whole frame and then the header is cheaper than a copy of each part.
    #[inline]
    pub fn pass_on(&self, header: Header, out: &mut Vec<u8>) {
        let [metadata, detail, payload] =
            [self.metadata, self.detail, self.payload].map(|part| part.len() as u32);
        let lengths = Lengths {
            frame: self.bytes.len() as u32,
            metadata,
            detail,
            payload,
        };
        let start = out.len();
        out.extend_from_slice(self.bytes);
        header.write(&lengths, &mut out[start..]);
    }

    /// Returns the frame's kind, or `None` if this version does not know the kind.
    #[inline]
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.header.kind)
    }

    /// Returns an iterator over the keys and values of the metadata.
    ///
    /// The iterator ends after an error. Offsets in errors count from the start of the frame.
    pub fn metadata_pairs(&self) -> Pairs<'a> {
        Pairs::new(self.metadata)
    }

    /// Returns the size of metadata, detail and payload, in bytes, without the padding. Limits on
    /// messages apply to this size.
    #[inline]
    pub fn content_bytes(&self) -> usize {
        self.metadata.len() + self.detail.len() + self.payload.len()
    }

    /// Returns the offset of the payload from the start of the frame, in bytes.
    pub(crate) fn payload_offset(&self) -> usize {
        HEADER_BYTES + self.metadata.len() + self.detail.len()
    }
}

/// Iterator over the keys and values of a frame's metadata.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    cursor: Cursor<'a>,
    failed: bool,
}

impl<'a> Pairs<'a> {
    /// Creates an iterator over metadata in its wire form.
    ///
    /// ```
    /// use parigot_abi::frame::{Pairs, push_pair};
    ///
    /// let mut metadata = Vec::new();
    /// push_pair(&mut metadata, "colour", "red");
    /// assert_eq!(Pairs::new(&metadata).next(), Some(Ok(("colour", "red"))));
    /// ```
    pub fn new(metadata: &'a [u8]) -> Self {
        Pairs {
            cursor: Cursor::within(metadata, HEADER_BYTES),
            failed: false,
        }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<(&'a str, &'a str), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.cursor.is_at_end() {
            return None;
        }
        let key = self.cursor.string("a metadata key");
        let pair = key.and_then(|key| Ok((key, self.cursor.string("a metadata value")?)));
        self.failed = pair.is_err();
        Some(pair)
    }
}

/// Iterator over the consecutive frames of an inbox or outbox. It copies nothing and ends after an
/// error.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    /// Creates an iterator over the frames in `bytes`.
    ///
    /// ```
    /// use parigot_abi::{FrameBuilder, Frames, Header, Kind};
    ///
    /// let mut bytes = Vec::new();
    /// FrameBuilder::new(&mut bytes, Header::new(Kind::Call))
    ///     .payload(b"request")
    ///     .finish()
    ///     .unwrap();
    /// let frame = Frames::new(&bytes).next().unwrap().unwrap();
    /// assert_eq!(frame.kind(), Some(Kind::Call));
    /// assert_eq!(frame.payload, b"request");
    /// ```
    pub fn new(bytes: &'a [u8]) -> Self {
        Frames { bytes, at: 0 }
    }

    /// Returns the offset of the next frame, in bytes.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Reads the next frame.
    // Always inlined: a frame has a dozen fields, a caller needs a few of them, and after inlining
    // none passes through memory.
    #[inline(always)]
    fn read(&mut self) -> Result<Frame<'a>, Malformed> {
        let malformed = |field: usize, expected| Malformed {
            offset: self.at + field,
            expected,
        };
        let rest = &self.bytes[self.at..];
        let head = rest
            .first_chunk::<HEADER_BYTES>()
            .ok_or(malformed(0, "a header of 64 bytes"))?;
        let word = |at: usize| u32::from_le_bytes(field(head, at));

        let flags = u16::from_le_bytes(field(head, 2));
        if flags & !flags::KNOWN != 0 {
            return Err(malformed(2, "only flags of this version"));
        }
        let frame_bytes = word(4) as usize;
        if frame_bytes > rest.len() {
            return Err(malformed(4, "a length within the remaining bytes"));
        }
        let metadata_bytes = word(28) as u64;
        let detail_bytes = word(32) as u64;
        let payload_bytes = word(36) as u64;
        let content = HEADER_BYTES as u64 + metadata_bytes + detail_bytes + payload_bytes;
        if padded(content) != frame_bytes as u64 {
            return Err(malformed(4, "the sum of the frame's parts, padded to 8"));
        }
        // The sum is at most `rest.len()`, so each length fits a usize and each part lies inside.
        let bytes = &rest[..frame_bytes];
        let (metadata, after_metadata) = bytes[HEADER_BYTES..].split_at(metadata_bytes as usize);
        let (detail, after_detail) = after_metadata.split_at(detail_bytes as usize);
        let payload = &after_detail[..payload_bytes as usize];
        // The padding is the end of the last word, so one load checks it without a loop.
        let last = u64::from_le_bytes(
            *bytes
                .last_chunk()
                .expect("a frame must be longer than a word"),
        );
        if last.leading_zeros() < 8 * (frame_bytes as u32 - content as u32) {
            return Err(malformed(content as usize, "zeros up to the frame's end"));
        }
        self.at += frame_bytes;
        Ok(Frame {
            header: read_header(head, flags),
            metadata,
            detail,
            payload,
            bytes,
        })
    }
}

/// Reads the fields of a header whose flags were read and checked before.
#[inline(always)]
fn read_header(head: &[u8; HEADER_BYTES], flags: u16) -> Header {
    let word = |at: usize| u32::from_le_bytes(field(head, at));
    let long = |at: usize| u64::from_le_bytes(field(head, at));
    Header {
        kind: u16::from_le_bytes(field(head, 0)),
        flags,
        number: long(8),
        service: word(16),
        method: word(20),
        status: word(24),
        deadline_ns: long(40),
        id: (long(48), long(56)),
    }
}

/// Returns `N` bytes of a header.
// A slice operation compiles to one load; a loop over bytes does not.
#[inline(always)]
fn field<const N: usize>(head: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    *head[at..]
        .first_chunk()
        .expect("a field must lie inside the header")
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.bytes.len() {
            return None;
        }
        let frame = self.read();
        if frame.is_err() {
            self.at = self.bytes.len();
        }
        Some(frame)
    }
}
