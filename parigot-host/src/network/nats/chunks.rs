//! Chunked transfer of bodies too large for one NATS message.

use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use parigot_abi::id::{CallId, HostId};

use super::envelope::{Body, Chunk, Lengths};

/// Limit for the received bytes of bodies in transfer to a process; one for requests and one for
/// replies.
pub(super) const TRANSFER_BYTES_MAX: usize = 64 << 20;
/// Limit for the number of bodies in transfer to a process.
pub(super) const TRANSFERS_MAX: usize = 1 << 10;
/// Longest time without a chunk before a transfer is dropped. Without this limit a lost peer would
/// hold memory until the deadline of the call. A full send buffer ahead of a chunk needs less time
/// if the sender reaches 3 MB per second.
pub(super) const STALL_MAX: Duration = Duration::from_secs(30);

/// Splits a body into chunks of at most `bytes_max` bytes.
pub(super) fn split(body: &Bytes, bytes_max: usize) -> impl Iterator<Item = Chunk> {
    let starts = (0..body.len()).step_by(bytes_max.max(1));
    (0..).zip(starts).map(move |(number, start)| {
        let end = (start + bytes_max).min(body.len());
        Chunk {
            number,
            bytes: body.slice(start..end),
        }
    })
}

/// Bodies with missing chunks, each with the header of its message.
///
/// Memory is allocated as chunks arrive, and the limit counts the bytes that have arrived. If the
/// limit counted the announced bytes, a few announcements without chunks would block all others.
pub(super) struct Transfers<T> {
    transfers: HashMap<u128, Transfer<T>>,
    /// Sum of the bytes received so far.
    received_bytes: usize,
}

struct Transfer<T> {
    id: TransferId,
    lengths: Lengths,
    /// Bytes of the chunks received so far.
    bytes: Vec<u8>,
    next_number: u32,
    last_chunk_ns: u64,
    deadline_ns: u64,
    header: T,
}

/// Call of a body and host of its sender. The id of a call is no secret, so a chunk of any other
/// host must not be added.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransferId {
    pub(super) call: CallId,
    pub(super) host: HostId,
}

/// Error of a transfer beyond the limit for their number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TransfersFull;

/// State of a transfer after a chunk.
#[derive(Debug, PartialEq)]
pub(super) enum TransferProgress<T> {
    /// More chunks must follow.
    Partial,
    Whole(T, Body),
    /// The chunk is out of order or exceeds the announced size. The transfer has failed.
    Broken(T),
    /// The chunk exceeds the limit for all transfers. The transfer has failed.
    Full(T),
    /// There is no transfer of that host and call.
    Unknown,
}

impl<T> Transfers<T> {
    pub(super) fn new() -> Self {
        Transfers {
            transfers: HashMap::new(),
            received_bytes: 0,
        }
    }

    /// Starts a transfer that may last until the deadline of its call.
    ///
    /// # Errors
    ///
    /// If the transfer would exceed the limit for the number of transfers.
    pub(super) fn begin(
        &mut self,
        id: TransferId,
        lengths: Lengths,
        deadline_ns: u64,
        now_ns: u64,
        header: T,
    ) -> Result<(), TransfersFull> {
        if self.transfers.len() >= TRANSFERS_MAX {
            return Err(TransfersFull);
        }
        // A repeated announcement starts over.
        self.remove(id.call);
        let transfer = Transfer {
            id,
            lengths,
            bytes: Vec::new(),
            next_number: 0,
            last_chunk_ns: now_ns,
            deadline_ns,
            header,
        };
        self.transfers.insert(id.call.key(), transfer);
        Ok(())
    }

