//! Bodies that are too large for one message of NATS.

use bytes::Bytes;
use hashbrown::HashMap;
use parigot_abi::id::{CallId, HostId};

use super::wire::{Body, Lengths, Piece};

/// How many bytes of bodies may be under way to a process.
pub(super) const BYTES_MAX: usize = 64 << 20;
/// How many bodies may be under way to a process.
const TRANSFERS_MAX: usize = 1 << 10;

/// Cuts a body into pieces of that many bytes at most.
pub(super) fn cut(body: &Bytes, most: usize) -> impl Iterator<Item = Piece> {
    let starts = (0..body.len()).step_by(most.max(1));
    (0..).zip(starts).map(move |(number, start)| {
        let end = (start + most).min(body.len());
        Piece { number, bytes: body.slice(start..end) }
    })
}

/// Bodies of which pieces are still to come, each with what is to be done once it is whole.
///
/// Memory is taken for bytes that have come, and kept free for those that were announced.
pub(super) struct Transfers<T> {
    under_way: HashMap<u128, Transfer<T>>,
    /// What was announced, all together.
    announced_bytes: usize,
}

struct Transfer<T> {
    from: HostId,
    lengths: Lengths,
    bytes: Vec<u8>,
    next: u32,
    until_ns: u64,
    head: T,
}

/// There is no room for one more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// What has become of a transfer with a piece.
#[derive(Debug, PartialEq)]
pub(super) enum Progress<T> {
    /// More is to come.
    Partial,
    Whole(T, Body),
    /// The piece is not what was announced: nothing will come of it.
    Broken(T),
    /// There is none of that host and call.
    Unknown,
}

impl<T> Transfers<T> {
    pub(super) fn new() -> Self {
        Transfers { under_way: HashMap::new(), announced_bytes: 0 }
    }

    /// Awaits the pieces of a body, until then.
    pub(super) fn begin(
        &mut self,
        call: CallId,
        from: HostId,
        lengths: Lengths,
        until_ns: u64,
        head: T,
    ) -> Result<(), Full> {
        let announced_bytes = self.announced_bytes + lengths.bytes();
        if announced_bytes > BYTES_MAX || self.under_way.len() >= TRANSFERS_MAX {
            return Err(Full);
        }
        self.forget(call);
        self.announced_bytes += lengths.bytes();
        let transfer = Transfer { from, lengths, bytes: Vec::new(), next: 0, until_ns, head };
        self.under_way.insert(call.key(), transfer);
        Ok(())
    }

    pub(super) fn add(&mut self, call: CallId, from: HostId, piece: &Piece) -> Progress<T> {
        let Some(transfer) = self.under_way.get_mut(&call.key()).filter(|transfer| transfer.from == from) else {
            return Progress::Unknown;
        };
        let bytes = transfer.bytes.len() + piece.bytes.len();
        if piece.number != transfer.next || piece.bytes.is_empty() || bytes > transfer.lengths.bytes() {
            return self.forget(call).map_or(Progress::Unknown, |transfer| Progress::Broken(transfer.head));
        }
        transfer.bytes.extend_from_slice(&piece.bytes);
        transfer.next += 1;
        if bytes < transfer.lengths.bytes() {
            return Progress::Partial;
        }
        let whole =
            |Transfer { lengths, bytes, head, .. }| Progress::Whole(head, Body { lengths, bytes: bytes.into() });
        self.forget(call).map_or(Progress::Unknown, whole)
    }

    /// Frees what has come of a body.
    pub(super) fn drop_of(&mut self, call: CallId) -> Option<T> {
        self.forget(call).map(|transfer| transfer.head)
    }

    /// Frees what has come of bodies that should have been whole by now.
    pub(super) fn expire(&mut self, now_ns: u64) {
        let expired = self.under_way.extract_if(|_, transfer| transfer.until_ns <= now_ns);
        self.announced_bytes -= expired.map(|(_, transfer)| transfer.lengths.bytes()).sum::<usize>();
    }

    /// What is to be done with those that are under way.
    pub(super) fn heads(&self) -> impl Iterator<Item = &T> {
        self.under_way.values().map(|transfer| &transfer.head)
    }

    fn forget(&mut self, call: CallId) -> Option<Transfer<T>> {
        let transfer = self.under_way.remove(&call.key())?;
        self.announced_bytes -= transfer.lengths.bytes();
        Some(transfer)
    }
}
