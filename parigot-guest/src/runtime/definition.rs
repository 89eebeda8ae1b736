//! What makes a guest this guest and no other. The macros write it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::context::Context;
use crate::error::Error;
use crate::program::{Exit, ProgramBody};
use crate::serve::Incoming;
use crate::service::{Exports, Ready, Service, ServiceBody};

/// A guest that can be opened: see [`turn::open`](crate::turn::open).
pub struct Definition {
    pub(crate) requires: &'static [&'static Service],
    pub(crate) body: Box<dyn Body>,
}

impl Definition {
    /// A guest that exports services, all of them implemented by `S`.
    pub fn service<S: Ready, E: Exports<S> + 'static>(
        requires: &'static [&'static Service],
    ) -> Self {
        Definition {
            requires,
            body: Box::new(ServiceBody::<S, E>::new()),
        }
    }

    /// A guest that runs `main` and leaves.
    pub fn program<F>(main: fn(Context) -> F, requires: &'static [&'static Service]) -> Self
    where
        F: Future<Output = Result<Exit, Error>> + 'static,
    {
        Definition {
            requires,
            body: Box::new(ProgramBody::new(main)),
        }
    }
}

/// What services and programs do each in their way.
pub(crate) trait Body {
    /// What others may call.
    fn exports(&self) -> Vec<&'static Service>;

    /// The guest has started; its manifest is sent.
    fn start(&self, cx: &Context);

    /// All that it requires is ready.
    fn launched(&self, cx: &Context);

    /// A call has arrived.
    fn dispatch(&self, call: Incoming<'_>);

    /// The host wants it to leave.
    fn stop(&self, cx: &Context);

    /// It is closed: whatever may hold a context goes.
    fn close(&self) {}
}
