//! Wrapper between a guest and its host that records each frame and applies the faults.
//!
//! ```text
//!          inbound.rs: record, apply faults        outbound.rs: record, apply faults
//!   host ────────────────────────────────▶ guest ────────────────────────────────▶ host
//!                    │        ▲                          │        ▲
//!                    └─ held ─┘                          └─ held ─┘
//! ```

mod held;
mod inbound;
mod outbound;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parigot_abi::control::NEVER;
use parigot_abi::{Manifest, Prologue};
use parking_lot::Mutex;

use self::held::{Decision, DelayedFrame, Held, InTransit};
use super::fault::Leg;
use super::frame::Effect;
use super::interceptor::Interceptor;
use super::record::CallIndex;
use crate::error::{ActiveCall, GuestFault, Stack};
use crate::guest::code::{GuestInstance, InstanceConfig, InstanceFactory, InstantiateError, Turn};
use crate::log::guest_log::GuestLine;

/// Reason of a fault that the test injected, in logs and in the statuses of callers.
pub(super) const CRASH: &str = "crashed by the test";

/// Factory of intercepted instances of one guest.
pub(super) struct InterceptedFactory {
    pub(super) name: String,
    pub(super) interceptor: Arc<Mutex<Interceptor>>,
    pub(super) inner: Arc<dyn InstanceFactory>,
    /// Set for the guest that makes the test's calls. Frames that the host sends to this guest are
    /// commands of the test and are not recorded.
    pub(super) is_test: bool,
}

impl InstanceFactory for InterceptedFactory {
    fn instantiate(
        &self,
        config: InstanceConfig<'_>,
        line: &mut dyn FnMut(&GuestLine<'_>),
    ) -> Result<Box<dyn GuestInstance>, InstantiateError> {
        let inner = self.inner.instantiate(config, line)?;
        Ok(Box::new(Intercepted::new(self, inner)))
    }

    fn has_budget(&self) -> bool {
        self.inner.has_budget()
    }

    fn descriptors(&self) -> &[u8] {
        self.inner.descriptors()
    }
}

/// Guest instance whose frames are intercepted.
struct Intercepted {
    name: String,
    interceptor: Arc<Mutex<Interceptor>>,
    is_test: bool,
    inner: Box<dyn GuestInstance>,
    manifest: Manifest,
    outbox: Vec<u8>,
    /// Outcome of the last turn of `inner`, `None` before the first.
    last: Option<Turn>,
    /// Calls that the guest made, by the guest's numbers.
    outbound: HashMap<u64, CallIndex>,
    /// Calls that the guest received and has not answered, by the host's numbers.
    inbound: HashMap<u64, CallIndex>,
    /// Held frames of the calls in `inbound`, by the host's numbers.
    held: BTreeMap<u64, Held>,
    /// Call during which a fault crashed the guest.
    crashed: Option<u64>,
}

impl Intercepted {
    fn new(factory: &InterceptedFactory, inner: Box<dyn GuestInstance>) -> Self {
        Intercepted {
            name: factory.name.clone(),
            interceptor: Arc::clone(&factory.interceptor),
            is_test: factory.is_test,
            inner,
            manifest: Manifest::default(),
            outbox: Vec::new(),
            last: None,
            outbound: HashMap::new(),
            inbound: HashMap::new(),
            held: BTreeMap::new(),
            crashed: None,
        }
    }

    fn run(&mut self, prologue: Prologue, frames: &[u8]) -> Result<Turn, GuestFault> {
        let now_ns = prologue.monotonic_ns;
        let mut inbox = Vec::new();
        self.receive(frames, now_ns, &mut inbox)?;
        self.release(now_ns, &mut inbox);
        if let Some(polls_max) = self.next_turn(&inbox, now_ns) {
            let turn = self.inner.turn(prologue, &inbox, polls_max);
            // Before the check for a fault: frames that the guest sent before its fault count.
            self.send(now_ns)?;
            self.last = Some(turn?);
        }
        let Turn {
            has_more_work,
            wake_at_ns,
        } = self.last.expect("the first turn must have run");
        Ok(Turn {
            has_more_work,
            wake_at_ns: wake_at_ns.min(self.next_release_ns()),
        })
    }

