//! Writing frames.

use alloc::vec::Vec;

use crate::cursor::push_bytes;
use crate::frame::header::{FRAME_ALIGN, HEADER_BYTES, Header, Lengths, padded};
use crate::status::Detail;

/// Appends a key and its value to metadata in its wire form.
///
/// # Panics
///
/// If one of them is 4 GiB or longer.
pub fn push_pair(metadata: &mut Vec<u8>, key: &str, value: &str) {
    push_bytes(metadata, key.as_bytes());
    push_bytes(metadata, value.as_bytes());
}

/// A frame that is to be written in one go by someone who knows how long its payload will be. Where that is not known,
/// [`FrameBuilder`] measures what it is given.
#[derive(Clone, Copy, Debug)]
pub struct Outline<'a> {
    /// What the header says besides lengths.
    pub header: Header,
    /// Keys and values, in their wire form.
    pub metadata: &'a [u8],
    /// A [`Detail`] in its wire form.
    pub detail: &'a [u8],
    /// How long the payload will be.
    pub payload_bytes: usize,
}

impl Outline<'_> {
    /// How long the frame will be, in bytes.
    ///
    /// # Errors
    ///
    /// If that is 4 GiB or more.
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

    /// Writes the frame to `frame`, which is as long as [`frame_bytes`](Self::frame_bytes) says; `encode` gets the place of the payload.
    ///
    /// # Panics
    ///
    /// If `frame` is shorter.
    // Always inlined: else the header, mostly constants, travels by way of memory.
    #[inline(always)]
    pub fn write(self, frame: &mut [u8], encode: impl FnOnce(&mut [u8])) {
        let lengths = Lengths {
            frame: frame.len() as u32,
            metadata: self.metadata.len() as u32,
            detail: self.detail.len() as u32,
            payload: self.payload_bytes as u32,
        };
        // The padding is the end of the last word. What else that holds is written over it.
        *frame
            .last_chunk_mut()
            .expect("a frame is longer than a word") = [0; FRAME_ALIGN];
        self.header.write(&lengths, frame);
        let rest = put_part(self.metadata, &mut frame[HEADER_BYTES..]);
        let rest = put_part(self.detail, rest);
        encode(&mut rest[..self.payload_bytes]);
    }
}

/// Writes a part to the front of `rest`, and returns what follows it. Most are empty, and copying nothing takes a while in wasm.
#[inline(always)]
fn put_part<'a>(part: &[u8], rest: &'a mut [u8]) -> &'a mut [u8] {
    if part.is_empty() {
        return rest;
    }
    let (place, rest) = rest.split_at_mut(part.len());
    place.copy_from_slice(part);
    rest
}

/// A frame that would be 4 GiB or longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// How long, in bytes.
    pub bytes: usize,
}

impl core::fmt::Display for TooLong {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "a frame of {} bytes, and its length is a u32",
            self.bytes
        )
    }
}

impl core::error::Error for TooLong {}

/// Appends one frame to a buffer: metadata, detail and payload in this order, then [`FrameBuilder::finish`].
///
/// Dropped before that, it leaves a part of a frame behind: the caller truncates. A part that comes too late makes a frame
/// of something else; debug builds panic.
#[derive(Debug)]
#[must_use = "a frame is written by `finish`"]
pub struct FrameBuilder<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    header: Header,
    metadata_end: usize,
    detail_end: usize,
}

impl<'a> FrameBuilder<'a> {
    /// Begins a frame at the end of `out`.
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

    /// Adds metadata that is in its wire form already.
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
            "a part of a frame comes after the one that follows it"
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

    /// Sets a detail that is in its wire form already.
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

    /// Adds to the payload.
    #[inline]
    pub fn payload(self, bytes: &[u8]) -> Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Adds to the payload what `encode` appends.
    #[inline]
    pub fn payload_with(self, encode: impl FnOnce(&mut Vec<u8>)) -> Self {
        encode(self.out);
        self
    }

    /// Pads the frame and writes its header.
    ///
    /// # Errors
    ///
    /// If it would be 4 GiB or longer; then `out` is as it was before.
    // Always inlined: else the header, mostly constants, travels by way of memory.
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
        // Not `resize`: a fill of a length that is not known is a call out of wasm.
        self.out.extend_from_slice(&[0; FRAME_ALIGN]);
        self.out.truncate(self.start + frame as usize);
        self.header.write(&lengths, &mut self.out[self.start..]);
        Ok(())
    }
}
