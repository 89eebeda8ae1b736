//! W3C's trace context (<https://www.w3.org/TR/trace-context/>): what an inbound call bears of it goes along with the calls that are made for it.
//!
//! Nobody begins a trace here: a call that bears none passes none on. Who wants one gives the first call a `traceparent`.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::pin::Pin;
use core::task::{self, Poll};

use parigot_abi::frame::{Pairs, push_pair};

use crate::runtime::executor;
use crate::runtime::guest::Guest;

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// The trace context of a call, as metadata in its wire form.
pub(crate) type Trace = Rc<[u8]>;

/// The keys and values of metadata in its wire form.
pub(crate) fn pairs(metadata: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    Pairs::new(metadata).map_while(Result::ok)
}

/// What metadata has of a trace context, if it has one.
#[inline]
pub(crate) fn of(metadata: &[u8]) -> Option<Trace> {
    if metadata.is_empty() {
        None
    } else {
        find(metadata)
    }
}

/// Out of line, since most calls bear no metadata.
#[inline(never)]
fn find(metadata: &[u8]) -> Option<Trace> {
    let value = |key| pairs(metadata).find_map(|(known, value)| (known == key).then_some(value));
    let mut trace = Vec::new();
    push_pair(&mut trace, PARENT, value(PARENT)?);
    if let Some(state) = value(STATE) {
        push_pair(&mut trace, STATE, state);
    }
    Some(trace.into())
}

/// The metadata of a call that is made for one with that trace context. One that brings a `traceparent` of its own has its own `tracestate` too.
#[cold]
pub(crate) fn join(own: &[u8], trace: &[u8]) -> Vec<u8> {
    if pairs(own).any(|(key, _)| key == PARENT) {
        own.into()
    } else {
        [own, trace].concat()
    }
}

/// The future of a task whose calls pass a trace context on.
pub(crate) struct Traced {
    guest: Rc<Guest>,
    trace: Trace,
    future: executor::Future,
}

impl Traced {
    pub(crate) fn new(guest: &Rc<Guest>, trace: Trace, future: executor::Future) -> Self {
        Traced {
            guest: Rc::clone(guest),
            trace,
            future,
        }
    }

    /// The same future, with that trace context if there is one.
    #[inline]
    pub(crate) fn wrap(
        guest: &Rc<Guest>,
        trace: Option<Trace>,
        future: executor::Future,
    ) -> executor::Future {
        match trace {
            None => future,
            Some(trace) => Box::pin(Traced::new(guest, trace, future)),
        }
    }
}

impl Future for Traced {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let before = self.guest.trace.replace(Some(Rc::clone(&self.trace)));
        let polled = self.future.as_mut().poll(cx);
        self.guest.trace.replace(before);
        polled
    }
}
