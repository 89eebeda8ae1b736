//! Runs the work that is registered for the guest's exit.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::panic::Location;
use core::time::Duration;

use parigot_abi::frame::Level;

use crate::clock::{Sleep, run_until};
use crate::log;
use crate::runtime::executor::TaskFuture;
use crate::runtime::exit_hooks::ExitHook;
use crate::runtime::guest::Guest;

/// Time limit of each piece of work registered with [`Context::at_exit`](crate::Context::at_exit).
pub const AT_EXIT_MAX: Duration = Duration::from_secs(1);

/// Registers work for the exit of the guest.
pub(crate) fn register(guest: &Rc<Guest>, place: &'static Location<'static>, work: TaskFuture) {
    guest
        .lifecycle
        .exit_hooks
        .register(ExitHook { place, work }, || Box::pin(run(Rc::clone(guest))));
}

/// Runs all hooks, the last registered first, including those registered meanwhile.
async fn run(guest: Rc<Guest>) {
    while let Some(ExitHook { place, work }) = guest.lifecycle.exit_hooks.pop() {
        let limit = Sleep::new(&guest, AT_EXIT_MAX);
        if run_until(limit, work).await.is_none() {
            let text = format_args!("exit hook of {place} did not finish within {AT_EXIT_MAX:?}");
            log::write(&guest, Level::Error, guest.current().number, text);
        }
    }
    guest.lifecycle.end_hooks();
}
