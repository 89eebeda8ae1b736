//! Times of an inbound call, from the clocks of two hosts.

use std::time::Duration;

use crate::network::nats::context::NatsContext;
use crate::network::nats::envelope::RequestMessage;

/// Times of an inbound call. Points in time are on this host's monotonic clock.
pub(super) struct CallTimes {
    pub(super) accepted_ns: u64,
    pub(super) deadline_ns: u64,
    /// End of the time in which a duplicate could arrive and still run.
    pub(super) repeatable_until_ns: u64,
    /// Transit time by the two wall clocks.
    pub(super) transit: Duration,
    /// Time until the deadline when the request was sent.
    pub(super) remaining: Duration,
}

impl CallTimes {
    pub(super) fn of(context: &NatsContext, request: &RequestMessage) -> Self {
        let accepted_ns = context.now_ns();
        let wall_ns = context.clock.wall_ns();
        let transit = Duration::from_nanos(wall_ns.saturating_sub(request.sent_ns));
        let remaining = Duration::from_nanos(request.remaining_ns);
        // The clocks may differ by the skew, so the difference proves only the rest as transit
        // time. A request that waited in a buffer loses that time and does not run late.
        let proven_transit = transit.saturating_sub(context.clock_skew);
        let left = remaining.saturating_sub(proven_transit);
        let deadline_ns = accepted_ns.saturating_add(left.as_nanos() as u64);
        CallTimes {
            accepted_ns,
            deadline_ns,
            repeatable_until_ns: deadline_ns.saturating_add(context.repeat_window_ns()),
            transit,
            remaining,
        }
    }
}
