//! Interface between the proxies of this process and the network.

use std::sync::Arc;

use parigot_abi::id::CallId;

use super::event_queue::{EventQueue, GatewayEvent, RemoteEvent};
use super::message::{Reply, Request, ReturnAddress, StreamMessage};
use crate::error::Failure;

/// Transport of messages between the proxies of this process and other processes.
///
/// Proxies call the methods within a turn, so only [`Transport::close`] may block.
pub(crate) trait Transport: Send + Sync {
    /// Starts the search for processes that export a service. Found processes and the outcomes of
    /// calls arrive in `queue`.
    fn import(&self, spec: ImportSpec, queue: Arc<EventQueue<RemoteEvent>>);

    /// Sends a call to one of the processes that export the service.
    ///
    /// Each sent call ends once with a reply or a failure, unless the caller has cancelled the
    /// call.
    ///
    /// # Errors
    ///
    /// If the call cannot be sent. The call has not run then.
    fn call(&self, service: &str, request: Request) -> Result<(), Failure>;

    /// Notifies the callee that the caller has cancelled a call.
    fn cancel(&self, service: &str, id: CallId);

    /// Accepts calls to a service from other processes and announces the service. Each call
    /// arrives in `queue` once, however often it was sent. The number of pending calls is at most
    /// the limit of an instance.
    fn export(&self, spec: ExportSpec, queue: Arc<EventQueue<GatewayEvent>>);

    /// Sends the reply to a call of another process.
    fn reply(&self, to: ReturnAddress, reply: Reply);

    /// Sends a message of a stream to the callee of a call of this process. The messages and the
    /// end of a call arrive in order and complete, or the call ends with a failure whose fate is
    /// unknown.
    ///
    /// # Errors
    ///
    /// If the message cannot be sent. The caller must cancel the call then.
    fn send_to_callee(&self, id: CallId, message: StreamMessage) -> Result<(), Failure>;

    /// Sends a message of a stream to the caller of a call of another process, as
    /// [`Transport::send_to_callee`] does in the other direction.
    ///
    /// # Errors
    ///
    /// If the message cannot be sent. The callee must fail the call then.
    fn send_to_caller(&self, id: CallId, message: StreamMessage) -> Result<(), Failure>;

    /// Stops accepting calls to a service for the time of its restart, or accepts them again, and
    /// announces that.
    fn pause(&self, service: &str, is_paused: bool);

    /// Stops accepting calls to a service and announces that. [`GatewayEvent::Drained`] always
    /// follows, after the last accepted call is in the queue.
    fn withdraw(&self, service: &str);

    /// Sends the pending messages within a bounded time and closes the connection.
    fn close(&self);
}

/// A service that guests of this process require, as declared at their build.
#[derive(Clone, Debug)]
pub(crate) struct ImportSpec {
    pub(crate) service: String,
    /// Schema hash; 0 if the guests know only the name, so any schema is compatible.
    pub(crate) schema: u64,
    /// A `FileDescriptorSet`, or empty.
    pub(crate) descriptors: Vec<u8>,
}

/// A service that guests of this process export.
#[derive(Clone, Debug)]
pub(crate) struct ExportSpec {
    pub(crate) service: String,
    /// Schema hash.
    pub(crate) schema: u64,
    /// A `FileDescriptorSet`, or empty.
    pub(crate) descriptors: Vec<u8>,
    /// Methods, each as the launched frame names it: a name, and the sides that stream.
    pub(crate) methods: Vec<String>,
    /// Default deadline of a call in ns, used if neither caller nor method sets one.
    pub(crate) deadline_ns: u64,
}
