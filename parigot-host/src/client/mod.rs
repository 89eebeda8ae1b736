//! Calls from outside of the guests: from the clients of an edge, and from Rust code that embeds
//! the host.
//!
//! Each service that an edge of the deployment lists has a proxy, a built-in guest that
//! requires the service. A [`ServiceClient`] puts calls into the queue of the proxy and wakes
//! it, so calls from outside have the guarantees of all calls: deadlines, cancellation, limits, and
//! exactly one end. No async runtime is needed: a [`PendingCall`] is a plain future.
//!
//! ```text
//! any thread → ServiceClient → queue → proxy → kernel → callee
//!                  PendingCall ← slot ┘
//! ```

mod call;
mod method;
pub(crate) mod proxy;
mod queue;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use parigot_abi::id::CallId;

pub use self::call::{CallFailure, ErrorDetail, FailureKind, Pairs, PendingCall, Reply, Request};
pub use self::method::ClientMethod;
use self::queue::ClientQueue;
use crate::error::Failure;

/// Client of a service, for code outside of the guests. Copies are cheap.
#[derive(Clone)]
pub struct ServiceClient {
    queue: Arc<ClientQueue>,
}

impl ServiceClient {
    /// Returns the full name of the service.
    pub fn service(&self) -> &str {
        self.queue.service()
    }

    /// Returns the methods of the service.
    pub fn methods(&self) -> &[ClientMethod] {
        self.queue.methods()
    }

    /// Returns true if the service has an instance that takes calls.
    pub fn is_available(&self) -> bool {
        self.queue.is_available()
    }

    /// Waits until [`is_available`](Self::is_available) differs from `known`.
    pub fn availability_changed(&self, known: bool) -> impl Future<Output = ()> + Send + use<> {
        let queue = Arc::clone(&self.queue);
        poll_fn(move |cx| match queue.poll_available(cx) {
            available if available == known => Poll::Pending,
            _ => Poll::Ready(()),
        })
    }

    /// Returns a new id for a call.
    pub fn new_call_id(&self) -> CallId {
        self.queue.new_call_id()
    }

    /// Starts a unary call. The call is cancelled if the future is dropped before its end.
    pub fn call(&self, request: Request) -> PendingCall {
        let method = self
            .methods()
            .iter()
            .find(|method| method.name == request.method);
        match method {
            Some(method) if method.streams_requests || method.streams_responses => {
                let name = format!("{}/{}", self.service(), method.name);
                PendingCall::failed(&Failure::streams_from_outside(&name))
            }
            _ => self.queue.call(request),
        }
    }
}

impl std::fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceClient")
            .field("service", &self.service())
            .finish_non_exhaustive()
    }
}