    /// Adds a chunk to its transfer.
    pub(super) fn add(
        &mut self,
        id: TransferId,
        chunk: &Chunk,
        now_ns: u64,
    ) -> TransferProgress<T> {
        let transfer = self.transfers.get_mut(&id.call.key());
        let Some(transfer) = transfer.filter(|transfer| transfer.id.host == id.host) else {
            return TransferProgress::Unknown;
        };
        let bytes = transfer.bytes.len() + chunk.bytes.len();
        let total_bytes = transfer.lengths.bytes();
        // Empty chunks would keep a transfer alive without progress.
        if chunk.number != transfer.next_number || chunk.bytes.is_empty() || bytes > total_bytes {
            let removed = self.remove(id.call);
            return removed.map_or(TransferProgress::Unknown, |transfer| {
                TransferProgress::Broken(transfer.header)
            });
        }
        if self.received_bytes + chunk.bytes.len() > TRANSFER_BYTES_MAX {
            let removed = self.remove(id.call);
            return removed.map_or(TransferProgress::Unknown, |transfer| {
                TransferProgress::Full(transfer.header)
            });
        }
        self.received_bytes += chunk.bytes.len();
        transfer.bytes.extend_from_slice(&chunk.bytes);
        transfer.next_number += 1;
        transfer.last_chunk_ns = now_ns;
        if bytes < total_bytes {
            return TransferProgress::Partial;
        }
        let removed = self.remove(id.call);
        removed.map_or(TransferProgress::Unknown, |transfer| {
            let body = Body {
                lengths: transfer.lengths,
                bytes: transfer.bytes.into(),
            };
            TransferProgress::Whole(transfer.header, body)
        })
    }

    /// Drops the transfer of a call and returns its header.
    pub(super) fn drop_of(&mut self, call: CallId) -> Option<T> {
        self.remove(call).map(|transfer| transfer.header)
    }

    /// Drops transfers that are past the deadline or stalled, and returns their calls.
    pub(super) fn expire(&mut self, now_ns: u64) -> Vec<CallId> {
        let expired: Vec<_> = self
            .transfers
            .extract_if(|_, transfer| {
                let silent_ns = now_ns.saturating_sub(transfer.last_chunk_ns);
                transfer.deadline_ns <= now_ns || silent_ns >= STALL_MAX.as_nanos() as u64
            })
            .map(|(_, transfer)| transfer)
            .collect();
        self.received_bytes -= expired
            .iter()
            .map(|transfer| transfer.bytes.len())
            .sum::<usize>();
        expired
            .into_iter()
            .map(|transfer| transfer.id.call)
            .collect()
    }

    /// Returns the headers of all transfers.
    pub(super) fn headers(&self) -> impl Iterator<Item = &T> {
        self.transfers.values().map(|transfer| &transfer.header)
    }

