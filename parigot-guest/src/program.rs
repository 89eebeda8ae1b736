//! Programs: guests with a `main` that ends, and how guests leave.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::convert::Infallible;
use core::pin::Pin;
use core::task::{self, Poll};

use crate::context::Context;
use crate::detached::Detached;
use crate::error::Error;
use crate::runtime::definition::Body;
use crate::runtime::executor::TaskId;
use crate::serve::Incoming;
use crate::service::Service;

/// How a guest leaves: its exit status, of which 0 means that all went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    status: u8,
}

impl Exit {
    /// All went well: status 0.
    pub const SUCCESS: Exit = Exit { status: 0 };
    /// Something failed: status 1.
    pub const FAILURE: Exit = Exit { status: 1 };

    /// Any status.
    pub const fn code(status: u8) -> Self {
        Exit { status }
    }

    /// The status.
    pub const fn status(self) -> u8 {
        self.status
    }
}

impl From<u8> for Exit {
    fn from(status: u8) -> Self {
        Exit { status }
    }
}

/// The end of the guest: see [`Context::exit`].
///
/// Awaiting it never completes. Its success handlers run just before the guest leaves. Dropping it has no effect: the
/// guest leaves.
pub struct Leaving {
    last_words: Detached<(), Infallible>,
}

impl Leaving {
    pub(crate) fn new(cx: &Context, exit: Exit) -> Self {
        Leaving {
            last_words: cx.guest.leave(exit, String::new()),
        }
    }

    /// Registers what to do just before the guest leaves: the last frames that it sends are sent there.
    pub fn success(self, handler: impl FnOnce(&()) + 'static) -> Detached<(), Infallible> {
        self.last_words.success(handler)
    }

    /// Registers what to do if the guest cannot leave, which does not happen.
    pub fn failure(self, handler: impl FnOnce(&Infallible) + 'static) -> Detached<(), Infallible> {
        self.last_words.failure(handler)
    }
}

impl Future for Leaving {
    type Output = Infallible;

    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Infallible> {
        Poll::Pending
    }
}

/// The guest that runs a `main`.
pub(crate) struct ProgramBody<F> {
    main: fn(Context) -> F,
    task: OnceCell<TaskId>,
}

impl<F> ProgramBody<F> {
    pub(crate) fn new(main: fn(Context) -> F) -> Self {
        ProgramBody {
            main,
            task: OnceCell::new(),
        }
    }
}

impl<F: Future<Output = Result<Exit, Error>> + 'static> Body for ProgramBody<F> {
    fn exports(&self) -> Vec<&'static Service> {
        Vec::new()
    }

    fn start(&self, cx: &Context) {
        let (main, context) = (self.main, cx.clone());
        let task = cx.guest.spawn(cx.scope, async move {
            match main(context.clone()).await {
                Ok(exit) => context.guest.leave(exit, String::new()),
                // The host logs the reason.
                Err(error) => context.guest.leave(Exit::FAILURE, format!("{error:#}")),
            };
        });
        self.task.get_or_init(|| task);
    }

    fn launched(&self, cx: &Context) {
        cx.guest.confirm_launch();
    }

    fn dispatch(&self, call: Incoming<'_>) {
        call.unimplemented();
    }

    fn stop(&self, cx: &Context) {
        if let Some(task) = self.task.get() {
            cx.guest.cancel(*task);
        }
        cx.guest.leave(Exit::SUCCESS, String::new());
    }
}
