//! Writing frames.

use alloc::vec::Vec;

use crate::cursor::push_bytes;
use crate::frame::header::{FRAME_ALIGN, HEADER_BYTES, Header, Lengths, padded};
use crate::status::Detail;

/// Appends a key and its value to metadata in its wire form.
///
/// ```
/// let mut metadata = Vec::new();
/// parigot_abi::frame::push_pair(&mut metadata, "colour", "red");
/// assert_eq!(metadata.len(), 4 + 6 + 4 + 3);
/// ```
///
/// # Panics
///
/// Panics if the key or the value is 4 GiB or longer.
pub fn push_pair(metadata: &mut Vec<u8>, key: &str, value: &str) {
    push_bytes(metadata, key.as_bytes());
    push_bytes(metadata, value.as_bytes());
}

/// Returns true for a metadata key that only the host may set: one that begins with `parigot-`, in
/// any case, because the edge treats keys as HTTP header names.
///
/// ```
/// use parigot_abi::frame::is_reserved_key;
///
/// assert!(is_reserved_key("Parigot-Caller"));
/// assert!(!is_reserved_key("parigot"));
/// ```
pub fn is_reserved_key(key: &str) -> bool {
    const PREFIX: &str = "parigot-";
    key.as_bytes()
        .get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX.as_bytes()))
}

/// A frame whose payload length is known before the payload is encoded, so that the frame can be
/// written in one pass. If the length is not known, use [`FrameBuilder`].
#[derive(Clone, Copy, Debug)]
pub struct Outline<'a> {
    /// The header, without the lengths.
    pub header: Header,
    /// Keys and values, in their wire form.
    pub metadata: &'a [u8],
    /// A [`Detail`] in its wire form.
    pub detail: &'a [u8],
    /// Length of the payload, in bytes.
    pub payload_bytes: usize,
}

impl Outline<'_> {
    /// Returns the length of the frame, in bytes.
    ///
    /// # Errors
    ///
    /// Returns [`TooLong`] if the frame would be 4 GiB or longer.
    ///
    /// ```
    /// use parigot_abi::{Header, Kind, Outline};
    ///
    /// let outline = Outline {
    ///     header: Header::new(Kind::Reply),
    ///     metadata: &[],
    ///     detail: &[],
    ///     payload_bytes: 3,
    /// };
    /// assert_eq!(outline.frame_bytes(), Ok(72));
    /// ```
    #[inline]
    pub fn frame_bytes(&self) -> Result<usize, TooLong> {
        let parts = [
            HEADER_BYTES,
            self.metadata.len(),
            self.detail.len(),
            self.payload_bytes,
        ];
        let content = parts
            .iter()
            .fold(0, |sum: u64, bytes| sum.saturating_add(*bytes as u64));
        let frame_bytes = u32::try_from(padded(content))
            .ok()
            .and_then(|bytes| usize::try_from(bytes).ok());
        frame_bytes.ok_or(TooLong {
            bytes: usize::try_from(content).unwrap_or(usize::MAX),
        })
    }

    /// Writes the frame to `frame`, which must be [`frame_bytes`](Self::frame_bytes) long.
    /// `encode` receives the bytes of the payload to fill.
    ///
    /// # Panics
    ///
    /// Panics if `frame` is shorter.
    // Always inlined: otherwise the header, mostly constants, passes through memory.
    #[inline(always)]
    pub fn write(self, frame: &mut [u8], encode: impl FnOnce(&mut [u8])) {
        let lengths = Lengths {
            frame: frame.len() as u32,
            metadata: self.metadata.len() as u32,
            detail: self.detail.len() as u32,
            payload: self.payload_bytes as u32,
        };
        // The padding is the end of the last word. The parts written below overwrite the other
        // bytes of that word.
        *frame
            .last_chunk_mut()
            .expect("a frame must be longer than a word") = [0; FRAME_ALIGN];
        self.header.write(&lengths, frame);
        let rest = put_part(self.metadata, &mut frame[HEADER_BYTES..]);
        let rest = put_part(self.detail, rest);
        encode(&mut rest[..self.payload_bytes]);
    }
}

/// Writes a part to the front of `rest`, and returns the bytes after the part.
// Most parts are empty, and in wasm a copy of 0 bytes costs time; hence the early return.
#[inline(always)]
fn put_part<'a>(part: &[u8], rest: &'a mut [u8]) -> &'a mut [u8] {
    if part.is_empty() {
        return rest;
    }
    let (place, rest) = rest.split_at_mut(part.len());
    place.copy_from_slice(part);
    rest
}

