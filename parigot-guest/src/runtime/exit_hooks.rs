//! The work that is registered for the guest's exit.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::panic::Location;

use crate::runtime::executor::TaskFuture;

/// Work registered with [`Context::at_exit`](crate::Context::at_exit), and the task that runs it.
#[derive(Default)]
pub(crate) struct ExitHooks {
    hooks: RefCell<Vec<ExitHook>>,
    runner: RefCell<Option<TaskFuture>>,
}

/// A piece of work, and the place where it was registered.
pub(crate) struct ExitHook {
    pub(crate) place: &'static Location<'static>,
    pub(crate) work: TaskFuture,
}

impl ExitHooks {
    /// Adds a hook. `new_runner` creates the task that runs all hooks, if there is none yet.
    pub(crate) fn register(&self, hook: ExitHook, new_runner: impl FnOnce() -> TaskFuture) {
        self.hooks.borrow_mut().push(hook);
        self.runner.borrow_mut().get_or_insert_with(new_runner);
    }

    /// Takes the hook that was registered last.
    pub(crate) fn pop(&self) -> Option<ExitHook> {
        self.hooks.borrow_mut().pop()
    }

    /// Takes the task that runs all hooks; `None` if no hook was registered.
    pub(crate) fn take_runner(&self) -> Option<TaskFuture> {
        self.runner.take()
    }

    pub(crate) fn clear(&self) {
        // Dropped after the borrows: destructors may register hooks.
        let hooks = self.hooks.take();
        let runner = self.runner.take();
        drop((hooks, runner));
    }
}
