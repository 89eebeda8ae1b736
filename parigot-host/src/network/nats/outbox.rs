//! Outbox: sends the messages of this process in order.

use std::collections::VecDeque;

use async_nats::Client;
use bytes::Bytes;
use parigot_abi::id::CallId;
use tokio::sync::{mpsc, watch};

use super::event::Event;
use super::send_budget::Permit;

/// A NATS message to send.
#[derive(Debug)]
pub(super) struct OutgoingMessage {
    pub(super) subject: String,
    /// Subject on which NATS reports missing subscribers.
    pub(super) reply: Option<String>,
    pub(super) payload: Bytes,
    /// Call id of a request. Requests are not kept while there is no connection.
    pub(super) call: Option<CallId>,
    /// Counts the bytes until the message is sent or dropped.
    pub(super) _permit: Permit,
}

/// Task that sends messages in order. While there is no connection, requests are reported as
/// unsent, and other messages are kept.
///
/// A kept request would run long after its send time; its caller can decide better about a retry.
/// A kept reply still ends a call.
pub(super) struct Outbox {
    client: Client,
    /// The current client, which changes only while there is no connection.
    clients: watch::Receiver<Client>,
    outgoing_messages: mpsc::UnboundedReceiver<OutgoingMessage>,
    /// State of the connection.
    is_up: watch::Receiver<bool>,
    events: mpsc::UnboundedSender<Event>,
    /// Messages for the next connection.
    kept: VecDeque<OutgoingMessage>,
}

impl Outbox {
    /// Creates an outbox that sends with the current one of `clients`.
    pub(super) fn new(
        clients: watch::Receiver<Client>,
        outgoing_messages: mpsc::UnboundedReceiver<OutgoingMessage>,
        is_up: watch::Receiver<bool>,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        let client = clients.borrow().clone();
        Outbox {
            client,
            clients,
            outgoing_messages,
            is_up,
            events,
            kept: VecDeque::new(),
        }
    }

    /// Sends until all senders of messages are dropped.
    pub(super) async fn run(mut self) {
        while let Some(outgoing) = self.next().await {
            self.send(outgoing).await;
        }
    }

    async fn next(&mut self) -> Option<OutgoingMessage> {
        loop {
            let is_up = *self.is_up.borrow_and_update();
            if let Some(first) = is_up.then(|| self.kept.pop_front()).flatten() {
                return Some(first);
            }
            tokio::select! {
                // The state is checked first, so that `is_up` is current when a message arrives.
                biased;
                changed = self.is_up.changed() => {
                    changed.ok()?;
                    self.client = self.clients.borrow().clone();
                }
                outgoing = self.outgoing_messages.recv() => match outgoing? {
                    outgoing if is_up => return Some(outgoing),
                    outgoing => self.keep(outgoing),
                },
            }
        }
    }

    fn keep(&mut self, outgoing: OutgoingMessage) {
        match outgoing.call {
            Some(call) => self.report_unsent(call),
            None => self.kept.push_back(outgoing),
        }
    }

    fn report_unsent(&self, call: CallId) {
        // Sending fails only when this process ends.
        _ = self.events.send(Event::Unsent(call));
    }

    /// Passes a message to the client, whose queue is short. A message that the queue has not
    /// accepted before the connection breaks was not sent.
    async fn send(&mut self, outgoing: OutgoingMessage) {
        let subject = outgoing.subject.clone();
        let payload = outgoing.payload.clone();
        let sent = match outgoing.reply.clone() {
            Some(reply) => {
                let publish = self.client.publish_with_reply(subject, reply, payload);
                while_up(&mut self.is_up, publish).await
            }
            None => while_up(&mut self.is_up, self.client.publish(subject, payload)).await,
        };
        match sent {
            None => self.keep(outgoing),
            Some(Ok(())) => {}
            // After a reconnect, the new server may have a smaller message limit than the server
            // for which the message was packed.
            Some(Err(_)) => _ = outgoing.call.inspect(|call| self.report_unsent(*call)),
        }
    }
}

/// Awaits a future; `None` if the connection breaks first.
async fn while_up<T>(
    is_up: &mut watch::Receiver<bool>,
    future: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        output = future => Some(output),
        _ = is_up.wait_for(|is_up| !is_up) => None,
    }
}
