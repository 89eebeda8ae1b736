//! Payloads, as prost reads them.

use prost::bytes::{Buf, Bytes};

/// The bytes of a message that lie in one piece.
///
/// A slice would do, but prost reads a `bytes` field by way of [`Buf::copy_to_bytes`], which for a slice goes through a buffer
/// that could grow: 200 instructions more for each call with such a field.
pub(crate) struct Payload<'a>(pub(crate) &'a [u8]);

impl Buf for Payload<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.0
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.0 = &self.0[count..];
    }

    #[inline]
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        Bytes::copy_from_slice(taken)
    }
}
