//! Connection task: handles the commands of the proxies and the events of NATS, one at a time.
//!
//! The task owns the state of the transport, so the state needs no locks. The task never waits for
//! the network; only the outbox does.
//!
//! A message is valid only on the subscription of its kind. [`ConnectionTask::dispatch`]
//! implements this table; all other combinations are unexpected: they are dropped and counted.
//!
//! | subscription | message | action |
//! |---|---|---|
//! | `Inbox` | NATS status "no responders" | fail the call: no exporter received it |
//! | `Inbox` | `Announcement` (`Gone`, sent by this process to itself) | remove the peer |
//! | `Inbox` | `Continue` | send the chunks of the request, and the frames of the stream |
//! | `Inbox` | `Reply`, `Chunk` | end the call once the reply is complete |
//! | `Inbox` | `Stream` | pass on the message of the callee, once it is complete |
//! | `Inbox` | `OpenStreams` | note that the callee has the streams |
//! | `Inbox` | `SchemaReply` | compare the schemas, then use or ignore the peer |
//! | `Chunks` | `Chunk` | add to the request; run the call once complete |
//! | `Chunks` | `Stream` | pass on the message of the caller, once it is complete |
//! | `Chunks` | `OpenStreams` | note that the caller has the streams |
//! | `Cancel` | `Cancel` | cancel the call |
//! | `Schema` | `SchemaQuery` | send the schema |
//! | `Call` | `Request` | run the call, or ask for the chunks |
//! | `Discovery` | `Discovery` | send an announcement |
//! | `Announcements` | `Announcement` (`Ready`, `Leaving`) | update the peer |
//! | `Announcements` | `Announcement` (`Gone`) | forward to the own inbox |
//! | `Micro` | request of a NATS tool | send the response |
//!
//! An envelope with another protocol version is answered with an error on `Call`, fails the call
//! on `Inbox`, and makes the service unavailable on `Announcements`.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Client, Message, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use hashbrown::HashSet;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, unconstrained};
use tokio::time::MissedTickBehavior;

use super::connect::Reconnector;
use super::context::NatsContext;
use super::envelope::{DecodeError, Envelope, PeerId, PeerMessage, Stage};
use super::event::{Command, Event, Subscription};
use super::exports::Exports;
use super::forward::{self, SubscriptionSpec};
use super::imports::Imports;
use super::micro;
use super::peer_checks::PeerChecks;
use super::peer_registry::{HEARTBEAT, SILENCE_MAX};
use super::subjects::call_of;
use super::unexpected::{Unexpected, UnexpectedMessages};
use crate::error::Failure;
use crate::network::event_queue::{EventQueue, GatewayEvent, RemoteEvent};
use crate::network::transport::{ExportSpec, ImportSpec};

/// Iterations after which the task lets the other tasks of its thread run.
const COMMANDS_AT_ONCE: u32 = 64;
/// Limit for sending the pending messages at the close.
const CLOSE_SEND_MAX: Duration = Duration::from_secs(1);

/// State of the connection task.
pub(super) struct ConnectionTask {
    pub(super) context: NatsContext,
    pub(super) imports: Imports,
    pub(super) exports: Exports,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    /// Sender for the tasks that forward messages.
    pub(super) event_sender: mpsc::UnboundedSender<Event>,
    pub(super) is_up: watch::Receiver<bool>,
    pub(super) reconnector: Reconnector,
    pub(super) outbox: JoinHandle<()>,
    pub(super) unexpected: UnexpectedMessages,
    pub(super) peer_checks: PeerChecks,
    pub(super) last_heartbeat: Instant,
    /// Last logged error; NATS repeats errors with each attempt to connect.
    pub(super) last_error: String,
    /// Logged permissions that the user of this process lacks.
    pub(super) denials: HashSet<String>,
}

