//! Input of the connection task: commands of the proxies and events of the NATS client.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use async_nats::{Client, Message};
use parigot_abi::id::CallId;

use super::send_budget::Permit;
use crate::network::event_queue::{EventQueue, GatewayEvent, RemoteEvent};
use crate::network::message::{Reply, Request, ReturnAddress, StreamMessage};
use crate::network::transport::{ExportSpec, ImportSpec};

/// A command of a proxy: one variant for each method of the transport.
pub(super) enum Command {
    Import(ImportSpec, Arc<EventQueue<RemoteEvent>>),
    Call(String, Request, Permit),
    Cancel(String, CallId),
    Export(ExportSpec, Arc<EventQueue<GatewayEvent>>),
    Reply(ReturnAddress, Reply, Permit),
    SendToCallee(CallId, StreamMessage, Permit),
    SendToCaller(CallId, StreamMessage, Permit),
    /// Service, and `true` for the begin of its pause.
    Pause(String, bool),
    Withdraw(String),
    /// Sends the pending messages, ends the connection and reports the end.
    Close(SyncSender<()>),
}

/// An event of the NATS client or of the tasks around it.
pub(super) enum Event {
    /// The connection was made or lost.
    Connection {
        is_up: bool,
    },
    /// The client has ended: it panics at some malformed messages of a server.
    ClientEnded,
    /// A new client replaces one that has ended.
    Reopened(Client),
    /// The server will deliver the messages of a subscription from now on.
    Subscribed(Subscription),
    Message(Subscription, Message),
    /// No more messages of a subscription will follow.
    Unsubscribed(Subscription),
    /// A request could not be sent.
    Unsent(CallId),
    /// An error reported by the server or the client.
    Error(String),
}

/// Kind of a subscription, with the service if there is one subscription for each service.
#[derive(Clone, Debug)]
pub(super) enum Subscription {
    Inbox,
    Chunks,
    Cancel,
    Schema,
    /// Calls to a service of this process.
    Call(Arc<str>),
    /// Discovery of a service of this process.
    Discovery(Arc<str>),
    /// Announcements of a service required by this process.
    Announcements(Arc<str>),
    /// Requests of the NATS tools.
    Micro,
}
