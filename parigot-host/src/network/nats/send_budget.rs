//! Limit for the bytes that wait to be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Limit for the bytes that wait to be sent.
pub(super) const SEND_BYTES_MAX: usize = 64 << 20;
/// Overhead of a call or reply in bytes, so that the limit also bounds the number of empty ones.
const CALL_BYTES: usize = 256;

/// Counter of the bytes that wait to be sent, shared by the proxies and the connection task. The
/// parts of stream messages that have arrived are counted in the same way, in a budget of their
/// own.
///
/// The counter is atomic because proxies on all workers acquire permits, and the network thread
/// drops them. Relaxed ordering suffices: the count guards no other memory.
#[derive(Clone, Debug, Default)]
pub(super) struct SendBudget(Arc<AtomicUsize>);

/// Bytes that wait to be sent. Dropping the permit returns them to the budget.
#[derive(Debug)]
pub(super) struct Permit {
    bytes: usize,
    budget: SendBudget,
}

impl SendBudget {
    /// Acquires a permit for a call or reply; `None` beyond the limit.
    pub(super) fn try_acquire(&self, bytes: usize) -> Option<Permit> {
        // Counting before the check keeps concurrent calls from passing the limit together. A
        // rejected permit is dropped here.
        let permit = self.acquire(CALL_BYTES + bytes);
        (!self.is_full()).then_some(permit)
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed) > SEND_BYTES_MAX
    }

    /// Acquires a permit without a check of the limit.
    pub(super) fn acquire(&self, bytes: usize) -> Permit {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Permit {
            bytes,
            budget: self.clone(),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
