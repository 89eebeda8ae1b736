//! The calls that this guest has made and not seen the end of.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::Waker;

use parigot_abi::{Frame, Frames};

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
    /// Slots whose reply came in this turn.
    arrived: Vec<u32>,
}

struct Slot {
    /// Counts from 1, so that no call has number 0, which is the launch's.
    uses: u32,
    state: State,
}

enum State {
    Free,
    Waiting(Option<Waker>),
    Arrived(Reply),
}

/// A reply's frame.
pub(crate) enum Reply {
    /// In this turn's inbox, from this byte on.
    Inbox(usize),
    /// Kept from an earlier turn.
    Kept(Box<[u8]>),
}

impl Reply {
    /// Reads it. `inbox` is this turn's.
    pub(crate) fn frame<'a>(&'a self, inbox: &'a [u8]) -> Frame<'a> {
        let bytes = match self {
            Reply::Inbox(at) => &inbox[*at..],
            Reply::Kept(bytes) => bytes,
        };
        Frames::new(bytes).next().and_then(Result::ok).expect("the frame was read when it arrived")
    }
}

impl InFlight {
    /// Numbers a new call.
    pub(crate) fn begin(&self) -> u64 {
        self.calls.borrow_mut().begin()
    }

    /// Hands over the reply if it has come, which ends the call; else `waker` is woken when it comes.
    pub(crate) fn poll(&self, number: u64, waker: &Waker) -> Option<Reply> {
        let mut calls = self.calls.borrow_mut();
        let slot = calls.find(number).expect("a call that was not answered has its slot");
        let unused = match &mut slot.state {
            State::Waiting(Some(known)) if known.will_wake(waker) => None,
            State::Waiting(known) => known.replace(waker.clone()),
            State::Arrived(_) => match calls.release(number) {
                State::Arrived(reply) => return Some(reply),
                _ => unreachable!("the state was seen a line above"),
            },
            State::Free => unreachable!("a slot that is found is in use"),
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

    /// Takes in the reply that stands at byte `at` of the inbox. One for a call that was abandoned is ignored.
    pub(crate) fn arrive(&self, number: u64, at: usize) {
        let waker = self.calls.borrow_mut().arrive(number, at);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Copies the replies that nobody has read, before the inbox is written again.
    pub(crate) fn keep_unread(&self, inbox: &[u8]) {
        let mut calls = self.calls.borrow_mut();
        while let Some(index) = calls.arrived.pop() {
            if let State::Arrived(Reply::Inbox(at)) = calls.slots[index as usize].state {
                calls.slots[index as usize].state = State::Arrived(Reply::Kept(frame_at(inbox, at).into()));
            }
        }
    }
}

fn frame_at(inbox: &[u8], at: usize) -> &[u8] {
    let mut frames = Frames::new(&inbox[at..]);
    frames.next();
    &inbox[at..at + frames.offset()]
}

impl Calls {
    fn begin(&mut self) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { uses: 0, state: State::Free });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 calls are in flight")
        });
        let slot = &mut self.slots[index as usize];
        slot.uses = slot.uses.wrapping_add(1).max(1);
        slot.state = State::Waiting(None);
        (slot.uses as u64) << 32 | index as u64
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
        state
    }

    fn arrive(&mut self, number: u64, at: usize) -> Option<Waker> {
        let slot = self.find(number)?;
        // A second reply does not replace the first.
        let State::Waiting(waker) = &mut slot.state else { return None };
        let waker = waker.take();
        slot.state = State::Arrived(Reply::Inbox(at));
        self.arrived.push(number as u32);
        waker
    }
}
