//! Attempts to connect with a NATS server, and the choice of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_nats::{AuthError, Client, ConnectOptions, ReconnectToServer, ServerAddr};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use super::connect_error::{explain, malformed, no_response};
use super::context::MAX_PAYLOAD_MIN;
use super::event::Event;
use super::forward::{READ_BYTES, SUBSCRIPTION_CAPACITY};
use super::log::Log;
use super::login::{Logins, with_tls};
use crate::deployment::Network;
use crate::error::{NetworkError, ThreadError};

/// Limit for the attempts with all servers.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Interval of pings to a silent server. The connection counts as lost after two unanswered pings.
const PING_EVERY: Duration = Duration::from_secs(2);
/// Longest delay between two attempts to reconnect.
const RECONNECT_EVERY: Duration = Duration::from_secs(1);
/// Delay between two rounds of a start that waits for a server.
const WAIT_EVERY: Duration = Duration::from_millis(250);
/// Capacity of the client's queue in messages. Messages in the queue when the connection breaks
/// are sent on the next connection, possibly late, so the queue is short.
const CLIENT_CAPACITY: usize = 16;

/// Path of the client's events to the connection task and to the tasks around the client.
#[derive(Clone)]
pub(super) struct ClientEvents {
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// State of the connection.
    pub(super) connection: watch::Sender<bool>,
}

/// Makes clients of the servers of a deployment.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) network: Network,
    /// Random number that distributes the processes over the servers.
    pub(super) spread: usize,
    pub(super) to: ClientEvents,
}

/// Makes a new client after the end of the current one.
#[derive(Clone)]
pub(super) struct Reconnector {
    pub(super) connector: Connector,
    /// The current client.
    pub(super) clients: watch::Sender<Client>,
}

/// Handler of the events of one client. The client drops the handler at its end.
struct Handler {
    to: ClientEvents,
    /// The attempt has succeeded, and the transport uses the client.
    is_used: Arc<AtomicBool>,
}

/// Choice of the server for each attempt of one client: the known servers in turn. The login
/// depends on the server, and the client asks for the login without naming the server.
struct ServerChoice {
    logins: Logins,
    turn: Mutex<Turn>,
}

struct Turn {
    next: usize,
    /// Server of the current attempt.
    server: ServerAddr,
    is_first: bool,
}

