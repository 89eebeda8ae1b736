//! Exit statuses, and the future of a guest's exit.

use core::convert::Infallible;
use core::future::Future;
use core::pin::Pin;
use core::task::{self, Poll};

use crate::detached::Detached;

/// Exit status of a guest; 0 means success.
///
/// ```
/// use parigot_guest::Exit;
///
/// assert_eq!(Exit::SUCCESS, Exit::code(0));
/// assert_eq!(Exit::from(3).status(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    status: u8,
}

impl Exit {
    /// Success: status 0.
    pub const SUCCESS: Exit = Exit { status: 0 };
    /// Failure: status 1.
    pub const FAILURE: Exit = Exit { status: 1 };

    /// Creates an exit with this status.
    pub const fn code(status: u8) -> Self {
        Exit { status }
    }

    /// Returns the status.
    pub const fn status(self) -> u8 {
        self.status
    }
}

impl From<u8> for Exit {
    fn from(status: u8) -> Self {
        Exit { status }
    }
}

/// Exit of the guest: see [`Context::exit`](crate::Context::exit).
///
/// Awaiting it never completes. Its success handlers run just before the guest exits. Dropping it
/// has no effect: the guest exits anyway.
pub struct ExitFuture {
    on_exit: Detached<(), Infallible>,
}

impl ExitFuture {
    pub(crate) fn new(on_exit: Detached<(), Infallible>) -> Self {
        ExitFuture { on_exit }
    }

    /// Registers a handler that runs just before the guest exits. Frames that the handler sends are
    /// the last ones of the guest.
    pub fn success(self, handler: impl FnOnce(&()) + 'static) -> Detached<(), Infallible> {
        self.on_exit.success(handler)
    }

    /// Registers a handler for a failed exit, which cannot happen. Every future of the SDK has this
    /// method.
    pub fn failure(self, handler: impl FnOnce(&Infallible) + 'static) -> Detached<(), Infallible> {
        self.on_exit.failure(handler)
    }
}

impl Future for ExitFuture {
    type Output = Infallible;

    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Infallible> {
        Poll::Pending
    }
}
