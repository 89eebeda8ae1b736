//! Whom a task works for.

use parigot_abi::Control;
use parigot_abi::control::NO_CALL;
use parigot_abi::frame::NO_DEADLINE;

/// The inbound call that a task works for, or nobody.
///
/// It is what the control block shows while the task is polled, and what calls that the task makes inherit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// The call's number, or [`NO_CALL`].
    pub(crate) number: u64,
    /// When its caller stops waiting, or [`NO_DEADLINE`].
    pub(crate) deadline_ns: u64,
    /// The call's id, in its wire form.
    pub(crate) id: (u64, u64),
    /// Its service, by its place among the exports.
    pub(crate) service: u32,
    /// Its method, by its place in the service.
    pub(crate) method: u32,
}

impl Scope {
    /// No call.
    pub(crate) const NOBODY: Scope =
        Scope { number: NO_CALL, deadline_ns: NO_DEADLINE, id: (0, 0), service: 0, method: 0 };

    pub(crate) fn show(&self, control: &Control) {
        control.set_progress(self.number, self.service, self.method);
    }
}
