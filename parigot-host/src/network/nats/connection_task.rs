//! The transport's thread: it does what stand-ins ask for and hears what others say, one thing after the other, and never waits.

use std::future::pending;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use async_nats::{Client, Message, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use parigot_abi::id::CallId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, unconstrained};
use tokio::time::MissedTickBehavior;

use super::context::NatsContext;
use super::envelope::{DecodeError, Envelope, PeerId, PeerMessage, Stage};
use super::exports::{self, Exports};
use super::forward::{self, SubscriptionSpec};
use super::imports::{Imports, Unexpected};
use super::micro::{self, Inquiry};
use super::outbox::Permit;
use super::peer_registry::{HEARTBEAT, SILENCE_MAX};
use super::subjects::call_of;
use super::unexpected::UnexpectedMessages;
use crate::error::Failure;
use crate::network::{
    EventQueue, GatewayEvent, Offer, RemoteEvent, Reply, Request, ReturnAddress, Wanted,
};

/// After so many orders in a row others of the thread have their turn.
const ORDERS_AT_ONCE: u32 = 64;
/// How long the last words may take.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// What stand-ins want.
pub(super) enum Order {
    LookFor(Wanted, Arc<EventQueue<RemoteEvent>>),
    Call(String, Request, Permit),
    Cancel(String, CallId),
    Serve(Offer, Arc<EventQueue<GatewayEvent>>),
    Reply(ReturnAddress, Reply, Permit),
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

/// The thread's state.
pub(super) struct ConnectionTask {
    pub(super) context: NatsContext,
    pub(super) imports: Imports,
    pub(super) exports: Exports,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    /// For pumps.
    pub(super) event_sender: mpsc::UnboundedSender<Event>,
    pub(super) up: watch::Receiver<bool>,
    pub(super) outbox: JoinHandle<()>,
    pub(super) unexpected: UnexpectedMessages,
    pub(super) last_beat: Instant,
    /// The last that was said to be wrong.
    pub(super) trouble: String,
}

impl ConnectionTask {
    /// Works until it is told to close, or nobody is left who could tell it: then it goes without a word.
    pub(super) async fn run(mut self) {
        let mut beat = tokio::time::interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut orders_in_a_row = 0;
        loop {
            tokio::select! {
                biased;
                _ = beat.tick() => self.beat(),
                Some(event) = self.events.recv() => self.hear(event),
                order = self.orders.recv() => match order {
                    Some(Order::Close(done)) => {
                        self.leave().await;
                        // Whoever waits for it may have given up.
                        _ = done.send(());
                        return;
                    }
                    Some(order) => self.obey(order),
                    None => return,
                },
            }
            orders_in_a_row += 1;
            if orders_in_a_row >= ORDERS_AT_ONCE && self.events.is_empty() {
                orders_in_a_row = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    /// Hears what is meant for this process.
    pub(super) fn begin(&self) {
        let NatsContext { subjects, me, .. } = &self.context;
        self.open(
            format!("{}.*", subjects.inbox(me.host)),
            Subscription::Inbox,
        );
        self.open(
            format!("{}.*", subjects.pieces(me.host)),
            Subscription::Pieces,
        );
        self.open(subjects.cancel(me.host), Subscription::Cancel);
        self.open(subjects.schema(me.host), Subscription::Schema);
        self.open(micro::ALL.to_owned(), Subscription::Micro);
    }

    fn obey(&mut self, order: Order) {
        let ConnectionTask {
            context,
            imports,
            exports,
            ..
        } = self;
        match order {
            Order::LookFor(wanted, queue) => self.look_for(wanted, queue),
            Order::Call(service, request, weight) => {
                imports.call(context, &service, request, weight)
            }
            Order::Cancel(service, call) => imports.cancel(context, &service, call),
            Order::Serve(offer, queue) => self.serve(offer, queue),
            Order::Reply(to, reply, _weight) => exports.answer(context, &to, reply),
            Order::Withdraw(service) => exports.withdraw(context, &service),
            Order::Close(_) => {} // ends the loop
        }
    }

    fn look_for(&mut self, wanted: Wanted, queue: Arc<EventQueue<RemoteEvent>>) {
        let service = Arc::from(&*wanted.service);
        self.imports.begin(&self.context, wanted, queue);
        self.open(
            self.context.subjects.ready(&service),
            Subscription::Ready(service),
        );
    }

    fn serve(&mut self, offer: Offer, queue: Arc<EventQueue<GatewayEvent>>) {
        let service: Arc<str> = Arc::from(&*offer.service);
        let calls = self.context.subjects.call(&offer.service, offer.schema);
        let (close, closed) = oneshot::channel();
        self.exports.begin(&self.context, offer, queue, close);
        for subject in micro::subjects(&service, &self.context) {
            self.open(subject, Subscription::Micro);
        }
        self.open(
            self.context.subjects.who(&service),
            Subscription::Who(Arc::clone(&service)),
        );
        let way = SubscriptionSpec {
            subject: calls,
            group: Some(service.to_string()),
            subscription: Subscription::Call(service),
        };
        self.pump(way, async {
            // Without a sender nobody takes calls either.
            _ = closed.await;
        });
    }

    /// Hears what is said on a subject, for good.
    fn open(&self, subject: String, subscription: Subscription) {
        self.pump(
            SubscriptionSpec {
                subject,
                group: None,
                subscription,
            },
            pending(),
        );
    }

    fn pump(&self, way: SubscriptionSpec, close: impl Future<Output = ()> + Send + 'static) {
        let (client, events, up) = (
            self.context.client.clone(),
            self.event_sender.clone(),
            self.up.clone(),
        );
        tokio::spawn(unconstrained(forward::forward(
            client, way, events, up, close,
        )));
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Route { up } => self.link(up),
            Event::Opened(Subscription::Ready(service)) => Imports::ask(&self.context, &service),
            Event::Opened(Subscription::Call(service)) => {
                self.exports.announce(&self.context, &service)
            }
            Event::Opened(_) => {}
            Event::Closed(Subscription::Call(service)) => {
                self.exports.closed(&self.context, &service)
            }
            Event::Closed(_) => {} // the client has ended
            Event::Message(subscription, message) => {
                let subject = message.subject.clone();
                if self.message(&subscription, message).is_err() {
                    self.unexpected.add(&subject);
                }
            }
            Event::Unsent(call) => self.imports.unsent(&self.context, call),
            Event::Trouble(text) if text == self.trouble => {}
            Event::Trouble(text) => {
                self.context
                    .log
                    .warn(&format!("NATS: {}", text.trim_start_matches("nats: ")));
                self.trouble = text;
            }
        }
    }

    fn link(&mut self, up: bool) {
        let ConnectionTask {
            context,
            imports,
            exports,
            ..
        } = self;
        let now_ns = context.now_ns();
        match (context.availability.down(now_ns), up) {
            (None, false) => {
                context.availability.set_down(now_ns);
                context
                    .log
                    .warn("the connection to NATS is down: calls to other processes are refused");
            }
            (Some(down), true) => {
                context.availability.set_up();
                context.log.info(&format!(
                    "the connection to NATS is up again, after {} ms",
                    down.as_millis()
                ));
                self.trouble.clear();
                imports.resume(context);
                exports.announce_all(context);
            }
            _ => {}
        }
    }

    /// What is to be done from time to time.
    fn beat(&mut self) {
        let ConnectionTask {
            context,
            imports,
            exports,
            unexpected,
            ..
        } = self;
        // A process that was stopped for a while must hear what was said meanwhile before it misses anybody.
        let was_awake = self.last_beat.elapsed() < SILENCE_MAX;
        self.last_beat = Instant::now();
        imports.expire_calls(context);
        exports.expire(context);
        unexpected
            .beat()
            .inspect(|dropped| context.log.warn(dropped));
        if context.is_up() {
            if was_awake {
                imports.expire_hosts(context)
            } else {
                imports.resume(context)
            }
            exports.announce_all(context);
        }
    }

    fn message(&mut self, subscription: &Subscription, message: Message) -> Result<(), Unexpected> {
        let ConnectionTask {
            context,
            imports,
            exports,
            ..
        } = self;
        let subject = &*message.subject;
        match subscription {
            Subscription::Inbox if message.status == Some(StatusCode::NO_RESPONDERS) => {
                return imports.untaken(subject);
            }
            // Those who want to know something ask again.
            Subscription::Micro | Subscription::Who(_) | Subscription::Schema
                if context.load.is_full() =>
            {
                return Ok(());
            }
            Subscription::Micro => return inquire(context, exports, &message),
            _ => {}
        }
        match Envelope::read(message.payload.clone()) {
            Ok((peer, _)) if peer.host == context.me.host => Err(Unexpected),
            Ok((peer, word)) => self.heed(subscription, message, peer, word),
            Err(illegible) => {
                self.illegible(subscription, subject, message.reply.as_deref(), &illegible)
            }
        }
    }

    /// Does what another process wants, if that is something to be said where it was said.
    fn heed(
        &mut self,
        subscription: &Subscription,
        message: Message,
        peer: PeerId,
        word: PeerMessage,
    ) -> Result<(), Unexpected> {
        let ConnectionTask {
            context,
            imports,
            exports,
            ..
        } = self;
        let subject = &*message.subject;
        match (subscription, word) {
            (Subscription::Inbox, PeerMessage::Announcement(goodbye)) => {
                imports.announced(context, peer, goodbye)?
            }
            (Subscription::Inbox, word) => imports.hear(context, subject, &peer, word)?,
            (Subscription::Pieces, PeerMessage::Chunk(piece)) => {
                exports.piece(context, subject, &peer, &piece)?
            }
            (Subscription::Cancel, PeerMessage::Cancel(cancel)) => {
                exports.cancel(context, &peer, cancel.call().ok_or(Unexpected)?)
            }
            (Subscription::Schema, PeerMessage::SchemaQuestion(question)) => {
                exports.describe(context, &peer, &question)?
            }
            (Subscription::Call(service), PeerMessage::Request(request)) => {
                exports.request(context, service, &peer, &request)?
            }
            (Subscription::Who(service), PeerMessage::Question(_)) => {
                exports.announce(context, service)
            }
            (Subscription::Ready(service), PeerMessage::Announcement(announcement))
                if announcement.service == **service =>
            {
                if announcement.stage() == Stage::Gone {
                    // It was said behind the last answer, and there are two ways to here: sent on to the inbox it comes behind that answer.
                    context.put(
                        context.subjects.goodbye(context.me.host),
                        None,
                        None,
                        message.payload,
                    );
                } else {
                    imports.announced(context, peer, announcement)?;
                }
            }
            _ => return Err(Unexpected),
        }
        Ok(())
    }

    /// Tells whoever waits that another version of the protocol is spoken.
    fn illegible(
        &mut self,
        subscription: &Subscription,
        subject: &str,
        reply: Option<&str>,
        illegible: &DecodeError,
    ) -> Result<(), Unexpected> {
        let ConnectionTask {
            context, imports, ..
        } = self;
        let DecodeError::Version { from, .. } = illegible else {
            return Err(Unexpected);
        };
        match subscription {
            Subscription::Inbox => imports.illegible(subject, illegible),
            Subscription::Ready(service) => imports.foreign(context, service, illegible),
            Subscription::Call(_) => {
                let call = reply.and_then(call_of).ok_or(Unexpected)?;
                exports::refuse(
                    context,
                    &context.subjects.answer(from.host, call),
                    &Failure::misfit(illegible.to_string()),
                );
            }
            _ => return Err(Unexpected),
        }
        Ok(())
    }

    /// Sends what is left, and the last words.
    async fn leave(mut self) {
        self.exports.end_all(&self.context);
        let ConnectionTask {
            context:
                NatsContext {
                    client,
                    subjects,
                    me,
                    availability,
                    outgoing_messages,
                    ..
                },
            outbox,
            ..
        } = self;
        drop(outgoing_messages);
        let all_sent = async {
            _ = outbox.await;
            if availability.down(0).is_none() {
                echo(&client, subjects.echo(me.host)).await;
            }
        };
        // What has not been sent by then is lost, as with a process that is killed.
        _ = tokio::time::timeout(LEAVE_MAX, all_sent).await;
    }
}

/// A tool of NATS asks for services.
fn inquire(context: &NatsContext, exports: &Exports, message: &Message) -> Result<(), Unexpected> {
    let inquiry = Inquiry::read(&message.subject).ok_or(Unexpected)?;
    let reply = message.reply.as_deref().ok_or(Unexpected)?;
    for answer in exports
        .all()
        .filter_map(|offering| inquiry.answer(context, offering))
    {
        context.put(reply.to_owned(), None, None, answer.into());
    }
    Ok(())
}

/// Waits until the server has taken all that was sent before: it does one thing after the other, and this is the last.
async fn echo(client: &Client, subject: String) {
    if let Ok(mut subscriber) = client.subscribe(subject.clone()).await
        && client.publish(subject, Bytes::new()).await.is_ok()
    {
        subscriber.next().await;
    }
}
