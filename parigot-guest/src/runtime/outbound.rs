//! The calls that this guest has made and that have not ended.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::num::NonZeroU64;
use core::ops::Range;
use core::task::Waker;

use parigot_abi::frame::flags;
use parigot_abi::{Code, Frame, Frames};

use crate::runtime::executor::{Executor, Waiter};

/// The calls in flight, in a slab. The low half of a call's number is the index of its slot, the
/// high half counts the uses of that slot, so that a late reply does not match a newer call.
#[derive(Default)]
pub(crate) struct OutboundCalls {
    slab: RefCell<Slab>,
    /// Set if the slab has headers. A flag of its own, because each call reads it.
    has_headers: Cell<bool>,
}

#[derive(Default)]
struct Slab {
    slots: Vec<CallSlot>,
    free: Vec<u32>,
    /// Number of replies with a response that arrived in this turn and were not read yet.
    unread: usize,
    /// Response headers of calls that have not ended, in their wire form, with the calls' numbers.
    /// A list beside the slots, because most calls have no headers.
    headers: Vec<(u64, Vec<u8>)>,
}

struct CallSlot {
    /// Counts from 1, so that no call has number 0, which belongs to the launch.
    uses: u32,
    state: CallState,
}

enum CallState {
    Free,
    Waiting(Option<Waiter>),
    Arrived(Reply),
}

impl CallState {
    fn into_reply(self) -> Option<Reply> {
        if let CallState::Arrived(reply) = self {
            Some(reply)
        } else {
            None
        }
    }
}

/// A reply that has arrived.
pub(crate) enum Reply {
    /// A response in this turn's inbox: the offset of its frame, and the range of its payload.
    InInbox { at: usize, response: Range<usize> },
    /// A copied frame: a failure, or a response that arrived in an earlier turn.
    Copied(Box<[u8]>),
}

impl Reply {
    /// Copies the frame out of the inbox before the inbox is overwritten.
    fn copy_out(&mut self, inbox: &[u8]) {
        if let Reply::InInbox { at, .. } = self {
            *self = Reply::Copied(frame_at(inbox, *at).bytes.into());
        }
    }
}

/// Returns true if the reply carries a response.
pub(crate) fn has_response(Frame { header, .. }: &Frame<'_>) -> bool {
    header.flags & flags::SERVICE_ERROR == 0 && header.status == Code::Ok.number()
}

/// Reads a frame for the second time.
#[cold]
pub(crate) fn frame_at(bytes: &[u8], at: usize) -> Frame<'_> {
    Frames::new(&bytes[at..])
        .next()
        .and_then(Result::ok)
        .expect("the frame must have been valid when it arrived")
}

impl OutboundCalls {
    /// Takes a slot and returns the number of the new call.
    pub(crate) fn begin(&self) -> NonZeroU64 {
        self.slab.borrow_mut().begin()
    }

    /// Returns the reply if it has arrived, which ends the call. Otherwise the task or combinator
    /// behind `waker` is woken when the reply arrives.
    pub(crate) fn poll(
        &self,
        number: NonZeroU64,
        waker: &Waker,
        executor: &Executor,
    ) -> Option<Reply> {
        let mut slab = self.slab.borrow_mut();
        let slot = slab
            .find(number.get())
            .expect("an unanswered call must have its slot");
        let CallState::Waiting(known) = &mut slot.state else {
            return slab.vacate(number.get() as u32).into_reply();
        };
        let replaced = match known {
            Some(Waiter::Other(known)) if known.will_wake(waker) => None,
            known => known.replace(executor.waiter(waker)),
        };
        // Dropped after the borrow: a combinator's waker may own futures, which own calls.
        drop(slab);
        drop(replaced);
        None
    }

    /// Ends a call whose reply is not needed any more. Returns true if the reply is still due, so
    /// that the callee must be told.
    pub(crate) fn abandon(&self, number: NonZeroU64) -> bool {
        drop(self.take_headers(number));
        let state = self.slab.borrow_mut().release(number.get());
        matches!(state, CallState::Waiting(_))
    }

