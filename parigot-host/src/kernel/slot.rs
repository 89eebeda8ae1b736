//! Where an instance is while nobody runs it.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// A place for one thing, from which one thread at a time has it.
///
/// Whoever has something for an instance takes it out of its seat and runs it, or leaves that elsewhere and notifies. Each of
/// this is one atomic step, and all of them are steps of one word, so nothing is missed: what was left before a notification
/// is there for whoever takes the thing next, or else has it and learns of the notification when it puts the thing back.
pub(crate) struct Slot<T> {
    /// The address of the thing, or 0 while somebody has it; and the flags.
    state: AtomicUsize,
    /// As a mutex would, it hands a `T` from thread to thread.
    thing: PhantomData<Mutex<Box<T>>>,
}

/// Something was left for it since it was taken: it is queued, or is queued when it is put back.
const NOTIFIED: usize = 1;
/// Nobody may take it as one that is idle.
const CLOSED: usize = 2;
/// What is no part of an address.
const FLAGS: usize = NOTIFIED | CLOSED;

/// Whether the instance must be queued by whoever has just left something for it.
#[must_use = "an instance that is not queued never runs"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    Queue,
    AlreadyAwake,
}

impl<T> Slot<T> {
    /// An open seat whose thing somebody has.
    pub(crate) fn empty() -> Self {
        const {
            assert!(
                align_of::<T>() > FLAGS,
                "the flags stand in the low bits of an address"
            )
        };
        Slot {
            state: AtomicUsize::new(0),
            thing: PhantomData,
        }
    }

    /// Takes the thing if nothing was left for it, unless the seat is closed.
    #[inline]
    pub(crate) fn take_idle(&self) -> Option<Box<T>> {
        let state = self.state.load(Ordering::Relaxed);
        if state == 0 || state & FLAGS != 0 {
            return None;
        }
        let taken = self
            .state
            .compare_exchange(state, 0, Ordering::Acquire, Ordering::Relaxed);
        // SAFETY: the address was in the seat, and is there no more.
        taken.ok().map(|address| unsafe { thing_at(address) })
    }