    fn remove(&mut self, call: CallId) -> Option<Transfer<T>> {
        let transfer = self.transfers.remove(&call.key())?;
        self.received_bytes -= transfer.bytes.len();
        Some(transfer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;
    const FAR_NS: u64 = u64::MAX;

    fn id(number: u128) -> TransferId {
        TransferId {
            call: CallId::from_random(number),
            host: HostId::from_random(1),
        }
    }

    fn lengths(bytes: usize) -> Lengths {
        Body::of(&[], &[], &vec![0; bytes]).unwrap().lengths
    }

    fn chunk(number: u32, bytes: usize) -> Chunk {
        Chunk {
            number,
            bytes: vec![0; bytes].into(),
        }
    }

    /// Creates transfers with one of 100 bytes.
    fn one_transfer() -> Transfers<()> {
        let mut transfers = Transfers::new();
        transfers.begin(id(1), lengths(100), FAR_NS, 0, ()).unwrap();
        transfers
    }

    #[test]
    fn chunks_make_up_the_split_body() {
        let whole = Body::of(b"meta", b"", b"payload").unwrap();
        let mut transfers = Transfers::new();
        transfers
            .begin(id(1), whole.lengths, FAR_NS, 0, "header")
            .unwrap();
        let mut chunks: Vec<_> = split(&whole.bytes, 4).collect();
        let sizes: Vec<_> = chunks.iter().map(|chunk| chunk.bytes.len()).collect();
        assert_eq!(sizes, [4, 4, 3]);
        let last = chunks.pop().unwrap();
        for chunk in &chunks {
            assert_eq!(transfers.add(id(1), chunk, 0), TransferProgress::Partial);
        }
        assert_eq!(
            transfers.add(id(1), &last, 0),
            TransferProgress::Whole("header", whole)
        );
        assert_eq!(transfers.add(id(1), &last, 0), TransferProgress::Unknown);
        assert_eq!(transfers.received_bytes, 0);
    }

    #[test]
    fn an_invalid_chunk_ends_the_transfer() {
        let invalid: [&[Chunk]; 4] = [
            &[chunk(1, 1)],
            &[chunk(0, 1), chunk(0, 1)],
            &[chunk(0, 101)],
            &[chunk(0, 0)],
        ];
        for chunks in invalid {
            let mut transfers = one_transfer();
            let progress: Vec<_> = chunks
                .iter()
                .map(|chunk| transfers.add(id(1), chunk, 0))
                .collect();
            assert_eq!(
                progress.last(),
                Some(&TransferProgress::Broken(())),
                "{chunks:?}"
            );
            assert_eq!(transfers.received_bytes, 0);
            assert_eq!(transfers.headers().count(), 0);
        }
    }

    #[test]
    fn chunks_of_another_host_are_ignored() {
        let mut transfers = one_transfer();
        let other = TransferId {
            host: HostId::from_random(2),
            ..id(1)
        };
        assert_eq!(
            transfers.add(other, &chunk(0, 100), 0),
            TransferProgress::Unknown
        );
    }

    #[test]
    fn only_received_bytes_count_towards_the_limit() {
        let mut transfers = Transfers::new();
        let most = TRANSFER_BYTES_MAX;
        for number in 1..=10 {
            transfers
                .begin(id(number), lengths(most), FAR_NS, 0, ())
                .unwrap();
        }
        let partial = TransferProgress::Partial;
        assert_eq!(transfers.add(id(1), &chunk(0, most / 2), 0), partial);
        assert_eq!(transfers.add(id(2), &chunk(0, most / 2), 0), partial);
        let full = TransferProgress::Full(());
        assert_eq!(transfers.add(id(3), &chunk(0, 1), 0), full);
        assert_eq!(transfers.headers().count(), 9);
        // The end of a transfer makes room for another.
        transfers.drop_of(id(1).call).unwrap();
        assert_eq!(transfers.add(id(4), &chunk(0, most / 2), 0), partial);
        assert_eq!(transfers.expire(FAR_NS).len(), 8);
        assert_eq!(transfers.received_bytes, 0);
    }

    #[test]
    fn the_number_of_transfers_is_limited() {
        let mut transfers = Transfers::new();
        let most = TRANSFERS_MAX as u128;
        let mut begin = |number| transfers.begin(id(number), lengths(1), FAR_NS, 0, ());
        assert!((1..=most).all(|number| begin(number).is_ok()));
        assert_eq!(begin(most + 1), Err(TransfersFull));
    }

    #[test]
    fn a_transfer_ends_at_its_deadline_or_when_stalled() {
        let stall_ns = STALL_MAX.as_nanos() as u64;
        let mut transfers = Transfers::new();
        for (number, deadline_ns) in [(1, 5 * SECOND_NS), (2, FAR_NS), (3, FAR_NS)] {
            transfers
                .begin(id(number), lengths(10), deadline_ns, 0, ())
                .unwrap();
        }
        assert_eq!(transfers.expire(5 * SECOND_NS - 1), []);
        assert_eq!(transfers.expire(5 * SECOND_NS), [id(1).call]);
        assert_eq!(
            transfers.add(id(3), &chunk(0, 1), 20 * SECOND_NS),
            TransferProgress::Partial
        );
        assert_eq!(transfers.expire(stall_ns), [id(2).call]);
        assert_eq!(transfers.expire(20 * SECOND_NS + stall_ns), [id(3).call]);
        assert_eq!(transfers.received_bytes, 0);
    }
}
