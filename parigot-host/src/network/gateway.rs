//! Gateway: proxy for the callers in other processes. Calls arrive over the transport and keep
//! their ids.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parigot_abi::control::NEVER;
use parigot_abi::frame::{NO_DEADLINE, flags};
use parigot_abi::id::CallId;
use parigot_abi::manifest::{MethodFlags, Service};
use parigot_abi::{Frame, Header, Kind, Manifest};

use super::event_queue::{EventQueue, GatewayEvent};
use super::in_flight::InFlight;
use super::message::{Reply, Request, ReturnAddress, StreamMessage, TO_CALLEE};
use super::transport::{ExportSpec, Transport};
use crate::error::{Failure, GuestFault};
use crate::guest::builtin::{BuiltIn, BuiltinOutbox, requires_by_name};

/// Proxy that requires a local service by name alone, and therefore with all methods of all
/// exporters.
pub(super) struct Gateway {
    service: Service,
    /// Descriptors of the service, for the comparison of schemas.
    descriptors: Vec<u8>,
    /// Default deadline of calls without one.
    deadline_ns: u64,
    transport: Arc<dyn Transport>,
    queue: Arc<EventQueue<GatewayEvent>>,
    /// Indexes of the methods and the sides that stream, by name.
    methods: HashMap<String, (u32, MethodFlags)>,
    /// Calls that other processes wait for.
    calls: InFlight<RemoteCall>,
    last_number: u64,
    state: GatewayState,
    /// The service has no instance that is ready, and calls go to other processes.
    is_paused: bool,
    is_stopping: bool,
}

/// Call that another process waits for.
struct RemoteCall {
    from: ReturnAddress,
    is_stream: bool,
    /// Response headers of a unary call. They are sent with the reply, because a unary call has one
    /// message.
    headers: Bytes,
}

/// State of the gateway towards calls of other processes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GatewayState {
    /// The service is not ready, or the last inbound call has arrived.
    Closed,
    /// Calls arrive.
    Open,
    /// A stop was requested. Calls sent before the callers knew of the withdrawal may still arrive.
    Draining,
}

impl Gateway {
    /// Creates a gateway to a service, as declared by its first exporter. `deadline_ns` applies to
    /// calls without a deadline.
    pub(super) fn new(
        service: Service,
        descriptors: Vec<u8>,
        deadline_ns: u64,
        transport: Arc<dyn Transport>,
        queue: Arc<EventQueue<GatewayEvent>>,
    ) -> Self {
        Gateway {
            service,
            descriptors,
            deadline_ns,
            transport,
            queue,
            methods: HashMap::new(),
            calls: InFlight::new(),
            last_number: 0,
            state: GatewayState::Closed,
            is_paused: false,
            is_stopping: false,
        }
    }

    /// Exports the service, which is now ready. The frame names the methods in the order of their
    /// indexes in call frames.
    fn open(&mut self, launched: &Frame<'_>, outbox: &mut BuiltinOutbox) {
        let methods = launched.metadata_pairs().map(|pair| {
            let (_, method) = pair.expect("the launched frame must have valid metadata");
            method.to_owned()
        });
        let methods: Vec<_> = methods.collect();
        let indexes = methods.iter().zip(0..).map(|(method, index)| {
            let (name, streams) = MethodFlags::split_name(method);
            (name.to_owned(), (index, streams))
        });
        self.methods = indexes.collect();
        let spec = ExportSpec {
            service: self.service.name.clone(),
            schema: self.service.schema,
            descriptors: self.descriptors.clone(),
            methods,
            deadline_ns: self.deadline_ns,
        };
        self.transport.export(spec, Arc::clone(&self.queue));
        self.state = GatewayState::Open;
        outbox.ready(NO_DEADLINE);
    }

    /// Leaves the exporters of the service during its restart, so that calls go to other processes.
    fn follow_service(&mut self) {
        let is_paused = !self.queue.is_served();
        if self.state == GatewayState::Open && is_paused != self.is_paused {
            self.is_paused = is_paused;
            self.transport.pause(&self.service.name, is_paused);
        }
    }

