//! Methods that can be called from outside.

use std::time::Duration;

use parigot_abi::manifest::{Idempotency, Method};

/// A method that can be called from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientMethod {
    /// Name of the method, as in the `.proto`.
    pub name: String,
    /// True if the caller sends a stream of requests.
    pub streams_requests: bool,
    /// True if the callee sends a stream of responses.
    pub streams_responses: bool,
    /// True if the method has no side effects.
    pub has_no_side_effects: bool,
    /// Time of a call without a deadline.
    pub deadline: Duration,
}

impl ClientMethod {
    /// Creates the method from its declaration. `deadline` is the default of the service.
    pub(super) fn new(method: &Method, deadline: Duration) -> Self {
        ClientMethod {
            name: method.name.clone(),
            streams_requests: method.flags.streams_requests(),
            streams_responses: method.flags.streams_responses(),
            has_no_side_effects: method.flags.idempotency() == Idempotency::NoSideEffects,
            deadline: match method.deadline_ns {
                0 => deadline,
                deadline_ns => Duration::from_nanos(deadline_ns),
            },
        }
    }
}
