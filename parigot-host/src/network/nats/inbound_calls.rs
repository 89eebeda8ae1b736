//! Calls of other processes: the pending calls, and the ids of all calls that must not run again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::{HashMap, HashSet};
use parigot_abi::id::{CallId, HostId};

use super::stream::NatsStream;
use crate::limits::{CALLS_MAX, REMOTE_FATE_WAIT};

/// Limit for the bodies of the pending calls to one service, in bytes.
pub(super) const INBOUND_BYTES_MAX: usize = 64 << 20;
/// Limit for the remembered call ids. Beyond the limit, the id that would expire first is removed.
const REMEMBERED_MAX: usize = 1 << 20;

/// An accepted call without a reply.
#[derive(Debug)]
pub(super) struct InboundCall {
    /// Host of the caller.
    pub(super) from: HostId,
    /// Size of the body.
    pub(super) bytes: usize,
    /// The body has arrived. Until then, only the transfer of its chunks counts its bytes.
    pub(super) is_whole: bool,
    pub(super) accepted_ns: u64,
    pub(super) deadline_ns: u64,
    /// The stream, if the call streams. Boxed, because most calls do not.
    pub(super) stream: Option<Box<NatsStream>>,
}

/// Limit that a call exceeds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InboundLimit {
    /// Limit for the number of pending calls.
    Calls,
    /// Limit for the bytes of pending calls.
    Bytes,
}

/// Pending calls to one service.
#[derive(Default)]
pub(super) struct InboundCalls {
    pending: HashMap<u128, (CallId, InboundCall)>,
    /// Sum of the sizes of the bodies that have arrived.
    bytes: usize,
}

impl InboundCall {
    fn held_bytes(&self) -> usize {
        if self.is_whole { self.bytes } else { 0 }
    }
}

impl InboundCalls {
    /// Adds a call within the limits.
    pub(super) fn accept(
        &mut self,
        call: CallId,
        inbound: InboundCall,
    ) -> Result<(), InboundLimit> {
        if self.pending.len() >= CALLS_MAX {
            return Err(InboundLimit::Calls);
        }
        if self.bytes + inbound.held_bytes() > INBOUND_BYTES_MAX {
            return Err(InboundLimit::Bytes);
        }
        self.bytes += inbound.held_bytes();
        self.pending.insert(call.key(), (call, inbound));
        Ok(())
    }

    /// Counts the body of a call whose last chunk has arrived. Returns `false` beyond the limit.
    pub(super) fn complete(&mut self, call: CallId) -> bool {
        let Some((_, inbound)) = self.pending.get_mut(&call.key()) else {
            return true; // the call has ended
        };
        let is_within = self.bytes + inbound.bytes <= INBOUND_BYTES_MAX;
        if is_within && !inbound.is_whole {
            inbound.is_whole = true;
            self.bytes += inbound.bytes;
        }
        is_within
    }

    /// Removes and returns a call that has ended.
    pub(super) fn end(&mut self, call: CallId) -> Option<InboundCall> {
        let (_, inbound) = self.pending.remove(&call.key())?;
        self.bytes -= inbound.held_bytes();
        Some(inbound)
    }

    /// Returns `true` if a call is pending and its caller is on `host`.
    pub(super) fn is_from(&self, call: CallId, host: HostId) -> bool {
        self.pending
            .get(&call.key())
            .is_some_and(|(_, inbound)| inbound.from == host)
    }

    pub(super) fn contains(&self, call: CallId) -> bool {
        self.pending.contains_key(&call.key())
    }

    /// Removes the deadline of a call.
    pub(super) fn forget_deadline(&mut self, call: CallId) {
        if let Some((_, inbound)) = self.pending.get_mut(&call.key()) {
            inbound.deadline_ns = u64::MAX;
        }
    }

    /// Returns the caller and the stream of a pending call that streams.
    pub(super) fn stream(&mut self, call: CallId) -> Option<(HostId, &mut NatsStream)> {
        let (_, inbound) = self.pending.get_mut(&call.key())?;
        Some((inbound.from, inbound.stream.as_deref_mut()?))
    }

    /// Returns the pending calls that stream.
    pub(super) fn streams(&self) -> impl Iterator<Item = (CallId, &InboundCall)> {
        let calls = self
            .pending
            .values()
            .map(|(call, inbound)| (*call, inbound));
        calls.filter(|(_, inbound)| inbound.stream.is_some())
    }

    /// Begins the time of silence of all streams again.
    pub(super) fn reset_silence(&mut self, now_ns: u64) {
        for (_, inbound) in self.pending.values_mut() {
            if let Some(stream) = &mut inbound.stream {
                stream.reset_silence(now_ns);
            }
        }
    }

