//! The calls that this guest has made and not seen the end of.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::num::NonZeroU64;
use core::ops::Range;
use core::task::Waker;

use parigot_abi::frame::flags;
use parigot_abi::{Code, Frame, Frames};

use crate::runtime::executor::{Executor, Waiter};

/// A slab of calls: a call's number is its slot, and above that how often the slot has been used, so that a reply which comes
/// too late finds nobody.
#[derive(Default)]
pub(crate) struct InFlight {
    calls: RefCell<Calls>,
}

#[derive(Default)]
struct Calls {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Responses that came in this turn and were not read yet.
    unread: usize,
}

struct Slot {
    /// Counts from 1, so that no call has number 0, which is the launch's.
    uses: u32,
    state: State,
}

enum State {
    Free,
    Waiting(Option<Waiter>),
    Arrived(Reply),
}

impl State {
    fn into_reply(self) -> Option<Reply> {
        if let State::Arrived(reply) = self {
            Some(reply)
        } else {
            None
        }
    }
}

/// A reply that has come.
pub(crate) enum Reply {
    /// A response, in this turn's inbox: the byte where its frame begins, and where it stands itself.
    Here { at: usize, response: Range<usize> },
    /// A frame alone, copied from the inbox: of a failure, or of a response that came in an earlier turn.
    Kept(Box<[u8]>),
}

impl Reply {
    /// Copies what stands in the inbox, before that is written again.
    fn keep(&mut self, inbox: &[u8]) {
        if let Reply::Here { at, .. } = self {
            *self = Reply::Kept(frame_at(inbox, *at).bytes.into());
        }
    }
}

/// Whether the reply bears a response.
pub(crate) fn went_well(Frame { header, .. }: &Frame<'_>) -> bool {
    header.flags & flags::SERVICE_ERROR == 0 && header.status == Code::Ok.number()
}

/// Reads a frame again.
#[cold]
pub(crate) fn frame_at(bytes: &[u8], at: usize) -> Frame<'_> {
    Frames::new(&bytes[at..])
        .next()
        .and_then(Result::ok)
        .expect("the frame was read when it arrived")
}

impl InFlight {
    /// Numbers a new call.
    pub(crate) fn begin(&self) -> NonZeroU64 {
        self.calls.borrow_mut().begin()
    }

    /// Hands over the reply if it has come, which ends the call; else whom `waker` wakes is woken when it comes.
    pub(crate) fn poll(
        &self,
        number: NonZeroU64,
        waker: &Waker,
        executor: &Executor,
    ) -> Option<Reply> {
        let mut calls = self.calls.borrow_mut();
        let slot = calls
            .find(number.get())
            .expect("a call that was not answered has its slot");
        let State::Waiting(known) = &mut slot.state else {
            return calls.vacate(number.get() as u32).into_reply();
        };
        let unused = match known {
            Some(Waiter::Other(known)) if known.will_wake(waker) => None,
            known => known.replace(executor.waiter(waker)),
        };
        // Dropped after the borrow: a combinator's waker may own futures.
        drop(calls);
        drop(unused);
        None
    }

    /// Ends a call that nobody waits for any more. Says whether its reply is still to come.
    pub(crate) fn abandon(&self, number: NonZeroU64) -> bool {
        let state = self.calls.borrow_mut().release(number.get());
        matches!(state, State::Waiting(_))
    }

    /// Takes in a reply. One to a call that was abandoned is ignored. Returns who waits for it.
    pub(crate) fn arrive(&self, number: u64, reply: Reply) -> Option<Waiter> {
        self.calls.borrow_mut().arrive(number, reply)
    }

    /// Copies the replies that nobody has read, before the inbox is written again.
    #[inline]
    pub(crate) fn keep_unread(&self, inbox: &[u8]) {
        let mut calls = self.calls.borrow_mut();
        if calls.unread > 0 {
            calls.keep_unread(inbox);
        }
    }
}

impl Calls {
    fn begin(&mut self) -> NonZeroU64 {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.add_slot(),
        };
        let slot = &mut self.slots[index as usize];
        slot.uses = slot.uses.wrapping_add(1).max(1);
        // Matching what was there, here and below, drops nothing: cheaper than an assignment.
        match core::mem::replace(&mut slot.state, State::Waiting(None)) {
            State::Free => {}
            _ => unreachable!("a slot in the list of free ones is free"),
        }
        NonZeroU64::new((slot.uses as u64) << 32 | index as u64).expect("uses count from 1")
    }

    #[cold]
    fn add_slot(&mut self) -> u32 {
        self.slots.push(Slot {
            uses: 0,
            state: State::Free,
        });
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 calls are in flight")
    }

    #[cold]
    fn keep_unread(&mut self, inbox: &[u8]) {
        self.unread = 0;
        for slot in &mut self.slots {
            if let State::Arrived(reply) = &mut slot.state {
                reply.keep(inbox);
            }
        }
    }

    fn find(&mut self, number: u64) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(number as u32 as usize)?;
        let in_use = slot.uses == (number >> 32) as u32 && !matches!(slot.state, State::Free);
        in_use.then_some(slot)
    }

    fn release(&mut self, number: u64) -> State {
        if self.find(number).is_some() {
            self.vacate(number as u32)
        } else {
            State::Free
        }
    }

    fn vacate(&mut self, index: u32) -> State {
        let state = core::mem::replace(&mut self.slots[index as usize].state, State::Free);
        self.free.push(index);
        if let State::Arrived(Reply::Here { .. }) = state {
            self.unread -= 1;
        }
        state
    }

    fn arrive(&mut self, number: u64, reply: Reply) -> Option<Waiter> {
        let is_here = matches!(reply, Reply::Here { .. });
        let slot = self.find(number)?;
        // A second reply does not replace the first.
        let State::Waiting(waiter) = &mut slot.state else {
            return None;
        };
        let waiter = waiter.take();
        slot.state = State::Arrived(reply);
        self.unread += usize::from(is_here);
        waiter
    }
}
