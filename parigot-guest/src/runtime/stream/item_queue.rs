//! Items of a stream that have arrived, and the credit of their sender.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::cell::{Cell, RefCell};

use parigot_abi::Credit;

use super::waiter_slot::WaiterSlot;
use crate::runtime::executor::Waiter;

/// Items that have arrived and were not taken. Their number is limited by the credit that was
/// granted to the sender.
///
/// The sender gets new credit when half a window was taken, so that it need not wait for a reader
/// as fast as itself. A reader that waits after it has taken a whole window is faster than the
/// window allows: then the window doubles, up to [`Credit::WINDOW_MAX`].
pub(crate) struct ItemQueue {
    items: RefCell<VecDeque<Box<[u8]>>>,
    /// The reader that waits for an item or the end.
    waiter: WaiterSlot,
    /// Set if no item will arrive any more.
    has_ended: Cell<bool>,
    /// Totals since the call began.
    taken: Cell<Credit>,
    granted: Cell<Credit>,
    window: Cell<Credit>,
    /// Value of `taken` when the reader waited the last time.
    taken_at_wait: Cell<Credit>,
}

impl Default for ItemQueue {
    fn default() -> Self {
        ItemQueue {
            items: RefCell::default(),
            waiter: WaiterSlot::default(),
            has_ended: Cell::new(false),
            taken: Cell::default(),
            granted: Cell::new(Credit::INITIAL),
            window: Cell::new(Credit::INITIAL),
            taken_at_wait: Cell::default(),
        }
    }
}

impl ItemQueue {
    /// Adds an item, and returns the reader that waits. After the end nothing is added.
    pub(crate) fn push(&self, item: &[u8]) -> Option<Waiter> {
        if self.has_ended.get() {
            return None;
        }
        self.items.borrow_mut().push_back(item.into());
        self.waiter.take()
    }

    /// Marks the end of the items, and returns the reader that waits.
    pub(crate) fn end(&self) -> Option<Waiter> {
        self.has_ended.set(true);
        self.waiter.take()
    }

    /// Returns true if no item waits, and none will arrive.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.has_ended.get() && self.items.borrow().is_empty()
    }

    /// Takes the next item, and the new credit of the sender if it is due.
    pub(crate) fn take(&self) -> Option<(Box<[u8]>, Option<Credit>)> {
        let item = self.items.borrow_mut().pop_front()?;
        let taken = self.taken.get().with_item(item.len());
        self.taken.set(taken);
        let granted = self.granted.get();
        let window = self.window.get();
        let is_due = granted.items.saturating_sub(taken.items) <= window.items / 2
            || granted.bytes.saturating_sub(taken.bytes) <= window.bytes / 2;
        Some((item, is_due.then(|| self.grant()).flatten()))
    }

    /// Registers the reader that waits because there is no item. Returns the new credit of the
    /// sender if the window grows.
    pub(crate) fn wait(&self, waiter: Waiter) -> Option<Credit> {
        self.waiter.set(waiter);
        let taken = self.taken.get();
        let before = self.taken_at_wait.replace(taken);
        let window = self.window.get();
        let grown = Credit {
            items: grow(
                window.items,
                taken.items - before.items,
                Credit::WINDOW_MAX.items,
            ),
            bytes: grow(
                window.bytes,
                taken.bytes - before.bytes,
                Credit::WINDOW_MAX.bytes,
            ),
        };
        self.window.set(grown);
        (grown != window).then(|| self.grant()).flatten()
    }

    /// Returns true if the reader waits.
    pub(crate) fn is_awaited(&self) -> bool {
        self.waiter.is_set()
    }

    /// Forgets the reader that waits.
    pub(crate) fn stop_waiting(&self) {
        drop(self.waiter.take());
    }

    /// Extends the credit to a window behind the items that were taken; `None` if the credit does
    /// not change.
    fn grant(&self) -> Option<Credit> {
        let granted = self.granted.get();
        let taken = self.taken.get();
        let window = self.window.get();
        let extended = granted.max(Credit {
            items: taken.items.saturating_add(window.items),
            bytes: taken.bytes.saturating_add(window.bytes),
        });
        self.granted.set(extended);
        (extended != granted && !self.has_ended.get()).then_some(extended)
    }
}

/// Returns twice the window if all of it was taken, at most `window_max`.
fn grow(window: u64, taken: u64, window_max: u64) -> u64 {
    if taken >= window {
        (2 * window).min(window_max)
    } else {
        window
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::runtime::executor::TaskId;

    fn waiter() -> Waiter {
        Waiter::Task(TaskId::from_index(0))
    }

    fn credit(items: u64, bytes: u64) -> Option<Credit> {
        Some(Credit { items, bytes })
    }

    /// Adds and takes items of that size. Returns the credits.
    fn pass(queue: &ItemQueue, items: usize, bytes: usize) -> Vec<Credit> {
        (0..items).for_each(|_| drop(queue.push(&vec![0; bytes])));
        let taken = (0..items).map(|_| queue.take().expect("the item was added"));
        taken.filter_map(|(_, credit)| credit).collect()
    }

    #[test]
    fn credit_is_granted_when_half_a_window_was_taken() {
        let queue = ItemQueue::default();
        assert_eq!(pass(&queue, 1, 10), []);
        assert_eq!(pass(&queue, 1, 10), credit(6, 4_116).as_slice());
        assert_eq!(pass(&queue, 1, 10), []);
        // An item longer than half a window.
        assert_eq!(pass(&queue, 1, 2_100), credit(8, 6_226).as_slice());
    }

    #[test]
    fn the_window_doubles_when_the_reader_waits_after_a_whole_one() {
        let queue = ItemQueue::default();
        pass(&queue, 4, 0);
        assert_eq!(queue.wait(waiter()), credit(12, 4_096));
        assert_eq!(queue.wait(waiter()), None, "nothing was taken since");
        pass(&queue, 7, 0);
        assert_eq!(queue.wait(waiter()), None, "less than a window was taken");
        pass(&queue, 1, 100_000);
        assert_eq!(queue.wait(waiter()), credit(20, 108_192));
        for _ in 0..10 {
            pass(&queue, 256, 8_192);
            queue.wait(waiter());
        }
        assert_eq!(queue.window.get(), Credit::WINDOW_MAX);
    }

    #[test]
    fn the_end_needs_no_credit_and_wakes_the_reader() {
        let queue = ItemQueue::default();
        for _ in 0..4 {
            queue.push(&[]);
        }
        assert!(queue.wait(waiter()).is_none() && queue.is_awaited());
        assert!(queue.end().is_some() && !queue.is_awaited());
        assert!(queue.push(&[]).is_none() && !queue.is_exhausted());
        for _ in 0..4 {
            assert_eq!(queue.take(), Some((Box::default(), None)));
        }
        assert!(queue.is_exhausted());
    }
}
