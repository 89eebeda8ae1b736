//! Proxies and transport for the other processes of the same deployment.
//!
//! A *proxy* is a built-in guest that represents other processes. A [`remote`] exports a service of
//! another process. A [`gateway`] requires a local service that other processes may call. A
//! [`transport`] connects the proxies with other processes. The kernel therefore needs no network
//! code, and calls between processes have the guarantees of local calls: deadlines, cancellation,
//! limits, and exactly one end.
//!
//! ```text
//! caller → remote → transport ~ network ~ transport → gateway → callee
//! ```
//!
//! The transport runs on a thread of its own, and proxies run on the workers of the kernel. A proxy
//! calls methods of the transport, and the transport puts events into the proxy's [`event_queue`].

mod event_queue;
mod gateway;
mod in_flight;
mod message;
mod nats;
mod peers;
mod remote;
#[cfg(test)]
mod tests;
mod transport;

#[cfg(feature = "fuzzing")]
pub use nats::fuzzed::nats_message;
pub(crate) use peers::Peers;
