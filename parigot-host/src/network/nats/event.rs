//! Input of the connection task: orders of the proxies and events of NATS.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use async_nats::Message;
use parigot_abi::id::CallId;

use super::send_budget::Permit;
use crate::network::event_queue::{EventQueue, GatewayEvent, RemoteEvent};
use crate::network::message::{Reply, Request, ReturnAddress};
use crate::network::transport::{Offer, Wanted};

/// What stand-ins want.
pub(super) enum Order {
    LookFor(Wanted, Arc<EventQueue<RemoteEvent>>),
    Call(String, Request, Permit),
    Cancel(String, CallId),
    Serve(Offer, Arc<EventQueue<GatewayEvent>>),
    ReplyMessage(ReturnAddress, Reply, Permit),
    Withdraw(String),
    Close(SyncSender<()>),
}

/// What happens on the side of NATS.
pub(super) enum Event {
    /// There is a connection again, or no more.
    Route {
        up: bool,
    },
    /// What comes through a door will be heard from now on.
    Opened(Subscription),
    Message(Subscription, Message),
    /// Nothing more will come through it.
    Closed(Subscription),
    /// A request could not leave.
    Unsent(CallId),
    /// The server, or the client, says that something is wrong.
    Trouble(String),
}

/// Where a message has come in.
#[derive(Clone, Debug)]
pub(super) enum Subscription {
    Inbox,
    Pieces,
    Cancel,
    Schema,
    /// Calls to a service.
    Call(Arc<str>),
    /// Who asks whether a service is there.
    Who(Arc<str>),
    /// Who says that a service is there.
    Ready(Arc<str>),
    /// Tools of NATS.
    Micro,
}
