//! Fast paths of a call: shortcuts that are equal to the general path, and cheaper.
//!
//! A guest that serves one call, or waits for one reply, is entered with one frame and polls one
//! task. The general path would read all frames, queue each task that becomes ready, and poll the
//! queue. The shortcuts below skip the queue where the order of events is the same without it.
//!
//! - `take_frame` and `take_rare` (`receive.rs`) handle calls and replies inline, and all other
//!   kinds out of line. This keeps the dozen fields of a frame in registers. This is no second
//!   path, so no test compares it.
//! - [`Guest::is_nothing_ahead`] decides if the two shortcuts below apply.
//! - [`Guest::run_handler`] polls a new handler at once. This saves a push to the queue and a pop,
//!   and for a handler that ends in its first poll (`Executor::start`) also a slot and an entry in
//!   the table of inbound calls. Test: `a_call_has_the_same_effect_on_both_paths`.
//! - [`Guest::notify`] polls the task that waits for a reply at once (`poll_now`). This saves a
//!   push to the queue and a pop. Test: `a_reply_has_the_same_effect_on_both_paths`.
//! - `Executor::waiter` recognises the waker of the polled task by its address. This saves counting
//!   a reference up and down, and two calls by address. Test:
//!   `a_waker_and_its_clone_wake_the_same_task`.
//!
//! `benches/README.md` lists the cost of a call with all shortcuts. The tests in
//! `tests/behaviour/fast_path.rs` run the same frames twice. The first run has the frames at the
//! end of a turn and takes the shortcuts. In the second run an ignored frame follows, so the guest
//! takes no shortcut.

use alloc::boxed::Box;
use core::pin::Pin;

use crate::runtime::executor::{TaskId, Waiter};
use crate::runtime::guest::Guest;
use crate::runtime::scope::Scope;

impl Guest {
    /// Returns true if a task that becomes ready by the current frame would be polled before
    /// anything else happens: no frame follows, no task is queued, and the turn allows a poll.
    fn is_nothing_ahead(&self) -> bool {
        self.io.is_last_frame.get() && self.may_poll() && !self.tasks.executor.has_ready()
    }

    /// Runs the handler of an inbound call: at once if [`Guest::is_nothing_ahead`], otherwise as a
    /// task behind the ready tasks.
    ///
    /// A frame that follows may be the cancellation of this call. That is why the handler is only
    /// polled at once if no frame follows: a call cancelled in the same turn must never run.
    #[inline]
    pub(crate) fn run_handler(
        &self,
        scope: Scope,
        handler: Pin<Box<impl Future<Output = ()> + 'static>>,
    ) {
        let task = if self.is_nothing_ahead() {
            self.io.enter_scope(scope);
            let task = self.tasks.executor.start(scope, handler);
            self.end_poll();
            task
        } else {
            Some(self.tasks.executor.spawn(scope, handler))
        };
        if let Some(task) = task {
            self.calls.inbound.borrow_mut().insert(scope.number, task);
        }
        self.exit_if_due();
    }

    /// Notifies the waiter of a reply that has arrived.
    #[inline]
    pub(crate) fn notify(&self, waiter: Option<Waiter>) {
        match waiter {
            Some(Waiter::Task(task)) if self.is_nothing_ahead() => self.poll_now(task),
            Some(waiter) => self.tasks.executor.wake(waiter),
            None => {}
        }
    }

    fn poll_now(&self, task: TaskId) {
        let begin = |scope| self.io.enter_scope(scope);
        if self.tasks.executor.poll_now(task, begin) {
            // An exit that the task requests is due when the inbox has been read, which is next.
            self.end_poll();
        }
    }
}
