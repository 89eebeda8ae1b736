//! The tasks of a guest, and the limit of polls in a turn.

use core::cell::{Cell, RefCell};

use crate::runtime::executor::Executor;
use crate::runtime::trace_context::Trace;

/// The tasks of a guest.
#[derive(Default)]
pub(crate) struct Tasks {
    pub(crate) executor: Executor,
    /// Number of polls in this turn.
    polls: Cell<u32>,
    /// Largest number of polls in this turn, set by the host.
    polls_max: Cell<u32>,
    /// Trace context that calls made by the running task carry.
    pub(crate) trace: RefCell<Option<Trace>>,
}

impl Tasks {
    pub(crate) fn begin_turn(&self, polls_max: u32) {
        self.polls.set(0);
        self.polls_max.set(polls_max);
    }

    /// Returns the number of polls in this turn.
    pub(crate) fn polls(&self) -> u32 {
        self.polls.get()
    }

    /// Returns true if the host allows another poll in this turn.
    pub(crate) fn may_poll(&self) -> bool {
        self.polls.get() < self.polls_max.get()
    }

    pub(crate) fn count_poll(&self) {
        self.polls.update(|polls| polls + 1);
    }

    /// Allows no more polls in this turn.
    pub(crate) fn stop_polling(&self) {
        self.polls_max.set(0);
    }
}
