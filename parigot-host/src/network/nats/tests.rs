//! Carriers that meet on a real server.

mod server;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use parigot_abi::id::{CallId, HostId};
use parigot_abi::{Cause, Code, Detail};

use self::server::{PATIENCE, Server, Stranger};
use super::subjects::Subjects;
use super::wire::{Announcement, Stage, Word, Writer};
use super::{Nats, Party};
use crate::clock::{Clock, SystemClock};
use crate::deployment::Network;
use crate::network::{Carrier, News, Offer, Post, Reply, Request, ReturnAddress, Visit, Wanted};

const SERVICE: &str = "greeting.v1.Greeting";
const SCHEMA: u64 = 0x5eed;
const SECOND: Duration = Duration::from_secs(1);

/// What waits in a post, for a test that waits for it.
struct Inbox<T> {
    post: Arc<Post<T>>,
    rings: mpsc::Receiver<()>,
    heard: VecDeque<T>,
}

impl<T: std::fmt::Debug> Inbox<T> {
    fn new() -> Self {
        let (ring, rings) = mpsc::channel();
        let post = Post::new();
        post.bell().connect(move || _ = ring.send(()));
        Inbox { post, rings, heard: VecDeque::new() }
    }

    /// The next that comes.
    fn next(&mut self) -> T {
        loop {
            self.heard.extend(self.post.take());
            if let Some(first) = self.heard.pop_front() {
                return first;
            }
            self.rings.recv_timeout(PATIENCE).expect("something comes in time");
        }
    }
}

