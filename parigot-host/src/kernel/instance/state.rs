//! State of an instance that exactly one worker has during a turn.

use parigot_abi::control::NEVER;

use super::calls::Calls;
use crate::error::GuestFault;
use crate::guest::code::GuestInstance;
use crate::kernel::callees::Route;
use crate::kernel::slot::Wake;

/// Part of an instance that only the worker touches that runs the instance.
pub(crate) struct InstanceState {
    pub(crate) code: Box<dyn GuestInstance>,
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
}

impl InstanceState {
    pub(crate) fn new(code: Box<dyn GuestInstance>, routes: Vec<Route>) -> Box<Self> {
        Box::new(InstanceState {
            code,
            routes,
            calls: Calls::new(),
            began_ns: 0,
            has_more_work: false,
            wake_ns: NEVER,
        })
    }
}

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
