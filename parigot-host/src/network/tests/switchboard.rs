//! Joins hosts in one process: what a transport does, without a network, and with what goes wrong in one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::id::{CallId, HostId};
use parking_lot::Mutex;

use super::super::event_queue::{EventQueue, GatewayEvent, RemoteEvent};
use super::super::message::{Reply, Request, ReturnAddress};
use super::super::transport::{ExportSpec, ImportSpec, Transport};
use crate::clock::Clock;
use crate::error::Failure;

/// After which time a host counts as lost that says nothing; here it passes at once.
pub(super) const SILENCE: Duration = Duration::from_secs(3);

/// What carriers of several hosts share.
#[derive(Default)]
pub(super) struct Switchboard {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    served: Vec<Served>,
    sought: Vec<Sought>,
    /// Calls that are not answered, by their return addresses.
    calls: HashMap<String, OnItsWay>,
    addresses: u64,
    is_down: bool,
    /// No cancellation arrives.
    loses_cancellations: bool,
}

struct Served {
    host: HostId,
    offer: ExportSpec,
    queue: Arc<EventQueue<GatewayEvent>>,
    clock: Arc<dyn Clock>,
}

struct Sought {
    host: HostId,
    wanted: ImportSpec,
    queue: Arc<EventQueue<RemoteEvent>>,
}

struct OnItsWay {
    id: CallId,
    service: String,
    callee: HostId,
    caller: Arc<EventQueue<RemoteEvent>>,
}

impl Switchboard {
    /// The transport of another host.
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

    /// Cuts all connections, or mends them.
    pub(super) fn set_down(&self, is_down: bool) {
        self.state.lock().is_down = is_down;
    }

    /// Lets no cancellation arrive from now on.
    pub(super) fn lose_cancellations(&self) {
        self.state.lock().loses_cancellations = true;
    }

    /// A host is gone without a word. What it sends from now on does not arrive.
    pub(super) fn lose(&self, host: HostId) {
        let mut state = self.state.lock();
        state
            .served
            .retain(|served| served.host.key() != host.key());
        let ended: Vec<_> = state
            .calls
            .extract_if(|_, call| call.callee.key() == host.key())
            .collect();
        for (
            _,
            OnItsWay {
                id,
                service,
                caller,
                ..
            },
        ) in ended
        {
            let failure = Failure::process_lost(&service, SILENCE);
            caller.push(RemoteEvent::Failed { id, failure });
        }
    }
}

struct Line {
    board: Arc<Switchboard>,
    host: HostId,
    clock: Arc<dyn Clock>,
}

impl Transport for Line {
    fn import(&self, wanted: ImportSpec, queue: Arc<EventQueue<RemoteEvent>>) {
        let mut state = self.board.state.lock();
        for Served { offer, .. } in state
            .served
            .iter()
            .filter(|served| served.offer.service == wanted.service)
        {
            queue.push(RemoteEvent::Found {
                methods: offer.methods.clone(),
                deadline_ns: offer.deadline_ns,
            });
        }
        state.sought.push(Sought {
            host: self.host,
            wanted,
            queue,
        });
    }

    fn call(&self, service: &str, request: Request) -> Result<(), Failure> {
        let mut state = self.board.state.lock();
        if state.is_down {
            return Err(Failure::disconnected(Duration::from_millis(120)));
        }
        let is_mine = |sought: &&Sought| {
            sought.wanted.service == service && sought.host.key() == self.host.key()
        };
        let caller = Arc::clone(
            &state
                .sought
                .iter()
                .find(is_mine)
                .expect("it was looked for")
                .queue,
        );
        let able: Vec<usize> = (0..state.served.len())
            .filter(|at| state.served[*at].offer.service == service)
            .collect();
        let Some(at) = able.get(state.addresses as usize % able.len().max(1)) else {
            return Err(Failure::unoffered(service));
        };
        let Served {
            host, queue, clock, ..
        } = &state.served[*at];
        let (callee, queue) = (*host, Arc::clone(queue));
        let left_ns = request
            .deadline_ns
            .saturating_sub(self.clock.monotonic_ns());
        let request = Request {
            deadline_ns: clock.monotonic_ns() + left_ns,
            ..request
        };
        state.addresses += 1;
        let address = state.addresses.to_string();
        let call = OnItsWay {
            id: request.id,
            service: service.to_owned(),
            callee,
            caller,
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
        let served = state
            .served
            .iter()
            .filter(|served| served.offer.service == service && !state.loses_cancellations);
        served.for_each(|served| served.queue.push(GatewayEvent::Cancel { id }));
    }

    fn export(&self, offer: ExportSpec, queue: Arc<EventQueue<GatewayEvent>>) {
        let mut state = self.board.state.lock();
        for sought in state
            .sought
            .iter()
            .filter(|sought| sought.wanted.service == offer.service)
        {
            sought.queue.push(RemoteEvent::Found {
                methods: offer.methods.clone(),
                deadline_ns: offer.deadline_ns,
            });
        }
        state.served.push(Served {
            host: self.host,
            offer,
            queue,
            clock: Arc::clone(&self.clock),
        });
    }

    fn reply(&self, to: ReturnAddress, reply: Reply) {
        let Some(call) = self.board.state.lock().calls.remove(&to.0) else {
            return;
        };
        call.caller.push_reply(&call.service, call.id, reply);
    }

    fn withdraw(&self, service: &str) {
        let mut state = self.board.state.lock();
        let host = self.host;
        let is_it = |served: &mut Served| {
            served.host.key() == host.key() && served.offer.service == service
        };
        for Served { queue, .. } in state.served.extract_if(.., is_it).collect::<Vec<_>>() {
            queue.push(GatewayEvent::Drained);
        }
    }

    fn close(&self) {
        self.board.lose(self.host);
    }
}
