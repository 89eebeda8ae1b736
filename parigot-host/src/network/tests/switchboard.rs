//! Transport between hosts in one process, without a network, with failures that a test injects.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::id::{CallId, HostId};
use parking_lot::Mutex;

use super::super::event_queue::{EventQueue, GatewayEvent, RemoteEvent};
use super::super::message::{Reply, Request, ReturnAddress, StreamMessage};
use super::super::transport::{ExportSpec, ImportSpec, Transport};
use super::watched::poll_until;
use crate::clock::Clock;
use crate::error::Failure;

/// Silence after which a host counts as lost, in the texts of failures. [`Switchboard::lose`] does
/// not wait.
const SILENCE: Duration = Duration::from_secs(3);

/// Connection between the transports of several hosts.
#[derive(Default)]
pub(super) struct Switchboard {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    exports: Vec<Export>,
    imports: Vec<Import>,
    /// Calls that are not answered, by their return addresses.
    calls: HashMap<String, PendingCall>,
    /// Number of return addresses so far, which is also the number of calls.
    addresses: u64,
    is_down: bool,
    /// Set if cancellations are lost.
    loses_cancellations: bool,
}

/// Service that a host offers.
struct Export {
    host: HostId,
    spec: ExportSpec,
    queue: Arc<EventQueue<GatewayEvent>>,
    clock: Arc<dyn Clock>,
    /// Set once the host is lost: other hosts no longer reach the service.
    is_lost: bool,
    /// Set during a restart of the service.
    is_paused: bool,
}

/// Service that a host requires.
struct Import {
    host: HostId,
    spec: ImportSpec,
    queue: Arc<EventQueue<RemoteEvent>>,
}

/// Call that is not answered.
struct PendingCall {
    id: CallId,
    service: String,
    callee: HostId,
    caller: Arc<EventQueue<RemoteEvent>>,
    gateway: Arc<EventQueue<GatewayEvent>>,
}

impl Switchboard {
    /// Creates the transport of another host.
    pub(super) fn line(
        self: &Arc<Self>,
        host: HostId,
        clock: Arc<dyn Clock>,
    ) -> Arc<dyn Transport> {
        Arc::new(Line {
            board: Arc::clone(self),
            host,
            clock,
        })
    }

    /// Waits until a host offers the service.
    pub(super) fn wait_until_offered(&self, service: &str) {
        poll_until("a host offers the service", || {
            let state = self.state.lock();
            state.exports_of(service).next().map(|_| ())
        });
    }

    /// Waits until a host has paused the service.
    pub(super) fn wait_until_paused(&self, service: &str) {
        poll_until("a host pauses the service", || {
            let state = self.state.lock();
            let mut exports = state.exports_of(service);
            exports.find(|export| export.is_paused).map(|_| ())
        });
    }

    /// Cuts or restores all connections.
    pub(super) fn set_down(&self, is_down: bool) {
        self.state.lock().is_down = is_down;
    }

    /// Loses all further cancellations.
    pub(super) fn lose_cancellations(&self) {
        self.state.lock().loses_cancellations = true;
    }

    /// Disconnects a host without a notice. Further messages of the host do not arrive.
    pub(super) fn lose(&self, host: HostId) {
        let mut state = self.state.lock();
        for export in &mut state.exports {
            export.is_lost |= export.host.key() == host.key();
        }
        let ended: Vec<_> = state
            .calls
            .extract_if(|_, call| call.callee.key() == host.key())
            .collect();
        for (_, call) in ended {
            let failure = Failure::process_lost(&call.service, SILENCE);
            call.caller.push(RemoteEvent::Failed {
                id: call.id,
                failure,
            });
        }
    }
}

impl State {
    fn exports_of<'s>(&'s self, service: &'s str) -> impl Iterator<Item = &'s Export> {
        self.exports
            .iter()
            .filter(move |export| export.spec.service == service && !export.is_lost)
    }
}

impl State {
    fn call(&self, id: CallId) -> Option<&PendingCall> {
        self.calls.values().find(|call| call.id.key() == id.key())
    }
}

/// Transport of one host.
struct Line {
    board: Arc<Switchboard>,
    host: HostId,
    clock: Arc<dyn Clock>,
}

