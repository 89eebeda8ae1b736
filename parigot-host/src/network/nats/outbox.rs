//! What is on its way to other processes.

use std::collections::VecDeque;

use async_nats::Client;
use bytes::Bytes;
use parigot_abi::id::CallId;
use tokio::sync::{mpsc, watch};

use super::event::Event;
use super::send_budget::Permit;

/// One message of NATS.
#[derive(Debug)]
pub(super) struct OutgoingMessage {
    pub(super) subject: String,
    /// Where NATS says that nobody listens.
    pub(super) reply: Option<String>,
    pub(super) payload: Bytes,
    /// The call that it asks for, if it is a request: that is not kept for later.
    pub(super) call: Option<CallId>,
    /// Counted while it is here.
    pub(super) _weight: Permit,
}

/// Sends parcels in their order. While there is no connection requests are given back, and the rest is kept.
pub(super) struct Outbox {
    pub(super) client: Client,
    pub(super) outgoing_messages: mpsc::UnboundedReceiver<OutgoingMessage>,
    /// Whether there is a connection.
    pub(super) up: watch::Receiver<bool>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) kept: VecDeque<OutgoingMessage>,
}

impl Outbox {
    /// Sends until there will be no more.
    pub(super) async fn run(mut self) {
        while let Some(outgoing) = self.next().await {
            self.send(outgoing).await;
        }
    }

    async fn next(&mut self) -> Option<OutgoingMessage> {
        loop {
            let is_up = *self.up.borrow_and_update();
            if let Some(first) = is_up.then(|| self.kept.pop_front()).flatten() {
                return Some(first);
            }
            tokio::select! {
                biased;
                changed = self.up.changed() => changed.ok()?,
                outgoing = self.outgoing_messages.recv() => match outgoing? {
                    outgoing if is_up => return Some(outgoing),
                    outgoing => self.keep(outgoing),
                },
            }
        }
    }

    fn keep(&mut self, outgoing: OutgoingMessage) {
        match outgoing.call {
            Some(call) => self.give_back(call),
            None => self.kept.push_back(outgoing),
        }
    }

    fn give_back(&self, call: CallId) {
        // Nobody reads events any more only when this process ends.
        _ = self.events.send(Event::Unsent(call));
    }

    /// Hands a parcel to the client, which takes few at once; if the connection breaks first, it was not sent.
    async fn send(&mut self, outgoing: OutgoingMessage) {
        let OutgoingMessage {
            subject,
            reply,
            payload,
            ..
        } = &outgoing;
        let (subject, payload) = (subject.clone(), payload.clone());
        let is_sent = match reply.clone() {
            Some(reply) => {
                let publish = self.client.publish_with_reply(subject, reply, payload);
                while_up(&mut self.up, publish).await
            }
            None => while_up(&mut self.up, self.client.publish(subject, payload)).await,
        };
        match is_sent {
            None => self.keep(outgoing),
            Some(Ok(())) => {}
            // The server takes less at once than the one before.
            Some(Err(_)) => _ = outgoing.call.inspect(|call| self.give_back(*call)),
        }
    }
}

/// What becomes of that, if the connection does not break first.
async fn while_up<T>(up: &mut watch::Receiver<bool>, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        output = future => Some(output),
        _ = up.wait_for(|up| !up) => None,
    }
}