    fn call(&mut self, request: Request, from: ReturnAddress, outbox: &mut BuiltinOutbox) {
        let Request {
            id,
            method,
            deadline_ns,
            has_default_deadline,
            streams,
            covers_first_frame,
            metadata,
            payload,
        } = request;
        let method = self.methods.get(&method).copied();
        let Some((method, _)) = method.filter(|(_, of_method)| *of_method == streams) else {
            let failure = Failure::unimplemented(&self.service.name);
            return self.transport.reply(from, Reply::from(&failure));
        };
        self.last_number += 1;
        let number = self.last_number;
        let flags = if has_default_deadline {
            flags::DEFAULT_DEADLINE
        } else {
            0
        };
        let header = Header {
            flags,
            number,
            method,
            // The kernel has the default deadline, and ends the deadline at the first frame.
            deadline_ns: if covers_first_frame {
                NO_DEADLINE
            } else {
                deadline_ns
            },
            id: id.to_wire(),
            ..Header::new(Kind::Call)
        };
        outbox.build(header, |frame| {
            frame.metadata_bytes(&metadata).payload(&payload)
        });
        let call = RemoteCall {
            from,
            is_stream: !streams.is_unary(),
            headers: Bytes::new(),
        };
        self.calls.insert(number, id, call);
    }

    fn cancel(&mut self, id: CallId, outbox: &mut BuiltinOutbox) {
        // The call may have ended while the cancellation was in transit.
        if let Some((number, _)) = self.calls.take_id(id) {
            outbox.cancel(number);
        }
    }

    /// Keeps the response headers of a unary call until its reply.
    fn headers(&mut self, frame: &Frame<'_>, outbox: &mut BuiltinOutbox) {
        match self.calls.get_mut(frame.header.number) {
            Some(call) if !call.is_stream => {
                call.headers = Bytes::copy_from_slice(frame.metadata);
            }
            _ => self.stream(frame, outbox),
        }
    }

    /// Sends a frame of a local callee to the caller in the other process.
    fn stream(&mut self, frame: &Frame<'_>, outbox: &mut BuiltinOutbox) {
        let number = frame.header.number;
        let Some(message) = StreamMessage::of(frame) else {
            return;
        };
        let Some((id, _)) = self.calls.get(number) else {
            return;
        };
        if let Err(failure) = self.transport.send_to_caller(id, message)
            && let Some((_, RemoteCall { from, .. })) = self.calls.take_number(number)
        {
            outbox.cancel(number);
            self.transport.reply(from, Reply::from(&failure));
        }
    }

    /// Sends the reply of a local call to its caller in the other process.
    fn reply(&mut self, frame: &Frame<'_>) {
        let number = frame.header.number;
        let Some((_, RemoteCall { from, headers, .. })) = self.calls.take_number(number) else {
            return;
        };
        let reply = Reply {
            status: frame.header.status,
            flags: frame.header.flags,
            headers,
            metadata: Bytes::copy_from_slice(frame.metadata),
            detail: Bytes::copy_from_slice(frame.detail),
            payload: Bytes::copy_from_slice(frame.payload),
        };
        self.transport.reply(from, reply);
    }

    fn stop(&mut self) {
        self.is_stopping = true;
        if self.state == GatewayState::Open {
            self.state = GatewayState::Draining;
            self.transport.withdraw(&self.service.name);
        }
    }
}

impl BuiltIn for Gateway {
    fn manifest(&self) -> Manifest {
        requires_by_name(&self.service.name)
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        _now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        match frame.kind() {
            Some(Kind::Launched) => self.open(frame, outbox),
            Some(Kind::Open) => self.headers(frame, outbox),
            Some(Kind::Item | Kind::Credit) => self.stream(frame, outbox),
            Some(Kind::Reply) => self.reply(frame),
            Some(Kind::Stop) => self.stop(),
            _ => {}
        }
        Ok(())
    }

    fn end_turn(&mut self, _now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        self.follow_service();
        for event in self.queue.take() {
            match event {
                GatewayEvent::Call { request, from } => self.call(request, from, outbox),
                GatewayEvent::Cancel { id } => self.cancel(id, outbox),
                GatewayEvent::Stream { id, message } => {
                    if let Some(number) = self.calls.number(id) {
                        message.send(number, TO_CALLEE, outbox);
                    }
                }
                GatewayEvent::Drained => self.state = GatewayState::Closed,
            }
        }
        // Calls accepted before the stop are served to their end.
        if self.is_stopping && self.state == GatewayState::Closed && self.calls.is_empty() {
            outbox.exit();
        }
        Ok(NEVER)
    }
}
