//! Remote: proxy for a service that other processes export. Calls leave over the transport and
//! keep their ids.

use std::sync::Arc;

use bytes::Bytes;
use parigot_abi::control::NEVER;
use parigot_abi::frame::{NO_DEADLINE, flags};
use parigot_abi::id::CallId;
use parigot_abi::manifest::{Method, MethodFlags, Service};
use parigot_abi::{Frame, Header, Kind, Manifest};

use super::event_queue::{EventQueue, RemoteEvent};
use super::in_flight::InFlight;
use super::message::{Reply, Request, StreamMessage, TO_CALLER};
use super::transport::Transport;
use crate::descriptors::pool;
use crate::error::{Failure, GuestFault};
use crate::guest::builtin::{BuiltIn, BuiltinOutbox};

/// Proxy that exports a service of other processes. The proxy is ready as soon as one process is
/// found.
pub(super) struct RemoteService {
    service: Service,
    descriptors: Vec<u8>,
    transport: Arc<dyn Transport>,
    queue: Arc<EventQueue<RemoteEvent>>,
    /// Default deadline of calls without one; known after the first process that offers the
    /// service.
    deadline_ns: Option<u64>,
    /// The remote is launched and not ready: no process is found yet.
    is_waiting: bool,
    /// Reason why no process can be found.
    undiscoverable: Option<String>,
    /// Sent calls without a reply.
    calls: InFlight<SentCall>,
    is_stopping: bool,
}

/// A sent call without a reply.
struct SentCall {
    is_stream: bool,
}

/// A guest that requires a service of other processes.
pub(super) struct Requirer<'g> {
    /// Name of the guest in the deployment.
    pub(super) guest: &'g str,
    /// Service as the guest declares it.
    pub(super) service: &'g Service,
    /// Descriptors of the guest.
    pub(super) descriptors: &'g [u8],
}

/// The service that a remote exports, with its descriptors.
#[derive(Clone)]
pub(super) struct RemoteInterface {
    pub(super) service: Service,
    /// Serialized `FileDescriptorSet`, or empty.
    pub(super) descriptors: Vec<u8>,
}

impl RemoteInterface {
    /// Creates the interface: all methods that local guests require, with their declarations, then
    /// the methods of a found process that no local guest declares.
    pub(super) fn new(name: &str, requirers: &[Requirer<'_>], found: Vec<String>) -> Self {
        // A guest that requires the service by name declares no methods and no schema, so the
        // schema comes from the first other guest. The start has compared the schemas of all local
        // guests.
        let mut with_schema = requirers
            .iter()
            .filter(|requirer| !requirer.service.is_by_name());
        let (schema, descriptors) = with_schema.next().map_or((0, Vec::new()), |first| {
            let descriptors = pool::of_service(first.descriptors, name);
            (first.service.schema, descriptors)
        });
        let mut service = Service {
            name: name.to_owned(),
            schema,
            methods: Vec::new(),
        };
        let found = found.iter().map(|method| {
            let (name, flags) = MethodFlags::split_name(method);
            Method {
                name: name.to_owned(),
                budget_ns: 0,
                deadline_ns: 0,
                flags,
            }
        });
        let declared = requirers
            .iter()
            .flat_map(|requirer| requirer.service.methods.iter().cloned());
        for method in declared.chain(found) {
            let mut known = service.methods.iter();
            if known.all(|known| known.name != method.name) {
                service.methods.push(method);
            }
        }
        RemoteInterface {
            service,
            descriptors,
        }
    }
}

impl RemoteService {
    /// Creates a remote of a service whose search has started. Events arrive in `queue`.
    pub(super) fn new(
        interface: RemoteInterface,
        transport: Arc<dyn Transport>,
        queue: Arc<EventQueue<RemoteEvent>>,
    ) -> Self {
        RemoteService {
            service: interface.service,
            descriptors: interface.descriptors,
            transport,
            queue,
            deadline_ns: None,
            is_waiting: false,
            undiscoverable: None,
            calls: InFlight::new(),
            is_stopping: false,
        }
    }

    fn call(&mut self, frame: &Frame<'_>, now_ns: u64, outbox: &mut BuiltinOutbox) {
        let Header {
            number,
            deadline_ns,
            ..
        } = frame.header;
        let (high, low) = frame.header.id;
        let id = CallId::from_wire(high, low).expect("each call frame must have an id");
        let method = &self.service.methods[frame.header.method as usize];
        let is_stream = !method.flags.is_unary();
        // The kernel has the deadline of such a stream, and gives it to no frame.
        let covers_first_frame = is_stream && deadline_ns == NO_DEADLINE;
        let until_first_frame_ns = now_ns.saturating_add(self.deadline_ns.unwrap_or(0));
        let request = Request {
            id,
            method: method.name.clone(),
            deadline_ns: if covers_first_frame {
                until_first_frame_ns
            } else {
                deadline_ns
            },
            has_default_deadline: frame.header.flags & flags::DEFAULT_DEADLINE != 0,
            streams: method.flags.streams(),
            covers_first_frame,
            metadata: Bytes::copy_from_slice(frame.metadata),
            payload: Bytes::copy_from_slice(frame.payload),
        };
        match self.transport.call(&self.service.name, request) {
            Ok(()) => self.calls.insert(number, id, SentCall { is_stream }),
            Err(failure) => reply(number, &Reply::from(&failure), outbox),
        }
    }

