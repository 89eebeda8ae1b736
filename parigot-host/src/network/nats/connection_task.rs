//! The carrier's thread: it does what stand-ins ask for and hears what others say, one thing after the other, and never waits.

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

use super::context::Desk;
use super::envelope::{Illegible, Letter, Stage, Word, Writer};
use super::exports::{self, Offers};
use super::forward::{self, Way};
use super::imports::{Searches, Stray};
use super::micro::{self, Inquiry};
use super::outbox::Weight;
use super::peer_registry::{BEAT, SILENCE_MAX};
use super::subjects::call_of;
use super::unexpected::Strays;
use crate::error::Failure;
use crate::network::{News, Offer, Post, Reply, Request, ReturnAddress, Visit, Wanted};

/// After so many orders in a row others of the thread have their turn.
const ORDERS_AT_ONCE: u32 = 64;
/// How long the last words may take.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// What stand-ins want.
pub(super) enum Order {
    LookFor(Wanted, Arc<Post<News>>),
    Call(String, Request, Weight),
    Cancel(String, CallId),
    Serve(Offer, Arc<Post<Visit>>),
    Answer(ReturnAddress, Reply, Weight),
    Withdraw(String),
    Close(SyncSender<()>),
}

/// What happens on the side of NATS.
pub(super) enum Event {
    /// There is a connection again, or no more.
    Link {
        up: bool,
    },
    /// What comes through a door will be heard from now on.
    Opened(Door),
    Message(Door, Message),
    /// Nothing more will come through it.
    Closed(Door),
    /// A request could not leave.
    Unsent(CallId),
    /// The server, or the client, says that something is wrong.
    Trouble(String),
}

/// Where a message has come in.
#[derive(Clone, Debug)]
pub(super) enum Door {
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
pub(super) struct Courier {
    pub(super) desk: Desk,
    pub(super) searches: Searches,
    pub(super) offers: Offers,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    /// For pumps.
    pub(super) event_sender: mpsc::UnboundedSender<Event>,
    pub(super) up: watch::Receiver<bool>,
    pub(super) outbox: JoinHandle<()>,
    pub(super) strays: Strays,
    pub(super) last_beat: Instant,
    /// The last that was said to be wrong.
    pub(super) trouble: String,
}

impl Courier {
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
        let Desk { subjects, me, .. } = &self.desk;
        self.open(format!("{}.*", subjects.inbox(me.host)), Door::Inbox);
        self.open(format!("{}.*", subjects.pieces(me.host)), Door::Pieces);
        self.open(subjects.cancel(me.host), Door::Cancel);
        self.open(subjects.schema(me.host), Door::Schema);
        self.open(micro::ALL.to_owned(), Door::Micro);
    }

    fn obey(&mut self, order: Order) {
        let Courier {
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
            Order::Answer(to, reply, _weight) => offers.answer(desk, &to, reply),
            Order::Withdraw(service) => offers.withdraw(desk, &service),
            Order::Close(_) => {} // ends the loop
        }
    }

    fn look_for(&mut self, wanted: Wanted, post: Arc<Post<News>>) {
        let service = Arc::from(&*wanted.service);
        self.searches.begin(&self.desk, wanted, post);
        self.open(self.desk.subjects.ready(&service), Door::Ready(service));
    }

    fn serve(&mut self, offer: Offer, post: Arc<Post<Visit>>) {
        let service: Arc<str> = Arc::from(&*offer.service);
        let calls = self.desk.subjects.call(&offer.service, offer.schema);
        let (close, closed) = oneshot::channel();
        self.offers.begin(&self.desk, offer, post, close);
        for subject in micro::subjects(&service, &self.desk) {
            self.open(subject, Door::Micro);
        }
        self.open(
            self.desk.subjects.who(&service),
            Door::Who(Arc::clone(&service)),
        );
        let way = Way {
            subject: calls,
            group: Some(service.to_string()),
            door: Door::Call(service),
        };
        self.pump(way, async {
            // Without a sender nobody takes calls either.
            _ = closed.await;
        });
    }

    /// Hears what is said on a subject, for good.
    fn open(&self, subject: String, door: Door) {
        self.pump(
            Way {
                subject,
                group: None,
                door,
            },
            pending(),
        );
    }

