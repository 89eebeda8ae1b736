//! Hosts in one process, connected by a [`Switchboard`](switchboard::Switchboard): behaviour of the
//! kernel and the proxies, independent of the transport.

mod call_ids;
mod caller_guest;
mod calls;
mod failures;
mod lifecycle;
mod limits;
mod processes;
mod service_guest;
mod switchboard;
mod watched;
