//! Frames of streams that arrive.

use parigot_abi::{Frame, StreamContent, StreamFrame};

use crate::runtime::guest::Guest;
use crate::runtime::stream::table::Side;

impl Guest {
    /// Handles an item, a credit or an end. Frames of calls that have ended are ignored.
    pub(crate) fn take_stream_frame(&self, frame: &Frame<'_>) -> Result<(), &'static str> {
        let StreamFrame {
            number,
            is_to_callee,
            content,
        } = StreamFrame::read(frame).map_err(|malformed| malformed.expected)?;
        let side = if is_to_callee {
            Side::Callee
        } else {
            Side::Caller
        };
        if let Some(stream) = self.calls.streams.find(side, number) {
            self.notify(match content {
                StreamContent::Item(item) => stream.received.push(item),
                StreamContent::Credit(credit) => stream.sending.extend(credit),
                StreamContent::End => stream.received.end(),
            });
        }
        Ok(())
    }

    /// Tells the sender of requests that the reply to its call has arrived.
    #[cold]
    pub(crate) fn close_requests(&self, number: u64) {
        if let Some(stream) = self.calls.streams.find(Side::Caller, number)
            && let Some(sender) = stream.sending.close()
        {
            self.tasks.executor.wake(sender);
        }
    }

    /// Tells the handler of a cancelled call that its stream is closed, if the handler waits for
    /// the stream. Returns false if the handler does not, so that it must be dropped.
    ///
    /// The handler learns it where it waits, because a stream is work in progress that it may have
    /// to conclude. A handler that waits for anything else might never look at its stream again.
    pub(crate) fn close_served(&self, number: u64) -> bool {
        let Some(stream) = self.calls.streams.find(Side::Callee, number) else {
            return false;
        };
        let is_awaited =
            stream.waits.get() > 0 || stream.received.is_awaited() || stream.sending.is_awaited();
        stream.is_cancelled.set(true);
        let waiters = [stream.sending.close(), stream.received.end()];
        for waiter in waiters.into_iter().flatten() {
            self.tasks.executor.wake(waiter);
        }
        is_awaited
    }
}