impl ConnectionTask {
    /// Runs until the command to close. Without a sender of commands the task ends at once and
    /// announces nothing.
    pub(super) async fn run(mut self) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut iterations = 0;
        loop {
            tokio::select! {
                // Events come before commands: a reply or a lost peer must not wait behind new
                // calls of local guests.
                biased;
                _ = heartbeat.tick() => self.heartbeat(),
                Some(event) = self.events.recv() => self.handle(event),
                command = self.commands.recv() => match command {
                    Some(Command::Close(done)) => {
                        self.close().await;
                        // The caller may have stopped waiting.
                        _ = done.send(());
                        return;
                    }
                    Some(command) => self.execute(command),
                    None => return,
                },
            }
            iterations += 1;
            // The task is unconstrained. Without a pause, many commands in a row would keep the
            // client and the outbox on the same thread from running.
            if iterations >= COMMANDS_AT_ONCE && self.events.is_empty() {
                iterations = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    fn execute(&mut self, command: Command) {
        let ConnectionTask {
            context,
            imports,
            exports,
            ..
        } = self;
        match command {
            Command::Import(spec, queue) => self.import(spec, queue),
            Command::Call(service, request, permit) => {
                imports.call(context, &service, request, permit)
            }
            Command::Cancel(service, call) => imports.cancel(context, &service, call),
            Command::Export(spec, queue) => self.export(spec, queue),
            Command::Reply(to, reply, _permit) => exports.reply(context, &to, reply),
            Command::SendToCallee(call, message, permit) => {
                imports.send_to_callee(context, call, message, permit)
            }
            Command::SendToCaller(call, message, _permit) => {
                exports.send_to_caller(context, call, message)
            }
            Command::Pause(service, true) => exports.pause(context, &service),
            Command::Pause(service, false) => self.resume(&service),
            Command::Withdraw(service) => exports.withdraw(context, &service),
            Command::Close(_) => {} // handled by the loop
        }
    }

    fn import(&mut self, spec: ImportSpec, queue: Arc<EventQueue<RemoteEvent>>) {
        let service = Arc::from(&*spec.service);
        self.imports.begin(&self.context, spec, queue);
        self.subscribe(
            self.context.subjects.ready(&service),
            Subscription::Announcements(service),
        );
    }

    fn export(&mut self, spec: ExportSpec, queue: Arc<EventQueue<GatewayEvent>>) {
        let service: Arc<str> = Arc::from(&*spec.service);
        let subject = self.context.subjects.call(&spec.service, spec.schema);
        let (close, closed) = oneshot::channel();
        self.exports.begin(&self.context, spec, queue, close);
        for subject in micro::subjects(&service, &self.context) {
            self.subscribe(subject, Subscription::Micro);
        }
        self.subscribe(
            self.context.subjects.query(&service),
            Subscription::Discovery(Arc::clone(&service)),
        );
        self.accept_calls(service, subject, closed);
    }

    /// Accepts calls again after a pause.
    fn resume(&mut self, service: &str) {
        let (close, closed) = oneshot::channel();
        if let Some(subject) = self.exports.resume(&self.context, service, close) {
            self.accept_calls(Arc::from(service), subject, closed);
        }
    }

    /// Joins the group of the exporters of a service until `closed`.
    fn accept_calls(&self, service: Arc<str>, subject: String, closed: oneshot::Receiver<()>) {
        let subscription = SubscriptionSpec {
            subject,
            group: Some(service.to_string()),
            subscription: Subscription::Call(service),
        };
        self.forward(subscription, async {
            // A dropped sender also ends the subscription.
            _ = closed.await;
        });
    }

    /// Subscribes to a subject for the lifetime of the process.
    pub(super) fn subscribe(&self, subject: String, subscription: Subscription) {
        let subscription = SubscriptionSpec {
            subject,
            group: None,
            subscription,
        };
        self.forward(subscription, pending());
    }

    /// Starts a task that forwards the messages of a subscription until `close`.
    fn forward(
        &self,
        subscription: SubscriptionSpec,
        close: impl Future<Output = ()> + Send + 'static,
    ) {
        let forward = forward::forward(
            self.reconnector.clients.subscribe(),
            subscription,
            self.event_sender.clone(),
            self.is_up.clone(),
            close,
        );
        // Unconstrained: tokio's budget would stop the task with messages left in the buffer of
        // the subscription, where the client drops messages.
        tokio::spawn(unconstrained(forward));
    }

    pub(super) fn handle(&mut self, event: Event) {
        match event {
            Event::Connection { is_up } => self.set_connection(is_up),
            Event::ClientEnded => {
                self.context.log.warn(
                    "the connection to NATS ended at a malformed message of the server: connecting \
                     again",
                );
                tokio::spawn(self.reconnector.clone().run());
            }
            Event::Reopened(client) => self.context.client = client,
            // Only now is it certain that this process receives the announcements.
            Event::Subscribed(Subscription::Announcements(service)) => {
                Imports::discover(&self.context, &service)
            }
            // Only now is it certain that this process receives calls.
            Event::Subscribed(Subscription::Call(service)) => {
                self.exports.announce(&self.context, &service)
            }
            Event::Subscribed(_) => {}
            Event::Unsubscribed(Subscription::Call(service)) => {
                self.exports.unsubscribed(&self.context, &service)
            }
            Event::Unsubscribed(_) => {} // the client has ended
            Event::Message(subscription, message) => {
                let subject = message.subject.clone();
                if self.receive(&subscription, message).is_err() {
                    self.unexpected.add(&subject);
                }
            }
            Event::Unsent(call) => self.imports.unsent(&self.context, call),
            Event::Error(text) => self.report(text),
        }
    }

    fn set_connection(&mut self, is_up: bool) {
        let ConnectionTask {
            context,
            imports,
            exports,
            ..
        } = self;
        let now_ns = context.now_ns();
        match (context.availability.down_for(now_ns), is_up) {
            (None, false) => {
                context.availability.set_down(now_ns);
                context
                    .log
                    .warn("the connection to NATS is down: calls to other processes are refused");
            }
            (Some(down), true) => {
                context.availability.set_up();
                context.log.info(&format!(
                    "the connection to NATS is up again, after {} ms",
                    down.as_millis()
                ));
                self.last_error.clear();
                self.denials.clear();
                context.warn_of_small_messages();
                imports.resume(context);
                imports.reset_silence_of_streams(context);
                exports.reset_silence_of_streams(context);
                exports.announce_all(context);
            }
            // The client reports the first connection, too, and may repeat a loss.
            _ => {}
        }
    }

    /// Sends the heartbeat and drops what has expired.
    fn heartbeat(&mut self) {
        let ConnectionTask {
            context,
            imports,
            exports,
            unexpected,
            ..
        } = self;
        // After a pause of the whole process, for example a suspended machine, the heartbeats of
        // the peers are still in the queue. The process must read them before it drops a peer.
        let was_awake = self.last_heartbeat.elapsed() < SILENCE_MAX;
        self.last_heartbeat = Instant::now();
        imports.expire_calls(context);
        exports.expire(context);
        let running = if was_awake {
            exports.check_progress(context)
        } else {
            // The workers had no time to run, either.
            Vec::new()
        };
        context.log.heartbeat();
        if let Some(dropped) = unexpected.heartbeat() {
            context.log.warn(&dropped);
        }
        // Without a connection, silence says nothing about the peers.
        if context.is_up() {
            if was_awake {
                imports.expire_peers(context);
                imports.expire_streams(context);
                exports.expire_streams(context);
            } else {
                imports.resume(context);
                imports.reset_silence_of_streams(context);
                exports.reset_silence_of_streams(context);
            }
            exports.announce_all(context);
            imports.announce_streams(context);
            exports.announce_streams(context);
        }
        for service in running {
            self.context
                .log
                .info(&format!("a worker is free again: offering {service}"));
            self.resume(&service);
        }
    }

    /// Decodes and dispatches a message of NATS.
    fn receive(&mut self, subscription: &Subscription, message: Message) -> Result<(), Unexpected> {
        let ConnectionTask {
            context,
            imports,
            exports,
            ..
        } = self;
        let subject = &*message.subject;
        match subscription {
            Subscription::Inbox if message.status == Some(StatusCode::NO_RESPONDERS) => {
                return imports.no_responders(subject);
            }
            // The senders of these queries repeat them, so a query is dropped rather than a
            // response added to a full send buffer.
            Subscription::Micro | Subscription::Discovery(_) | Subscription::Schema
                if context.send_budget.is_full() =>
            {
                return Ok(());
            }
            Subscription::Micro => return micro::respond(context, exports, &message),
            _ => {}
        }
        match Envelope::read(message.payload.clone()) {
            // No step of the protocol sends an envelope to its own sender.
            Ok((peer, _)) if peer.host == context.me.host => Err(Unexpected),
            Ok((peer, content)) => self.dispatch(subscription, message, peer, content),
            Err(error) => self.reject(subscription, subject, message.reply.as_deref(), &error),
        }
    }

    /// Dispatches a message of a peer; see the table in the module documentation.
    fn dispatch(
        &mut self,
        subscription: &Subscription,
        message: Message,
        peer: PeerId,
        content: PeerMessage,
    ) -> Result<(), Unexpected> {
        let ConnectionTask {
            context,
            imports,
            exports,
            peer_checks,
            ..
        } = self;
        let subject = &*message.subject;
        peer_checks.check(context, &peer, &content);
        match (subscription, content) {
            (Subscription::Inbox, PeerMessage::Announcement(announcement)) => {
                imports.announced(context, peer, announcement)?
            }
            (Subscription::Inbox, content) => imports.receive(context, subject, &peer, content)?,
            (Subscription::Chunks, PeerMessage::Chunk(chunk)) => {
                exports.chunk(context, subject, &peer, &chunk)?
            }
            (Subscription::Chunks, PeerMessage::Stream(frame)) => {
                exports.stream_frame(context, subject, &peer, frame)?
            }
            (Subscription::Chunks, PeerMessage::OpenStreams(open)) => {
                exports.open_streams(context, &peer, open)
            }
            (Subscription::Cancel, PeerMessage::Cancel(cancel)) => {
                exports.cancel(context, &peer, cancel.call().ok_or(Unexpected)?)
            }
            (Subscription::Schema, PeerMessage::SchemaQuery(query)) => {
                exports.send_schema(context, &peer, &query)?
            }
            (Subscription::Call(service), PeerMessage::Request(request)) => {
                exports.request(context, service, &peer, &request)?
            }
            (Subscription::Discovery(service), PeerMessage::Discovery(_)) => {
                exports.announce(context, service)
            }
            (Subscription::Announcements(service), PeerMessage::Announcement(announcement))
                if announcement.service == **service =>
            {
                if announcement.stage() == Stage::Gone {
                    // The peer sent this announcement after its last reply. The two arrive over
                    // different subscriptions, so the announcement could overtake the reply. The
                    // way over the own inbox puts it behind the reply.
                    let own_inbox = context.subjects.goodbye(context.me.host);
                    context.publish(own_inbox, None, None, message.payload);
                } else {
                    imports.announced(context, peer, announcement)?;
                }
            }
            _ => return Err(Unexpected),
        }
        Ok(())
    }

    /// Handles an envelope that cannot be read. An envelope of another protocol version ends the
    /// affected calls with an error.
    fn reject(
        &mut self,
        subscription: &Subscription,
        subject: &str,
        reply: Option<&str>,
        error: &DecodeError,
    ) -> Result<(), Unexpected> {
        let ConnectionTask {
            context, imports, ..
        } = self;
        let DecodeError::Version { from, .. } = error else {
            return Err(Unexpected);
        };
        match subscription {
            Subscription::Inbox => imports.other_version_reply(subject, error),
            Subscription::Announcements(service) => {
                imports.other_version_exporter(context, service, error)
            }
            Subscription::Call(_) => {
                // Only the call id is taken from the reply subject. The envelope names the host,
                // so a request cannot direct the reply to any other subject.
                let call = reply.and_then(call_of).ok_or(Unexpected)?;
                context.send_failure(
                    &context.subjects.reply(from.host, call),
                    &Failure::incompatible(error.to_string()),
                );
            }
            _ => return Err(Unexpected),
        }
        Ok(())
    }

    /// Fails the pending calls of other processes, announces the end, and sends all pending
    /// messages.
    async fn close(mut self) {
        self.exports.end_all(&self.context);
        let NatsContext {
            client,
            subjects,
            me,
            availability,
            outgoing_messages,
            ..
        } = self.context;
        // The outbox ends after the last message, because no sender is left.
        drop(outgoing_messages);
        let all_sent = async {
            _ = self.outbox.await;
            if availability.down_for(0).is_none() {
                echo(&client, subjects.echo(me.host)).await;
            }
        };
        // Messages unsent after the limit are lost, as when the process is killed.
        _ = tokio::time::timeout(CLOSE_SEND_MAX, all_sent).await;
    }
}

/// Waits until the server has processed all earlier messages of this process. The server processes
/// the messages of a connection in order, so the message of this process to itself comes last.
async fn echo(client: &Client, subject: String) {
    if let Ok(mut subscriber) = client.subscribe(subject.clone()).await
        && client.publish(subject, Bytes::new()).await.is_ok()
    {
        subscriber.next().await;
    }
}
