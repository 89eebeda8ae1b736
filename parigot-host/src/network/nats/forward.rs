//! The ways of messages from the client to the courier.
//!
//! Nothing may be lost between them, for the client drops what a subscription has no room for, and says so to nobody who waits for it. So
//! a subscription is only a way: [`pump`] passes on all that it has as soon as it has it, and what becomes of a message is decided where
//! it can be answered. Between two turns of a pump the client's connection has one, in which it reads a socket 128 times at most (tokio lets no task do more
//! at once), each time at most its buffer's size; [`SUBSCRIPTION_CAPACITY`] holds what that can be.

use std::pin::pin;

use async_nats::{Client, Message, Subscriber};
use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};

use super::connection_task::{Event, Subscription};

/// The client's buffer for what it reads.
pub(super) const READ_BYTES: u16 = u16::MAX;
/// How many messages a subscription holds: more than 128 buffers of the shortest, which has 28 bytes with its header.
pub(super) const SUBSCRIPTION_CAPACITY: usize = 1 << 19;

/// What is heard, by one of a group or by all, and where it comes in.
pub(super) struct SubscriptionSpec {
    pub(super) subject: String,
    pub(super) group: Option<String>,
    pub(super) subscription: Subscription,
}

/// Passes on what comes on a subject, until that is to end; then what was under way, and that there is no more.
pub(super) async fn forward(
    client: Client,
    SubscriptionSpec {
        subject,
        group,
        subscription,
    }: SubscriptionSpec,
    events: mpsc::UnboundedSender<Event>,
    mut up: watch::Receiver<bool>,
    close: impl Future<Output = ()>,
) {
    let mut close = pin!(close);
    let subscribe = async {
        match group {
            Some(group) => client.queue_subscribe(subject, group).await,
            None => client.subscribe(subject).await,
        }
    };
    let subscribed = tokio::select! {
        subscribed = subscribe => subscribed,
        // Without a connection subscribing may wait for one.
        () = &mut close => {
            _ = events.send(Event::Closed(subscription));
            return;
        }
    };
    // Fails only when this process ends, as do the sends.
    let Ok(mut subscriber) = subscribed else {
        return;
    };
    _ = events.send(Event::Opened(subscription.clone()));
    let pass = |message| _ = events.send(Event::Message(subscription.clone(), message));
    loop {
        tokio::select! {
            biased;
            message = subscriber.next() => match message {
                Some(message) => pass(message),
                None => break,
            },
            () = &mut close => {
                let drain = drain(&mut subscriber, pass);
                tokio::select! {
                    () = drain => {}
                    // Without a connection nothing is under way.
                    _ = up.wait_for(|up| !up) => {}
                }
                break;
            }
        }
    }
    _ = events.send(Event::Closed(subscription));
}

async fn drain(subscriber: &mut Subscriber, pass: impl Fn(Message)) {
    if subscriber.drain().await.is_ok() {
        while let Some(message) = subscriber.next().await {
            pass(message);
        }
    }
}
