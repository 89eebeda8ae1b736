//! Outbound calls that wait for their reply.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::num::NonZeroU64;
use core::task::{self, Poll};

use parigot_abi::{Header, Kind};

use crate::runtime::guest::Guest;
use crate::runtime::outbound::{Reply, frame_at};
use crate::status::Status;

/// A call that waits for its reply, of any method. Dropping it cancels the call.
pub(crate) struct Pending {
    pub(crate) guest: Rc<Guest>,
    /// Number of the call; `None` once the call has ended.
    number: Option<NonZeroU64>,
    /// Reason why the call was not sent.
    refused: Option<Status>,
}

impl Pending {
    /// Creates the call that was sent with this number, or was not sent for this reason.
    #[inline]
    pub(crate) fn new(guest: Rc<Guest>, sent: Result<NonZeroU64, Status>) -> Self {
        match sent {
            Ok(number) => Pending {
                guest,
                number: Some(number),
                refused: None,
            },
            Err(status) => Pending {
                guest,
                number: None,
                refused: Some(status),
            },
        }
    }

    /// Returns the number of the call; 0 if the call was not sent, or has ended.
    pub(crate) fn number(&self) -> u64 {
        self.number.map_or(0, NonZeroU64::get)
    }

    /// Returns the call as one that has failed for this reason. The caller has cancelled it.
    pub(crate) fn refused(mut self, reason: Status) -> Self {
        self.number = None;
        self.refused = Some(reason);
        self
    }

    /// Returns the call's number and the reply, or the reason why the call was not sent. The caller
    /// removes the call's response headers.
    ///
    /// # Panics
    ///
    /// If polled after completion.
    #[inline]
    pub(crate) fn poll_reply(
        &mut self,
        cx: &mut task::Context<'_>,
    ) -> Poll<Result<(NonZeroU64, Reply), Status>> {
        let Some(number) = self.number else {
            return Poll::Ready(Err(self.take_refusal()));
        };
        let Some(reply) = self.guest.poll_call(number, cx.waker()) else {
            return Poll::Pending;
        };
        self.number = None;
        Poll::Ready(Ok((number, reply)))
    }

    #[cold]
    fn take_refusal(&mut self) -> Status {
        self.refused
            .take()
            .expect("a call was polled after it had completed")
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(number) = self.number
            && self.guest.calls.outbound.abandon(number)
        {
            self.guest.io.send_bare(Header {
                number: number.get(),
                ..Header::new(Kind::Cancel)
            });
        }
    }
}

/// Returns the trailers of a reply, in their wire form.
pub(crate) fn trailers(guest: &Guest, reply: &Reply) -> Vec<u8> {
    match reply {
        Reply::InInbox { at, .. } => frame_at(&guest.io.inbox(), *at).metadata.into(),
        Reply::Copied(bytes) => frame_at(bytes, 0).metadata.into(),
    }
}
