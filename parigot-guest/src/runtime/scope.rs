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
    pub(crate) const NOBODY: Scope = Scope {
        number: NO_CALL,
        deadline_ns: NO_DEADLINE,
        place: 0,
    };

    /// The call that arrives with that header.
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
            place: u64::from(service) | u64::from(method) << 32,
        }
    }

    /// The call's service, by its place among the exports.
    pub(crate) fn service(self) -> u32 {
        self.place as u32
    }

    /// The call's method, by its place in the service.
    pub(crate) fn method(self) -> u32 {
        (self.place >> 32) as u32
    }

    /// Writes it to the control block, which has no deadline.
    pub(crate) fn show(self, control: &Control) {
        control.set_progress(self.number, self.service(), self.method());
    }

    /// The one that the control block shows, with its deadline.
    pub(crate) fn shown(control: &Control, deadline_ns: u64) -> Self {
        let (number, service, method) = control.progress();
        Scope::new(number, service, method, deadline_ns)
    }
}