    /// Removes and returns all calls.
    pub(super) fn end_all(&mut self) -> Vec<(CallId, InboundCall)> {
        self.bytes = 0;
        self.pending.drain().map(|(_, entry)| entry).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Removes the calls whose caller has stopped waiting for the fate, so that no reply is sent.
    pub(super) fn expire(&mut self, now_ns: u64) {
        let overdue_since_ns = now_ns.saturating_sub(REMOTE_FATE_WAIT.as_nanos() as u64);
        let expired = self
            .pending
            .extract_if(|_, (_, inbound)| inbound.deadline_ns <= overdue_since_ns);
        self.bytes -= expired
            .map(|(_, (_, inbound))| inbound.held_bytes())
            .sum::<usize>();
    }
}

/// Ids of received calls, each until a duplicate can no longer arrive in time.
#[derive(Default)]
pub(super) struct DedupCache {
    calls: HashSet<u128>,
    /// Expiry time and id, the earliest first.
    expiries: BinaryHeap<Reverse<(u64, u128)>>,
}

impl DedupCache {
    /// Remembers a call until `until_ns`. Returns `true` if the call was not remembered before.
    pub(super) fn is_first(&mut self, call: CallId, until_ns: u64) -> bool {
        let is_first = self.calls.insert(call.key());
        if is_first {
            self.expiries.push(Reverse((until_ns, call.key())));
            if self.calls.len() > REMEMBERED_MAX {
                self.remove_earliest();
            }
        }
        is_first
    }

    pub(super) fn expire(&mut self, now_ns: u64) {
        while self
            .expiries
            .peek()
            .is_some_and(|Reverse((until_ns, _))| *until_ns <= now_ns)
        {
            self.remove_earliest();
        }
    }

    fn remove_earliest(&mut self) {
        if let Some(Reverse((_, call))) = self.expiries.pop() {
            self.calls.remove(&call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: u128) -> CallId {
        CallId::from_random(number)
    }

    #[test]
    fn a_call_is_remembered_until_it_expires() {
        let mut cache = DedupCache::default();
        assert!(cache.is_first(call(1), 20));
        assert!(cache.is_first(call(2), 10));
        cache.expire(9);
        assert!(!cache.is_first(call(2), 10));
        cache.expire(10);
        assert!(!cache.is_first(call(1), 20));
        assert!(cache.is_first(call(2), 30));
        assert_eq!(cache.calls.len(), 2);
        assert_eq!(cache.expiries.len(), 2);
    }

    #[test]
    fn the_number_of_remembered_calls_is_limited() {
        let mut cache = DedupCache::default();
        for number in 1..=REMEMBERED_MAX as u128 + 10 {
            assert!(cache.is_first(call(number), number as u64));
        }
        assert_eq!(cache.calls.len(), REMEMBERED_MAX);
        assert_eq!(cache.expiries.len(), REMEMBERED_MAX);
        assert!(
            cache.is_first(call(1), 0),
            "the earliest call must be removed"
        );
        assert!(!cache.is_first(call(100), 0));
    }

    #[test]
    fn pending_calls_hold_limited_bytes_until_they_end() {
        let mut inbound_calls = InboundCalls::default();
        let inbound = |deadline_ns| InboundCall {
            from: HostId::from_random(1),
            bytes: INBOUND_BYTES_MAX / 2,
            is_whole: true,
            accepted_ns: 0,
            deadline_ns,
            stream: None,
        };
        assert_eq!(inbound_calls.accept(call(1), inbound(10)), Ok(()));
        assert_eq!(inbound_calls.accept(call(2), inbound(20)), Ok(()));
        assert_eq!(
            inbound_calls.accept(call(3), inbound(30)),
            Err(InboundLimit::Bytes)
        );
        let wait_ns = REMOTE_FATE_WAIT.as_nanos() as u64;
        inbound_calls.expire(9 + wait_ns);
        assert!(
            inbound_calls.is_from(call(1), HostId::from_random(1)),
            "the caller waits for the fate"
        );
        inbound_calls.expire(10 + wait_ns);
        assert_eq!(inbound_calls.accept(call(3), inbound(30)), Ok(()));
        assert!(inbound_calls.end(call(2)).is_some());
        assert!(inbound_calls.end(call(2)).is_none());
        assert_eq!(inbound_calls.end_all().len(), 1);
        assert_eq!(inbound_calls.bytes, 0);
        assert!(inbound_calls.is_empty());
    }

    #[test]
    fn a_chunked_call_holds_bytes_once_it_has_arrived() {
        let mut inbound_calls = InboundCalls::default();
        for number in 1..=5 {
            let chunked = InboundCall {
                from: HostId::from_random(1),
                bytes: INBOUND_BYTES_MAX / 2,
                is_whole: false,
                accepted_ns: 0,
                deadline_ns: 10,
                stream: None,
            };
            assert_eq!(inbound_calls.accept(call(number), chunked), Ok(()));
        }
        assert!(inbound_calls.complete(call(1)) && inbound_calls.complete(call(2)));
        assert!(!inbound_calls.complete(call(3)));
        assert!(inbound_calls.end(call(1)).is_some());
        assert!(inbound_calls.complete(call(4)));
        inbound_calls.expire(10 + REMOTE_FATE_WAIT.as_nanos() as u64);
        assert_eq!(inbound_calls.bytes, 0);
    }
}
