//! Proxy: the built-in guest that makes the calls of clients from outside.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use parigot_abi::control::NEVER;
use parigot_abi::frame::{NO_DEADLINE, push_pair};
use parigot_abi::{Frame, Header, Kind, Manifest};

use super::ServiceClient;
use super::call::{CallSlot, Request, pairs};
use super::method::ClientMethod;
use super::queue::{ClientEvent, ClientQueue};
use crate::deployment::Deployment;
use crate::error::{Failure, GuestFault};
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox, requires_by_name};
use crate::random::Randomness;
use crate::start::declare::{DeclaredGuest, Proxy};

/// Clients of a deployment, by service.
pub(crate) type Clients = BTreeMap<String, ServiceClient>;

/// Creates the proxies for the services that the edges of a deployment list, and their clients.
///
/// A service without an exporter has no proxy. The bind stage reports the edge that lists it.
pub(crate) fn create(
    guests: &[DeclaredGuest<'_>],
    deployment: &Deployment,
    randomness: &Randomness,
) -> (Vec<Proxy>, Clients) {
    let edges = deployment.edges.iter();
    let exposed: BTreeSet<&str> = edges
        .flat_map(|edge| &edge.services)
        .map(|service| &*service.name)
        .collect();
    let mut proxies = Vec::new();
    let mut clients = Clients::new();
    for service in exposed {
        let Some(methods) = methods_of(service, guests) else {
            continue;
        };
        let queue = ClientQueue::new(service, methods, randomness.generator());
        let waker = queue.waker();
        let of_proxy = Arc::clone(&queue);
        let factory = BuiltInFactory(move || ClientProxy::new(Arc::clone(&of_proxy)));
        proxies.push(Proxy::new(format!("edge/{service}"), factory, waker));
        clients.insert(service.to_owned(), ServiceClient { queue });
    }
    (proxies, clients)
}

/// Returns the methods of a service, as its first exporter declares them; `None` if no guest
/// exports the service.
fn methods_of(service: &str, guests: &[DeclaredGuest<'_>]) -> Option<Vec<ClientMethod>> {
    guests.iter().find_map(|guest| {
        let mut exports = guest.manifest().exports.iter();
        let exported = exports.find(|exported| exported.name == service)?;
        let methods = exported.methods.iter();
        Some(
            methods
                .map(|method| ClientMethod::new(method, guest.spec.deadline))
                .collect(),
        )
    })
}

/// Proxy that requires a service by name, and therefore with all methods of all exporters.
struct ClientProxy {
    queue: Arc<ClientQueue>,
    /// Indexes of the methods by name; `None` before the launch.
    methods: Option<HashMap<String, u32>>,
    /// Calls in flight by number.
    calls: HashMap<u64, Arc<CallSlot>>,
    is_stopping: bool,
}

impl ClientProxy {
    fn new(queue: Arc<ClientQueue>) -> Self {
        ClientProxy {
            queue,
            methods: None,
            calls: HashMap::new(),
            is_stopping: false,
        }
    }

    /// Records the indexes of the methods. The frame names them in the order of their indexes.
    fn launch(&mut self, launched: &Frame<'_>, outbox: &mut BuiltinOutbox) {
        let names = pairs(launched).into_iter().map(|(_, method)| method);
        self.methods = Some(names.zip(0..).collect());
        outbox.ready(NO_DEADLINE);
    }

    /// Returns the failure of a call that the proxy does not send, or the index of its method.
    fn method(&self, name: &str) -> Result<u32, Failure> {
        let service = self.queue.service();
        if self.is_stopping {
            return Err(self.queue.closed());
        }
        let Some(methods) = &self.methods else {
            return Err(Failure::not_ready(service));
        };
        let index = methods.get(name).copied();
        index.ok_or_else(|| Failure::unimplemented(service))
    }

    fn call(
        &mut self,
        number: u64,
        request: &Request,
        slot: Arc<CallSlot>,
        now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) {
        let method = match self.method(&request.method) {
            Ok(method) => method,
            Err(failure) => return slot.put_failure(&failure),
        };
        let deadline_ns = request.timeout.map_or(NO_DEADLINE, |timeout| {
            // The largest number means no deadline.
            let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
            now_ns.saturating_add(timeout_ns).min(NO_DEADLINE - 1)
        });
        let header = Header {
            number,
            method,
            deadline_ns,
            id: request.id.to_wire(),
            ..Header::new(Kind::Call)
        };
        let mut metadata = Vec::new();
        for (key, value) in &request.metadata {
            push_pair(&mut metadata, key, value);
        }
        outbox.build(header, |frame| {
            frame.metadata_bytes(&metadata).payload(&request.payload)
        });
        self.calls.insert(number, slot);
    }

    fn cancel(&mut self, number: u64, outbox: &mut BuiltinOutbox) {
        // The call may have ended in the same turn.
        if self.calls.remove(&number).is_some() {
            outbox.cancel(number);
        }
    }
}

impl BuiltIn for ClientProxy {
    fn manifest(&self) -> Manifest {
        requires_by_name(self.queue.service())
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        _now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        match frame.kind() {
            Some(Kind::Launched) => self.launch(frame, outbox),
            Some(Kind::Open) => {
                if let Some(slot) = self.calls.get(&frame.header.number) {
                    slot.put_headers(pairs(frame));
                }
            }
            Some(Kind::Reply) => {
                if let Some(slot) = self.calls.remove(&frame.header.number) {
                    slot.put_reply(frame);
                }
            }
            Some(Kind::Stop) => self.is_stopping = true,
            _ => {}
        }
        Ok(())
    }

    fn end_turn(&mut self, now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        let takes_calls = self.methods.is_some() && !self.is_stopping;
        self.queue
            .set_available(takes_calls && self.queue.waker().is_served());
        for event in self.queue.take() {
            match event {
                ClientEvent::Call {
                    number,
                    request,
                    slot,
                } => self.call(number, &request, slot, now_ns, outbox),
                ClientEvent::Cancel { number } => self.cancel(number, outbox),
            }
        }
        // Calls accepted before the stop are served to their end.
        if self.is_stopping && self.calls.is_empty() {
            self.queue.close();
            outbox.exit();
        }
        Ok(NEVER)
    }
}

/// The proxy ends with the deployment. A call without a reply by then gets none.
impl Drop for ClientProxy {
    fn drop(&mut self) {
        self.queue.close();
        for (_, slot) in self.calls.drain() {
            slot.put_failure(&Failure::host_ended(self.queue.service()));
        }
    }
}
