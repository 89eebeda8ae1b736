//! W3C trace context (<https://www.w3.org/TR/trace-context/>): calls made while handling a call
//! carry the `traceparent` and `tracestate` of that call.
//!
//! The SDK does not start traces: without a `traceparent` on the inbound call nothing is passed on.

use alloc::rc::Rc;
use alloc::vec::Vec;

use parigot_abi::frame::{Pairs, push_pair};

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// The trace context of a call, as metadata in its wire form.
pub(crate) type Trace = Rc<[u8]>;

/// Returns the keys and values of metadata in its wire form.
pub(crate) fn pairs(metadata: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    Pairs::new(metadata).map_while(Result::ok)
}

/// Returns the trace context in the metadata, if there is one.
#[inline]
pub(crate) fn of(metadata: &[u8]) -> Option<Trace> {
    if metadata.is_empty() {
        None
    } else {
        find(metadata)
    }
}

/// Out of line, because most calls carry no metadata.
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

/// Returns the metadata of a call made within `trace`. A client that sets a `traceparent` of its
/// own keeps its own `tracestate` too, since the two belong together.
#[cold]
pub(crate) fn join(own: &[u8], trace: &[u8]) -> Vec<u8> {
    if pairs(own).any(|(key, _)| key == PARENT) {
        own.into()
    } else {
        [own, trace].concat()
    }
}
