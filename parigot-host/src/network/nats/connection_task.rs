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
use super::peer_registry::{BEAT, SILENCE_MAX};
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

/// The thread's state.
pub(super) struct ConnectionTask {
    pub(super) desk: NatsContext,
    pub(super) searches: Imports,
    pub(super) offers: Exports,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    /// For pumps.
    pub(super) event_sender: mpsc::UnboundedSender<Event>,
    pub(super) up: watch::Receiver<bool>,
    pub(super) outbox: JoinHandle<()>,
    pub(super) strays: UnexpectedMessages,
    pub(super) last_beat: Instant,
    /// The last that was said to be wrong.
    pub(super) trouble: String,
}

impl ConnectionTask {
    /// Works until it is told to close, or nobody is left who could tell it: then it goes without a word.
    pub(super) async fn run(mut self) {
        let mut beat = tokio::time::interval(BEAT);
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
        let NatsContext { subjects, me, .. } = &self.desk;
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
            desk,
            searches,
            offers,
            ..
        } = self;
        match order {
            Order::LookFor(wanted, post) => self.look_for(wanted, post),
            Order::Call(service, request, weight) => searches.call(desk, &service, request, weight),
            Order::Cancel(service, call) => searches.cancel(desk, &service, call),
            Order::Serve(offer, post) => self.serve(offer, post),
            Order::ReplyMessage(to, reply, _weight) => offers.answer(desk, &to, reply),
            Order::Withdraw(service) => offers.withdraw(desk, &service),
            Order::Close(_) => {} // ends the loop
        }
    }

    fn look_for(&mut self, wanted: Wanted, post: Arc<EventQueue<RemoteEvent>>) {
        let service = Arc::from(&*wanted.service);
        self.searches.begin(&self.desk, wanted, post);
        self.open(
            self.desk.subjects.ready(&service),
            Subscription::Ready(service),
        );
    }

    fn serve(&mut self, offer: Offer, post: Arc<EventQueue<GatewayEvent>>) {
        let service: Arc<str> = Arc::from(&*offer.service);
        let calls = self.desk.subjects.call(&offer.service, offer.schema);
        let (close, closed) = oneshot::channel();
        self.offers.begin(&self.desk, offer, post, close);
        for subject in micro::subjects(&service, &self.desk) {
            self.open(subject, Subscription::Micro);
        }
        self.open(
            self.desk.subjects.who(&service),
            Subscription::Who(Arc::clone(&service)),
        );
        let way = SubscriptionSpec {
            subject: calls,
            group: Some(service.to_string()),
            door: Subscription::Call(service),
        };
        self.pump(way, async {
            // Without a sender nobody takes calls either.
            _ = closed.await;
        });
    }

    /// Hears what is said on a subject, for good.
    fn open(&self, subject: String, door: Subscription) {
        self.pump(
            SubscriptionSpec {
                subject,
                group: None,
                door,
            },
            pending(),
        );
    }

    fn pump(&self, way: SubscriptionSpec, close: impl Future<Output = ()> + Send + 'static) {
        let (client, events, up) = (
            self.desk.client.clone(),
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
            Event::Opened(Subscription::Ready(service)) => Imports::ask(&self.desk, &service),
            Event::Opened(Subscription::Call(service)) => {
                self.offers.announce(&self.desk, &service)
            }
            Event::Opened(_) => {}
            Event::Closed(Subscription::Call(service)) => self.offers.closed(&self.desk, &service),
            Event::Closed(_) => {} // the client has ended
            Event::Message(door, message) => {
                let subject = message.subject.clone();
                if self.message(&door, message).is_err() {
                    self.strays.add(&subject);
                }
            }
            Event::Unsent(call) => self.searches.unsent(&self.desk, call),
            Event::Trouble(text) if text == self.trouble => {}
            Event::Trouble(text) => {
                self.desk
                    .log
                    .warn(&format!("NATS: {}", text.trim_start_matches("nats: ")));
                self.trouble = text;
            }
        }
    }

    fn link(&mut self, up: bool) {
        let ConnectionTask {
            desk,
            searches,
            offers,
            ..
        } = self;
        let now_ns = desk.now_ns();
        match (desk.outlook.down(now_ns), up) {
            (None, false) => {
                desk.outlook.set_down(now_ns);
                desk.log
                    .warn("the connection to NATS is down: calls to other processes are refused");
            }
            (Some(down), true) => {
                desk.outlook.set_up();
                desk.log.info(&format!(
                    "the connection to NATS is up again, after {} ms",
                    down.as_millis()
                ));
                self.trouble.clear();
                searches.resume(desk);
                offers.announce_all(desk);
            }
            _ => {}
        }
    }

    /// What is to be done from time to time.
    fn beat(&mut self) {
        let ConnectionTask {
            desk,
            searches,
            offers,
            strays,
            ..
        } = self;
        // A process that was stopped for a while must hear what was said meanwhile before it misses anybody.
        let was_awake = self.last_beat.elapsed() < SILENCE_MAX;
        self.last_beat = Instant::now();
        searches.expire_calls(desk);
        offers.expire(desk);
        strays.beat().inspect(|dropped| desk.log.warn(dropped));
        if desk.is_up() {
            if was_awake {
                searches.expire_hosts(desk)
            } else {
                searches.resume(desk)
            }
            offers.announce_all(desk);
        }
    }

    fn message(&mut self, door: &Subscription, message: Message) -> Result<(), Unexpected> {
        let ConnectionTask {
            desk,
            searches,
            offers,
            ..
        } = self;
        let subject = &*message.subject;
        match door {
            Subscription::Inbox if message.status == Some(StatusCode::NO_RESPONDERS) => {
                return searches.untaken(subject);
            }
            // Those who want to know something ask again.
            Subscription::Micro | Subscription::Who(_) | Subscription::Schema
                if desk.load.is_full() =>
            {
                return Ok(());
            }
            Subscription::Micro => return inquire(desk, offers, &message),
            _ => {}
        }
        match Envelope::read(message.payload.clone()) {
            Ok((writer, _)) if writer.host == desk.me.host => Err(Unexpected),
            Ok((writer, word)) => self.heed(door, message, writer, word),
            Err(illegible) => self.illegible(door, subject, message.reply.as_deref(), &illegible),
        }
    }

    /// Does what another process wants, if that is something to be said where it was said.
    fn heed(
        &mut self,
        door: &Subscription,
        message: Message,
        writer: PeerId,
        word: PeerMessage,
    ) -> Result<(), Unexpected> {
        let ConnectionTask {
            desk,
            searches,
            offers,
            ..
        } = self;
        let subject = &*message.subject;
        match (door, word) {
            (Subscription::Inbox, PeerMessage::Announcement(goodbye)) => {
                searches.announced(desk, writer, goodbye)?
            }
            (Subscription::Inbox, word) => searches.hear(desk, subject, &writer, word)?,
            (Subscription::Pieces, PeerMessage::Chunk(piece)) => {
                offers.piece(desk, subject, &writer, &piece)?
            }
            (Subscription::Cancel, PeerMessage::Cancel(cancel)) => {
                offers.cancel(desk, &writer, cancel.call().ok_or(Unexpected)?)
            }
            (Subscription::Schema, PeerMessage::SchemaQuestion(question)) => {
                offers.describe(desk, &writer, &question)?
            }
            (Subscription::Call(service), PeerMessage::Request(request)) => {
                offers.request(desk, service, &writer, &request)?
            }
            (Subscription::Who(service), PeerMessage::Question(_)) => {
                offers.announce(desk, service)
            }
            (Subscription::Ready(service), PeerMessage::Announcement(announcement))
                if announcement.service == **service =>
            {
                if announcement.stage() == Stage::Gone {
                    // It was said behind the last answer, and there are two ways to here: sent on to the inbox it comes behind that answer.
                    desk.put(
                        desk.subjects.goodbye(desk.me.host),
                        None,
                        None,
                        message.payload,
                    );
                } else {
                    searches.announced(desk, writer, announcement)?;
                }
            }
            _ => return Err(Unexpected),
        }
        Ok(())
    }

    /// Tells whoever waits that another version of the protocol is spoken.
    fn illegible(
        &mut self,
        door: &Subscription,
        subject: &str,
        reply: Option<&str>,
        illegible: &DecodeError,
    ) -> Result<(), Unexpected> {
        let ConnectionTask { desk, searches, .. } = self;
        let DecodeError::Version { from, .. } = illegible else {
            return Err(Unexpected);
        };
        match door {
            Subscription::Inbox => searches.illegible(subject, illegible),
            Subscription::Ready(service) => searches.foreign(desk, service, illegible),
            Subscription::Call(_) => {
                let call = reply.and_then(call_of).ok_or(Unexpected)?;
                exports::refuse(
                    desk,
                    &desk.subjects.answer(from.host, call),
                    &Failure::misfit(illegible.to_string()),
                );
            }
            _ => return Err(Unexpected),
        }
        Ok(())
    }

    /// Sends what is left, and the last words.
    async fn leave(mut self) {
        self.offers.end_all(&self.desk);
        let ConnectionTask {
            desk:
                NatsContext {
                    client,
                    subjects,
                    me,
                    outlook,
                    parcels,
                    ..
                },
            outbox,
            ..
        } = self;
        drop(parcels);
        let all_sent = async {
            _ = outbox.await;
            if outlook.down(0).is_none() {
                echo(&client, subjects.echo(me.host)).await;
            }
        };
        // What has not been sent by then is lost, as with a process that is killed.
        _ = tokio::time::timeout(LEAVE_MAX, all_sent).await;
    }
}

/// A tool of NATS asks for services.
fn inquire(desk: &NatsContext, offers: &Exports, message: &Message) -> Result<(), Unexpected> {
    let inquiry = Inquiry::read(&message.subject).ok_or(Unexpected)?;
    let reply = message.reply.as_deref().ok_or(Unexpected)?;
    for answer in offers
        .all()
        .filter_map(|offering| inquiry.answer(desk, offering))
    {
        desk.put(reply.to_owned(), None, None, answer.into());
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
