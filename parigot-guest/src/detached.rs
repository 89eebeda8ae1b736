//! Futures that are not awaited: they run in the event loop, and handlers are told how they ended.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{OnceCell, RefCell};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{self, Poll};

/// A future that was moved into the event loop, where it runs whether or not this handle is kept.
///
/// Handlers run in the order in which they were registered. One that is registered after the end runs at once if it is
/// about that end, else never.
///
/// ```no_run
/// # use parigot_guest::Context;
/// # fn example(cx: &Context) {
/// cx.launch()
///     .success(|()| { /* all that is required is ready */ })
///     .failure(|status| { /* it will never be */ });
/// # }
/// ```
pub struct Detached<T, E> {
    shared: Rc<Shared<T, E>>,
}

struct Shared<T, E> {
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
            shared: Rc::new(Shared {
                outcome: OnceCell::new(),
                waiting: RefCell::default(),
            }),
        }
    }

    /// Registers what to do with the response.
    pub fn success(self, handler: impl FnOnce(&T) + 'static) -> Self {
        self.register(Handler::Success(Box::new(handler)))
    }

    /// Registers what to do with the error.
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

    /// How it ended, or `None` while it runs.
    pub fn outcome(&self) -> Option<&Result<T, E>> {
        self.shared.outcome.get()
    }

    /// Says how it ended, once, and runs the handlers that wait.
    pub(crate) fn complete(&self, outcome: Result<T, E>) {
        let outcome = self.shared.outcome.get_or_init(|| outcome);
        for handler in self.shared.waiting.take() {
            handler.run(outcome);
        }
    }
}

/// A second handle on the same future.
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

/// Gives a future of the SDK its `success` and `failure`.
macro_rules! detach {
    (
        impl [$($generic:ident: $bound:path)?] $future:ty { type Response = $response:ty; type Error = $error:ty; }
        guest: |$this:ident| $guest:expr;
        outcome: |$output:pat_param| $outcome:expr;
    ) => {
        impl<$($generic: $bound)?> $future {
            /// Moves the future into the event loop, with a handler for its response.
            ///
            /// Dropping the handle that this returns cancels nothing.
            pub fn success(self, handler: impl FnOnce(&$response) + 'static) -> $crate::Detached<$response, $error> {
                self.detach().success(handler)
            }

            /// Moves the future into the event loop, with a handler for its error.
            ///
            /// Dropping the handle that this returns cancels nothing.
            pub fn failure(self, handler: impl FnOnce(&$error) + 'static) -> $crate::Detached<$response, $error> {
                self.detach().failure(handler)
            }

            fn detach(self) -> $crate::Detached<$response, $error> {
                let detached = $crate::Detached::new();
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

/// Lets the other ready tasks run: see [`Context::yield_now`](crate::Context::yield_now).
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