    /// Sends a frame of a local caller to the callee in the other process.
    fn stream(&mut self, frame: &Frame<'_>, outbox: &mut BuiltinOutbox) {
        let number = frame.header.number;
        let Some(message) = StreamMessage::of(frame) else {
            return;
        };
        let Some((id, _)) = self.calls.get(number) else {
            return;
        };
        if let Err(failure) = self.transport.send_to_callee(id, message) {
            self.transport.cancel(&self.service.name, id);
            self.end(id, Reply::from(&failure), outbox);
        }
    }

    /// Cancels a call. The kernel requires a reply to each call, so the remote replies itself.
    fn cancel(&mut self, number: u64, outbox: &mut BuiltinOutbox) {
        let Some((id, _)) = self.calls.take_number(number) else {
            return;
        };
        self.transport.cancel(&self.service.name, id);
        reply(number, &Reply::from(&Failure::cancelled()), outbox);
    }

    /// Ends a call with a reply, unless the call has ended before.
    fn end(&mut self, id: CallId, mut result: Reply, outbox: &mut BuiltinOutbox) {
        if let Some((number, SentCall { is_stream })) = self.calls.take_id(id) {
            // The headers of a stream come in a message of their own. A second frame of headers
            // would break the rules of the kernel.
            if is_stream {
                result.headers = Bytes::new();
            }
            reply(number, &result, outbox);
        }
    }
}

/// Sends the reply to a call.
fn reply(
    number: u64,
    Reply {
        status,
        flags,
        headers,
        metadata,
        detail,
        payload,
    }: &Reply,
    outbox: &mut BuiltinOutbox,
) {
    if !headers.is_empty() {
        let header = Header {
            number,
            ..Header::new(Kind::Open)
        };
        outbox.build(header, |frame| frame.metadata_bytes(headers));
    }
    let header = Header {
        flags: *flags,
        number,
        status: *status,
        ..Header::new(Kind::Reply)
    };
    outbox.build(header, |frame| {
        frame
            .metadata_bytes(metadata)
            .detail_bytes(detail)
            .payload(payload)
    });
}

impl BuiltIn for RemoteService {
    fn manifest(&self) -> Manifest {
        Manifest {
            exports: vec![self.service.clone()],
            requires: Vec::new(),
            descriptors: self.descriptors.clone(),
        }
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        match frame.kind() {
            Some(Kind::Launched) => self.is_waiting = true,
            Some(Kind::Call) => self.call(frame, now_ns, outbox),
            Some(Kind::Item | Kind::Credit | Kind::End) => self.stream(frame, outbox),
            Some(Kind::Cancel) => self.cancel(frame.header.number, outbox),
            Some(Kind::Stop) => self.is_stopping = true,
            _ => {}
        }
        Ok(())
    }

    fn end_turn(&mut self, _now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        for event in self.queue.take() {
            match event {
                RemoteEvent::Found { deadline_ns, .. } => self.deadline_ns = Some(deadline_ns),
                RemoteEvent::Undiscoverable { reason } => self.undiscoverable = Some(reason),
                RemoteEvent::Answered { id, reply } => self.end(id, reply, outbox),
                RemoteEvent::Failed { id, failure } => self.end(id, Reply::from(&failure), outbox),
                RemoteEvent::Stream { id, message } => {
                    if let Some(number) = self.calls.number(id) {
                        message.send(number, TO_CALLER, outbox);
                    }
                }
            }
        }
        if let Some(deadline_ns) = self.deadline_ns.filter(|_| self.is_waiting) {
            self.is_waiting = false;
            outbox.ready(deadline_ns);
        }
        // A remote that is ready keeps its callers, because the permission may return.
        if self.is_waiting
            && let Some(reason) = self.undiscoverable.take()
        {
            return Err(GuestFault::Undiscoverable { reason });
        }
        // Guests stop in reverse launch order, so the local callers have left. Calls of a caller
        // that has not left fail when the remote exits.
        if self.is_stopping && self.calls.is_empty() {
            outbox.exit();
        }
        Ok(NEVER)
    }
}
