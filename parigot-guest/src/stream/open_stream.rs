//! The stream of one call, shared by the ends that a guest holds.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::num::NonZeroU64;
use core::task::{self, Poll};

use parigot_abi::{Credit, Header, Kind};

use crate::runtime::guest::Guest;
use crate::runtime::stream::table::{Side, Stream};
use crate::status::Status;

/// The stream of one call. The guest's table has it until the last end is dropped.
pub(crate) struct OpenStream {
    pub(crate) guest: Rc<Guest>,
    pub(crate) side: Side,
    /// Number of the call; 0 for a call that was not sent.
    pub(crate) number: u64,
    pub(crate) stream: Rc<Stream>,
}

impl OpenStream {
    /// Opens the stream of a call.
    pub(crate) fn new(guest: &Rc<Guest>, side: Side, number: u64) -> Rc<Self> {
        Rc::new(OpenStream {
            guest: Rc::clone(guest),
            side,
            number,
            stream: guest.calls.streams.insert(side, number),
        })
    }

    /// Returns a header for a frame of the stream.
    pub(crate) fn header(&self, kind: Kind) -> Header {
        Header {
            number: self.number,
            flags: self.side.flags(),
            ..Header::new(kind)
        }
    }

    /// Takes the next item that has arrived, and extends the credit of its sender.
    pub(crate) fn take_item(&self) -> Option<Box<[u8]>> {
        let (item, credit) = self.stream.received.take()?;
        self.send_credit(credit);
        Some(item)
    }

    /// Makes the task behind `cx` wait for an item or the end.
    pub(crate) fn wait_for_item(&self, cx: &task::Context<'_>) {
        let waiter = self.guest.tasks.executor.waiter(cx.waker());
        self.send_credit(self.stream.received.wait(waiter));
    }

    fn send_credit(&self, credit: Option<Credit>) {
        if let Some(credit) = credit {
            let io = &self.guest.io;
            io.send_short(self.header(Kind::Credit), None, &credit.to_bytes());
        }
    }

    /// Closes the sending end: the task that waits there sees it.
    pub(crate) fn close_sending(&self) {
        if let Some(sender) = self.stream.sending.close() {
            self.guest.tasks.executor.wake(sender);
        }
    }

    /// Fails the stream for this reason, and closes it. A caller cancels the call; a callee fails
    /// it when the handler ends. Only the first reason counts.
    pub(crate) fn fail(&self, reason: Status) {
        self.stream.failure.borrow_mut().get_or_insert(reason);
        self.close_sending();
        if self.side == Side::Caller {
            self.cancel_call();
            if let Some(reader) = self.stream.received.end() {
                self.guest.tasks.executor.wake(reader);
            }
        }
    }

    fn count_wait(&self) {
        self.stream.waits.set(self.stream.waits.get() + 1);
    }

    fn end_wait(&self) {
        self.stream.waits.set(self.stream.waits.get() - 1);
    }

    fn cancel_call(&self) {
        if let Some(number) = NonZeroU64::new(self.number)
            && self.guest.calls.outbound.abandon(number)
        {
            self.guest.io.send_bare(Header {
                number: self.number,
                ..Header::new(Kind::Cancel)
            });
        }
    }

    /// Lets the host end the turn, if it asks for that: a stream that always has an item or credit
    /// would otherwise hold the thread. `has_yielded` is a variable of the caller, so that each
    /// item yields at most once.
    pub(crate) fn poll_yield(&self, has_yielded: &mut bool, cx: &task::Context<'_>) -> Poll<()> {
        if self.guest.io.must_yield() && !*has_yielded {
            *has_yielded = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        *has_yielded = false;
        Poll::Ready(())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.guest.calls.streams.remove(self.side, self.number);
    }
}

/// A future that waits for an item. Its drop forgets the reader: otherwise a cancellation would
/// count on a task that waits for something else, see [`Guest::close_served`].
pub(crate) struct WaitsForItem(Rc<OpenStream>);

impl WaitsForItem {
    pub(crate) fn new(call: &Rc<OpenStream>) -> Self {
        call.count_wait();
        WaitsForItem(Rc::clone(call))
    }
}

impl Drop for WaitsForItem {
    fn drop(&mut self) {
        self.0.stream.received.stop_waiting();
        self.0.end_wait();
    }
}

/// A future that waits for credit, as [`WaitsForItem`].
pub(crate) struct WaitsForCredit(Rc<OpenStream>);

impl WaitsForCredit {
    pub(crate) fn new(call: &Rc<OpenStream>) -> Self {
        call.count_wait();
        WaitsForCredit(Rc::clone(call))
    }
}

impl Drop for WaitsForCredit {
    fn drop(&mut self) {
        self.0.stream.sending.stop_waiting();
        self.0.end_wait();
    }
}
