//! NATS transport: the network protocol between the processes of a deployment.
//!
//! NATS finds subscribers, distributes calls among them and delivers messages at most once while
//! there is a connection. This module adds deadlines, cancellation, messages of any size, one end
//! for each call, schema checks and limits.
//!
//! # Subjects
//!
//! All subjects begin with `parigot.<app>`, where `app` is the name in the deployment file.
//! `<host>` is the random id of a process, chosen at its start.
//!
//! | subject | reader | messages |
//! |---|---|---|
//! | `.call.<service>.<schema>` | one exporter with this schema (queue group) | requests |
//! | `.inbox.<host>.<call>` | the caller | the reply and its chunks; `Continue`; stream frames |
//! | `.inbox.<host>.streams` | the caller | heartbeat of the streams that a callee serves |
//! | `.inbox.<host>.schema` | the importer | schemas |
//! | `.chunks.<host>.<call>` | the callee | chunks of a request; stream frames |
//! | `.chunks.<host>.streams` | the callee | heartbeat of the streams that a caller has opened |
//! | `.cancel.<host>` | the callee | cancellations |
//! | `.ready.<service>` | importers of the service | announcements |
//! | `.query.<service>` | exporters of the service | requests for an announcement |
//! | `.schema.<host>` | the exporter | requests for a schema |
//! | `$SRV.…` | exporters | requests of the NATS tools (ADR-32 of NATS) |
//!
//! # Protocol
//!
//! - **Discovery.** An importer asks on `query`. Exporters announce themselves on `ready`: when
//!   asked, when they start or withdraw a service, and as a heartbeat each second. A peer without
//!   heartbeat for three seconds is lost.
//! - **Schemas.** A peer with the importer's schema hash gets calls at once. For any other hash the
//!   importer requests the schema once and compares the schemas. The peer gets no calls before the
//!   comparison.
//! - **Calls.** If exporters have several compatible schemas, the requests go to their subjects in
//!   rotation. NATS chooses one exporter, and reports an error if no exporter exists. The request
//!   has its send time and the time until its deadline, so a late request does not run. The
//!   exporter remembers the call id for as long as a duplicate could arrive, so no call runs twice.
//! - **Chunks.** A body too large for one NATS message follows its envelope in chunks. The callee
//!   sends `Continue` once it has accepted a request; then the caller sends all chunks. The chunks
//!   of a reply follow at once. The receiver allocates and counts memory as chunks arrive. It drops
//!   a body beyond the limit, at the deadline, or after 30 seconds without a chunk.
//! - **Streams.** The callee of a call that streams always sends `Continue`, so that the caller
//!   knows the callee. All frames between the request and the reply are numbered in each direction:
//!   headers, items, credit, the end of the requests. The guests' credit travels with them, so the
//!   frames between two processes are limited as within one process. A message too large for one
//!   NATS message is several frames in a row. The reply has the number of frames before it. Each
//!   second, each side sends the list of its open streams to the other side, with the numbers of
//!   their frames. A missing frame or three seconds without a message of the other side end the
//!   call at this side; its fate is unknown.
//! - **Limits.** There is no flow control besides `Continue` and the credit of streams. All limits
//!   are fixed: bytes to send, bodies in transfer, parts of stream messages, pending calls and
//!   their bytes for each service, known peers, schemas. A call beyond a limit fails with an error
//!   that names the limit.
//! - **Pause.** While a service restarts, its exporter announces `Leaving` with `is_away` and ends
//!   its subscription, so that calls go to other exporters. Then it subscribes again.
//! - **Withdrawal.** An exporter announces `Leaving`, ends its subscription, answers the accepted
//!   calls, and announces `Gone`.
//!
//! # Losses
//!
//! | event | new calls | pending calls |
//! |---|---|---|
//! | no connection to NATS | refused | may get a kept reply later, or end at their deadline |
//! | last exporter lost | refused | fail, fate unknown |
//! | another exporter lost | go to the others | of the lost exporter: end at their deadline |
//! | exporter withdraws | go to the others | get their reply |
//! | process of an exporter closes | go to the others | fail, fate unknown |
//! | message lost by NATS | – | end at their deadline |
//! | frame of a stream lost, or its process | – | fail at both sides, fate unknown |
//! | caller lost | – | run to their end; the reply has no reader |
//!
//! While disconnected, the outbox keeps replies and announcements for the next connection. Requests
//! fail at once, because only the caller knows if a request may run later.
//!
//! # Modules
//!
//! [`connect`] makes connections with the [`login`] of each server, and [`connect_error`] explains
//! failed attempts. [`connection`] starts the transport's own thread. [`server_errors`] and
//! [`denial`] handle missing permissions. [`connection_task`] runs on that thread and owns all
//! state. [`forward`] receives messages, and [`outbox`] sends them within the [`send_budget`].
//! [`event`] has the input of the task. [`imports`] holds the services of other processes, with a
//! [`peer_registry`] each. [`exports`] holds the services of this process, with their
//! [`inbound_calls`]. [`chunks`] transfers large bodies, [`stream`] has the frames of a stream, and
//! [`open_streams`] has the heartbeat of all. [`micro`] answers the NATS tools.
//! [`subjects`] and [`envelope`] define the wire format. [`context`] has the shared state.
//! [`peer_checks`] warns of processes that do not fit, and [`log`] limits such lines.

