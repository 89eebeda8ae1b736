//! NATS transport of a process in a deployment of several processes.
//!
//! NATS finds subscribers, distributes calls among them and delivers messages while there is a
//! connection. This module adds deadlines, cancellation, messages of any size, an end for each
//! call, schema checks and bounds.
//!
//! Modules: `subjects` names the subjects, and `envelope` defines the messages on them.
//! `connection` connects, and `connection_task` runs the thread. `forward` receives messages, and
//! `outbox` sends them. `imports` holds the services required of other processes, with a
//! `peer_registry` each. `exports` holds the services offered to other processes, with their
//! `inbound_calls`. `chunks` transfers large messages, and `micro` answers the NATS tools.
//! `context` has the state that all modules need.

mod chunks;
mod connection;
mod connection_task;
mod context;
mod envelope;
mod exports;
mod forward;
mod imports;
mod inbound_calls;
mod micro;
mod outbox;
mod peer_registry;
mod subjects;
#[cfg(test)]
mod tests;
mod unexpected;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use parigot_abi::id::{CallId, HostId};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use self::connection_task::Order;
use self::context::Availability;
use self::outbox::SendBudget;
use crate::clock::Clock;
use crate::deployment::Network;
use crate::error::{Failure, NetworkError};
use crate::network::{
    EventQueue, GatewayEvent, Offer, RemoteEvent, Reply, Request, ReturnAddress, Transport, Wanted,
};

/// Limit for closing: one second for pending messages, then the end of the thread.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// Identity of this process in the deployment.
pub(crate) struct ProcessIdentity {
    pub(crate) host: HostId,
    pub(crate) network: Network,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) message_bytes_max: usize,
}

/// NATS transport. Dropping it without [`Transport::close`] announces nothing, like a killed
/// process.
pub(crate) struct Nats {
    availability: Arc<Availability>,
    load: SendBudget,
    clock: Arc<dyn Clock>,
    orders: mpsc::UnboundedSender<Order>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Nats {
    /// Connects with a server and waits for the connection.
    ///
    /// # Errors
    ///
    /// If no server accepts the connection within 5 seconds.
    pub(crate) fn connect(identity: ProcessIdentity) -> Result<Arc<Self>, NetworkError> {
        let (availability, load, clock) = (
            Arc::new(Availability::new()),
            SendBudget::default(),
            Arc::clone(&identity.clock),
        );
        let (orders, taken) = mpsc::unbounded_channel();
        let (told, tell) = sync_channel(1);
        let start = connection::Start {
            identity,
            availability: Arc::clone(&availability),
            load: load.clone(),
            orders: taken,
        };
        let log = tracing::dispatcher::get_default(Clone::clone);
        let name = "parigot network".to_owned();
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || connection::run(start, log, &told));
        let thread = thread.expect("the system must allow one more thread");
        tell.recv()
            .expect("the thread must report its connection")?;
        Ok(Arc::new(Nats {
            availability,
            load,
            clock,
            orders,
            thread: Mutex::new(Some(thread)),
        }))
    }

    fn order(&self, order: Order) {
        // Sending fails only after the thread has ended. Orders are ignored then.
        _ = self.orders.send(order);
    }
}

impl Transport for Nats {
    fn look_for(&self, wanted: Wanted, queue: Arc<EventQueue<RemoteEvent>>) {
        self.order(Order::LookFor(wanted, queue));
    }

    fn call(&self, service: &str, request: Request) -> Result<(), Failure> {
        self.availability
            .check(service, self.clock.monotonic_ns())?;
        let bytes = request.metadata.len() + request.payload.len();
        let weight = self
            .load
            .try_take(bytes)
            .ok_or_else(|| Failure::too_much_to_send(outbox::SEND_BYTES_MAX))?;
        self.order(Order::Call(service.to_owned(), request, weight));
        Ok(())
    }

    fn cancel(&self, service: &str, id: CallId) {
        self.order(Order::Cancel(service.to_owned(), id));
    }

    fn serve(&self, offer: Offer, queue: Arc<EventQueue<GatewayEvent>>) {
        self.order(Order::Serve(offer, queue));
    }

    fn answer(&self, to: ReturnAddress, reply: Reply) {
        let bytes = reply.metadata.len() + reply.detail.len() + reply.payload.len();
        let (reply, weight) = match self.load.try_take(bytes) {
            Some(weight) => (reply, weight),
            None => (
                Reply::from(&Failure::no_room_to_answer(outbox::SEND_BYTES_MAX)),
                self.load.take(0),
            ),
        };
        self.order(Order::Reply(to, reply, weight));
    }

    fn withdraw(&self, service: &str) {
        self.order(Order::Withdraw(service.to_owned()));
    }

    fn close(&self) {
        let (done, wait) = sync_channel(1);
        self.order(Order::Close(done));
        if wait.recv_timeout(CLOSE_MAX).is_ok()
            && let Some(thread) = self.thread.lock().take()
        {
            thread.join().expect("the thread must not panic");
        }
    }
}