impl Connector {
    /// Connects with one of the servers, and waits for a server as long as the deployment says.
    ///
    /// # Errors
    ///
    /// With the outcome of the last attempt.
    pub(super) async fn connect_in_time(&self, log: &Log) -> Result<Client, NetworkError> {
        let wait = self.network.wait.unwrap_or_default();
        let until = Instant::now() + wait;
        let mut is_logged = false;
        loop {
            match self.connect().await {
                Err(error @ NetworkError::Unreachable { .. }) if Instant::now() < until => {
                    if !is_logged {
                        log.info(&format!(
                            "waiting up to {wait:?} for a NATS server: {error}"
                        ));
                        is_logged = true;
                    }
                    tokio::time::sleep(WAIT_EVERY).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Connects with one of the servers. Each is tried once, the first one at random.
    ///
    /// # Errors
    ///
    /// With the rejection of a login if there is one, otherwise with the outcome of the last
    /// attempt.
    async fn connect(&self) -> Result<Client, NetworkError> {
        let servers = &self.network.servers;
        let addresses = servers
            .iter()
            .map(|server| server.address().parse::<ServerAddr>())
            .collect::<Result<Vec<_>, _>>();
        let addresses = addresses
            .map_err(|error| NetworkError::unreachable(servers, error.to_string(), None))?;
        let first = self.spread % servers.len();
        let mut denial = None;
        let mut last = None;
        for index in (first..servers.len()).chain(0..first) {
            match self.attempt(&addresses, index).await {
                Ok(client) => return Ok(client),
                Err(error @ NetworkError::Denied { .. }) => denial = Some(error),
                Err(error @ NetworkError::Unreachable { .. }) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(denial
            .or(last)
            .expect("a deployment must have a server, so there was an attempt"))
    }

    /// Makes a client whose first attempt is with one server.
    async fn attempt(
        &self,
        addresses: &[ServerAddr],
        index: usize,
    ) -> Result<Client, NetworkError> {
        let network = &self.network;
        let server = std::slice::from_ref(&network.servers[index]);
        let logins = Logins::new(network, addresses);
        // An error of a secret names the secret here. Later, the client only logs the error.
        logins.of(&addresses[index], &[])?;
        let turn = Turn {
            next: index,
            server: addresses[index].clone(),
            is_first: true,
        };
        let choice = ServerChoice {
            logins,
            turn: Mutex::new(turn),
        };
        let is_used = Arc::new(AtomicBool::new(false));
        let handler = Handler {
            to: self.to.clone(),
            is_used: Arc::clone(&is_used),
        };
        // A server that does not respond leaves time for the other servers.
        let limit = CONNECT_MAX / addresses.len() as u32;
        let options = with_tls(options(network, choice, handler, limit), network)?;
        check_lookup_thread()?;
        // The client panics at some malformed messages, and must not take this thread with it.
        let connecting = tokio::spawn(options.connect(addresses.to_vec()));
        let abort = connecting.abort_handle();
        let connected = tokio::time::timeout(limit, connecting).await;
        abort.abort();
        match connected {
            Ok(Ok(Ok(client))) if client.max_payload() < MAX_PAYLOAD_MIN => Err(
                NetworkError::small_messages(server, client.max_payload(), MAX_PAYLOAD_MIN),
            ),
            Ok(Ok(Ok(client))) => {
                is_used.store(true, Ordering::Relaxed);
                Ok(client)
            }
            Ok(Ok(Err(error))) => Err(explain(&error, network, server)),
            Ok(Err(_)) => Err(malformed(server)),
            Err(_) => Err(no_response(network, server, limit)),
        }
    }
}

/// Checks that the system starts a thread, as tokio does to look up a name. Without it, tokio
/// panics.
fn check_lookup_thread() -> Result<(), ThreadError> {
    const NAME: &str = "parigot lookup";
    let started = std::thread::Builder::new().name(NAME.into()).spawn(|| {});
    let thread = started.map_err(|error| ThreadError::new(NAME, &error))?;
    // The thread must not count when tokio starts its own.
    thread.join().expect("the thread does nothing");
    Ok(())
}

fn options(
    network: &Network,
    choice: ServerChoice,
    handler: Handler,
    limit: Duration,
) -> ConnectOptions {
    let choice = Arc::new(choice);
    let logins = Arc::clone(&choice);
    let login = move |nonce: Vec<u8>| {
        let server = logins.turn.lock().server.clone();
        let login = logins.logins.of(&server, &nonce);
        std::future::ready(login.map_err(|error| AuthError::new(with_cause(&error))))
    };
    ConnectOptions::with_auth_callback(login)
        .name(format!("parigot {}/{}", network.app, network.process))
        .connection_timeout(limit)
        .ping_interval(PING_EVERY)
        .reconnect_to_server_callback(move |pool, _| std::future::ready(choice.next(&pool)))
        .reconnect_delay_callback(|attempts| {
            RECONNECT_EVERY.min(Duration::from_millis(100 * attempts as u64))
        })
        .client_capacity(CLIENT_CAPACITY)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .read_buffer_capacity(READ_BYTES)
        .event_callback(move |event| {
            handler.handle(&event);
            std::future::ready(())
        })
}

/// Returns the text of an error with its cause.
fn with_cause(error: &NetworkError) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

impl ServerChoice {
    /// Returns the server of the next attempt. The pool begins with the servers of the deployment
    /// and ends with those that the cluster has announced.
    fn next(&self, pool: &[async_nats::Server]) -> Option<ReconnectToServer> {
        let mut turn = self.turn.lock();
        let addr = pool.get(turn.next % pool.len().max(1))?.addr.clone();
        turn.next += 1;
        turn.server = addr.clone();
        let is_first = std::mem::replace(&mut turn.is_first, false);
        Some(ReconnectToServer {
            addr,
            delay: is_first.then_some(Duration::ZERO),
        })
    }
}

impl ClientEvents {
    /// Reports the state of the connection.
    fn set_connection(&self, is_up: bool) {
        // The outbox sees the new state first: messages that the connection task sends in reaction
        // to the event depend on the state.
        self.connection.send_replace(is_up);
        self.send(Event::Connection { is_up });
    }

    fn send(&self, event: Event) {
        // Sending fails only when this process ends.
        _ = self.events.send(event);
    }
}

impl Handler {
    /// Forwards an event of the client.
    fn handle(&self, event: &async_nats::Event) {
        if !self.is_used.load(Ordering::Relaxed) {
            return;
        }
        match event {
            async_nats::Event::Connected => self.to.set_connection(true),
            async_nats::Event::Disconnected => self.to.set_connection(false),
            async_nats::Event::ServerError(error) => self.to.send(Event::Error(error.to_string())),
            async_nats::Event::ClientError(error) => self.to.send(Event::Error(error.to_string())),
            async_nats::Event::SlowConsumer(_) => {
                let text = "the client dropped messages, because the buffer of a subscription was \
                            full";
                self.to.send(Event::Error(text.to_owned()));
            }
            async_nats::Event::LameDuckMode
            | async_nats::Event::Draining
            | async_nats::Event::Closed => {}
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        if self.is_used.load(Ordering::Relaxed) {
            self.to.set_connection(false);
            self.to.send(Event::ClientEnded);
        }
    }
}

impl Reconnector {
    /// Makes a new client, however long that takes. The subscriptions follow the current client.
    pub(super) async fn run(self) {
        let Connector { to, .. } = &self.connector;
        loop {
            match self.connector.connect().await {
                Ok(client) => {
                    self.clients.send_replace(client.clone());
                    to.send(Event::Reopened(client));
                    to.set_connection(true);
                    return;
                }
                Err(error) => to.send(Event::Error(with_cause(&error))),
            }
            tokio::time::sleep(RECONNECT_EVERY).await;
        }
    }
}
