//! Calls of other processes to one service here: those that were taken, and those that must not be taken again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;
use parigot_abi::id::{CallId, HostId};

use crate::instance::CALLS_MAX;

/// How many bytes the calls may hold that are not answered.
const BYTES_MAX: usize = 64 << 20;
/// How many calls are remembered; what is one too many makes room of the one that is forgotten first.
const REMEMBERED_MAX: usize = 1 << 20;

/// A call that was taken and is not answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Visit {
    pub(super) from: HostId,
    /// What it holds.
    pub(super) bytes: usize,
    pub(super) taken_ns: u64,
    /// Until when it may come a second time.
    pub(super) until_ns: u64,
}

/// Why a call is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// It was taken before.
    Again,
    /// There are too many that are not answered.
    TooMany,
    /// They hold too many bytes.
    TooLarge,
}

/// All of them.
#[derive(Default)]
pub(super) struct Visits {
    open: HashMap<u128, (CallId, Visit)>,
    open_bytes: usize,
    /// Until when each call may come a second time.
    remembered: HashMap<u128, u64>,
    /// The same, the earliest first.
    order: BinaryHeap<Reverse<(u64, u128)>>,
}

impl Visits {
    /// Takes a call, once. What is refused for want of room has not run, and may come again.
    pub(super) fn take(&mut self, call: CallId, visit: Visit) -> Result<(), Denial> {
        if self.remembered.contains_key(&call.key()) {
            return Err(Denial::Again);
        }
        if self.open.len() >= CALLS_MAX {
            return Err(Denial::TooMany);
        }
        if self.open_bytes + visit.bytes > BYTES_MAX {
            return Err(Denial::TooLarge);
        }
        if self.remembered.len() >= REMEMBERED_MAX {
            self.forget_first();
        }
        self.remembered.insert(call.key(), visit.until_ns);
        self.order.push(Reverse((visit.until_ns, call.key())));
        self.open_bytes += visit.bytes;
        self.open.insert(call.key(), (call, visit));
        Ok(())
    }

    /// A call is answered, or nobody waits for it any more.
    pub(super) fn end(&mut self, call: CallId) -> Option<Visit> {
        let (_, visit) = self.open.remove(&call.key())?;
        self.open_bytes -= visit.bytes;
        Some(visit)
    }

    /// Whether that host waits for that call.
    pub(super) fn is_from(&self, call: CallId, host: HostId) -> bool {
        self.open.get(&call.key()).is_some_and(|(_, visit)| visit.from == host)
    }

    /// All that are not answered, and there will be none.
    pub(super) fn end_all(&mut self) -> Vec<(CallId, Visit)> {
        self.open_bytes = 0;
        self.open.drain().map(|(_, visit)| visit).collect()
    }

    /// Whether all that were taken are answered.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Forgets calls that cannot come again.
    pub(super) fn expire(&mut self, now_ns: u64) {
        while self.order.peek().is_some_and(|Reverse((until_ns, _))| *until_ns <= now_ns) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(Reverse((_, key))) = self.order.pop() else { return };
        self.remembered.remove(&key);
        // The host sees to it that each call is answered by its deadline; so this one will not be any more.
        if let Some((call, _)) = self.open.get(&key) {
            self.end(*call);
        }
    }
}