    fn pump(&self, way: Way, close: impl Future<Output = ()> + Send + 'static) {
        let (client, events, up) = (
            self.desk.client.clone(),
            self.event_sender.clone(),
            self.up.clone(),
        );
        tokio::spawn(unconstrained(pump::pump(client, way, events, up, close)));
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Link { up } => self.link(up),
            Event::Opened(Door::Ready(service)) => Searches::ask(&self.desk, &service),
            Event::Opened(Door::Call(service)) => self.offers.announce(&self.desk, &service),
            Event::Opened(_) => {}
            Event::Closed(Door::Call(service)) => self.offers.closed(&self.desk, &service),
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
        let Courier {
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
        let Courier {
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

    fn message(&mut self, door: &Door, message: Message) -> Result<(), Stray> {
        let Courier {
            desk,
            searches,
            offers,
            ..
        } = self;
        let subject = &*message.subject;
        match door {
            Door::Inbox if message.status == Some(StatusCode::NO_RESPONDERS) => {
                return searches.untaken(subject);
            }
            // Those who want to know something ask again.
            Door::Micro | Door::Who(_) | Door::Schema if desk.load.is_full() => return Ok(()),
            Door::Micro => return inquire(desk, offers, &message),
            _ => {}
        }
        match Letter::read(message.payload.clone()) {
            Ok((writer, _)) if writer.host == desk.me.host => Err(Stray),
            Ok((writer, word)) => self.heed(door, message, writer, word),
            Err(illegible) => self.illegible(door, subject, message.reply.as_deref(), &illegible),
        }
    }

    /// Does what another process wants, if that is something to be said where it was said.
    fn heed(
        &mut self,
        door: &Door,
        message: Message,
        writer: Writer,
        word: Word,
    ) -> Result<(), Stray> {
        let Courier {
            desk,
            searches,
            offers,
            ..
        } = self;
        let subject = &*message.subject;
        match (door, word) {
            (Door::Inbox, Word::Announcement(goodbye)) => {
                searches.announced(desk, writer, goodbye)?
            }
            (Door::Inbox, word) => searches.hear(desk, subject, &writer, word)?,
            (Door::Pieces, Word::Piece(piece)) => offers.piece(desk, subject, &writer, &piece)?,
            (Door::Cancel, Word::Cancel(cancel)) => {
                offers.cancel(desk, &writer, cancel.call().ok_or(Stray)?)
            }
            (Door::Schema, Word::SchemaQuestion(question)) => {
                offers.describe(desk, &writer, &question)?
            }
            (Door::Call(service), Word::Request(request)) => {
                offers.request(desk, service, &writer, &request)?
            }
            (Door::Who(service), Word::Question(_)) => offers.announce(desk, service),
            (Door::Ready(service), Word::Announcement(announcement))
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
            _ => return Err(Stray),
        }
        Ok(())
    }

    /// Tells whoever waits that another version of the protocol is spoken.
    fn illegible(
        &mut self,
        door: &Door,
        subject: &str,
        reply: Option<&str>,
        illegible: &Illegible,
    ) -> Result<(), Stray> {
        let Courier { desk, searches, .. } = self;
        let Illegible::Version { from, .. } = illegible else {
            return Err(Stray);
        };
        match door {
            Door::Inbox => searches.illegible(subject, illegible),
            Door::Ready(service) => searches.foreign(desk, service, illegible),
            Door::Call(_) => {
                let call = reply.and_then(call_of).ok_or(Stray)?;
                offers::refuse(
                    desk,
                    &desk.subjects.answer(from.host, call),
                    &Failure::misfit(illegible.to_string()),
                );
            }
            _ => return Err(Stray),
        }
        Ok(())
    }

    /// Sends what is left, and the last words.
    async fn leave(mut self) {
        self.offers.end_all(&self.desk);
        let Courier {
            desk:
                Desk {
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
fn inquire(desk: &Desk, offers: &Offers, message: &Message) -> Result<(), Stray> {
    let inquiry = Inquiry::read(&message.subject).ok_or(Stray)?;
    let reply = message.reply.as_deref().ok_or(Stray)?;
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