impl Transport for Line {
    fn import(&self, spec: ImportSpec, queue: Arc<EventQueue<RemoteEvent>>) {
        let mut state = self.board.state.lock();
        for export in state.exports_of(&spec.service) {
            queue.push(RemoteEvent::Found {
                methods: export.spec.methods.clone(),
                deadline_ns: export.spec.deadline_ns,
            });
        }
        state.imports.push(Import {
            host: self.host,
            spec,
            queue,
        });
    }

    fn call(&self, service: &str, request: Request) -> Result<(), Failure> {
        let mut state = self.board.state.lock();
        if state.is_down {
            return Err(Failure::disconnected(Duration::from_millis(120)));
        }
        let import = state
            .imports
            .iter()
            .find(|import| import.spec.service == service && import.host.key() == self.host.key())
            .expect("a called service must be imported");
        let caller = Arc::clone(&import.queue);
        let exports: Vec<_> = state.exports_of(service).collect();
        if !exports.is_empty() && exports.iter().all(|export| export.is_paused) {
            return Err(Failure::away_elsewhere(service));
        }
        let open = exports.into_iter().filter(|export| !export.is_paused);
        let exports: Vec<_> = open.collect();
        // Exporters take turns.
        let Some(export) = exports.get(state.addresses as usize % exports.len().max(1)) else {
            return Err(Failure::unoffered(service));
        };
        let callee = export.host;
        let queue = Arc::clone(&export.queue);
        // The hosts' clocks have different zeros, so only the remaining time is transferred.
        let left_ns = request
            .deadline_ns
            .saturating_sub(self.clock.monotonic_ns());
        let request = Request {
            deadline_ns: export.clock.monotonic_ns() + left_ns,
            ..request
        };
        state.addresses += 1;
        let address = state.addresses.to_string();
        let call = PendingCall {
            id: request.id,
            service: service.to_owned(),
            callee,
            caller,
            gateway: Arc::clone(&queue),
        };
        state.calls.insert(address.clone(), call);
        queue.push(GatewayEvent::Call {
            request,
            from: ReturnAddress(address),
        });
        Ok(())
    }

    fn cancel(&self, service: &str, id: CallId) {
        let state = self.board.state.lock();
        if state.loses_cancellations {
            return;
        }
        for export in state.exports_of(service) {
            export.queue.push(GatewayEvent::Cancel { id });
        }
    }

    fn export(&self, spec: ExportSpec, queue: Arc<EventQueue<GatewayEvent>>) {
        let mut state = self.board.state.lock();
        for import in &state.imports {
            if import.spec.service == spec.service {
                import.queue.push(RemoteEvent::Found {
                    methods: spec.methods.clone(),
                    deadline_ns: spec.deadline_ns,
                });
            }
        }
        state.exports.push(Export {
            host: self.host,
            spec,
            queue,
            clock: Arc::clone(&self.clock),
            is_lost: false,
            is_paused: false,
        });
    }

    fn reply(&self, to: ReturnAddress, reply: Reply) {
        let Some(call) = self.board.state.lock().calls.remove(&to.0) else {
            return;
        };
        call.caller.push_reply(&call.service, call.id, reply);
    }

    fn send_to_callee(&self, id: CallId, message: StreamMessage) -> Result<(), Failure> {
        let state = self.board.state.lock();
        if let Some(call) = state.call(id) {
            call.gateway.push(GatewayEvent::Stream { id, message });
        }
        Ok(())
    }

    fn send_to_caller(&self, id: CallId, message: StreamMessage) -> Result<(), Failure> {
        let state = self.board.state.lock();
        if let Some(call) = state.call(id) {
            call.caller.push(RemoteEvent::Stream { id, message });
        }
        Ok(())
    }

    fn pause(&self, service: &str, is_paused: bool) {
        for export in &mut self.board.state.lock().exports {
            if export.host.key() == self.host.key() && export.spec.service == service {
                export.is_paused = is_paused;
            }
        }
    }

    fn withdraw(&self, service: &str) {
        let mut state = self.board.state.lock();
        let withdrawn: Vec<_> = state
            .exports
            .extract_if(.., |export| {
                export.host.key() == self.host.key() && export.spec.service == service
            })
            .collect();
        for export in withdrawn {
            export.queue.push(GatewayEvent::Drained);
        }
    }

    fn close(&self) {
        self.board.lose(self.host);
    }
}
