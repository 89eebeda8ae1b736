//! Reading frames.

use alloc::vec::Vec;

use crate::cursor::{Cursor, Malformed};
use crate::frame::header::{HEADER_BYTES, Header, Lengths, padded};
use crate::frame::kind::{Kind, flags};

/// A frame in the bytes that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The fixed part.
    pub header: Header,
    /// Keys and values: see [`Frame::metadata_pairs`].
    pub metadata: &'a [u8],
    /// See [`Detail`].
    pub detail: &'a [u8],
    /// The message.
    pub payload: &'a [u8],
    /// All of it, from the header to the padding.
    pub bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Appends the same frame under another header. What stands behind the header is copied in one piece.
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

    /// What it is, if this version knows it.
    #[inline]
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.header.kind)
    }

    /// The keys and values. After an error there is nothing more; offsets count from the start of the frame.
    pub fn metadata_pairs(&self) -> Pairs<'a> {
        Pairs::new(self.metadata)
    }

    /// What stands behind the header, in bytes, without padding: what a limit on messages counts.
    #[inline]
    pub fn content_bytes(&self) -> usize {
        self.metadata.len() + self.detail.len() + self.payload.len()
    }

    /// Where the payload begins, in bytes from the start of the frame.
    pub(crate) fn payload_offset(&self) -> usize {
        HEADER_BYTES + self.metadata.len() + self.detail.len()
    }
}

/// The keys and values of a frame's metadata.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    cursor: Cursor<'a>,
    failed: bool,
}

impl<'a> Pairs<'a> {
    /// Those of metadata in its wire form.
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

/// The frames of an inbox or outbox, one after the other. Nothing is copied; after an error there is nothing more.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    /// The frames that `bytes` consists of.
    pub fn new(bytes: &'a [u8]) -> Self {
        Frames { bytes, at: 0 }
    }

    /// Where the next frame begins, in bytes.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Always inlined: a frame is a dozen fields of which a reader needs a few, and none by way of memory.
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
        let long = |at: usize| u64::from_le_bytes(field(head, at));

        let flags = u16::from_le_bytes(field(head, 2));
        if flags & !flags::KNOWN != 0 {
            return Err(malformed(2, "flags of this version"));
        }
        let frame_bytes = word(4) as usize;
        if frame_bytes > rest.len() {
            return Err(malformed(4, "a frame that ends where the bytes end"));
        }
        let (metadata, detail, payload) = (word(28) as u64, word(32) as u64, word(36) as u64);
        let content = HEADER_BYTES as u64 + metadata + detail + payload;
        if padded(content) != frame_bytes as u64 {
            return Err(malformed(4, "the sum of the frame's parts, padded to 8"));
        }
        // The sum is no larger than `rest`, so each part is a usize and lies inside.
        let bytes = &rest[..frame_bytes];
        let (metadata, rest) = bytes[HEADER_BYTES..].split_at(metadata as usize);
        let (detail, rest) = rest.split_at(detail as usize);
        let payload = &rest[..payload as usize];
        // The padding is the end of the last word, which is one load and no loop.
        let last = u64::from_le_bytes(*bytes.last_chunk().expect("a header is longer"));
        if last.leading_zeros() < 8 * (frame_bytes as u32 - content as u32) {
            return Err(malformed(content as usize, "zeros up to the frame's end"));
        }
        let header = Header {
            kind: u16::from_le_bytes(field(head, 0)),
            flags,
            number: long(8),
            service: word(16),
            method: word(20),
            status: word(24),
            deadline_ns: long(40),
            id: (long(48), long(56)),
        };
        self.at += frame_bytes;
        Ok(Frame {
            header,
            metadata,
            detail,
            payload,
            bytes,
        })
    }
}

/// `N` bytes of a header. A slice and not byte by byte, so that it becomes one load.
#[inline(always)]
fn field<const N: usize>(head: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    *head[at..]
        .first_chunk()
        .expect("a field lies inside of the header")
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
