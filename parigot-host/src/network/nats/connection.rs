//! Connection with a NATS server, and the thread that owns the connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, ServerAddr};
use hashbrown::HashSet;
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::unconstrained;
use tracing::Dispatch;

use super::connect_error::{explain, no_response};
use super::connection_task::ConnectionTask;
use super::context::{Availability, Log, MAX_PAYLOAD_MIN, NatsContext};
use super::envelope::PeerId;
use super::event::{Command, Event};
use super::exports::Exports;
use super::forward::{READ_BYTES, SUBSCRIPTION_CAPACITY};
use super::identity::ProcessIdentity;
use super::imports::Imports;
use super::login::{with_login, with_tls};
use super::outbox::Outbox;
use super::send_budget::SendBudget;
use super::subjects::Subjects;
use super::unexpected::UnexpectedMessages;
use crate::deployment::Network;
use crate::error::NetworkError;

/// Limit for the first connection at the start.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Interval of pings to a silent server. The connection counts as lost after two unanswered pings.
const PING_EVERY: Duration = Duration::from_secs(2);
/// Longest delay between two attempts to reconnect.
const RECONNECT_EVERY: Duration = Duration::from_secs(1);
/// Capacity of the client's queue in messages. Messages in the queue when the connection breaks
/// are sent on the next connection, possibly late, so the queue is short.
const CLIENT_CAPACITY: usize = 16;

/// Initial state of the thread.
pub(super) struct Start {
    pub(super) identity: ProcessIdentity,
    pub(super) availability: Arc<Availability>,
    pub(super) send_budget: SendBudget,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
}

/// Connects, reports the outcome, and runs the connection task to its end.
pub(super) fn run(start: Start, log: Dispatch, report: &SyncSender<Result<(), NetworkError>>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the system must allow a few more descriptors");
    // The client logs each attempt to connect. Only the state of the connection is of interest,
    // and the connection task logs that.
    tracing::dispatcher::with_default(&Dispatch::none(), || {
        runtime.block_on(async {
            // The thread that asked for the connection waits for this report.
            match open(start, Log(log)).await {
                Ok(task) => {
                    _ = report.send(Ok(()));
                    // Unconstrained, because the task itself decides when to yield.
                    tokio::spawn(unconstrained(task.run()))
                        .await
                        .expect("the connection task must not panic");
                }
                Err(error) => _ = report.send(Err(error)),
            }
        });
    });
    // A pending name lookup must not delay the end.
    runtime.shutdown_background();
}

async fn open(
    Start {
        identity,
        availability,
        send_budget,
        commands,
    }: Start,
    log: Log,
) -> Result<ConnectionTask, NetworkError> {
    let ProcessIdentity {
        host,
        network,
        clock,
        message_bytes_max,
    } = identity;
    let (event_sender, events) = mpsc::unbounded_channel();
    let (connection, is_up) = watch::channel(true);
    let client = connect(&network, event_sender.clone(), connection).await?;
    let (outgoing_sender, outgoing_messages) = mpsc::unbounded_channel();
    let outbox = Outbox {
        client: client.clone(),
        outgoing_messages,
        is_up: is_up.clone(),
        events: event_sender.clone(),
        kept: VecDeque::new(),
    };
    let context = NatsContext {
        me: PeerId {
            host,
            process: network.process.clone(),
        },
        subjects: Subjects::of(&network.app),
        clock,
        clock_skew: network.clock_skew,
        message_bytes_max,
        availability,
        client,
        outgoing_messages: outgoing_sender,
        send_budget,
        log,
    };
    let task = ConnectionTask {
        context,
        imports: Imports::new(),
        exports: Exports::new(),
        commands,
        events,
        event_sender,
        is_up,
        outbox: tokio::spawn(outbox.run()),
        unexpected: UnexpectedMessages::default(),
        last_heartbeat: Instant::now(),
        last_error: String::new(),
        denials: HashSet::new(),
    };
    subscribe(task, &network).await
}

/// Subscribes to the subjects that each process needs.
async fn subscribe(
    mut task: ConnectionTask,
    network: &Network,
) -> Result<ConnectionTask, NetworkError> {
    match tokio::time::timeout(CONNECT_MAX, task.subscribe_own()).await {
        Ok(Ok(())) => Ok(task),
        Ok(Err(denial)) => Err(NetworkError::forbidden(
            &network.servers,
            denial.action(),
            denial.next_step(&task.context.subjects),
        )),
        Err(_) => Err(no_response(network, CONNECT_MAX)),
    }
}

async fn connect(
    network: &Network,
    events: mpsc::UnboundedSender<Event>,
    connection: watch::Sender<bool>,
) -> Result<Client, NetworkError> {
    let servers = &network.servers;
    let addresses = servers
        .iter()
        .map(|server| server.parse::<ServerAddr>())
        .collect::<Result<Vec<_>, _>>();
    let addresses =
        addresses.map_err(|error| NetworkError::unreachable(servers, error.to_string(), None))?;
    // A server that does not respond leaves time for the other servers.
    let each_max = CONNECT_MAX / servers.len().max(1) as u32;
    let options = ConnectOptions::new()
        .name(format!("parigot {}/{}", network.app, network.process))
        .connection_timeout(each_max)
        .ping_interval(PING_EVERY)
        .reconnect_delay_callback(|attempts| {
            RECONNECT_EVERY.min(Duration::from_millis(100 * attempts as u64))
        })
        .client_capacity(CLIENT_CAPACITY)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .read_buffer_capacity(READ_BYTES)
        .event_callback(move |event| {
            forward(&event, &events, &connection);
            std::future::ready(())
        });
    let options = match addresses.iter().find_map(user_and_password) {
        Some((user, password)) => options.user_and_password(user, password),
        None => options,
    };
    let options = with_login(options, network.login.as_ref())?;
    let options = with_tls(options, network.tls.as_ref())?;
    match tokio::time::timeout(CONNECT_MAX, options.connect(addresses)).await {
        Ok(Ok(client)) if client.max_payload() < MAX_PAYLOAD_MIN => Err(
            NetworkError::small_messages(servers, client.max_payload(), MAX_PAYLOAD_MIN),
        ),
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(explain(&error, network)),
        Err(_) => Err(no_response(network, CONNECT_MAX)),
    }
}

/// Returns user and password of an address, which the client does not read itself.
fn user_and_password(address: &ServerAddr) -> Option<(String, String)> {
    let user = address.username()?;
    Some((
        user.to_owned(),
        address.password().unwrap_or_default().to_owned(),
    ))
}

/// Forwards events of the client. Sending fails only when this process ends.
fn forward(
    event: &async_nats::Event,
    events: &mpsc::UnboundedSender<Event>,
    connection: &watch::Sender<bool>,
) {
    let event = match event {
        async_nats::Event::Connected => Event::Connection { is_up: true },
        async_nats::Event::Disconnected => Event::Connection { is_up: false },
        async_nats::Event::ServerError(error) => Event::Error(error.to_string()),
        async_nats::Event::ClientError(error) => Event::Error(error.to_string()),
        async_nats::Event::SlowConsumer(_) => {
            let text = "the client dropped messages, because the buffer of a subscription was full";
            Event::Error(text.to_owned())
        }
        async_nats::Event::LameDuckMode
        | async_nats::Event::Draining
        | async_nats::Event::Closed => return,
    };
    // The outbox sees the new state first: messages that the connection task sends in reaction to
    // the event depend on the state.
    if let Event::Connection { is_up } = event {
        connection.send_replace(is_up);
    }
    _ = events.send(event);
}
