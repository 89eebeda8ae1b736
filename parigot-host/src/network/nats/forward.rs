//! Path of messages from the NATS client to the connection task.
//!
//! The client drops messages silently when the buffer of a subscription is full, so no message may
//! wait there. [`forward`] therefore passes each message on at once, and the connection task
//! decides where it can still reply. Between two polls of `forward` the client's connection is
//! polled once. In one poll the connection reads the socket at most 128 times (the limit of tokio
//! for one task), each time at most its buffer's size. [`SUBSCRIPTION_CAPACITY`] covers that
//! amount.

use std::pin::pin;

use async_nats::{Client, Message, Subscriber};
use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};

use super::event::{Event, Subscription};

/// Size of the client's read buffer in bytes.
pub(super) const READ_BYTES: u16 = u16::MAX;
/// Capacity of a subscription in messages: more than 128 buffers of the shortest message, which
/// has 28 bytes with its header.
pub(super) const SUBSCRIPTION_CAPACITY: usize = 1 << 19;

/// A subscription to create.
pub(super) struct SubscriptionSpec {
    pub(super) subject: String,
    /// Queue group: NATS delivers each message to one member. `None` delivers to all subscribers.
    pub(super) group: Option<String>,
    pub(super) subscription: Subscription,
}

/// Forwards the messages of a subject until `close`, then the messages in transit, then the end.
/// The subscription moves to the next client after the end of a client.
pub(super) async fn forward(
    mut clients: watch::Receiver<Client>,
    spec: SubscriptionSpec,
    events: mpsc::UnboundedSender<Event>,
    mut is_up: watch::Receiver<bool>,
    close: impl Future<Output = ()>,
) {
    let mut close = pin!(close);
    let kind = &spec.subscription;
    let pass = |message| _ = events.send(Event::Message(kind.clone(), message));
    'clients: loop {
        let subscribed = tokio::select! {
            subscribed = subscribe(&mut clients, &spec) => subscribed,
            // Without a connection, subscribing waits for one, so `close` must end the wait.
            () = &mut close => break,
        };
        // There is no next client only when this process ends.
        let Some(mut subscriber) = subscribed else {
            return;
        };
        // Sending fails only when this process ends.
        _ = events.send(Event::Subscribed(kind.clone()));
        loop {
            tokio::select! {
                // Messages come first: a busy subscription is emptied before its end.
                biased;
                message = subscriber.next() => match message {
                    Some(message) => pass(message),
                    None => break,
                },
                () = &mut close => {
                    let drain = drain(&mut subscriber, pass);
                    tokio::select! {
                        () = drain => {}
                        // Without a connection no message is in transit.
                        _ = is_up.wait_for(|is_up| !is_up) => {}
                    }
                    break 'clients;
                }
            }
        }
    }
    _ = events.send(Event::Unsubscribed(kind.clone()));
}

/// Subscribes with the current client, or with the next one if the current client has ended.
async fn subscribe(
    clients: &mut watch::Receiver<Client>,
    spec: &SubscriptionSpec,
) -> Option<Subscriber> {
    loop {
        let client = clients.borrow_and_update().clone();
        let subject = spec.subject.clone();
        let subscribed = match spec.group.clone() {
            Some(group) => client.queue_subscribe(subject, group).await,
            None => client.subscribe(subject).await,
        };
        match subscribed {
            Ok(subscriber) => return Some(subscriber),
            Err(_) => clients.changed().await.ok()?,
        }
    }
}

/// Ends the subscription at the server, then passes on the messages that were in transit.
async fn drain(subscriber: &mut Subscriber, pass: impl Fn(Message)) {
    if subscriber.drain().await.is_ok() {
        while let Some(message) = subscriber.next().await {
            pass(message);
        }
    }
}
