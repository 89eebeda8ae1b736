//! Atomic slot that holds an idle instance.
//!
//! A sender either takes the idle value and runs it, or stores its message elsewhere and then sets
//! the notified flag. Every operation is one atomic step on the same word, so no message is lost: a
//! message that was stored before a notification is seen by the next taker, or the thread that has
//! the value finds the notification when the thread puts the value back.
//!
//! | value | notified | closed | state of the instance |
//! |---|---|---|---|
//! | in the slot | no | no | idle: a sender may take the instance and run it |
//! | in the slot | no | yes | idle: takes no calls, so no sender may take the instance |
//! | in the slot | yes | any | in the queue of the scheduler, exactly once |
//! | taken | no | any | runs, and has no new message |
//! | taken | yes | any | runs, and is queued when its value is put back |
//! | gone | yes | yes | has ended: see [`Slot::give_up`] |

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use parking_lot::Mutex;

/// Slot for one boxed value, which at most one thread has at a time.
pub(crate) struct Slot<T> {
    /// Address of the value, or null while a thread has the value; the flags in the low bits.
    ///
    /// A pointer instead of a number keeps the provenance of the value, so Miri can check the
    /// accesses. Every write that can publish a value or a message releases, and every read that
    /// takes a value acquires. Thus a taker sees all that earlier owners and notifiers wrote.
    state: AtomicPtr<T>,
    /// Makes the slot `Send` and `Sync` as a mutex is, because the slot passes a `T` between
    /// threads but never shares it.
    owner: PhantomData<Mutex<Box<T>>>,
}

/// Flag: a message was stored since the value was taken. The instance is in the queue, or is
/// queued when its value is put back.
const NOTIFIED: usize = 1;
/// Flag: no sender may take the value as idle.
const CLOSED: usize = 2;
/// Bits of the state that are not part of the address.
const FLAGS: usize = NOTIFIED | CLOSED;

/// Duty of the thread that stored a message or put a value back.
#[must_use = "an instance that is not queued never runs"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Queue the instance.
    Queue,
    /// Nothing to do: the instance is queued already, or runs.
    AlreadyAwake,
}

impl<T> Slot<T> {
    /// Creates an empty, open slot. The value counts as taken.
    pub(crate) fn empty() -> Self {
        const {
            assert!(
                align_of::<T>() > FLAGS,
                "the low bits of an address must be free for the flags"
            )
        };
        Slot {
            state: AtomicPtr::new(ptr::null_mut()),
            owner: PhantomData,
        }
    }

    /// Takes an idle value: one without a notification, from a slot that is not closed.
    ///
    /// Fast path of a handoff. One load and one compare-and-exchange replace the locks of the
    /// queue and of the mailbox. The test `concurrent_senders_lose_no_message` mixes this path
    /// with the slow one.
    #[inline]
    pub(crate) fn take_idle(&self) -> Option<Box<T>> {
        // Relaxed is enough: the exchange below verifies the state that was read here.
        let state = self.state.load(Ordering::Relaxed);
        if state.is_null() || flags(state) != 0 {
            return None;
        }
        // Acquire pairs with the release in `put_back`. A failure is a lost race with another
        // sender; the caller then takes the slow path, so there is no retry.
        let taken = self.state.compare_exchange(
            state,
            ptr::null_mut(),
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        // SAFETY: the exchange removed this address from the slot, so no other thread has it.
        taken.ok().map(|address| unsafe { Box::from_raw(address) })
    }

    /// Takes the value and clears the notification; the caller must then look at all stored
    /// messages. Returns `None` if a thread has the value, or the value is gone.
    #[inline]
    pub(crate) fn take(&self) -> Option<Box<T>> {
        let without_value =
            |state| has_value(state).then(|| ptr::without_provenance_mut(flags(state) & CLOSED));
        // Acquire: sees the value and the messages. Release: a later notifier that acquires sees
        // what this thread has read and removed.
        let taken = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, without_value);
        // SAFETY: the update removed this address from the slot, so no other thread has it. The
        // flags are not part of the address that `put_back` has stored.
        taken
            .ok()
            .map(|state| unsafe { Box::from_raw(address(state)) })
    }

