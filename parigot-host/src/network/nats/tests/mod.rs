//! Tests of NATS transports with a real server.

mod bounds;
mod calls;
mod fake_peer;
mod fake_server;
mod hostile;
mod large;
mod log;
mod login;
mod outages;
mod pauses;
mod peer_checks;
mod peers;
mod permissions;
mod progress;
mod server;
mod streams;
mod tls;
mod tools;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use async_nats::Subscriber;
use bytes::Bytes;
use parigot_abi::id::{CallId, HostId};
use parigot_abi::manifest::MethodFlags;
use parigot_abi::{Cause, Code, Detail};

use self::fake_peer::FakePeer;
use self::fake_server::{RejectingServer, Relay};
use self::log::Lines;
use self::server::{RawClient, Server, WAIT_MAX};
use super::Nats;
use super::envelope::{
    Announcement, Body, BodyParts, CallHeader, Cancel, Chunk, Content, Continue, Discovery,
    Envelope, PeerId, PeerMessage, ReplyMessage, RequestMessage, Stage,
};
use super::identity::ProcessIdentity;
use super::subjects::Subjects;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::deployment::Network;
use crate::error::NetworkError;
use crate::network::event_queue::{EventQueue, GatewayEvent, RemoteEvent};
use crate::network::message::{Reply, Request, ReturnAddress};
use crate::network::transport::{ExportSpec, ImportSpec, Transport};

const APP: &str = "shop";
const SERVICE: &str = "greeting.v1.Greeting";
const SCHEMA: u64 = 0x5eed;
const SECOND: Duration = Duration::from_secs(1);

/// Event queue with a blocking receive.
struct Inbox<T> {
    queue: Arc<EventQueue<T>>,
    wakes: mpsc::Receiver<()>,
    received: VecDeque<T>,
}

