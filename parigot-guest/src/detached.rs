//! Futures that run in the event loop without being awaited, and handlers for their results.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{OnceCell, RefCell};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{self, Poll};

/// Handle of a future that was moved into the event loop. The future runs even if the handle is
/// dropped.
///
/// Handlers run in the order of their registration. A handler registered after the end runs at once
/// if it is for that kind of end, otherwise never.
///
/// ```no_run
/// # use parigot_guest::Context;
/// # fn example(cx: &Context) {
/// cx.launch()
///     .success(|()| { /* every required service is ready */ })
///     .failure(|status| { /* a required service has failed permanently */ });
/// # }
/// ```
pub struct Detached<T, E> {
    shared: Rc<Completion<T, E>>,
}

struct Completion<T, E> {
    outcome: OnceCell<Result<T, E>>,
    waiting: RefCell<Vec<Handler<T, E>>>,
}

enum Handler<T, E> {
    Success(Box<dyn FnOnce(&T)>),
    Failure(Box<dyn FnOnce(&E)>),
}

impl<T, E> Handler<T, E> {
    fn run(self, outcome: &Result<T, E>) {
        match (self, outcome) {
            (Handler::Success(handler), Ok(response)) => handler(response),
            (Handler::Failure(handler), Err(error)) => handler(error),
            _ => {}
        }
    }
}

impl<T: 'static, E: 'static> Detached<T, E> {
    pub(crate) fn new() -> Self {
        Detached {
            shared: Rc::new(Completion {
                outcome: OnceCell::new(),
                waiting: RefCell::default(),
            }),
        }
    }

    /// Registers a handler for the response.
    pub fn success(self, handler: impl FnOnce(&T) + 'static) -> Self {
        self.register(Handler::Success(Box::new(handler)))
    }

    /// Registers a handler for the error.
    pub fn failure(self, handler: impl FnOnce(&E) + 'static) -> Self {
        self.register(Handler::Failure(Box::new(handler)))
    }

    fn register(self, handler: Handler<T, E>) -> Self {
        match self.shared.outcome.get() {
            Some(outcome) => handler.run(outcome),
            None => self.shared.waiting.borrow_mut().push(handler),
        }
        self
    }

    /// Returns the result, or `None` while the future runs.
    pub fn outcome(&self) -> Option<&Result<T, E>> {
        self.shared.outcome.get()
    }

    /// Records the result, of which the first counts, and runs the waiting handlers.
    pub(crate) fn complete(&self, outcome: Result<T, E>) {
        let outcome = self.shared.outcome.get_or_init(|| outcome);
        for handler in self.shared.waiting.take() {
            handler.run(outcome);
        }
    }
}

/// Creates a second handle of the same future.
impl<T, E> Clone for Detached<T, E> {
    fn clone(&self) -> Self {
        Detached {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<T: fmt::Debug, E: fmt::Debug> fmt::Debug for Detached<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached")
            .field("outcome", &self.shared.outcome.get())
            .finish_non_exhaustive()
    }
}

/// Implements `success` and `failure` for a future of the SDK.
macro_rules! detach {
    (
        impl [$($generic:ident: $bound:path)?] $future:ty {
            type Response = $response:ty;
            type Error = $error:ty;
        }
        guest: |$this:ident| $guest:expr;
        outcome: |$output:pat_param| $outcome:expr;
    ) => {
        impl<$($generic: $bound)?> $future {
            /// Moves the future into the event loop, with a handler for its response.
            ///
            /// Dropping the returned handle cancels nothing.
            pub fn success(
                self,
                handler: impl FnOnce(&$response) + 'static,
            ) -> $crate::detached::Detached<$response, $error> {
                self.detach().success(handler)
            }

            /// Moves the future into the event loop, with a handler for its error.
            ///
            /// Dropping the returned handle cancels nothing.
            pub fn failure(
                self,
                handler: impl FnOnce(&$error) + 'static,
            ) -> $crate::detached::Detached<$response, $error> {
                self.detach().failure(handler)
            }

            fn detach(self) -> $crate::detached::Detached<$response, $error> {
                let detached = $crate::detached::Detached::new();
                let $this = &self;
                let guest = alloc::rc::Rc::clone($guest);
                let handle = detached.clone();
                guest.spawn_here(async move {
                    let $output = self.await;
                    handle.complete($outcome);
                });
                detached
            }
        }
    };
}
pub(crate) use detach;

/// Completes after every other ready task was polled: see
/// [`Context::yield_now`](crate::Context::yield_now).
///
/// Dropping it has no effect.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl YieldNow {
    pub(crate) fn new() -> Self {
        YieldNow { yielded: false }
    }
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
