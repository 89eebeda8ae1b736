//! Reading a payload from front to back, with errors that name the offset.

use core::fmt;

/// The error of bytes that do not match the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Offset of the error, in bytes from the start of the input.
    pub offset: usize,
    /// The expected content at that offset.
    pub expected: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: expected {}", self.offset, self.expected)
    }
}

impl core::error::Error for Malformed {}

/// A position in bytes that are read from front to back.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Offset of `bytes` in the input.
    base: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor::within(bytes, 0)
    }

    /// Creates a cursor over a part of a larger input. The part begins at offset `base`, and errors
    /// count from the start of the input.
    pub(crate) fn within(bytes: &'a [u8], base: usize) -> Self {
        Cursor { bytes, at: 0, base }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn malformed(&self, expected: &'static str) -> Malformed {
        Malformed {
            offset: self.base + self.at,
            expected,
        }
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        expected: &'static str,
    ) -> Result<[u8; N], Malformed> {
        let array = self.bytes[self.at..]
            .first_chunk::<N>()
            .ok_or(self.malformed(expected))?;
        self.at += N;
        Ok(*array)
    }

    pub(crate) fn u16(&mut self, expected: &'static str) -> Result<u16, Malformed> {
        self.array(expected).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, expected: &'static str) -> Result<u32, Malformed> {
        self.array(expected).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, expected: &'static str) -> Result<u64, Malformed> {
        self.array(expected).map(u64::from_le_bytes)
    }

    /// Reads a `u32` count and that many bytes.
    pub(crate) fn bytes(&mut self, expected: &'static str) -> Result<&'a [u8], Malformed> {
        let start = self.clone();
        let count = self.u32(expected)? as usize;
        let bytes = self.bytes[self.at..]
            .get(..count)
            .ok_or(start.malformed(expected))?;
        self.at += count;
        Ok(bytes)
    }

    /// Reads a `u32` count and that many bytes of UTF-8.
    pub(crate) fn string(&mut self, expected: &'static str) -> Result<&'a str, Malformed> {
        let start = self.clone();
        core::str::from_utf8(self.bytes(expected)?).map_err(|_| start.malformed(expected))
    }

    /// Returns the bytes that were not read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(self.malformed("nothing more"))
        }
    }
}

/// Appends a `u32` count and then the bytes.
///
/// # Panics
///
/// Panics if there are more than `u32::MAX` bytes: no message may be that long.
pub(crate) fn push_bytes(out: &mut alloc::vec::Vec<u8>, bytes: &[u8]) {
    let count = u32::try_from(bytes.len()).expect("a part of a frame must be shorter than 4 GiB");
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(bytes);
}
