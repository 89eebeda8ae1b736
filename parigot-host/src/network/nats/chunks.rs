//! Chunked transfer of bodies too large for one NATS message.

use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use parigot_abi::id::{CallId, HostId};

use super::envelope::{Body, Chunk, Lengths};

/// Limit for the bodies in transfer to a process, in bytes.
pub(super) const TRANSFER_BYTES_MAX: usize = 64 << 20;
/// Limit for the number of bodies in transfer to a process.
const TRANSFERS_MAX: usize = 1 << 10;
/// Longest time without a chunk before a transfer is dropped. Without this limit a lost peer would
/// hold memory until the deadline of the call. A full send buffer ahead of a chunk needs less time
/// if the sender reaches 3 MB per second.
pub(super) const STALL_MAX: Duration = Duration::from_secs(30);

/// Splits a body into chunks of at most `most` bytes.
pub(super) fn cut(body: &Bytes, most: usize) -> impl Iterator<Item = Chunk> {
    let starts = (0..body.len()).step_by(most.max(1));
    (0..).zip(starts).map(move |(number, start)| {
        let end = (start + most).min(body.len());
        Chunk {
            number,
            bytes: body.slice(start..end),
        }
    })
}

/// Bodies with missing chunks, each with the data needed once the body is complete.
///
/// Memory is allocated as chunks arrive; the limit counts the announced bytes.
pub(super) struct Transfers<T> {
    under_way: HashMap<u128, Transfer<T>>,
    /// Sum of the announced sizes.
    announced_bytes: usize,
}

struct Transfer<T> {
    sender: Sender,
    lengths: Lengths,
    bytes: Vec<u8>,
    next: u32,
    heard_ns: u64,
    deadline_ns: u64,
    head: T,
}

/// Sender of a body: the call and the host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub(super) call: CallId,
    pub(super) host: HostId,
}

/// Error of a transfer beyond the limits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// State of a transfer after a chunk.
#[derive(Debug, PartialEq)]
pub(super) enum TransferProgress<T> {
    /// More chunks must follow.
    Partial,
    Whole(T, Body),
    /// The chunk differs from the announcement, so the transfer has failed.
    Broken(T),
    /// There is no transfer of that host and call.
    Unknown,
}

impl<T> Transfers<T> {
    pub(super) fn new() -> Self {
        Transfers {
            under_way: HashMap::new(),
            announced_bytes: 0,
        }
    }

    /// Starts a transfer that may last until the deadline of its call.
    pub(super) fn begin(
        &mut self,
        sender: Sender,
        lengths: Lengths,
        deadline_ns: u64,
        now_ns: u64,
        head: T,
    ) -> Result<(), Full> {
        let announced_bytes = self.announced_bytes + lengths.bytes();
        if announced_bytes > TRANSFER_BYTES_MAX || self.under_way.len() >= TRANSFERS_MAX {
            return Err(Full);
        }
        self.forget(sender.call);
        self.announced_bytes += lengths.bytes();
        let transfer = Transfer {
            sender,
            lengths,
            bytes: Vec::new(),
            next: 0,
            heard_ns: now_ns,
            deadline_ns,
            head,
        };
        self.under_way.insert(sender.call.key(), transfer);
        Ok(())
    }

    pub(super) fn add(
        &mut self,
        Sender { call, host }: Sender,
        piece: &Chunk,
        now_ns: u64,
    ) -> TransferProgress<T> {
        let Some(transfer) = self
            .under_way
            .get_mut(&call.key())
            .filter(|transfer| transfer.sender.host == host)
        else {
            return TransferProgress::Unknown;
        };
        let bytes = transfer.bytes.len() + piece.bytes.len();
        if piece.number != transfer.next
            || piece.bytes.is_empty()
            || bytes > transfer.lengths.bytes()
        {
            return self
                .forget(call)
                .map_or(TransferProgress::Unknown, |transfer| {
                    TransferProgress::Broken(transfer.head)
                });
        }
        transfer.bytes.extend_from_slice(&piece.bytes);
        transfer.next += 1;
        transfer.heard_ns = now_ns;
        if bytes < transfer.lengths.bytes() {
            return TransferProgress::Partial;
        }
        let whole = |Transfer {
                         lengths,
                         bytes,
                         head,
                         ..
                     }| {
            TransferProgress::Whole(
                head,
                Body {
                    lengths,
                    bytes: bytes.into(),
                },
            )
        };
        self.forget(call).map_or(TransferProgress::Unknown, whole)
    }

    /// Drops the transfer of a call and frees its memory.
    pub(super) fn drop_of(&mut self, call: CallId) -> Option<T> {
        self.forget(call).map(|transfer| transfer.head)
    }

    /// Drops transfers that are past the deadline or stalled, and returns their calls.
    pub(super) fn expire(&mut self, now_ns: u64) -> Vec<CallId> {
        let is_over = |transfer: &Transfer<T>| {
            let silent_ns = now_ns.saturating_sub(transfer.heard_ns);
            transfer.deadline_ns <= now_ns || silent_ns >= STALL_MAX.as_nanos() as u64
        };
        let expired: Vec<_> = self
            .under_way
            .extract_if(|_, transfer| is_over(transfer))
            .collect();
        self.announced_bytes -= expired
            .iter()
            .map(|(_, transfer)| transfer.lengths.bytes())
            .sum::<usize>();
        expired
            .into_iter()
            .map(|(_, transfer)| transfer.sender.call)
            .collect()
    }

