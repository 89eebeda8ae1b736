//! Connection with a NATS server, and the thread that owns the connection.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use hashbrown::HashSet;
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::unconstrained;
use tracing::Dispatch;

use super::connect::{CONNECT_MAX, ClientEvents, Connector, Reconnector};
use super::connect_error::no_response;
use super::connection_task::ConnectionTask;
use super::context::{Availability, NatsContext};
use super::envelope::PeerId;
use super::event::Command;
use super::exports::Exports;
use super::identity::ProcessIdentity;
use super::imports::Imports;
use super::log::Log;
use super::outbox::Outbox;
use super::peer_checks::{PeerChecks, deployment_hash};
use super::send_budget::SendBudget;
use super::subjects::Subjects;
use super::unexpected::UnexpectedMessages;
use crate::error::NetworkError;

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
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            _ = report.send(Err(NetworkError::Descriptors(error)));
            return;
        }
    };
    // The client logs each attempt to connect. Only the state of the connection is of interest,
    // and the connection task logs that.
    tracing::dispatcher::with_default(&Dispatch::none(), || {
        runtime.block_on(async {
            // The thread that asked for the connection waits for this report.
            match open(start, Log::new(log)).await {
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
    let network = &identity.network;
    let (event_sender, events) = mpsc::unbounded_channel();
    let (connection, is_up) = watch::channel(true);
    let connector = Connector {
        spread: identity.host.key() as usize,
        network: network.clone(),
        to: ClientEvents {
            events: event_sender.clone(),
            connection,
        },
    };
    let client = connector.connect_in_time(&log).await?;
    let (clients, current_client) = watch::channel(client.clone());
    let (outgoing_sender, outgoing_messages) = mpsc::unbounded_channel();
    let unsent = event_sender.clone();
    let outbox = Outbox::new(current_client, outgoing_messages, is_up.clone(), unsent);
    let context = NatsContext {
        me: PeerId {
            host: identity.host,
            process: network.process.clone(),
        },
        subjects: Subjects::of(&network.app),
        deployment: deployment_hash(&network.processes),
        clock_skew: network.clock_skew,
        clock: identity.clock,
        message_bytes_max: identity.message_bytes_max,
        availability,
        client,
        outgoing_messages: outgoing_sender,
        send_budget,
        parts_budget: SendBudget::default(),
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
        reconnector: Reconnector { connector, clients },
        outbox: tokio::spawn(outbox.run()),
        unexpected: UnexpectedMessages::default(),
        peer_checks: PeerChecks::default(),
        last_heartbeat: Instant::now(),
        last_error: String::new(),
        denials: HashSet::new(),
    };
    subscribe(task).await
}

/// Subscribes to the subjects that each process needs.
async fn subscribe(mut task: ConnectionTask) -> Result<ConnectionTask, NetworkError> {
    let servers = task.reconnector.connector.network.servers.clone();
    match tokio::time::timeout(CONNECT_MAX, task.subscribe_own()).await {
        Ok(Ok(())) => Ok(task),
        Ok(Err(denial)) => Err(NetworkError::forbidden(
            &servers,
            denial.action(),
            denial.next_step(&task.context.subjects),
        )),
        Err(_) => Err(no_response(
            &task.reconnector.connector.network,
            &servers,
            CONNECT_MAX,
        )),
    }
}
