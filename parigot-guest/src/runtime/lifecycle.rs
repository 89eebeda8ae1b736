//! The life of a guest from its start to its exit.
//!
//! | phase | event | next phase |
//! |---|---|---|
//! | `Running` | the host stops a service | `Stopping` |
//! | `Running`, `Stopping` | an exit is requested; a program is stopped | `Exiting` |
//! | `Stopping` | all inbound calls are answered | `Exiting` |
//! | `Exiting` | exit hooks are registered | `RunningHooks` |
//! | `RunningHooks` | all exit hooks have ended | `Exiting` |
//! | `Exiting` | no exit hook is left: the exit frame is sent | `Exited` |

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};
use core::convert::Infallible;

use crate::detached::Detached;
use crate::exit::Exit;
use crate::runtime::executor::TaskFuture;
use crate::runtime::exit_hooks::ExitHooks;
use crate::runtime::launching::Launching;
use crate::runtime::scope::Scope;

/// The life of a guest: start, launch and exit.
#[derive(Default)]
pub(crate) struct Lifecycle {
    /// Set by the first frame.
    pub(crate) startup: OnceCell<Startup>,
    pub(crate) launching: Launching,
    phase: Cell<Phase>,
    pending_exit: RefCell<Option<PendingExit>>,
    pub(crate) exit_hooks: ExitHooks,
}

/// Content of the start frame that the guest keeps.
pub(crate) struct Startup {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// Id of the instance, in its wire form.
    pub(crate) instance: (u64, u64),
}

/// Phase of a guest's life: see the module's table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Running,
    Stopping,
    Exiting,
    RunningHooks,
    Exited,
}

/// An exit that was requested and not sent yet.
pub(crate) struct PendingExit {
    /// Scope of the task that requested the exit.
    pub(crate) scope: Scope,
    pub(crate) exit: Exit,
    pub(crate) reason: String,
    /// Completes just before the exit frame is sent.
    on_exit: Detached<(), Infallible>,
}

/// Next step towards the exit.
pub(crate) enum ExitStep {
    /// Nothing to do now.
    Wait,
    /// Run the exit hooks with this task.
    RunHooks(TaskFuture),
    /// Send the exit frame.
    Send,
}

impl Lifecycle {
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.phase.get() == Phase::Running
    }

    #[inline]
    pub(crate) fn has_exited(&self) -> bool {
        self.phase.get() == Phase::Exited
    }

    /// Makes the guest exit once every inbound call is answered.
    pub(crate) fn stop(&self) {
        if self.is_running() {
            self.phase.set(Phase::Stopping);
        }
    }

    /// Makes the guest exit before another task is polled. The first request determines status and
    /// reason. Returns a future that completes just before the exit frame is sent.
    pub(crate) fn exit(
        &self,
        scope: Scope,
        exit: Exit,
        reason: String,
    ) -> Detached<(), Infallible> {
        if matches!(self.phase.get(), Phase::Running | Phase::Stopping) {
            self.phase.set(Phase::Exiting);
        }
        let mut pending = self.pending_exit.borrow_mut();
        let pending = pending.get_or_insert_with(|| PendingExit {
            scope,
            exit,
            reason,
            on_exit: Detached::new(),
        });
        pending.on_exit.clone()
    }

    /// Ends the phase in which exit hooks run.
    pub(crate) fn end_hooks(&self) {
        self.phase.set(Phase::Exiting);
    }

    /// Returns the next step towards the exit. `has_calls` is set if inbound calls have no reply
    /// yet; `scope` belongs to the running task.
    #[cold]
    pub(crate) fn advance(&self, has_calls: bool, scope: Scope) -> ExitStep {
        if self.phase.get() == Phase::Stopping && !has_calls {
            self.exit(scope, Exit::SUCCESS, String::new());
        }
        if self.phase.get() != Phase::Exiting {
            return ExitStep::Wait;
        }
        match self.exit_hooks.take_runner() {
            Some(runner) => {
                self.phase.set(Phase::RunningHooks);
                ExitStep::RunHooks(runner)
            }
            None => ExitStep::Send,
        }
    }

    /// Runs the handlers of [`ExitFuture`](crate::ExitFuture)s, then returns the exit to send.
    pub(crate) fn finish(&self) -> Option<PendingExit> {
        let on_exit = self
            .pending_exit
            .borrow()
            .as_ref()
            .map(|pending| pending.on_exit.clone());
        if let Some(on_exit) = on_exit {
            // Outside of the borrow, and before the exit is taken: a handler may request an exit.
            on_exit.complete(Ok(()));
        }
        self.pending_exit.take()
    }

    /// Enters the last phase: no task is polled any more.
    pub(crate) fn set_exited(&self) {
        self.phase.set(Phase::Exited);
    }

    /// Drops everything that may hold a context.
    pub(crate) fn clear(&self) {
        self.pending_exit.take();
        self.exit_hooks.clear();
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;

    use super::*;
    use crate::runtime::exit_hooks::ExitHook;

    fn step(lifecycle: &Lifecycle, has_calls: bool) -> (&'static str, Phase) {
        let step = match lifecycle.advance(has_calls, Scope::NONE) {
            ExitStep::Wait => "wait",
            ExitStep::RunHooks(_) => "run hooks",
            ExitStep::Send => "send",
        };
        (step, lifecycle.phase.get())
    }

    #[track_caller]
    fn register_hook(lifecycle: &Lifecycle) {
        let hook = ExitHook {
            place: core::panic::Location::caller(),
            work: Box::pin(async {}),
        };
        lifecycle.exit_hooks.register(hook, || Box::pin(async {}));
    }

    #[test]
    fn a_stopped_guest_exits_after_its_calls() {
        let lifecycle = Lifecycle::default();
        assert_eq!(step(&lifecycle, false), ("wait", Phase::Running));
        lifecycle.stop();
        assert_eq!(step(&lifecycle, true), ("wait", Phase::Stopping));
        assert_eq!(step(&lifecycle, false), ("send", Phase::Exiting));
        assert!(lifecycle.finish().is_some());
        lifecycle.set_exited();
        assert_eq!(step(&lifecycle, false), ("wait", Phase::Exited));
        lifecycle.stop();
        lifecycle.exit(Scope::NONE, Exit::FAILURE, String::new());
        assert_eq!(step(&lifecycle, false), ("wait", Phase::Exited));
    }

    #[test]
    fn exit_hooks_run_before_the_exit() {
        let lifecycle = Lifecycle::default();
        register_hook(&lifecycle);
        lifecycle.exit(Scope::NONE, Exit::code(3), String::new());
        // An exit does not wait for calls.
        assert_eq!(step(&lifecycle, true), ("run hooks", Phase::RunningHooks));
        assert_eq!(step(&lifecycle, true), ("wait", Phase::RunningHooks));
        lifecycle.stop();
        lifecycle.exit(Scope::NONE, Exit::code(4), String::new());
        assert_eq!(step(&lifecycle, true), ("wait", Phase::RunningHooks));
        // A hook that is registered meanwhile runs, too.
        register_hook(&lifecycle);
        lifecycle.end_hooks();
        assert_eq!(step(&lifecycle, true), ("run hooks", Phase::RunningHooks));
        lifecycle.end_hooks();
        assert_eq!(step(&lifecycle, true), ("send", Phase::Exiting));
        let exit = lifecycle.finish().map(|pending| pending.exit);
        assert_eq!(exit, Some(Exit::code(3)), "the first request must count");
    }
}
