//! The streams of a guest.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use parigot_abi::frame::flags;

use crate::runtime::stream::item_queue::ItemQueue;
use crate::runtime::stream::send_credit::SendCredit;
use crate::status::Status;

/// The part of a guest in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The guest has made the call.
    Caller,
    /// The guest serves the call.
    Callee,
}

impl Side {
    /// Returns the flags of the stream frames that this side sends.
    pub(crate) fn flags(self) -> u16 {
        match self {
            Side::Caller => flags::TO_CALLEE,
            Side::Callee => 0,
        }
    }
}

/// The items of a call in both directions. A method that streams in one direction only leaves the
/// other one unused.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) received: ItemQueue,
    pub(crate) sending: SendCredit,
    /// Set at the callee once the response headers are sent, or an item without them.
    pub(crate) is_open: Cell<bool>,
    /// Number of futures that wait for an item or for credit. An item or a credit wakes them, and
    /// they count until they are polled.
    pub(crate) waits: Cell<u32>,
    /// Set at the callee once the caller has cancelled the call.
    pub(crate) is_cancelled: Cell<bool>,
    /// Reason why this guest ended the call before its reply, or must fail it.
    pub(crate) failure: RefCell<Option<Status>>,
}

/// The streams of a guest, by call. Empty in most guests.
#[derive(Default)]
pub(crate) struct Streams {
    /// Streams of the calls that the guest has made.
    made: RefCell<BTreeMap<u64, Rc<Stream>>>,
    /// Streams of the calls that the guest serves.
    served: RefCell<BTreeMap<u64, Rc<Stream>>>,
    /// Set if `made` has any. A flag of its own, because each reply reads it.
    has_made: Cell<bool>,
}

impl Streams {
    fn of(&self, side: Side) -> &RefCell<BTreeMap<u64, Rc<Stream>>> {
        match side {
            Side::Caller => &self.made,
            Side::Callee => &self.served,
        }
    }

    /// Adds the stream of a new call.
    pub(crate) fn insert(&self, side: Side, number: u64) -> Rc<Stream> {
        let stream = Rc::<Stream>::default();
        self.of(side)
            .borrow_mut()
            .insert(number, Rc::clone(&stream));
        self.has_made.set(!self.made.borrow().is_empty());
        stream
    }

    /// Removes the stream of a call that has ended.
    pub(crate) fn remove(&self, side: Side, number: u64) {
        let stream = self.of(side).borrow_mut().remove(&number);
        // Dropped after the borrow: a combinator's waker may own other streams.
        drop(stream);
        self.has_made.set(!self.made.borrow().is_empty());
    }

    /// Returns the stream of a call that has not ended.
    pub(crate) fn find(&self, side: Side, number: u64) -> Option<Rc<Stream>> {
        self.of(side).borrow().get(&number).cloned()
    }

    /// Returns true if a call that the guest has made may stream.
    #[inline]
    pub(crate) fn has_made(&self) -> bool {
        self.has_made.get()
    }
}
