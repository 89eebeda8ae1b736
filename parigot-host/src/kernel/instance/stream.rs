//! State of a stream at one of its sides: items and credit in both directions.
//!
//! Each side of a call that streams belongs to one instance, and its state to the worker that has
//! the instance. The sender's side counts the items that the guest sends, the receiver's side the
//! items that the guest has received and the credit that the host has passed on for the guest:
//!
//! | event | sender's side | receiver's side |
//! |---|---|---|
//! | the sender sends an item | counted, must be within the credit | |
//! | the item enters the receiver | | received; the window has room again |
//! | the receiver grants a credit | | passed on as far as the window allows |
//! | the credit enters the sender | credit | |
//!
//! The sender learns of a credit in the turn in which its side does, so a guest that sends without
//! credit has broken the protocol, whatever the threads do.

use parigot_abi::frame::flags;
use parigot_abi::id::CallId;
use parigot_abi::manifest::MethodFlags;
use parigot_abi::{Credit, Header, Kind};

use super::window::Window;
use crate::error::Breach;

/// Part of an instance in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The instance has made the call.
    Caller,
    /// The instance serves the call.
    Callee,
}

/// Stream of one call, at one side.
pub(crate) struct Stream {
    /// Items that the guest sends; `None` if that direction does not stream.
    sent: Option<SentItems>,
    /// Items that the guest receives; `None` if that direction does not stream.
    received: Option<ReceivedItems>,
    /// Set once the callee has sent a frame, or once such a frame has reached the caller.
    pub(crate) has_begun: bool,
    /// Set once an item of the guest was lost. Later frames of the guest reach no receiver, so that
    /// no stream has a hole.
    pub(crate) is_broken: bool,
    /// Set at the caller if the deadline of the call covers only the time until the first frame of
    /// the callee.
    pub(crate) covers_first_frame: bool,
}

/// Items that a guest sends.
#[derive(Default)]
struct SentItems {
    sent: Credit,
    credit: Credit,
    /// Set once the guest has sent the end of its items.
    have_ended: bool,
}

/// Items that a guest receives.
struct ReceivedItems {
    received: Credit,
    /// Credit that the guest has granted.
    granted: Credit,
    /// Credit that the host has passed on to the sender.
    passed: Credit,
    window: Window,
}

impl Stream {
    /// Creates the stream of a new call. A direction has a `window` at its receiver.
    pub(crate) fn new(side: Side, streams: MethodFlags, window: Option<Window>) -> Self {
        let sends = match side {
            Side::Caller => streams.streams_requests(),
            Side::Callee => streams.streams_responses(),
        };
        Stream {
            sent: sends.then(|| SentItems {
                credit: Credit::INITIAL,
                ..SentItems::default()
            }),
            received: window.map(|window| ReceivedItems {
                received: Credit::default(),
                granted: Credit::INITIAL,
                passed: Credit::INITIAL,
                window,
            }),
            has_begun: false,
            is_broken: false,
            covers_first_frame: false,
        }
    }

    /// Returns true if the guest has sent an item.
    pub(crate) fn has_sent(&self) -> bool {
        self.sent
            .as_ref()
            .is_some_and(|items| items.sent != Credit::default())
    }

    /// Counts an item that the guest sends.
    ///
    /// # Errors
    ///
    /// If the guest may not send the item.
    pub(crate) fn send(&mut self, number: u64, payload_bytes: usize) -> Result<(), Breach> {
        let kind = Kind::Item;
        let items = self.sent.as_mut();
        let items = items.ok_or(Breach::NoStream { kind, number })?;
        if items.have_ended {
            return Err(Breach::AfterEnd { kind, number });
        }
        if !items.credit.permits(items.sent) {
            return Err(Breach::NoCredit { number });
        }
        items.sent = items.sent.with_item(payload_bytes);
        Ok(())
    }

    /// Notes the end of the items that the guest sends.
    ///
    /// # Errors
    ///
    /// If the guest sends no items, or has ended them before.
    pub(crate) fn end(&mut self, number: u64) -> Result<(), Breach> {
        let kind = Kind::End;
        let items = self.sent.as_mut();
        let items = items.ok_or(Breach::NoStream { kind, number })?;
        if std::mem::replace(&mut items.have_ended, true) {
            return Err(Breach::AfterEnd { kind, number });
        }
        Ok(())
    }

    /// Notes the credit that the guest grants.
    ///
    /// # Errors
    ///
    /// If the guest receives no items.
    pub(crate) fn grant(&mut self, number: u64, credit: Credit) -> Result<(), Breach> {
        let kind = Kind::Credit;
        let items = self.received.as_mut();
        let items = items.ok_or(Breach::NoStream { kind, number })?;
        items.granted = items.granted.max(credit);
        Ok(())
    }

    /// Returns the credit to pass on to the sender, if it has grown.
    pub(crate) fn pass_credit(&mut self) -> Option<Credit> {
        let ReceivedItems {
            received,
            granted,
            passed,
            window,
        } = self.received.as_mut()?;
        window.grow(Credit {
            items: granted.items.saturating_sub(received.items),
            bytes: granted.bytes.saturating_sub(received.bytes),
        });
        let size = window.size();
        let extended = passed.max(Credit {
            items: granted.items.min(received.items.saturating_add(size.items)),
            bytes: granted.bytes.min(received.bytes.saturating_add(size.bytes)),
        });
        (std::mem::replace(passed, extended) != extended).then_some(extended)
    }

