//! The calls that this guest has made and not seen the end of.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Range;
use core::task::Waker;

use parigot_abi::{Frame, Frames};

use crate::executor::{Executor, Waiter};

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
    /// Replies that came in this turn and were not read yet.
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

/// A reply that has come.
pub(crate) struct Reply {
    /// Where its frame begins, in bytes.
    pub(crate) at: usize,
    /// Where the response stands, if the call went well: most replies are not parsed again.
    pub(crate) response: Option<Range<usize>>,
    /// The frame alone, kept from an earlier turn; without it places are those of this turn's inbox.
    pub(crate) kept: Option<Box<[u8]>>,
}

impl Reply {
    /// What the places are of. `inbox` is this turn's.
    pub(crate) fn bytes<'a>(&'a self, inbox: &'a [u8]) -> &'a [u8] {
        self.kept.as_deref().unwrap_or(inbox)
    }

    /// Reads the whole frame. `inbox` is this turn's.
    #[cold]
    pub(crate) fn frame<'a>(&'a self, inbox: &'a [u8]) -> Frame<'a> {
        let mut frames = Frames::new(&self.bytes(inbox)[self.at..]);
        frames.next().and_then(Result::ok).expect("the frame was read when it arrived")
    }

    /// Copies the frame, before the inbox is written again.
    #[cold]
    fn keep(&mut self, inbox: &[u8]) {
        let at = core::mem::take(&mut self.at);
        let mut frames = Frames::new(&inbox[at..]);
        frames.next();
        self.kept = Some(inbox[at..at + frames.offset()].into());
        self.response = self.response.take().map(|response| response.start - at..response.end - at);
    }
}

impl InFlight {
    /// Numbers a new call.
    pub(crate) fn begin(&self) -> u64 {
        self.calls.borrow_mut().begin()
    }

    /// Hands over the reply if it has come, which ends the call; else whom `waker` wakes is woken when it comes.
    pub(crate) fn poll(&self, number: u64, waker: &Waker, executor: &Executor) -> Option<Reply> {
        let mut calls = self.calls.borrow_mut();
        let slot = calls.find(number).expect("a call that was not answered has its slot");
        let unused = match &mut slot.state {
            State::Waiting(Some(Waiter::Other(known))) if known.will_wake(waker) => None,
            State::Waiting(known) => known.replace(executor.waiter(waker)),
            state => match core::mem::replace(state, State::Free) {
                State::Arrived(reply) => {
                    calls.free.push(number as u32);
                    calls.unread -= usize::from(reply.kept.is_none());
                    return Some(reply);
                }
                _ => unreachable!("a slot that is found is in use"),
            },
        };
        // Dropped after the borrow: a combinator's waker may own futures.
        drop(calls);
        drop(unused);
        None
    }

    /// Ends a call that nobody waits for any more. Says whether its reply is still to come.
    pub(crate) fn abandon(&self, number: u64) -> bool {
        let state = self.calls.borrow_mut().release(number);
        matches!(state, State::Waiting(_))
    }

    /// Takes in the reply whose frame begins at byte `at` of the inbox. One for a call that was abandoned is ignored.
    /// Returns who waits for it.
    pub(crate) fn arrive(&self, number: u64, at: usize, response: Option<Range<usize>>) -> Option<Waiter> {
        self.calls.borrow_mut().arrive(number, Reply { at, response, kept: None })
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
    fn begin(&mut self) -> u64 {
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
        (slot.uses as u64) << 32 | index as u64
    }

    #[cold]
    fn add_slot(&mut self) -> u32 {
        self.slots.push(Slot { uses: 0, state: State::Free });
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 calls are in flight")
    }

    #[cold]
    fn keep_unread(&mut self, inbox: &[u8]) {
        self.unread = 0;
        for slot in &mut self.slots {
            if let State::Arrived(reply) = &mut slot.state
                && reply.kept.is_none()
            {
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
        let Some(slot) = self.find(number) else { return State::Free };
        let state = core::mem::replace(&mut slot.state, State::Free);
        self.free.push(number as u32);
        if let State::Arrived(Reply { kept: None, .. }) = state {
            self.unread -= 1;
        }
        state
    }

    fn arrive(&mut self, number: u64, reply: Reply) -> Option<Waiter> {
        let slot = self.find(number)?;
        if !matches!(slot.state, State::Waiting(_)) {
            // A second reply does not replace the first.
            return None;
        }
        let State::Waiting(waiter) = core::mem::replace(&mut slot.state, State::Arrived(reply)) else {
            unreachable!("the state was seen a line above")
        };
        self.unread += 1;
        waiter
    }
}
