//! Parts of a guest's memory, at addresses that the guest names.

use std::ops::Range;

use parigot_abi::control::OUTBOX_COMMITTED_OFFSET;

use crate::error::GuestFault;

/// Returns the range of a part of a guest's memory, checked against the memory's size.
#[inline]
pub(super) fn range(
    memory: &[u8],
    what: &'static str,
    address: u64,
    bytes: u64,
) -> Result<Range<usize>, GuestFault> {
    let end = address
        .checked_add(bytes)
        .and_then(|end| usize::try_from(end).ok());
    // Not `ok_or`: its argument would build and drop a fault on every call.
    match end.filter(|end| *end <= memory.len()) {
        Some(end) => Ok(address as usize..end),
        None => Err(GuestFault::Memory {
            what,
            address,
            bytes,
        }),
    }
}

/// Returns a part of a guest's memory, checked against the memory's size.
#[inline]
pub(super) fn slice<'a>(
    memory: &'a [u8],
    what: &'static str,
    address: u64,
    bytes: u64,
) -> Result<&'a [u8], GuestFault> {
    range(memory, what, address, bytes).map(|range| &memory[range])
}

/// Marks the outbox as empty in the control block.
#[inline]
pub(super) fn empty_outbox(memory: &mut [u8], control: u32) {
    // Safe to index: the caller has found the whole block in the memory, which never shrinks.
    memory[control as usize + OUTBOX_COMMITTED_OFFSET..][..8].fill(0);
}
