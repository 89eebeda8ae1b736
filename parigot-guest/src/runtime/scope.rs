//! The inbound call that a task belongs to.

use parigot_abi::control::NO_CALL;
use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::{Control, Header};

/// The inbound call that a task belongs to, or [`Scope::NONE`].
///
/// The control block shows the scope of the task that is being polled, so that the host can name
/// the call even after a trap. Calls made by the task inherit the scope's deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// Number of the call, or [`NO_CALL`].
    pub(crate) number: u64,
    /// Moment at which the caller stops waiting, or [`NO_DEADLINE`].
    pub(crate) deadline_ns: u64,
    /// Index of the service among the exports in the low half, index of the method in the high
    /// half.
    // One word, because a load that spans two recent smaller stores cannot be forwarded from the
    // processor's store buffer and stalls.
    target: u64,
}

impl Scope {
    /// No call.
    pub(crate) const NONE: Scope = Scope {
        number: NO_CALL,
        deadline_ns: NO_DEADLINE,
        target: 0,
    };

    /// Returns the scope of the call with this header.
    pub(crate) fn of_call(header: &Header) -> Self {
        Scope::new(
            header.number,
            header.service,
            header.method,
            header.deadline_ns,
        )
    }

    fn new(number: u64, service: u32, method: u32, deadline_ns: u64) -> Self {
        Scope {
            number,
            deadline_ns,
            target: u64::from(service) | u64::from(method) << 32,
        }
    }

    /// Returns the number that names this scope in a call that the guest makes; 0 for no call.
    #[inline]
    pub(crate) fn on_behalf_of(self) -> u64 {
        if self.number == NO_CALL {
            0
        } else {
            self.number
        }
    }

    /// Returns the index of the call's service among the exports.
    pub(crate) fn service(self) -> u32 {
        self.target as u32
    }

    /// Returns the index of the call's method in its service.
    pub(crate) fn method(self) -> u32 {
        (self.target >> 32) as u32
    }

    /// Writes the scope to the control block, which has no field for the deadline.
    pub(crate) fn show(self, control: &Control) {
        control.set_progress(self.number, self.service(), self.method());
    }

    /// Returns the scope in the control block, completed with its deadline.
    pub(crate) fn shown(control: &Control, deadline_ns: u64) -> Self {
        let (number, service, method) = control.progress();
        Scope::new(number, service, method, deadline_ns)
    }
}
