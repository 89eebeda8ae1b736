//! Queue between the clients of a service and its proxy.

use std::sync::Arc;
use std::task::{Context, Waker};

use parigot_abi::id::CallId;
use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;

use super::call::{CallSlot, Canceller, PendingCall, Request};
use super::method::ClientMethod;
use crate::error::{Failure, Unavailable};
use crate::kernel::proxy_waker::ProxyWaker;

/// Work for the proxy.
pub(super) enum ClientEvent {
    /// A call, which the proxy sends with this number.
    Call {
        number: u64,
        request: Request,
        slot: Arc<CallSlot>,
    },
    /// The caller has dropped the call.
    Cancel { number: u64 },
}

/// Queue of a service.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `service`, `methods` | immutable | start | all threads |
/// | `state` | mutex | clients, proxy | clients, proxy |
/// | `random` | mutex | clients | clients |
/// | `waker` | once-cell | start of the kernel | clients, proxy |
pub(crate) struct ClientQueue {
    service: String,
    methods: Vec<ClientMethod>,
    state: Mutex<QueueState>,
    random: Mutex<StdRng>,
    waker: Arc<ProxyWaker>,
}

#[derive(Default)]
struct QueueState {
    events: Vec<ClientEvent>,
    last_number: u64,
    /// The service has an instance that takes calls.
    is_available: bool,
    /// The proxy has ended.
    is_closed: bool,
    /// Tasks that wait for a change of `is_available`.
    watchers: Vec<Waker>,
}

impl ClientQueue {
    /// Creates the queue of a service. `random` makes the ids of calls.
    pub(super) fn new(service: &str, methods: Vec<ClientMethod>, random: StdRng) -> Arc<Self> {
        Arc::new(ClientQueue {
            service: service.to_owned(),
            methods,
            state: Mutex::default(),
            random: Mutex::new(random),
            waker: Arc::default(),
        })
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    pub(super) fn methods(&self) -> &[ClientMethod] {
        &self.methods
    }

    pub(super) fn waker(&self) -> Arc<ProxyWaker> {
        Arc::clone(&self.waker)
    }

    pub(super) fn is_available(&self) -> bool {
        self.state.lock().is_available
    }

    /// Returns whether the service is available, and wakes the task at the next change.
    pub(super) fn poll_available(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state.lock();
        if !state
            .watchers
            .iter()
            .any(|waker| waker.will_wake(cx.waker()))
        {
            state.watchers.push(cx.waker().clone());
        }
        state.is_available
    }

    pub(super) fn new_call_id(&self) -> CallId {
        CallId::from_random(self.random.lock().random())
    }

    /// Gives a call to the proxy.
    pub(super) fn call(self: &Arc<Self>, request: Request) -> PendingCall {
        let mut state = self.state.lock();
        if state.is_closed {
            drop(state);
            return PendingCall::failed(&self.closed());
        }
        state.last_number += 1;
        let number = state.last_number;
        let slot = Arc::new(CallSlot::default());
        state.events.push(ClientEvent::Call {
            number,
            request,
            slot: Arc::clone(&slot),
        });
        drop(state);
        self.waker.wake();
        PendingCall::new(slot, Arc::clone(self) as Arc<dyn Canceller>, number)
    }

    /// Removes and returns all events.
    pub(super) fn take(&self) -> Vec<ClientEvent> {
        std::mem::take(&mut self.state.lock().events)
    }

    /// Records whether the service takes calls, and wakes the watchers of a change.
    pub(super) fn set_available(&self, is_available: bool) {
        let watchers = {
            let mut state = self.state.lock();
            if state.is_available == is_available {
                return;
            }
            state.is_available = is_available;
            std::mem::take(&mut state.watchers)
        };
        watchers.into_iter().for_each(Waker::wake);
    }

    /// Refuses all further calls, and those that the proxy has not taken.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.set_available(false);
        for event in self.take() {
            if let ClientEvent::Call { slot, .. } = event {
                slot.put_failure(&self.closed());
            }
        }
    }

    /// Returns the failure of a call after the end of the proxy.
    pub(super) fn closed(&self) -> Failure {
        Failure::absent(&self.service, &Unavailable::Stopping, 0)
    }
}

impl Canceller for ClientQueue {
    fn cancel(&self, number: u64) {
        self.state
            .lock()
            .events
            .push(ClientEvent::Cancel { number });
        self.waker.wake();
    }
}