    /// Returns the number of tasks that the next turn may poll, `None` if the guest has no work.
    ///
    /// The host also starts a turn for frames that are held back then, and for their release.
    fn next_turn(&self, inbox: &[u8], now_ns: u64) -> Option<u32> {
        match self.last {
            // The init turn must not be cut: the guest declares its services in that turn.
            None => Some(u32::MAX),
            Some(last) if inbox.is_empty() && !last.has_more_work && last.wake_at_ns > now_ns => {
                None
            }
            Some(_) => Some(self.interceptor.lock().polls_max()),
        }
    }

    /// Applies the effect of a fault to a frame. `frame` is the index of the frame in the record.
    fn apply(
        &mut self,
        effect: Option<Effect>,
        leg: Leg,
        transit: &InTransit<'_>,
        frame: usize,
    ) -> Result<Decision, GuestFault> {
        let Some(effect) = effect else {
            return Ok(Decision::Forward);
        };
        self.interceptor.lock().record.note_effect(frame, effect);
        let number = transit.frame.header.number;
        let held = match effect {
            Effect::Lost => Held::Lost,
            Effect::Delayed(by) => Held::Delayed(DelayedFrame::new(leg, transit, by, frame)),
            Effect::Crashed => {
                self.crashed = Some(number);
                return Err(GuestFault::of_trap(
                    String::new(),
                    CRASH.into(),
                    Stack::Unknown,
                ));
            }
        };
        self.held.insert(number, held);
        Ok(Decision::Hold)
    }

    /// Moves the delayed frames that are due: calls into the inbox, replies into the outbox.
    fn release(&mut self, now_ns: u64, inbox: &mut Vec<u8>) {
        let mut due: Vec<_> = self
            .held
            .extract_if(.., |_, held| held.is_due(now_ns))
            .collect();
        due.sort_by_key(|(_, held)| held.at_ns());
        for (number, held) in due {
            let Held::Delayed(delayed) = held else {
                continue;
            };
            match delayed.leg {
                Leg::Call => inbox.extend_from_slice(&delayed.bytes),
                Leg::Reply => {
                    self.outbox.extend_from_slice(&delayed.bytes);
                    if let Some(call) = self.inbound.remove(&number) {
                        self.interceptor.lock().record.release(call);
                    }
                }
            }
        }
    }

    /// Returns the time of the next release on the guest's clock, or [`NEVER`].
    fn next_release_ns(&self) -> u64 {
        self.held.values().map(Held::at_ns).min().unwrap_or(NEVER)
    }
}

impl GuestInstance for Intercepted {
    fn turn(
        &mut self,
        prologue: Prologue,
        frames: &[u8],
        _max_polls: u32,
    ) -> Result<Turn, GuestFault> {
        self.outbox.clear();
        let turn = self.run(prologue, frames);
        if let Err(fault) = &turn {
            self.interceptor
                .lock()
                .record
                .note_end(&self.name, &fault.to_string());
        }
        turn
    }

    fn set_manifest(&mut self, manifest: &Manifest) {
        self.inner.set_manifest(manifest);
        self.manifest = manifest.clone();
        let exports = &mut self.interceptor.lock().exports;
        for service in &manifest.exports {
            if exports.iter().all(|known| known.name != service.name) {
                exports.push(service.clone());
            }
        }
    }

    fn active_call(&self) -> Option<ActiveCall> {
        self.crashed
            .map(|call| ActiveCall { call, method: None })
            .or_else(|| self.inner.active_call())
    }

    fn method_name(&self, service: u32, method: u32) -> Option<String> {
        self.inner.method_name(service, method)
    }

    fn has_begun(&self, call: u64) -> bool {
        // To its caller, a call that a fault holds may have run.
        self.held.contains_key(&call) || self.inner.has_begun(call)
    }

    fn last_begun(&self) -> Option<u64> {
        self.inner.last_begun()
    }

    fn has_larger_budgets(&self) -> bool {
        self.inner.has_larger_budgets()
    }

    fn set_served(&mut self, numbers: &mut dyn Iterator<Item = u64>) {
        self.inner.set_served(numbers);
    }

    fn outbox(&self) -> &[u8] {
        &self.outbox
    }

    fn take_output(&mut self, ended: bool, line: &mut dyn FnMut(&GuestLine<'_>)) {
        let interceptor = &self.interceptor;
        let name = &self.name;
        self.inner.take_output(ended, &mut |own| {
            interceptor.lock().record.note_line(name, own);
            line(own);
        });
    }
}