impl<T: std::fmt::Debug + Send + 'static> Inbox<T> {
    /// Creates the queue of a proxy that runs as soon as it is woken, as far as a probe can tell.
    fn new() -> Self {
        Self::with(EventQueue::follow_probe)
    }

    /// Creates the queue of a proxy that does not run before the test takes its events.
    fn held() -> Self {
        Self::with(|_| {})
    }

    fn with(run: impl Fn(&EventQueue<T>) + Send + Sync + 'static) -> Self {
        let (wake, wakes) = mpsc::channel();
        let queue = EventQueue::new();
        let woken = Arc::downgrade(&queue);
        queue.waker().connect(move || {
            woken.upgrade().iter().for_each(|queue| run(queue));
            _ = wake.send(());
        });
        Inbox {
            queue,
            wakes,
            received: VecDeque::new(),
        }
    }

    /// Waits for the next event.
    fn next(&mut self) -> T {
        let until = Instant::now() + WAIT_MAX;
        loop {
            self.received.extend(self.queue.take());
            if let Some(first) = self.received.pop_front() {
                return first;
            }
            self.wakes
                .recv_timeout(until.saturating_duration_since(Instant::now()))
                .expect("an event must arrive");
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

    /// Waits for the failure of a call.
    fn failed(&mut self) -> (CallId, FailedCall) {
        match self.next() {
            RemoteEvent::Failed { id, failure } => (id, FailedCall::of(&Reply::from(&failure))),
            RemoteEvent::Answered { id, reply } => (id, FailedCall::of(&reply)),
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

/// Code, cause and text of a failed call.
#[derive(Debug, PartialEq)]
struct FailedCall {
    code: Code,
    cause: Cause,
    text: String,
}

impl FailedCall {
    fn of(reply: &Reply) -> Self {
        let Detail { cause, message, .. } = Detail::read(&reply.detail);
        FailedCall {
            code: Code::from_number(reply.status).unwrap(),
            cause,
            text: message.into_owned(),
        }
    }
}

/// Process that consists of a transport only.
struct Process {
    host: HostId,
    transport: Arc<Nats>,
    clock: Arc<dyn Clock>,
}

/// Returns the host id that belongs to a process name.
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
        processes: vec!["front".to_owned(), "kitchen".to_owned()],
        app: APP.to_owned(),
        servers: vec![server.nats()],
        login: None,
        tls: None,
        clock_skew: SECOND,
        wait: None,
    };
    ProcessIdentity {
        host: host_of(process),
        network,
        clock: Arc::new(SystemClock::new()),
        message_bytes_max: 16 << 20,
    }
}

/// Tries to connect with these settings, and returns the error.
#[track_caller]
fn refusal(server: &Server, change: impl FnOnce(&mut Network)) -> NetworkError {
    let mut identity = identity(server, "front");
    change(&mut identity.network);
    Nats::connect(identity)
        .map(|_| ())
        .expect_err("the connection must be refused")
}

/// Returns the error and its cause in one line.
#[track_caller]
fn error_of(server: &Server, change: impl FnOnce(&mut Network)) -> String {
    let error = refusal(server, change);
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

/// Returns the next step after an error.
fn help_of(error: &NetworkError) -> String {
    miette::Diagnostic::help(error)
        .expect("the error must have a next step")
        .to_string()
}

#[track_caller]
fn check_connects(server: &Server, change: impl FnOnce(&mut Network)) {
    let mut identity = identity(server, "front");
    change(&mut identity.network);
    Nats::connect(identity).expect("the connection must be accepted");
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
        self.export_to(&inbox, schema, descriptors);
        inbox
    }

    fn export_to(&self, inbox: &Inbox<GatewayEvent>, schema: u64, descriptors: Vec<u8>) {
        let methods = vec!["FetchGreeting".to_owned()];
        let offer = ExportSpec {
            service: SERVICE.to_owned(),
            schema,
            descriptors,
            methods,
            deadline_ns: 5,
        };
        self.transport.export(offer, Arc::clone(&inbox.queue));
    }

    fn request(&self, number: u128, payload: impl Into<Bytes>) -> Request {
        Request {
            id: call_id(number),
            method: "FetchGreeting".to_owned(),
            deadline_ns: self.clock.monotonic_ns() + WAIT_MAX.as_nanos() as u64,
            has_default_deadline: true,
            streams: MethodFlags::UNARY,
            covers_first_frame: false,
            metadata: Bytes::from_static(b"\x03\0\0\0key\x05\0\0\0value"),
            payload: payload.into(),
        }
    }

    fn call(&self, number: u128, payload: impl Into<Bytes>) -> Result<(), FailedCall> {
        let called = self.transport.call(SERVICE, self.request(number, payload));
        called.map_err(|failure| FailedCall::of(&Reply::from(&failure)))
    }

    fn reply(&self, to: ReturnAddress, payload: impl Into<Bytes>) {
        let (metadata, detail) = (Bytes::new(), Bytes::new());
        self.transport.reply(
            to,
            Reply {
                status: 0,
                flags: 0,
                headers: Bytes::new(),
                metadata,
                detail,
                payload: payload.into(),
            },
        );
    }
}

/// Starts a caller and a callee, and waits until the caller has found the callee.
fn connected_pair(server: &Server) -> (Process, Inbox<RemoteEvent>, Process, Inbox<GatewayEvent>) {
    connect(
        Process::new(server, "front"),
        Process::new(server, "kitchen"),
    )
}

/// Returns a caller that has found a callee, both with a frozen clock.
fn frozen_pair(server: &Server) -> (Process, Inbox<RemoteEvent>, Process, Inbox<GatewayEvent>) {
    let frozen = |name| {
        Process::of(ProcessIdentity {
            clock: Arc::new(ManualClock::new(1_000 * SECOND)),
            ..identity(server, name)
        })
    };
    connect(frozen("front"), frozen("kitchen"))
}

/// Waits until a caller has found a callee.
fn connect(
    front: Process,
    kitchen: Process,
) -> (Process, Inbox<RemoteEvent>, Process, Inbox<GatewayEvent>) {
    let mut events = front.import(SCHEMA, Vec::new());
    let gateway = kitchen.export(SCHEMA, Vec::new());
    events.found();
    (front, events, kitchen, gateway)
}

/// Callee with a frozen clock, and a caller whose messages and clock the test controls.
struct FrozenCallee {
    kitchen: Process,
    gateway: Inbox<GatewayEvent>,
    clock: Arc<ManualClock>,
    caller: FakePeer,
    answers: Subscriber,
}

impl FrozenCallee {
    fn on(server: &Server) -> Self {
        let now = 1_000 * SECOND;
        let clock = Arc::new(ManualClock::new(now));
        let kitchen = Process::of(ProcessIdentity {
            clock: Arc::clone(&clock) as _,
            ..identity(server, "kitchen")
        });
        let gateway = kitchen.export(SCHEMA, Vec::new());
        let mut caller = FakePeer::on(&RawClient::on(server), "front");
        caller.wall = now;
        caller.wait_for_service();
        let answers = caller.inbox();
        FrozenCallee {
            kitchen,
            gateway,
            clock,
            caller,
            answers,
        }
    }
}
