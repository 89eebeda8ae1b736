//! Limit for the bytes that wait to be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes may wait to be sent.
pub(super) const SEND_BYTES_MAX: usize = 64 << 20;
/// What a call or an answer counts for besides its message, so that there is a bound to short ones, too.
const CALL_BYTES: usize = 256;

/// How many bytes wait to be sent.
#[derive(Clone, Debug, Default)]
pub(super) struct SendBudget(Arc<AtomicUsize>);

/// Bytes that wait to be sent, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    bytes: usize,
    load: SendBudget,
}

impl SendBudget {
    /// For a call or an answer with so many bytes, if there is room.
    pub(super) fn try_take(&self, bytes: usize) -> Option<Permit> {
        let weight = self.take(CALL_BYTES + bytes);
        (!self.is_full()).then_some(weight)
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed) > SEND_BYTES_MAX
    }

    /// For so many bytes more, room or not.
    pub(super) fn take(&self, bytes: usize) -> Permit {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Permit {
            bytes,
            load: self.clone(),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.load.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