    /// Stores the response headers of a call, which may come once. Those of abandoned calls are
    /// ignored.
    pub(crate) fn open(&self, number: u64, headers: &[u8]) {
        let mut slab = self.slab.borrow_mut();
        let is_known = slab.headers.iter().any(|(known, _)| *known == number);
        if !is_known && slab.is_waiting(number) {
            slab.headers.push((number, headers.into()));
            self.has_headers.set(true);
        }
    }

    /// Removes the response headers of a call that has ended. Must be called for each call, so that
    /// the list does not grow.
    #[inline]
    pub(crate) fn take_headers(&self, number: NonZeroU64) -> Option<Vec<u8>> {
        if self.has_headers.get() {
            self.take_present_headers(number)
        } else {
            None
        }
    }

    #[cold]
    fn take_present_headers(&self, number: NonZeroU64) -> Option<Vec<u8>> {
        let mut slab = self.slab.borrow_mut();
        let is_this = |(known, _): &(u64, Vec<u8>)| *known == number.get();
        let index = slab.headers.iter().position(is_this)?;
        let (_, headers) = slab.headers.swap_remove(index);
        self.has_headers.set(!slab.headers.is_empty());
        Some(headers)
    }

    /// Stores a reply and returns the waiter of its call. Replies to abandoned calls are ignored.
    pub(crate) fn arrive(&self, number: u64, reply: Reply) -> Option<Waiter> {
        self.slab.borrow_mut().arrive(number, reply)
    }

    /// Copies the unread replies of this turn before the inbox is overwritten.
    #[inline]
    pub(crate) fn keep_unread(&self, inbox: &[u8]) {
        let mut slab = self.slab.borrow_mut();
        if slab.unread > 0 {
            slab.keep_unread(inbox);
        }
    }
}

impl Slab {
    fn begin(&mut self) -> NonZeroU64 {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.add_slot(),
        };
        let slot = &mut self.slots[index as usize];
        slot.uses = slot.uses.wrapping_add(1).max(1);
        // A match on the old state, here and below, proves that there is nothing to drop. An
        // assignment would emit the drop.
        match core::mem::replace(&mut slot.state, CallState::Waiting(None)) {
            CallState::Free => {}
            _ => unreachable!("a slot in the free list must be free"),
        }
        NonZeroU64::new((slot.uses as u64) << 32 | index as u64).expect("uses must count from 1")
    }

    #[cold]
    fn add_slot(&mut self) -> u32 {
        self.slots.push(CallSlot {
            uses: 0,
            state: CallState::Free,
        });
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 calls must be in flight")
    }

    #[cold]
    fn keep_unread(&mut self, inbox: &[u8]) {
        self.unread = 0;
        for slot in &mut self.slots {
            if let CallState::Arrived(reply) = &mut slot.state {
                reply.copy_out(inbox);
            }
        }
    }

    fn find(&mut self, number: u64) -> Option<&mut CallSlot> {
        let slot = self.slots.get_mut(number as u32 as usize)?;
        let in_use = slot.uses == (number >> 32) as u32 && !matches!(slot.state, CallState::Free);
        in_use.then_some(slot)
    }

    fn is_waiting(&mut self, number: u64) -> bool {
        let slot = self.find(number);
        slot.is_some_and(|slot| matches!(slot.state, CallState::Waiting(_)))
    }

    fn release(&mut self, number: u64) -> CallState {
        if self.find(number).is_some() {
            self.vacate(number as u32)
        } else {
            CallState::Free
        }
    }

    fn vacate(&mut self, index: u32) -> CallState {
        let state = core::mem::replace(&mut self.slots[index as usize].state, CallState::Free);
        self.free.push(index);
        if let CallState::Arrived(Reply::InInbox { .. }) = state {
            self.unread -= 1;
        }
        state
    }

    fn arrive(&mut self, number: u64, reply: Reply) -> Option<Waiter> {
        let is_in_inbox = matches!(reply, Reply::InInbox { .. });
        let slot = self.find(number)?;
        // A second reply does not replace the first.
        let CallState::Waiting(waiter) = &mut slot.state else {
            return None;
        };
        let waiter = waiter.take();
        slot.state = CallState::Arrived(reply);
        self.unread += usize::from(is_in_inbox);
        waiter
    }
}
