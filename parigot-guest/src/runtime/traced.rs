//! Tasks whose calls carry a trace context.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::pin::Pin;
use core::task::{self, Poll};

use crate::runtime::executor::TaskFuture;
use crate::runtime::guest::Guest;
use crate::runtime::scope::Scope;
use crate::runtime::trace_context::Trace;

/// Future of a task whose calls carry a trace context. Most tasks have no trace context and are not
/// wrapped, so they have no extra cost.
struct Traced {
    guest: Rc<Guest>,
    trace: Trace,
    future: TaskFuture,
}

impl Future for Traced {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let before = self.guest.tasks.trace.replace(Some(Rc::clone(&self.trace)));
        let polled = self.future.as_mut().poll(cx);
        self.guest.tasks.trace.replace(before);
        polled
    }
}

impl Guest {
    /// Spawns a task with the scope and the trace context of the running one.
    pub(crate) fn spawn_here(self: &Rc<Self>, future: impl Future<Output = ()> + 'static) {
        let trace = self.tasks.trace.borrow().clone();
        self.spawn_in(self.current(), trace, future);
    }

    /// Spawns a task with this scope and trace context.
    pub(crate) fn spawn_in(
        self: &Rc<Self>,
        scope: Scope,
        trace: Option<Trace>,
        future: impl Future<Output = ()> + 'static,
    ) {
        let future: TaskFuture = Box::pin(future);
        let future = match trace {
            None => future,
            Some(trace) => Box::pin(self.traced(trace, future)),
        };
        self.tasks.executor.spawn(scope, future);
    }

    /// Runs the handler of a call that carries a trace context: see [`Guest::run_handler`].
    ///
    /// Not inlined into each method's handler, because most calls carry no trace context.
    #[inline(never)]
    pub(crate) fn run_traced(self: &Rc<Self>, scope: Scope, trace: Trace, handler: TaskFuture) {
        self.run_handler(scope, Box::pin(self.traced(trace, handler)));
    }

    fn traced(self: &Rc<Self>, trace: Trace, future: TaskFuture) -> Traced {
        Traced {
            guest: Rc::clone(self),
            trace,
            future,
        }
    }
}
