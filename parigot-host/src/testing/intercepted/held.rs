//! Frames on their way through the interceptor, and frames that the interceptor holds back.

use std::time::Duration;

use parigot_abi::Frame;
use parigot_abi::control::NEVER;

use super::super::fault::Leg;

/// Frame that passes the interceptor in this turn.
pub(super) struct InTransit<'a> {
    pub(super) frame: Frame<'a>,
    /// Encoding of `frame`.
    pub(super) bytes: &'a [u8],
    /// Time of the turn, on the guest's clock.
    pub(super) now_ns: u64,
}

/// Decision about a frame in transit.
#[derive(PartialEq, Eq)]
pub(super) enum Decision {
    /// The frame reaches its receiver in this turn.
    Forward,
    /// The frame does not reach its receiver in this turn.
    Hold,
}

/// Frame of a call that the interceptor holds back.
pub(super) enum Held {
    /// The frame is never forwarded. The entry remains until the host cancels the call.
    Lost,
    Delayed(DelayedFrame),
}

/// Frame that is forwarded later.
pub(super) struct DelayedFrame {
    pub(super) leg: Leg,
    /// Time of the release, on the guest's clock.
    pub(super) at_ns: u64,
    pub(super) bytes: Vec<u8>,
    /// Index of the frame in the record.
    pub(super) frame: usize,
}

impl Held {
    /// Returns the time of the release on the guest's clock, or [`NEVER`].
    pub(super) fn at_ns(&self) -> u64 {
        match self {
            Held::Lost => NEVER,
            Held::Delayed(delayed) => delayed.at_ns,
        }
    }

    /// Checks that the frame is to be released by `now_ns`.
    pub(super) fn is_due(&self, now_ns: u64) -> bool {
        matches!(self, Held::Delayed(delayed) if delayed.at_ns <= now_ns)
    }
}

impl DelayedFrame {
    pub(super) fn new(leg: Leg, transit: &InTransit<'_>, by: Duration, frame: usize) -> Self {
        let at_ns = transit.now_ns.saturating_add(by.as_nanos() as u64);
        DelayedFrame {
            leg,
            at_ns,
            bytes: transit.bytes.into(),
            frame,
        }
    }
}
