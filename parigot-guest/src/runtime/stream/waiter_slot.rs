//! Place for the one task that waits for one half of a stream.

use core::cell::Cell;

use crate::runtime::executor::Waiter;

/// The reader or sender that waits, if there is one.
#[derive(Default)]
pub(super) struct WaiterSlot(Cell<Option<Waiter>>);

impl WaiterSlot {
    /// Registers the one that waits, in place of an earlier one.
    pub(super) fn set(&self, waiter: Waiter) {
        drop(self.0.replace(Some(waiter)));
    }

    /// Removes the one that waits.
    pub(super) fn take(&self) -> Option<Waiter> {
        self.0.take()
    }

    pub(super) fn is_set(&self) -> bool {
        let waiter = self.0.take();
        let is_set = waiter.is_some();
        self.0.set(waiter);
        is_set
    }
}