    /// Puts a taken value back. The instance must be queued if `again` is set, or if a
    /// notification came meanwhile.
    ///
    /// # Panics
    ///
    /// Panics if the slot has a value.
    #[inline]
    pub(crate) fn put_back(&self, value: Box<T>, again: bool) -> Wake {
        let again = if again { NOTIFIED } else { 0 };
        let value = Box::into_raw(value);
        let with_value =
            |state| (!has_value(state)).then(|| value.map_addr(|at| at | flags(state) | again));
        // Release: the next taker sees what this thread wrote to the value. Acquire: the queue
        // entry of a notified instance comes after the message.
        let before = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, with_value)
            .expect("a slot must have at most one value");
        if (flags(before) | again) & NOTIFIED == 0 {
            Wake::AlreadyAwake
        } else {
            Wake::Queue
        }
    }

    /// Sets the notified flag, after a message was stored.
    pub(crate) fn notify(&self) -> Wake {
        self.set(NOTIFIED)
    }

    /// Sets the notified flag, and closes the slot: from now on no sender takes the value as idle.
    pub(crate) fn close(&self) -> Wake {
        self.set(NOTIFIED | CLOSED)
    }

    fn set(&self, new: usize) -> Wake {
        // Release publishes the message that was stored before.
        let before = self.state.fetch_or(new, Ordering::AcqRel);
        // Only the notifier that finds the instance idle queues it, so it is queued once.
        if has_value(before) && flags(before) & NOTIFIED == 0 {
            Wake::Queue
        } else {
            Wake::AlreadyAwake
        }
    }

    /// Ends the effect of [`Slot::close`].
    pub(crate) fn open(&self) {
        self.state.fetch_and(!CLOSED, Ordering::AcqRel);
    }

    /// Declares a taken value gone: notifications queue nothing from now on.
    pub(crate) fn give_up(&self) {
        // A plain store is safe, because only the thread that has the value calls this, and
        // flags that are set meanwhile have no effect on an instance that has ended.
        self.state
            .store(ptr::without_provenance_mut(FLAGS), Ordering::Release);
    }

    /// Prepares a slot that was given up for a new value, which the caller has. The slot stays
    /// closed. With `is_notified`, the value is queued when it is put back.
    pub(crate) fn prepare(&self, is_notified: bool) {
        let notified = if is_notified { NOTIFIED } else { 0 };
        self.state.store(
            ptr::without_provenance_mut(CLOSED | notified),
            Ordering::Release,
        );
    }

    /// Returns whether senders may not take the value as idle. The answer may be outdated when
    /// the caller uses it, so Relaxed is enough.
    pub(crate) fn is_closed(&self) -> bool {
        flags(self.state.load(Ordering::Relaxed)) & CLOSED != 0
    }

    /// Returns whether the value is not in the slot; may be outdated, as for
    /// [`is_closed`](Slot::is_closed).
    pub(crate) fn is_taken(&self) -> bool {
        !has_value(self.state.load(Ordering::Relaxed))
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Returns the flags of a state.
#[inline]
fn flags<T>(state: *mut T) -> usize {
    state.addr() & FLAGS
}

/// Returns whether a state contains an address.
#[inline]
fn has_value<T>(state: *mut T) -> bool {
    state.addr() & !FLAGS != 0
}

/// Returns the address in a state, without the flags.
#[inline]
fn address<T>(state: *mut T) -> *mut T {
    state.map_addr(|at| at & !FLAGS)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64};
    use std::sync::{Arc, Barrier};

    use super::*;

    fn idle(value: u64) -> Slot<u64> {
        let slot = Slot::empty();
        assert_eq!(slot.put_back(Box::new(value), false), Wake::AlreadyAwake);
        slot
    }

    #[test]
    fn an_idle_value_is_taken_once() {
        let slot = idle(7);
        assert_eq!(slot.take_idle().as_deref(), Some(&7));
        assert_eq!(
            (slot.take_idle(), slot.take(), slot.is_taken()),
            (None, None, true)
        );
    }

    #[test]
    fn a_notified_value_is_queued_once_and_not_idle() {
        let slot = idle(7);
        assert_eq!(
            [slot.notify(), slot.notify()],
            [Wake::Queue, Wake::AlreadyAwake]
        );
        assert_eq!((slot.take_idle(), slot.take().as_deref()), (None, Some(&7)));
    }

    #[test]
    fn a_notification_of_a_taken_value_queues_it_later() {
        let slot = idle(7);
        let value = slot.take_idle().expect("the value must be idle");
        assert_eq!(slot.notify(), Wake::AlreadyAwake);
        assert_eq!(slot.put_back(value, false), Wake::Queue);
        let value = slot.take().expect("the value must be in the slot");
        assert_eq!(slot.put_back(value, true), Wake::Queue, "asked for a turn");
        let value = slot.take().expect("the value must be in the slot");
        assert_eq!(slot.put_back(value, false), Wake::AlreadyAwake);
    }

    #[test]
    fn a_closed_slot_stays_closed_until_opened() {
        let slot = idle(7);
        assert_eq!(slot.close(), Wake::Queue);
        let value = slot.take().expect("the value must be in the slot");
        assert_eq!(slot.put_back(value, false), Wake::AlreadyAwake);
        assert!(slot.is_closed() && slot.take_idle().is_none());
        slot.open();
        assert!(!slot.is_closed() && slot.take_idle().is_some());
    }

    #[test]
    fn a_value_that_was_given_up_is_never_queued() {
        let slot = idle(7);
        drop(slot.take());
        slot.give_up();
        assert_eq!((slot.notify(), slot.take()), (Wake::AlreadyAwake, None));
        slot.prepare(false);
        assert_eq!(slot.put_back(Box::new(8), false), Wake::AlreadyAwake);
        assert!(slot.is_closed());
    }

    #[test]
    fn a_dropped_slot_drops_its_value() {
        let value = Arc::new(());
        let slot = Slot::empty();
        assert_eq!(
            slot.put_back(Box::new(Arc::clone(&value)), true),
            Wake::Queue
        );
        drop(slot);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    /// Value that records the messages it has received.
    #[derive(Default)]
    struct Receiver(Vec<u64>);

    /// A slot with a mailbox and a queue, as a kernel has.
    struct Scene {
        slot: Slot<Receiver>,
        mailbox: Mutex<Vec<u64>>,
        queued: Mutex<Vec<()>>,
        is_running: AtomicBool,
        handoffs: AtomicU64,
    }

    impl Scene {
        fn wake(&self, wake: Wake) {
            if wake == Wake::Queue {
                self.queued.lock().push(());
            }
        }

        /// Sends as a worker does: runs the value if it is idle, else uses the mailbox.
        fn send(&self, message: u64) {
            if !message.is_multiple_of(3)
                && let Some(value) = self.slot.take_idle()
            {
                self.handoffs.fetch_add(1, Ordering::Relaxed);
                self.run(value, &[message]);
            } else {
                self.mailbox.lock().push(message);
                self.wake(self.slot.notify());
            }
        }

        fn run(&self, mut value: Box<Receiver>, messages: &[u64]) {
            assert!(
                !self.is_running.swap(true, Ordering::Relaxed),
                "at most one thread may have the value"
            );
            value.0.extend_from_slice(messages);
            assert!(self.is_running.swap(false, Ordering::Relaxed));
            self.wake(
                self.slot.put_back(
                    value,
                    messages
                        .first()
                        .is_some_and(|message| message.is_multiple_of(7)),
                ),
            );
        }

        /// Runs the value if it is queued, as a worker does.
        fn run_queued(&self) -> bool {
            let is_queued = self.queued.lock().pop().is_some();
            if is_queued && let Some(value) = self.slot.take() {
                let messages = std::mem::take(&mut *self.mailbox.lock());
                self.run(value, &messages);
            }
            is_queued
        }
    }

    #[test]
    fn concurrent_senders_lose_no_message() {
        const THREADS: u64 = 4;
        const MESSAGES: u64 = 50_000;
        let scene = Scene {
            slot: Slot::empty(),
            mailbox: Mutex::default(),
            queued: Mutex::default(),
            is_running: AtomicBool::new(false),
            handoffs: AtomicU64::new(0),
        };
        scene.wake(scene.slot.put_back(Box::default(), false));
        let start = Barrier::new(THREADS as usize);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let scene = &scene;
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for message in 0..MESSAGES {
                        scene.send(thread * MESSAGES + message);
                        scene.run_queued();
                    }
                });
            }
        });
        while scene.run_queued() {}
        assert!(scene.mailbox.lock().is_empty());
        let mut messages = scene.slot.take_idle().expect("the value must be idle").0;
        messages.sort_unstable();
        assert!(
            messages.iter().copied().eq(0..THREADS * MESSAGES),
            "each message must arrive once"
        );
        assert!(
            scene.handoffs.load(Ordering::Relaxed) > 0,
            "some messages must go with a handoff"
        );
    }
}