impl Inbox<News> {
    /// Waits until a process is found.
    fn found(&mut self) {
        match self.next() {
            News::Found { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn answered(&mut self) -> (CallId, Reply) {
        match self.next() {
            News::Answered { id, reply } => (id, reply),
            other => panic!("{other:?}"),
        }
    }

    /// Code, cause and text of a call that has failed.
    fn failed(&mut self) -> (CallId, Told) {
        match self.next() {
            News::Failed { id, failure } => (id, Told::of(&Reply::from(&failure))),
            News::Answered { id, reply } => (id, Told::of(&reply)),
            other => panic!("{other:?}"),
        }
    }
}

impl Inbox<Visit> {
    fn call(&mut self) -> (Request, ReturnAddress) {
        match self.next() {
            Visit::Call { request, from } => (request, from),
            other => panic!("{other:?}"),
        }
    }
}

/// What a caller is told of a call that failed.
#[derive(Debug, PartialEq)]
struct Told {
    code: Code,
    cause: Cause,
    text: String,
}

impl Told {
    fn of(reply: &Reply) -> Self {
        let Detail { cause, message, .. } = Detail::read(&reply.detail);
        Told { code: Code::from_number(reply.status).unwrap(), cause, text: message.into_owned() }
    }
}

/// A process without guests.
struct Process {
    host: HostId,
    carrier: Arc<Nats>,
    clock: Arc<dyn Clock>,
}

fn host(number: u128) -> HostId {
    HostId::from_random(number)
}

fn call_id(number: u128) -> CallId {
    CallId::from_random(number)
}

fn party(server: &Server, process: &str) -> Party {
    let number = process.bytes().fold(1, |number, byte| number << 8 | u128::from(byte));
    let network = Network {
        process: process.to_owned(),
        app: "pizzeria".to_owned(),
        servers: vec![server.url()],
        credentials: None,
        clock_skew: SECOND,
    };
    Party { host: host(number), network, clock: Arc::new(SystemClock::new()), message_bytes_max: 16 << 20 }
}

impl Process {
    fn new(server: &Server, name: &str) -> Self {
        Self::of(party(server, name))
    }

    fn of(party: Party) -> Self {
        let (host, clock) = (party.host, Arc::clone(&party.clock));
        Process { host, carrier: Nats::connect(party).unwrap(), clock }
    }

    fn look_for(&self, schema: u64, descriptors: Vec<u8>) -> Inbox<News> {
        let inbox = Inbox::new();
        let wanted = Wanted { service: SERVICE.to_owned(), schema, descriptors };
        self.carrier.look_for(wanted, Arc::clone(&inbox.post));
        inbox
    }

    fn serve(&self, schema: u64, descriptors: Vec<u8>) -> Inbox<Visit> {
        let inbox = Inbox::new();
        let methods = vec!["FetchGreeting".to_owned()];
        let offer = Offer { service: SERVICE.to_owned(), schema, descriptors, methods };
        self.carrier.serve(offer, Arc::clone(&inbox.post));
        inbox
    }

    fn request(&self, number: u128, payload: impl Into<Bytes>) -> Request {
        Request {
            id: call_id(number),
            method: "FetchGreeting".to_owned(),
            deadline_ns: self.clock.monotonic_ns() + PATIENCE.as_nanos() as u64,
            metadata: Bytes::from_static(b"\x03\0\0\0key\x05\0\0\0value"),
            payload: payload.into(),
        }
    }

    fn call(&self, number: u128, payload: impl Into<Bytes>) -> Result<(), Told> {
        let called = self.carrier.call(SERVICE, self.request(number, payload));
        called.map_err(|failure| Told::of(&Reply::from(&failure)))
    }

    fn answer(&self, to: ReturnAddress, payload: impl Into<Bytes>) {
        let (metadata, detail) = (Bytes::new(), Bytes::new());
        self.carrier.answer(to, Reply { status: 0, flags: 0, metadata, detail, payload: payload.into() });
    }
}

/// One that calls and one that is called, who have found each other.
fn couple(server: &Server) -> (Process, Inbox<News>, Process, Inbox<Visit>) {
    let (front, kitchen) = (Process::new(server, "front"), Process::new(server, "kitchen"));
    let mut news = front.look_for(SCHEMA, Vec::new());
    let visits = kitchen.serve(SCHEMA, Vec::new());
    news.found();
    (front, news, kitchen, visits)
}

#[test]
fn a_call_goes_to_who_offers_the_service_and_its_answer_comes_back() {
    let server = Server::start();
    let (front, mut news, kitchen, mut visits) = couple(&server);
    front.call(7, "ada").unwrap();
    let (request, from) = visits.call();
    assert_eq!((request.id, &*request.method, &*request.payload), (call_id(7), "FetchGreeting", &b"ada"[..]));
    assert_eq!(request.metadata, front.request(7, "").metadata);
    let left_ns = request.deadline_ns.saturating_sub(kitchen.clock.monotonic_ns());
    assert!(left_ns > (PATIENCE - SECOND).as_nanos() as u64, "{left_ns}");
    let reply = Reply {
        status: 3,
        flags: 1,
        metadata: Bytes::from_static(b"metadata"),
        detail: Bytes::from_static(b"detail"),
        payload: Bytes::from_static(b"hello ada"),
    };
    kitchen.carrier.answer(from, reply);
    let (id, Reply { status, flags, metadata, detail, payload }) = news.answered();
    assert_eq!((id, status, flags), (call_id(7), 3, 1));
    assert_eq!((&*metadata, &*detail, &*payload), (&b"metadata"[..], &b"detail"[..], &b"hello ada"[..]));
}

#[test]
fn whoever_comes_first_is_found() {
    let server = Server::start();
    let kitchen = Process::new(&server, "kitchen");
    let _visits = kitchen.serve(SCHEMA, Vec::new());
    let front = Process::new(&server, "front");
    let mut news = front.look_for(SCHEMA, Vec::new());
    news.found();
}

#[test]
fn a_call_that_nobody_could_take_is_refused_at_once() {
    let server = Server::start();
    let front = Process::new(&server, "front");
    let mut news = front.look_for(SCHEMA, Vec::new());
    let unoffered = Told {
        code: Code::Unavailable,
        cause: Cause::Unreachable,
        text: "no process offers greeting.v1.Greeting".to_owned(),
    };
    assert_eq!(front.call(1, ""), Err(unoffered));
    // One that says that it is there, and does not listen.
    let stranger = Stranger::on(&server);
    let ghost = Writer { host: host(9), process: "ghost".to_owned() };
    let announcement = Announcement::new(SERVICE.to_owned(), SCHEMA, Vec::new(), Stage::Ready);
    stranger.publish(&Subjects::of("pizzeria").ready(SERVICE), ghost.write(Word::Announcement(announcement)));
    news.found();
    front.call(2, "").unwrap();
    let (id, told) = news.failed();
    assert_eq!(
        (id, told.cause, &*told.text),
        (call_id(2), Cause::Unreachable, "no process offers greeting.v1.Greeting")
    );
}

#[test]
fn who_is_called_learns_that_nobody_waits_any_more() {
    let server = Server::start();
    let (front, mut news, kitchen, mut visits) = couple(&server);
    front.call(1, "").unwrap();
    let (_, from) = visits.call();
    front.carrier.cancel(SERVICE, call_id(1));
    assert!(matches!(visits.next(), Visit::Cancel { id } if id == call_id(1)));
    // What it answers nonetheless goes nowhere.
    kitchen.answer(from, "late");
    front.call(2, "").unwrap();
    kitchen.answer(visits.call().1, "in time");
    assert_eq!(news.answered().0, call_id(2));
}
