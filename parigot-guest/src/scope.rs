//! Whom a task works for.

use parigot_abi::control::NO_CALL;
use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::{Control, Header};

/// The inbound call that a task works for, or nobody.
///
/// It is what the control block shows while the task is polled, and what calls that the task makes inherit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// The call's number, or [`NO_CALL`].
    pub(crate) number: u64,
    /// When its caller stops waiting, or [`NO_DEADLINE`].
    pub(crate) deadline_ns: u64,
    /// The call's method, by its place in the service, and below that the service, by its place among the exports. In one
    /// word, since a processor that copies a word which was just stored in halves waits for both.
    place: u64,
}

impl Scope {
    /// No call.
    pub(crate) const NOBODY: Scope = Scope { number: NO_CALL, deadline_ns: NO_DEADLINE, place: 0 };

    /// The call that arrives with that header.
    pub(crate) fn of_call(header: &Header) -> Self {
        let place = u64::from(header.service) | u64::from(header.method) << 32;
        Scope { number: header.number, deadline_ns: header.deadline_ns, place }
    }

    /// The call's service, by its place among the exports.
    pub(crate) fn service(self) -> u32 {
        self.place as u32
    }

    /// The call's method, by its place in the service.
    pub(crate) fn method(self) -> u32 {
        (self.place >> 32) as u32
    }

    pub(crate) fn show(self, control: &Control) {
        control.set_progress(self.number, self.service(), self.method());
    }
}
