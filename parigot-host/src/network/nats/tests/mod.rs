//! Carriers that meet on a real server.

mod bounds;
mod caller;
mod calls;
mod hostile;
mod large;
mod log;
mod outages;
mod peers;
mod server;
mod tools;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use async_nats::Subscriber;
use bytes::Bytes;
use parigot_abi::id::{CallId, HostId};
use parigot_abi::{Cause, Code, Detail};

use self::caller::Caller;
use self::log::Lines;
use self::server::{PATIENCE, Server, Stranger};
use super::Nats;
use super::envelope::{
    Announcement, Body, CallHeader, Cancel, Chunk, Content, Continue, Discovery, Envelope, PeerId,
    PeerMessage, ReplyMessage, RequestMessage, Stage,
};
use super::identity::ProcessIdentity;
use super::subjects::Subjects;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::deployment::Network;
use crate::network::event_queue::{EventQueue, GatewayEvent, RemoteEvent};
use crate::network::message::{Reply, Request, ReturnAddress};
use crate::network::transport::{ExportSpec, ImportSpec, Transport};

const APP: &str = "pizzeria";
const SERVICE: &str = "greeting.v1.Greeting";
const SCHEMA: u64 = 0x5eed;
const SECOND: Duration = Duration::from_secs(1);

/// What waits in a post, for a test that waits for it.
struct Inbox<T> {
    queue: Arc<EventQueue<T>>,
    rings: mpsc::Receiver<()>,
    heard: VecDeque<T>,
}

impl<T: std::fmt::Debug> Inbox<T> {
    fn new() -> Self {
        let (ring, rings) = mpsc::channel();
        let queue = EventQueue::new();
        queue.waker().connect(move || _ = ring.send(()));
        Inbox {
            queue,
            rings,
            heard: VecDeque::new(),
        }
    }

    /// The next that comes.
    fn next(&mut self) -> T {
        loop {
            self.heard.extend(self.queue.take());
            if let Some(first) = self.heard.pop_front() {
                return first;
            }
            self.rings
                .recv_timeout(PATIENCE)
                .expect("something comes in time");
        }
    }
}

impl Inbox<RemoteEvent> {
    fn found(&mut self) {
        match self.next() {
            RemoteEvent::Found { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn answered(&mut self) -> (CallId, Reply) {
        match self.next() {
            RemoteEvent::Answered { id, reply } => (id, reply),
            other => panic!("{other:?}"),
        }
    }

    /// Code, cause and text of a call that has failed.
    fn failed(&mut self) -> (CallId, Told) {
        match self.next() {
            RemoteEvent::Failed { id, failure } => (id, Told::of(&Reply::from(&failure))),
            RemoteEvent::Answered { id, reply } => (id, Told::of(&reply)),
            other => panic!("{other:?}"),
        }
    }
}

impl Inbox<GatewayEvent> {
    fn call(&mut self) -> (Request, ReturnAddress) {
        match self.next() {
            GatewayEvent::Call { request, from } => (request, from),
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
        Told {
            code: Code::from_number(reply.status).unwrap(),
            cause,
            text: message.into_owned(),
        }
    }
}

/// A process without guests.
struct Process {
    host: HostId,
    transport: Arc<Nats>,
    clock: Arc<dyn Clock>,
}

/// The host of a process of that name.
fn host_of(process: &str) -> HostId {
    HostId::from_random(
        process
            .bytes()
            .fold(1, |number, byte| number << 8 | u128::from(byte)),
    )
}

fn call_id(number: u128) -> CallId {
    CallId::from_random(number)
}

fn identity(server: &Server, process: &str) -> ProcessIdentity {
    let network = Network {
        process: process.to_owned(),
        app: APP.to_owned(),
        servers: vec![server.url()],
        credentials: None,
        clock_skew: SECOND,
    };
    ProcessIdentity {
        host: host_of(process),
        network,
        clock: Arc::new(SystemClock::new()),
        message_bytes_max: 16 << 20,
    }
}

impl Process {
    fn new(server: &Server, name: &str) -> Self {
        Self::of(identity(server, name))
    }

    fn of(identity: ProcessIdentity) -> Self {
        let (host, clock) = (identity.host, Arc::clone(&identity.clock));
        Process {
            host,
            transport: Nats::connect(identity).unwrap(),
            clock,
        }
    }

    fn import(&self, schema: u64, descriptors: Vec<u8>) -> Inbox<RemoteEvent> {
        let inbox = Inbox::new();
        let wanted = ImportSpec {
            service: SERVICE.to_owned(),
            schema,
            descriptors,
        };
        self.transport.import(wanted, Arc::clone(&inbox.queue));
        inbox
    }

    fn export(&self, schema: u64, descriptors: Vec<u8>) -> Inbox<GatewayEvent> {
        let inbox = Inbox::new();
        let methods = vec!["FetchGreeting".to_owned()];
        let offer = ExportSpec {
            service: SERVICE.to_owned(),
            schema,
            descriptors,
            methods,
            deadline_ns: 5,
        };
        self.transport.export(offer, Arc::clone(&inbox.queue));
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
        let called = self.transport.call(SERVICE, self.request(number, payload));
        called.map_err(|failure| Told::of(&Reply::from(&failure)))
    }

    fn reply(&self, to: ReturnAddress, payload: impl Into<Bytes>) {
        let (metadata, detail) = (Bytes::new(), Bytes::new());
        self.transport.reply(
            to,
            Reply {
                status: 0,
                flags: 0,
                metadata,
                detail,
                payload: payload.into(),
            },
        );
    }
}

/// Starts a caller and a callee, and waits until the caller has found the callee.
fn couple(server: &Server) -> (Process, Inbox<RemoteEvent>, Process, Inbox<GatewayEvent>) {
    couple_of(
        Process::new(server, "front"),
        Process::new(server, "kitchen"),
    )
}

/// Waits until a caller has found a callee.
fn couple_of(
    front: Process,
    kitchen: Process,
) -> (Process, Inbox<RemoteEvent>, Process, Inbox<GatewayEvent>) {
    let mut news = front.import(SCHEMA, Vec::new());
    let inbound_calls = kitchen.export(SCHEMA, Vec::new());
    news.found();
    (front, news, kitchen, inbound_calls)
}

/// One that takes calls at a time that the test sets, and one that makes them by hand, whose clock says the same.
struct ByHand {
    kitchen: Process,
    inbound_calls: Inbox<GatewayEvent>,
    clock: Arc<ManualClock>,
    caller: Caller,
    answers: Subscriber,
}

impl ByHand {
    fn on(server: &Server) -> Self {
        let now = 1_000 * SECOND;
        let clock = Arc::new(ManualClock::new(now));
        let kitchen = Process::of(ProcessIdentity {
            clock: Arc::clone(&clock) as _,
            ..identity(server, "kitchen")
        });
        let inbound_calls = kitchen.export(SCHEMA, Vec::new());
        let mut caller = Caller::on(&Stranger::on(server), "front");
        caller.wall = now;
        caller.wait_for_service();
        let answers = caller.inbox();
        ByHand {
            kitchen,
            inbound_calls,
            clock,
            caller,
            answers,
        }
    }
}
