//! What is to be done before a guest leaves.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::panic::Location;
use core::time::Duration;

use parigot_abi::frame::Level;

use crate::context::Context;
use crate::runtime::executor::Future;
use crate::runtime::guest::Guest;

/// How long what was registered with [`Context::at_exit`] may take, each for itself.
pub const AT_EXIT_MAX: Duration = Duration::from_secs(1);

/// What was registered, and what runs it.
#[derive(Default)]
pub(crate) struct AtExit {
    handlers: RefCell<Vec<Handler>>,
    runner: RefCell<Option<Future>>,
}

struct Handler {
    /// Where it was registered.
    place: &'static Location<'static>,
    work: Future,
}

impl AtExit {
    pub(crate) fn register(
        &self,
        guest: &Rc<Guest>,
        place: &'static Location<'static>,
        work: Future,
    ) {
        self.handlers.borrow_mut().push(Handler { place, work });
        self.runner
            .borrow_mut()
            .get_or_insert_with(|| Box::pin(run(Context::new(Rc::clone(guest)))));
    }

    /// What runs all that was registered, if anything was.
    pub(crate) fn take_runner(&self) -> Option<Future> {
        self.runner.take()
    }

    pub(crate) fn clear(&self) {
        let (handlers, runner) = (self.handlers.take(), self.runner.take());
        drop((handlers, runner));
    }
}

/// Runs what was registered, the last first, and what is registered meanwhile.
async fn run(cx: Context) {
    let next = || cx.guest.at_exit.handlers.borrow_mut().pop();
    while let Some(Handler { place, work }) = next() {
        if crate::future::timeout(&cx, AT_EXIT_MAX, work)
            .await
            .is_err()
        {
            let text = format_args!(
                "what {place} has registered for the exit did not end within {AT_EXIT_MAX:?}"
            );
            cx.log(Level::Error, text);
        }
    }
    cx.guest.end_at_exit();
}
