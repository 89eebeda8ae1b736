//! Credit for the items that this guest sends.

use core::cell::Cell;

use parigot_abi::Credit;

use super::waiter_slot::WaiterSlot;
use crate::runtime::executor::Waiter;

/// Credit for the items that this guest sends on a stream.
pub(crate) struct SendCredit {
    /// Totals since the call began.
    granted: Cell<Credit>,
    sent: Cell<Credit>,
    /// Set if no item may be sent any more.
    is_closed: Cell<bool>,
    /// The sender that waits for credit.
    waiter: WaiterSlot,
}

impl Default for SendCredit {
    fn default() -> Self {
        SendCredit {
            granted: Cell::new(Credit::INITIAL),
            sent: Cell::default(),
            is_closed: Cell::new(false),
            waiter: WaiterSlot::default(),
        }
    }
}

impl SendCredit {
    /// Extends the credit, and returns the sender that waits if it may send now.
    pub(crate) fn extend(&self, credit: Credit) -> Option<Waiter> {
        self.granted.set(self.granted.get().max(credit));
        if self.permits() {
            self.waiter.take()
        } else {
            None
        }
    }

    /// Permits no more items, and returns the sender that waits.
    pub(crate) fn close(&self) -> Option<Waiter> {
        self.is_closed.set(true);
        self.waiter.take()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Returns true if the credit permits an item.
    pub(crate) fn permits(&self) -> bool {
        self.granted.get().permits(self.sent.get())
    }

    /// Counts an item that was sent.
    pub(crate) fn count(&self, payload_bytes: usize) {
        self.sent.set(self.sent.get().with_item(payload_bytes));
    }

    /// Registers the sender that waits.
    pub(crate) fn wait(&self, waiter: Waiter) {
        self.waiter.set(waiter);
    }

    /// Returns true if the sender waits.
    pub(crate) fn is_awaited(&self) -> bool {
        self.waiter.is_set()
    }

    /// Forgets the sender that waits.
    pub(crate) fn stop_waiting(&self) {
        drop(self.waiter.take());
    }
}