    /// Counts an item that enters the guest. Returns true if credit waits for the space.
    pub(super) fn receive(&mut self, payload_bytes: usize) -> bool {
        self.received.as_mut().is_some_and(|items| {
            items.received = items.received.with_item(payload_bytes);
            items.passed != items.granted
        })
    }

    /// Extends the credit for the items that the guest sends.
    pub(super) fn extend(&mut self, credit: Credit) {
        if let Some(items) = &mut self.sent {
            items.credit = items.credit.max(credit);
        }
    }
}

/// Record of a frame of a stream in a mailbox.
#[derive(Clone, Copy)]
pub(crate) struct StreamRecord {
    /// Side of the receiver, and the number of the call there.
    pub(crate) side: Side,
    pub(crate) number: u64,
    pub(crate) id: CallId,
    pub(crate) event: StreamEvent,
}

impl StreamRecord {
    /// Returns the header of the frame.
    pub(super) fn header(&self) -> Header {
        let kind = match self.event {
            StreamEvent::Item(_) => Kind::Item,
            StreamEvent::Credit(_) => Kind::Credit,
            StreamEvent::End => Kind::End,
        };
        let flags = match self.side {
            Side::Caller => 0,
            Side::Callee => flags::TO_CALLEE,
        };
        Header {
            flags,
            number: self.number,
            ..Header::new(kind)
        }
    }
}

/// Effect of a frame of a stream on its receiver.
#[derive(Clone, Copy)]
pub(crate) enum StreamEvent {
    /// An item with so many payload bytes.
    Item(usize),
    Credit(Credit),
    End,
}

#[cfg(test)]
mod tests {
    use super::super::window::WindowPool;
    use super::*;

    const BIDI: MethodFlags =
        MethodFlags(MethodFlags::STREAMS_REQUESTS | MethodFlags::STREAMS_RESPONSES);

    fn stream() -> Stream {
        let window = WindowPool::new().reserve();
        Stream::new(Side::Caller, BIDI, window)
    }

    fn credit(items: u64, bytes: u64) -> Credit {
        Credit { items, bytes }
    }

    #[test]
    fn items_need_credit() {
        let mut stream = stream();
        (0..4).for_each(|_| stream.send(1, 10).expect("the first window has room"));
        assert!(matches!(stream.send(1, 10), Err(Breach::NoCredit { .. })));
        stream.extend(credit(6, 0));
        stream.send(1, 5_000).expect("the last item may be long");
        assert!(matches!(stream.send(1, 0), Err(Breach::NoCredit { .. })));
        stream.extend(credit(0, 5_041));
        stream.send(1, 0).expect("one item and one byte are left");
    }

    #[test]
    fn nothing_follows_the_end() {
        let mut stream = stream();
        stream.end(1).expect("the first end");
        assert!(matches!(stream.send(1, 1), Err(Breach::AfterEnd { .. })));
        assert!(matches!(stream.end(1), Err(Breach::AfterEnd { .. })));
    }

    #[test]
    fn a_direction_that_does_not_stream_takes_nothing() {
        let responses = MethodFlags(MethodFlags::STREAMS_RESPONSES);
        let mut callee = Stream::new(Side::Callee, responses, None);
        assert!(matches!(
            callee.grant(1, Credit::INITIAL),
            Err(Breach::NoStream { .. })
        ));
        assert!(callee.send(1, 1).is_ok() && callee.has_sent());
        let mut caller = Stream::new(Side::Caller, responses, WindowPool::new().reserve());
        assert!(matches!(caller.send(1, 1), Err(Breach::NoStream { .. })));
        assert!(matches!(caller.end(1), Err(Breach::NoStream { .. })));
    }

    #[test]
    fn credit_passes_as_far_as_the_window_allows() {
        let mut stream = stream();
        assert_eq!(stream.pass_credit(), None, "nothing was granted");
        stream
            .grant(1, credit(10_000, u64::MAX))
            .expect("it streams");
        assert_eq!(stream.pass_credit(), Some(Credit::WINDOW_MAX));
        assert_eq!(stream.pass_credit(), None);
        assert!(stream.receive(100), "credit waits for the space");
        assert_eq!(stream.pass_credit(), Some(credit(257, (1 << 20) + 100)));
        stream.grant(1, credit(3, 3)).expect("it streams");
        assert_eq!(stream.pass_credit(), None, "the highest credit counts");
    }

    #[test]
    fn credit_waits_while_the_pool_has_no_room() {
        let pool = WindowPool::new();
        let mut stream = Stream::new(Side::Caller, BIDI, pool.reserve());
        let others: Vec<_> = std::iter::from_fn(|| pool.reserve()).collect();
        stream.grant(1, credit(100, 100_000)).expect("it streams");
        assert_eq!(stream.pass_credit(), None, "the pool is used up");
        assert!(stream.receive(96));
        assert_eq!(stream.pass_credit(), Some(credit(5, 4_192)));
        drop(others);
        assert!(stream.receive(4));
        assert_eq!(stream.pass_credit(), Some(credit(100, 100_000)));
        assert!(!stream.receive(0), "all granted credit was passed on");
    }
}
