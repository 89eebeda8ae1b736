//! State of an instance that exactly one worker has during a turn.

use parigot_abi::control::NEVER;

use super::backlog::Measurement;
use super::calls::Calls;
use crate::error::GuestFault;
use crate::guest::code::{GuestInstance, Turn};
use crate::kernel::callees::Route;
use crate::kernel::slot::Wake;

/// Part of an instance that only the worker touches that runs the instance.
pub(crate) struct InstanceState {
    pub(crate) code: Box<dyn GuestInstance>,
    /// Set if the guest must know its unanswered calls: see [`GuestInstance::set_served`].
    has_larger_budgets: bool,
    /// Routes of calls, by the handles of the required services.
    pub(crate) routes: Vec<Route>,
    pub(crate) calls: Calls,
    /// Start of the last turn on the host's clock. The time of an instance never decreases, also
    /// if its turns run on different workers.
    pub(crate) began_ns: u64,
    /// Set if the guest has reported more work that is ready.
    pub(super) has_more_work: bool,
    /// Time of the next turn that the guest has requested, on the host's clock.
    pub(super) wake_ns: u64,
    /// Number of the last call in the mailbox at the start of the last turn from there.
    pub(super) received: u64,
    /// Measurement of the guest's backlog, if it has one.
    pub(super) measurement: Option<Measurement>,
    /// End of the last turn of the guest after which nothing was left to wait for, if it has a
    /// `main` function; [`NEVER`] before the first, and once it was reported.
    idle_since_ns: u64,
}

impl InstanceState {
    pub(crate) fn new(code: Box<dyn GuestInstance>, routes: Vec<Route>) -> Box<Self> {
        Box::new(InstanceState {
            has_larger_budgets: code.has_larger_budgets(),
            code,
            routes,
            calls: Calls::new(),
            began_ns: 0,
            has_more_work: false,
            wake_ns: NEVER,
            received: 0,
            measurement: None,
            idle_since_ns: NEVER,
        })
    }

    /// Prepares the turn of a guest with larger budgets.
    #[inline]
    pub(crate) fn set_served(&mut self) {
        if self.has_larger_budgets {
            self.code.set_served(&mut self.calls.inbound.numbers());
        }
    }

    /// Notes the end of a turn after which the guest waits for no reply. Returns a value if it
    /// waits for no timer either, so that no turn will follow by itself. `turn` is the outcome, or
    /// `None` if the guest was not entered.
    pub(crate) fn note_idle(&mut self, turn: Option<&Turn>) -> Option<Idle> {
        let (has_more_work, wake_ns) = match turn {
            Some(turn) => (turn.has_more_work, turn.wake_at_ns),
            None => (self.has_more_work, self.wake_ns),
        };
        if has_more_work || wake_ns != NEVER {
            return None;
        }
        if turn.is_some() {
            self.idle_since_ns = self.began_ns;
            return Some(Idle::Begins);
        }
        let is_long = self.began_ns.saturating_sub(self.idle_since_ns) >= IDLE_LONG_NS;
        if self.idle_since_ns == NEVER || !is_long {
            return None;
        }
        self.idle_since_ns = NEVER;
        Some(Idle::Lasts)
    }
}

/// State of a guest with a `main` function that waits for neither a reply nor a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// The guest has just run.
    Begins,
    /// The guest has not run for [`IDLE_LONG_NS`].
    Lasts,
}

/// Time after which an idle guest is reported, in ns.
pub(crate) const IDLE_LONG_NS: u64 = 1_000_000_000;

/// Outcome of sending a frame to an instance.
#[must_use = "an instance that is not queued and not run is lost"]
pub(crate) enum Delivery {
    /// The frame is in the mailbox.
    Enqueued(Wake),
    /// The instance was idle. Its state is the sender's now, and the frame is in the sender's
    /// batch.
    HandedOff(Box<InstanceState>),
}

/// Instance at the start of a turn.
pub(crate) struct TurnStart {
    pub(crate) state: Box<InstanceState>,
    /// Set if the guest must be entered even without frames.
    pub(crate) is_requested: bool,
    /// Fault that ends the instance instead of the turn.
    pub(crate) kill_reason: Option<Box<GuestFault>>,
}

/// Duties of the worker after a turn.
pub(crate) struct TurnEnd {
    pub(crate) wake: Wake,
    /// Change of the instance's timer, if the timer must fire earlier than set.
    pub(crate) timer: Option<TimerChange>,
}

/// Change of an instance's timer, in ns on the host's clock.
pub(crate) struct TimerChange {
    /// Moment to which the timer is set now, if it is set.
    pub(crate) previous_ns: Option<u64>,
    pub(crate) wake_at_ns: u64,
}