    /// Returns the data kept for each transfer.
    pub(super) fn heads(&self) -> impl Iterator<Item = &T> {
        self.under_way.values().map(|transfer| &transfer.head)
    }

    fn forget(&mut self, call: CallId) -> Option<Transfer<T>> {
        let transfer = self.under_way.remove(&call.key())?;
        self.announced_bytes -= transfer.lengths.bytes();
        Some(transfer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;
    const FAR_NS: u64 = u64::MAX;

    fn sender(number: u128) -> Sender {
        Sender {
            call: CallId::from_random(number),
            host: HostId::from_random(1),
        }
    }

    fn lengths(bytes: usize) -> Lengths {
        Body::of(&[], &[], &vec![0; bytes]).unwrap().lengths
    }

    fn piece(number: u32, bytes: usize) -> Chunk {
        Chunk {
            number,
            bytes: vec![0; bytes].into(),
        }
    }

    #[test]
    fn a_body_is_cut_into_pieces_that_make_it_up_again() {
        let whole = Body::of(b"meta", b"", b"payload").unwrap();
        let mut transfers = Transfers::new();
        transfers
            .begin(sender(1), whole.lengths, FAR_NS, 0, "head")
            .unwrap();
        let mut pieces: Vec<_> = cut(&whole.bytes, 4).collect();
        assert_eq!(
            pieces
                .iter()
                .map(|piece| piece.bytes.len())
                .collect::<Vec<_>>(),
            [4, 4, 3]
        );
        let last = pieces.pop().unwrap();
        assert!(
            pieces
                .iter()
                .all(|piece| transfers.add(sender(1), piece, 0) == TransferProgress::Partial)
        );
        assert_eq!(
            transfers.add(sender(1), &last, 0),
            TransferProgress::Whole("head", whole)
        );
        assert_eq!(
            transfers.add(sender(1), &last, 0),
            TransferProgress::Unknown
        );
        assert_eq!(transfers.announced_bytes, 0);
    }

    #[test]
    fn pieces_that_are_not_as_announced_break_a_body_and_free_its_room() {
        let wrong: [&[Chunk]; 4] = [
            &[piece(1, 1)],
            &[piece(0, 1), piece(0, 1)],
            &[piece(0, 101)],
            &[piece(0, 0)],
        ];
        for pieces in wrong {
            let mut transfers = Transfers::new();
            transfers
                .begin(sender(1), lengths(100), FAR_NS, 0, ())
                .unwrap();
            let progress: Vec<_> = pieces
                .iter()
                .map(|piece| transfers.add(sender(1), piece, 0))
                .collect();
            assert_eq!(
                progress.last(),
                Some(&TransferProgress::Broken(())),
                "{pieces:?}"
            );
            assert_eq!(
                (transfers.announced_bytes, transfers.heads().count()),
                (0, 0)
            );
        }
        let mut transfers = Transfers::new();
        transfers
            .begin(sender(1), lengths(100), FAR_NS, 0, ())
            .unwrap();
        let stranger = Sender {
            host: HostId::from_random(2),
            ..sender(1)
        };
        assert_eq!(
            transfers.add(stranger, &piece(0, 100), 0),
            TransferProgress::Unknown,
            "it is not that one's"
        );
    }

    #[test]
    fn no_more_is_awaited_than_there_is_room_for() {
        let mut transfers = Transfers::new();
        transfers
            .begin(sender(1), lengths(TRANSFER_BYTES_MAX), FAR_NS, 0, ())
            .unwrap();
        assert_eq!(
            transfers.begin(sender(2), lengths(1), FAR_NS, 0, ()),
            Err(Full)
        );
        transfers.drop_of(sender(1).call).unwrap();
        let most = TRANSFERS_MAX as u128;
        assert!((1..=most).all(|number| {
            transfers
                .begin(sender(number), lengths(1), FAR_NS, 0, ())
                .is_ok()
        }));
        assert_eq!(
            transfers.begin(sender(most + 1), lengths(1), FAR_NS, 0, ()),
            Err(Full)
        );
    }

    #[test]
    fn a_body_is_given_up_at_its_deadline_or_when_no_more_comes_of_it() {
        let mut transfers = Transfers::new();
        transfers
            .begin(sender(1), lengths(10), 5 * SECOND_NS, 0, ())
            .unwrap();
        transfers
            .begin(sender(2), lengths(10), FAR_NS, 0, ())
            .unwrap();
        transfers
            .begin(sender(3), lengths(10), FAR_NS, 0, ())
            .unwrap();
        assert_eq!(transfers.expire(5 * SECOND_NS - 1), []);
        assert_eq!(transfers.expire(5 * SECOND_NS), [sender(1).call]);
        assert_eq!(
            transfers.add(sender(3), &piece(0, 1), 20 * SECOND_NS),
            TransferProgress::Partial
        );
        assert_eq!(
            transfers.expire(STALL_MAX.as_nanos() as u64),
            [sender(2).call]
        );
        assert_eq!(
            transfers.expire(20 * SECOND_NS + STALL_MAX.as_nanos() as u64),
            [sender(3).call]
        );
        assert_eq!(transfers.announced_bytes, 0);
    }
}