    /// Takes the thing, whose taker then looks at all that was left for it; `None` if somebody has it, or it is gone.
    #[inline]
    pub(crate) fn take(&self) -> Option<Box<T>> {
        let without_thing = |state| (state & !FLAGS != 0).then_some(state & CLOSED);
        let taken = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, without_thing);
        // SAFETY: the address was in the seat, and is there no more.
        taken.ok().map(|state| unsafe { thing_at(state & !FLAGS) })
    }

    /// Puts the thing back that was taken; it is queued `again` if it asks for that, or was notified meanwhile.
    ///
    /// # Panics
    ///
    /// If there is one: a seat has one thing.
    #[inline]
    pub(crate) fn put_back(&self, thing: Box<T>, again: bool) -> Wake {
        let again = if again { NOTIFIED } else { 0 };
        let address = Box::into_raw(thing).expose_provenance();
        let with_thing = |state| (state & !FLAGS == 0).then_some(state | address | again);
        let state = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, with_thing);
        let state = state.expect("a seat has one thing");
        if (state | again) & NOTIFIED == 0 {
            Wake::AlreadyAwake
        } else {
            Wake::Queue
        }
    }

    /// Says that something was left for the thing.
    pub(crate) fn notify(&self) -> Wake {
        self.raise(NOTIFIED)
    }

    /// The same, and from now on nobody takes it as one that is idle.
    pub(crate) fn close(&self) -> Wake {
        self.raise(NOTIFIED | CLOSED)
    }

    fn raise(&self, flags: usize) -> Wake {
        let state = self.state.fetch_or(flags, Ordering::AcqRel);
        let was_idle = state & !FLAGS != 0 && state & NOTIFIED == 0;
        if was_idle {
            Wake::Queue
        } else {
            Wake::AlreadyAwake
        }
    }

    /// Ends what [`Slot::close`] has begun.
    pub(crate) fn open(&self) {
        self.state.fetch_and(!CLOSED, Ordering::AcqRel);
    }

    /// The thing that was taken will not come back: nobody need be queued for it.
    pub(crate) fn give_up(&self) {
        self.state.store(FLAGS, Ordering::Release);
    }

    /// There is another thing for a seat that was given up. Somebody has it, for whom something was left or not; the seat is closed.
    pub(crate) fn prepare(&self, is_notified: bool) {
        self.state.store(
            CLOSED | if is_notified { NOTIFIED } else { 0 },
            Ordering::Release,
        );
    }

    /// Whether nobody may take the thing as one that is idle.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// Whether the thing is not here.
    pub(crate) fn is_taken(&self) -> bool {
        self.state.load(Ordering::Relaxed) & !FLAGS == 0
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// The thing that was put into a seat.
///
/// # Safety
///
/// The address is one that [`Slot::put_back`] has exposed, and whoever calls has taken it out of the seat.
unsafe fn thing_at<T>(address: usize) -> Box<T> {
    // SAFETY: it came from `Box::into_raw`, and there is one caller for each time that it was put back.
    unsafe { Box::from_raw(std::ptr::with_exposed_provenance_mut(address)) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64};
    use std::sync::{Arc, Barrier};

    use super::*;

    fn idle(thing: u64) -> Slot<u64> {
        let seat = Slot::empty();
        assert_eq!(seat.put_back(Box::new(thing), false), Wake::AlreadyAwake);
        seat
    }

    #[test]
    fn one_that_is_idle_is_taken_once() {
        let seat = idle(7);
        assert_eq!(seat.take_idle().as_deref(), Some(&7));
        assert_eq!(
            (seat.take_idle(), seat.take(), seat.is_taken()),
            (None, None, true)
        );
    }

    #[test]
    fn one_that_is_notified_is_queued_once_and_then_not_taken_as_idle() {
        let seat = idle(7);
        assert_eq!(
            [seat.notify(), seat.notify()],
            [Wake::Queue, Wake::AlreadyAwake]
        );
        assert_eq!((seat.take_idle(), seat.take().as_deref()), (None, Some(&7)));
    }

    #[test]
    fn one_that_was_notified_while_it_was_taken_is_queued_when_it_is_put_back() {
        let seat = idle(7);
        let thing = seat.take_idle().expect("it is idle");
        assert_eq!(seat.notify(), Wake::AlreadyAwake);
        assert_eq!(seat.put_back(thing, false), Wake::Queue);
        let thing = seat.take().expect("it is there");
        assert_eq!(seat.put_back(thing, true), Wake::Queue, "it asks for that");
        let thing = seat.take().expect("it is there");
        assert_eq!(seat.put_back(thing, false), Wake::AlreadyAwake);
    }

    #[test]
    fn a_closed_seat_stays_closed_while_its_thing_comes_and_goes() {
        let seat = idle(7);
        assert_eq!(seat.close(), Wake::Queue);
        let thing = seat.take().expect("it is there");
        assert_eq!(seat.put_back(thing, false), Wake::AlreadyAwake);
        assert!(seat.is_closed() && seat.take_idle().is_none());
        seat.open();
        assert!(!seat.is_closed() && seat.take_idle().is_some());
    }

    #[test]
    fn nobody_is_queued_for_what_was_given_up() {
        let seat = idle(7);
        drop(seat.take());
        seat.give_up();
        assert_eq!((seat.notify(), seat.take()), (Wake::AlreadyAwake, None));
        seat.prepare(false);
        assert_eq!(seat.put_back(Box::new(8), false), Wake::AlreadyAwake);
        assert!(seat.is_closed());
    }

    #[test]
    fn what_is_in_a_seat_is_dropped_with_it() {
        let thing = Arc::new(());
        let seat = Slot::empty();
        assert_eq!(
            seat.put_back(Box::new(Arc::clone(&thing)), true),
            Wake::Queue
        );
        drop(seat);
        assert_eq!(Arc::strong_count(&thing), 1);
    }

    /// The letters that somebody has read.
    #[derive(Default)]
    struct Reader(Vec<u64>);

    /// What is left for a thing, and who is queued: as a mailbox and the queue of workers.
    struct Scene {
        seat: Slot<Reader>,
        left: Mutex<Vec<u64>>,
        queued: Mutex<Vec<()>>,
        is_inside: AtomicBool,
        handed_over: AtomicU64,
    }

    impl Scene {
        fn wake(&self, wake: Wake) {
            if wake == Wake::Queue {
                self.queued.lock().push(());
            }
        }

        /// Brings a letter as a worker does: with the thing itself if it is idle, else by leaving it.
        fn bring(&self, letter: u64) {
            if !letter.is_multiple_of(3)
                && let Some(thing) = self.seat.take_idle()
            {
                self.handed_over.fetch_add(1, Ordering::Relaxed);
                self.run(thing, &[letter]);
            } else {
                self.left.lock().push(letter);
                self.wake(self.seat.notify());
            }
        }

        fn run(&self, mut thing: Box<Reader>, letters: &[u64]) {
            assert!(
                !self.is_inside.swap(true, Ordering::Relaxed),
                "somebody else has it"
            );
            thing.0.extend_from_slice(letters);
            assert!(self.is_inside.swap(false, Ordering::Relaxed));
            self.wake(
                self.seat.put_back(
                    thing,
                    letters
                        .first()
                        .is_some_and(|letter| letter.is_multiple_of(7)),
                ),
            );
        }

        /// Runs what is queued, as a worker does.
        fn run_queued(&self) -> bool {
            let is_queued = self.queued.lock().pop().is_some();
            if is_queued && let Some(thing) = self.seat.take() {
                let letters = std::mem::take(&mut *self.left.lock());
                self.run(thing, &letters);
            }
            is_queued
        }
    }

    #[test]
    fn threads_that_leave_and_take_at_once_lose_nothing_and_never_meet() {
        const THREADS: u64 = 4;
        const LETTERS: u64 = 50_000;
        let scene = Scene {
            seat: Slot::empty(),
            left: Mutex::default(),
            queued: Mutex::default(),
            is_inside: AtomicBool::new(false),
            handed_over: AtomicU64::new(0),
        };
        scene.wake(scene.seat.put_back(Box::default(), false));
        let start = Barrier::new(THREADS as usize);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (scene, start) = (&scene, &start);
                scope.spawn(move || {
                    start.wait();
                    for letter in 0..LETTERS {
                        scene.bring(thread * LETTERS + letter);
                        scene.run_queued();
                    }
                });
            }
        });
        while scene.run_queued() {}
        assert!(scene.left.lock().is_empty());
        let mut letters = scene.seat.take_idle().expect("it is at rest").0;
        letters.sort_unstable();
        assert!(
            letters.iter().copied().eq(0..THREADS * LETTERS),
            "each letter has come once"
        );
        assert!(
            scene.handed_over.load(Ordering::Relaxed) > 0,
            "some were brought with the thing itself"
        );
    }
}