/// The error of a frame that would be 4 GiB or longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// Length of the frame without padding, in bytes; `usize::MAX` if it does not fit.
    pub bytes: usize,
}

impl core::fmt::Display for TooLong {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "frame of {} bytes: a frame must be shorter than 4 GiB",
            self.bytes
        )
    }
}

impl core::error::Error for TooLong {}

/// Appends one frame to a buffer.
///
/// Add metadata, detail and payload in this order, then call [`FrameBuilder::finish`]. A builder
/// that is dropped before `finish` leaves a partial frame in the buffer, which the caller must
/// truncate. A part added out of order corrupts the frame; debug builds panic.
///
/// ```
/// use parigot_abi::{FrameBuilder, Header, Kind};
///
/// let mut out = Vec::new();
/// FrameBuilder::new(&mut out, Header::new(Kind::Call))
///     .metadata("colour", "red")
///     .payload(b"request")
///     .finish()
///     .unwrap();
/// assert_eq!(out.len() % 8, 0);
/// ```
#[derive(Debug)]
#[must_use = "`finish` writes the frame"]
pub struct FrameBuilder<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    header: Header,
    metadata_end: usize,
    detail_end: usize,
}

impl<'a> FrameBuilder<'a> {
    /// Starts a frame at the end of `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, header: Header) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; HEADER_BYTES]);
        let end = out.len();
        FrameBuilder {
            out,
            start,
            header,
            metadata_end: end,
            detail_end: end,
        }
    }

    /// Adds a key and its value.
    pub fn metadata(self, key: &str, value: &str) -> Self {
        self.assert_no_later_part();
        push_pair(self.out, key, value);
        self.after_metadata()
    }

    /// Adds metadata in its wire form.
    #[inline]
    pub fn metadata_bytes(self, bytes: &[u8]) -> Self {
        self.assert_no_later_part();
        if bytes.is_empty() {
            return self;
        }
        self.out.extend_from_slice(bytes);
        self.after_metadata()
    }

    fn assert_no_later_part(&self) {
        debug_assert_eq!(
            self.out.len(),
            self.metadata_end,
            "the parts of a frame must be added in order"
        );
    }

    #[inline]
    fn after_metadata(mut self) -> Self {
        self.metadata_end = self.out.len();
        self.detail_end = self.out.len();
        self
    }

    /// Sets the detail of a failure.
    pub fn detail(mut self, detail: &Detail<'_>) -> Self {
        self.assert_no_later_part();
        detail.write(self.out);
        self.detail_end = self.out.len();
        self
    }

    /// Sets a detail in its wire form.
    #[inline]
    pub fn detail_bytes(mut self, bytes: &[u8]) -> Self {
        self.assert_no_later_part();
        if bytes.is_empty() {
            return self;
        }
        self.out.extend_from_slice(bytes);
        self.detail_end = self.out.len();
        self
    }

    /// Appends bytes to the payload.
    #[inline]
    pub fn payload(self, bytes: &[u8]) -> Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Lets `encode` append to the payload.
    #[inline]
    pub fn payload_with(self, encode: impl FnOnce(&mut Vec<u8>)) -> Self {
        encode(self.out);
        self
    }

    /// Pads the frame and writes its header.
    ///
    /// # Errors
    ///
    /// Returns [`TooLong`] if the frame would be 4 GiB or longer, and restores the buffer.
    // Always inlined: otherwise the header, mostly constants, passes through memory.
    #[inline(always)]
    pub fn finish(self) -> Result<(), TooLong> {
        let content = self.out.len() - self.start;
        let Ok(frame) = u32::try_from(padded(content as u64)) else {
            self.out.truncate(self.start);
            return Err(TooLong { bytes: content });
        };
        let lengths = Lengths {
            frame,
            metadata: (self.metadata_end - self.start - HEADER_BYTES) as u32,
            detail: (self.detail_end - self.metadata_end) as u32,
            payload: (self.out.len() - self.detail_end) as u32,
        };
        // Not `resize`: in wasm, a fill of a length unknown at compile time is a library call.
        self.out.extend_from_slice(&[0; FRAME_ALIGN]);
        self.out.truncate(self.start + frame as usize);
        self.header.write(&lengths, &mut self.out[self.start..]);
        Ok(())
    }
}