mod chunks;
mod connect;
mod connect_error;
mod connection;
mod connection_task;
mod context;
mod denial;
mod envelope;
mod event;
mod exports;
mod forward;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzed;
pub(super) mod identity;
mod imports;
mod inbound_calls;
mod log;
mod login;
mod micro;
mod open_streams;
mod outbox;
mod peer_checks;
mod peer_registry;
mod send_budget;
mod server_errors;
mod stream;
mod subjects;
#[cfg(test)]
mod tests;
mod unexpected;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use parigot_abi::id::CallId;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use self::context::Availability;
use self::event::Command;
use self::identity::ProcessIdentity;
use self::send_budget::{Permit, SEND_BYTES_MAX, SendBudget};
use crate::clock::Clock;
use crate::error::{Failure, NetworkError, ThreadError};
use crate::network::event_queue::{EventQueue, GatewayEvent, RemoteEvent};
use crate::network::message::{Reply, Request, ReturnAddress, StreamMessage};
use crate::network::transport::{ExportSpec, ImportSpec, Transport};

/// Limit for closing: one second for pending messages, then the end of the thread.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// NATS transport. If the transport is dropped without [`Transport::close`], other processes get no
/// announcement, as after the end of a killed process.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `availability` | itself | connection task | proxies |
/// | `send_budget` | atomic | proxies, connection task | proxies, connection task |
/// | `commands` | channel | proxies | connection task |
/// | `thread` | mutex | `connect`, `close` | `close` |
pub(crate) struct Nats {
    availability: Arc<Availability>,
    send_budget: SendBudget,
    clock: Arc<dyn Clock>,
    commands: mpsc::UnboundedSender<Command>,
    /// Taken by the first `close`, because only one caller can join a thread.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Nats {
    /// Connects with a server and waits for the connection.
    ///
    /// # Errors
    ///
    /// If no server accepts the connection within 5 seconds or the deployment's `wait`, if the
    /// server accepts small messages only, if the user lacks a permission that each process
    /// needs, or if the system lacks a thread or a descriptor.
    pub(crate) fn connect(identity: ProcessIdentity) -> Result<Arc<Self>, NetworkError> {
        let availability = Arc::new(Availability::new());
        let send_budget = SendBudget::default();
        let clock = Arc::clone(&identity.clock);
        let (command_sender, commands) = mpsc::unbounded_channel();
        let (report, connected) = sync_channel(1);
        let start = connection::Start {
            identity,
            availability: Arc::clone(&availability),
            send_budget: send_budget.clone(),
            commands,
        };
        let log = tracing::dispatcher::get_default(Clone::clone);
        const NAME: &str = "parigot network";
        let thread = std::thread::Builder::new()
            .name(NAME.to_owned())
            .spawn(move || connection::run(start, log, &report))
            .map_err(|error| ThreadError::new(NAME, &error))?;
        connected
            .recv()
            .expect("the thread must report its connection")?;
        Ok(Arc::new(Nats {
            availability,
            send_budget,
            clock,
            commands: command_sender,
            thread: Mutex::new(Some(thread)),
        }))
    }

    fn command(&self, command: Command) {
        // Sending fails only after the thread has ended. Commands are ignored then.
        _ = self.commands.send(command);
    }

    fn stream_permit(&self, message: &StreamMessage) -> Result<Permit, Failure> {
        let permit = self.send_budget.try_acquire(message.len());
        permit.ok_or_else(|| Failure::stream_send_buffer_full(SEND_BYTES_MAX))
    }
}

impl Transport for Nats {
    fn import(&self, spec: ImportSpec, queue: Arc<EventQueue<RemoteEvent>>) {
        self.command(Command::Import(spec, queue));
    }

    fn call(&self, service: &str, request: Request) -> Result<(), Failure> {
        // Checked here and not in the connection task, so that a refused call ends within the turn
        // of its proxy.
        self.availability
            .check(service, self.clock.monotonic_ns())?;
        let bytes = request.metadata.len() + request.payload.len();
        let permit = self
            .send_budget
            .try_acquire(bytes)
            .ok_or_else(|| Failure::send_buffer_full(SEND_BYTES_MAX))?;
        self.command(Command::Call(service.to_owned(), request, permit));
        Ok(())
    }

    fn cancel(&self, service: &str, id: CallId) {
        self.command(Command::Cancel(service.to_owned(), id));
    }

    fn export(&self, spec: ExportSpec, queue: Arc<EventQueue<GatewayEvent>>) {
        self.command(Command::Export(spec, queue));
    }

    fn reply(&self, to: ReturnAddress, reply: Reply) {
        let bytes = reply.metadata.len() + reply.detail.len() + reply.payload.len();
        let command = match self.send_budget.try_acquire(bytes) {
            Some(permit) => Command::Reply(to, reply, permit),
            // The caller waits for a reply, so a full buffer still takes a short failure.
            None => {
                let failure = Failure::reply_send_buffer_full(SEND_BYTES_MAX);
                Command::Reply(to, Reply::from(&failure), self.send_budget.acquire(0))
            }
        };
        self.command(command);
    }

    fn send_to_callee(&self, id: CallId, message: StreamMessage) -> Result<(), Failure> {
        let permit = self.stream_permit(&message)?;
        self.command(Command::SendToCallee(id, message, permit));
        Ok(())
    }

    fn send_to_caller(&self, id: CallId, message: StreamMessage) -> Result<(), Failure> {
        let permit = self.stream_permit(&message)?;
        self.command(Command::SendToCaller(id, message, permit));
        Ok(())
    }

    fn pause(&self, service: &str, is_paused: bool) {
        self.command(Command::Pause(service.to_owned(), is_paused));
    }

    fn withdraw(&self, service: &str) {
        self.command(Command::Withdraw(service.to_owned()));
    }

    fn close(&self) {
        let (done, wait) = sync_channel(1);
        self.command(Command::Close(done));
        // A thread that does not report its end in time is left to the end of the process.
        if wait.recv_timeout(CLOSE_MAX).is_ok()
            && let Some(thread) = self.thread.lock().take()
        {
            thread.join().expect("the thread must not panic");
        }
    }
}
