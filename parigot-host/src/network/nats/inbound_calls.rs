//! Calls of other processes: those that were taken and are not answered, and those that must not be taken again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::{HashMap, HashSet};
use parigot_abi::id::{CallId, HostId};

use crate::limits::CALLS_MAX;

/// How many bytes the calls to a service may hold that are not answered.
const INBOUND_BYTES_MAX: usize = 64 << 20;
/// How many calls are remembered; for one more the one is forgotten that would have been first.
const REMEMBERED_MAX: usize = 1 << 20;

/// A call that was taken and is not answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct InboundCall {
    pub(super) from: HostId,
    /// What it holds.
    pub(super) bytes: usize,
    pub(super) taken_ns: u64,
    pub(super) deadline_ns: u64,
}

/// Why a call is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// There are too many.
    TooMany,
    /// They hold too many bytes.
    TooLarge,
}

/// Those to one service.
#[derive(Default)]
pub(super) struct InboundCalls {
    open: HashMap<u128, (CallId, InboundCall)>,
    bytes: usize,
}

impl InboundCalls {
    pub(super) fn take(&mut self, call: CallId, inbound_call: InboundCall) -> Result<(), Denial> {
        if self.open.len() >= CALLS_MAX {
            return Err(Denial::TooMany);
        }
        if self.bytes + inbound_call.bytes > INBOUND_BYTES_MAX {
            return Err(Denial::TooLarge);
        }
        self.bytes += inbound_call.bytes;
        self.open.insert(call.key(), (call, inbound_call));
        Ok(())
    }

    /// A call is answered, or nobody waits for it any more.
    pub(super) fn end(&mut self, call: CallId) -> Option<InboundCall> {
        let (_, inbound_call) = self.open.remove(&call.key())?;
        self.bytes -= inbound_call.bytes;
        Some(inbound_call)
    }

    /// Whether that host waits for that call.
    pub(super) fn is_from(&self, call: CallId, host: HostId) -> bool {
        self.open
            .get(&call.key())
            .is_some_and(|(_, inbound_call)| inbound_call.from == host)
    }

    /// All of them, and there will be none.
    pub(super) fn end_all(&mut self) -> Vec<(CallId, InboundCall)> {
        self.bytes = 0;
        self.open
            .drain()
            .map(|(_, inbound_call)| inbound_call)
            .collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Forgets calls whose deadline has passed: the host has ended them.
    pub(super) fn expire(&mut self, now_ns: u64) {
        let expired = self
            .open
            .extract_if(|_, (_, inbound_call)| inbound_call.deadline_ns <= now_ns);
        self.bytes -= expired
            .map(|(_, (_, inbound_call))| inbound_call.bytes)
            .sum::<usize>();
    }
}

/// Calls that have come, each until it cannot come a second time.
#[derive(Default)]
pub(super) struct DedupCache {
    calls: HashSet<u128>,
    /// The earliest first.
    order: BinaryHeap<Reverse<(u64, u128)>>,
}

impl DedupCache {
    /// Whether a call comes for the first time. It is remembered until then.
    pub(super) fn is_first(&mut self, call: CallId, until_ns: u64) -> bool {
        let is_first = self.calls.insert(call.key());
        if is_first {
            self.order.push(Reverse((until_ns, call.key())));
            if self.calls.len() > REMEMBERED_MAX {
                self.forget_one();
            }
        }
        is_first
    }

    pub(super) fn expire(&mut self, now_ns: u64) {
        while self
            .order
            .peek()
            .is_some_and(|Reverse((until_ns, _))| *until_ns <= now_ns)
        {
            self.forget_one();
        }
    }

    fn forget_one(&mut self) {
        self.order
            .pop()
            .inspect(|Reverse((_, call))| _ = self.calls.remove(call));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: u128) -> CallId {
        CallId::from_random(number)
    }

    #[test]
    fn a_call_is_remembered_until_it_cannot_come_again() {
        let mut memory = DedupCache::default();
        assert!(memory.is_first(call(1), 20));
        assert!(memory.is_first(call(2), 10));
        memory.expire(9);
        assert!(!memory.is_first(call(2), 10));
        memory.expire(10);
        assert!(!memory.is_first(call(1), 20));
        assert!(memory.is_first(call(2), 30));
        assert_eq!((memory.calls.len(), memory.order.len()), (2, 2));
    }

    #[test]
    fn no_more_calls_are_remembered_than_there_is_room_for() {
        let mut memory = DedupCache::default();
        for number in 1..=REMEMBERED_MAX as u128 + 10 {
            assert!(memory.is_first(call(number), number as u64));
        }
        assert_eq!(
            (memory.calls.len(), memory.order.len()),
            (REMEMBERED_MAX, REMEMBERED_MAX)
        );
        assert!(memory.is_first(call(1), 0), "forgotten");
        assert!(!memory.is_first(call(100), 0));
    }

    #[test]
    fn calls_hold_no_more_bytes_than_they_may_and_free_them_when_they_end() {
        let mut inbound_calls = InboundCalls::default();
        let inbound_call = |deadline_ns| InboundCall {
            from: HostId::from_random(1),
            bytes: INBOUND_BYTES_MAX / 2,
            taken_ns: 0,
            deadline_ns,
        };
        assert_eq!(inbound_calls.take(call(1), inbound_call(10)), Ok(()));
        assert_eq!(inbound_calls.take(call(2), inbound_call(20)), Ok(()));
        assert_eq!(
            inbound_calls.take(call(3), inbound_call(30)),
            Err(Denial::TooLarge)
        );
        inbound_calls.expire(10);
        assert_eq!(inbound_calls.take(call(3), inbound_call(30)), Ok(()));
        assert!(inbound_calls.end(call(2)).is_some() && inbound_calls.end(call(2)).is_none());
        assert_eq!(inbound_calls.end_all().len(), 1);
        assert_eq!((inbound_calls.bytes, inbound_calls.is_empty()), (0, true));
    }
}
