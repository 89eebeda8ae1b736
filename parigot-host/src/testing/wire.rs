//! What stands between a guest and its host: it notes each frame, and does what faults say.
//!
//! The kernel knows nothing of it. To the kernel a call that was lost is one that its service has not answered yet.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::control::NEVER;
use parigot_abi::frame::{LAUNCH_NUMBER, Level};
use parigot_abi::id::CallId;
use parigot_abi::{
    Cause, Code as StatusCode, Detail, Frame, FrameBuilder, Frames, Header, Kind, Manifest, Prologue, manifest,
};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::fault::{Fault, Leg, Target};
use super::frame::{self, HOST, Mishap, Said};
use crate::clock::{Clock, ManualClock};
use crate::code::{Code, Mould, Turn};
use crate::error::{Fault as Failure, ModuleError};
use crate::instance::Instance;
use crate::life::FAILED;
use crate::wasm::Surroundings;

/// What is known of all frames of a run.
pub(super) struct Wire {
    clock: Arc<ManualClock>,
    pub(super) frames: Vec<frame::Frame>,
    pub(super) faults: Vec<Fault>,
    /// What guests have declared that they export.
    pub(super) exports: Vec<manifest::Service>,
    calls: Vec<Call>,
    /// By the wire form of their ids.
    by_id: HashMap<(u64, u64), usize>,
    /// Calls of the turn that is going on, which the kernel has not seen yet.
    unrouted: Vec<(u64, usize)>,
    chance: StdRng,
    /// Whether turns are cut short now and then, as they are by ticks.
    cuts_turns: bool,
}

/// A call between two guests.
struct Call {
    from: String,
    to: String,
    service: String,
    method: String,
    id: CallId,
    /// The place of its frame among all.
    frame: usize,
    arrived: bool,
    answered: bool,
    cancelled: bool,
}

impl Wire {
    pub(super) fn new(clock: Arc<ManualClock>, seed: Option<u64>, faults: Vec<Fault>) -> Self {
        Wire {
            clock,
            frames: Vec::new(),
            faults,
            exports: Vec::new(),
            calls: Vec::new(),
            by_id: HashMap::new(),
            unrouted: Vec::new(),
            chance: StdRng::seed_from_u64(seed.unwrap_or_default()),
            cuts_turns: seed.is_some(),
        }
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.monotonic_ns())
    }

    /// How many tasks a turn may poll.
    fn polls_max(&mut self) -> u32 {
        if self.cuts_turns && self.chance.random_bool(0.25) { self.chance.random_range(1..=4) } else { u32::MAX }
    }

    fn note(&mut self, from: &str, to: &str, said: Said<'_>) {
        let frame = said.on(self.now(), from, to);
        self.frames.push(frame);
    }

    /// Notes that a guest has ended otherwise than by leaving.
    pub(super) fn note_end(&mut self, guest: &str, why: &str) {
        let payload = why.as_bytes();
        self.note(guest, HOST, Said { kind: Kind::Exit, status: FAILED.into(), flags: 0, detail: &[], payload });
    }

    /// Notes a frame about a call.
    fn note_of_call(&mut self, call: usize, from: &str, to: &str, said: Said<'_>, mishap: Option<Mishap>) {
        let Call { service, method, id, .. } = &self.calls[call];
        let noted = frame::Frame {
            service: service.clone(),
            method: method.clone(),
            call: *id,
            mishap,
            ..said.on(self.now(), from, to)
        };
        self.frames.push(noted);
    }

    /// A guest makes a call, to whom it is not known yet.
    fn begin(&mut self, from: &str, number: u64, (service, method): (&str, &str), frame: &Frame<'_>) -> usize {
        let call = self.calls.len();
        self.calls.push(Call {
            from: from.into(),
            to: String::new(),
            service: service.into(),
            method: method.into(),
            id: CallId::EMPTY,
            frame: self.frames.len(),
            arrived: false,
            answered: false,
            cancelled: false,
        });
        self.note_of_call(call, from, "", Said::of(Kind::Call, frame), None);
        self.unrouted.push((number, call));
        call
    }

    /// Learns where the calls have gone that were made in the last turn, which was `caller`'s. Of one that has ended in it nobody
    /// knows any more; then it is known when the calls arrive.
    pub(super) fn learn_routes(&mut self, caller: &Instance, instances: &[Instance]) {
        for (number, call) in std::mem::take(&mut self.unrouted) {
            if let Some(routed) = caller.outbound(number) {
                self.learn_route(call, &instances[routed.callee].name, routed.id);
            }
        }
    }

    fn learn_route(&mut self, call: usize, to: &str, id: CallId) {
        self.by_id.insert(id.to_wire(), call);
        let known = &mut self.calls[call];
        (known.to, known.id) = (to.into(), id);
        let frame = &mut self.frames[known.frame];
        (frame.to, frame.call) = (to.into(), id);
    }

    /// A call arrives at a guest. Returns it, and what happens to it then.
    fn arrive(&mut self, to: &str, (service, method): (&str, &str), id: CallId) -> Option<(usize, Option<Mishap>)> {
        let is_it =
            |call: &Call| !call.arrived && call.id.is_empty() && (&*call.service, &*call.method) == (service, method);
        let call = match self.by_id.get(&id.to_wire()) {
            Some(call) => *call,
            None => {
                let call = self.calls.iter().position(is_it)?;
                self.learn_route(call, to, id);
                call
            }
        };
        self.calls[call].arrived = true;
        let mishap = self.strike(Leg::Call, call);
        self.frames[self.calls[call].frame].mishap = mishap;
        Some((call, mishap))
    }

    fn strike(&mut self, leg: Leg, call: usize) -> Option<Mishap> {
        let Wire { faults, chance, calls, .. } = self;
        let Call { from, to, service, method, .. } = &calls[call];
        let target = Target { leg, service, method, from, to };
        // All of them count the call.
        faults
            .iter_mut()
            .filter_map(|fault| fault.strike(&target, chance))
            .fold(None, |first, next| first.or(Some(next)))
    }
}

/// A guest behind the wire.
pub(super) struct WiredMould {
    pub(super) name: String,
    pub(super) wire: Arc<Mutex<Wire>>,
    pub(super) inner: Arc<dyn Mould>,
    /// Whether it is the test itself, whose own frames from the host are the test's wishes.
    pub(super) is_test: bool,
}

impl Mould for WiredMould {
    fn instantiate(
        &self,
        surroundings: Surroundings,
        line: &mut dyn FnMut(Level, &str),
    ) -> Result<Result<Box<dyn Code>, Failure>, ModuleError> {
        let inner = self.inner.instantiate(surroundings, line)?;
        Ok(inner.map(|inner| Box::new(Wired::new(self, inner)) as _))
    }
}

/// An instance behind the wire.
struct Wired {
    name: String,
    wire: Arc<Mutex<Wire>>,
    is_test: bool,
    inner: Box<dyn Code>,
    manifest: Manifest,
    outbox: Vec<u8>,
    /// How its last turn ended; none before the first.
    last: Option<Turn>,
    /// Calls that it has made, by its own numbers.
    made: HashMap<u64, usize>,
    /// Calls that it has, by the host's numbers.
    served: HashMap<u64, usize>,
    /// Calls, by the host's numbers, of which the host thinks that the guest has them: lost, or late, on their way or on their way back.
    adrift: HashMap<u64, Option<Late>>,
}

/// A frame that comes late.
struct Late {
    leg: Leg,
    at_ns: u64,
    bytes: Vec<u8>,
}

impl Wired {
    fn new(mould: &WiredMould, inner: Box<dyn Code>) -> Self {
        Wired {
            name: mould.name.clone(),
            wire: Arc::clone(&mould.wire),
            is_test: mould.is_test,
            inner,
            manifest: Manifest::default(),
            outbox: Vec::new(),
            last: None,
            made: HashMap::new(),
            served: HashMap::new(),
            adrift: HashMap::new(),
        }
    }

    /// Takes in what has come, into the inbox of the guest.
    fn receive(&mut self, frames: &[u8], now_ns: u64, inbox: &mut Vec<u8>) -> Result<(), Failure> {
        let mut rest = Frames::new(frames);
        loop {
            let start = rest.offset();
            let Some(frame) = rest.next() else { return Ok(()) };
            let frame = frame.expect("the host writes frames");
            let reaches_guest = match frame.kind() {
                _ if self.is_test => self.note_inbound(&frame),
                Some(Kind::Call) => self.receive_call(&frame, &frames[start..rest.offset()], now_ns)?,
                Some(Kind::Cancel) => self.receive_cancel(&frame),
                _ => self.note_inbound(&frame),
            };
            if reaches_guest {
                inbox.extend_from_slice(&frames[start..rest.offset()]);
            }
        }
    }

    /// Notes what the host says to the guest. What another guest says was noted when it was sent.
    fn note_inbound(&mut self, frame: &Frame<'_>) -> bool {
        let Some(kind) = frame.kind() else { return true };
        let mut wire = self.wire.lock();
        match (kind, self.made.get(&frame.header.number)) {
            (Kind::Reply, Some(call)) if !wire.calls[*call].answered => {
                wire.note_of_call(*call, HOST, &self.name, Said::of(kind, frame), None);
            }
            (Kind::Reply, _) => {}
            (Kind::Call | Kind::Cancel, _) if self.is_test => {}
            _ => wire.note(HOST, &self.name, Said::of(kind, frame)),
        }
        true
    }

    fn receive_call(&mut self, frame: &Frame<'_>, bytes: &[u8], now_ns: u64) -> Result<bool, Failure> {
        let Header { number, service, method, id: (high, low), .. } = frame.header;
        let names = names(&self.manifest.exports, service, method);
        let id = CallId::from_wire(high, low).unwrap_or_default();
        let Some((call, mishap)) = self.wire.lock().arrive(&self.name, names, id) else { return Ok(true) };
        self.served.insert(number, call);
        match mishap {
            None => Ok(true),
            Some(Mishap::Crashed) => Err(crashed(number)),
            Some(Mishap::Lost) => {
                self.adrift.insert(number, None);
                Ok(false)
            }
            Some(Mishap::Delayed(by)) => {
                self.adrift.insert(number, Some(Late::new(Leg::Call, now_ns, by, bytes)));
                Ok(false)
            }
        }
    }

    /// A call that never came, or was answered, is over now: the host shall forget it.
    fn receive_cancel(&mut self, frame: &Frame<'_>) -> bool {
        let number = frame.header.number;
        if let Some(call) = self.served.get(&number) {
            let mut wire = self.wire.lock();
            if !wire.calls[*call].cancelled {
                wire.note_of_call(*call, HOST, &self.name, Said::of(Kind::Cancel, frame), None);
            }
        }
        let adrift = self.adrift.remove(&number).is_some();
        if adrift {
            let status = StatusCode::Cancelled.number();
            let reply = FrameBuilder::new(&mut self.outbox, Header { number, status, ..Header::new(Kind::Reply) });
            reply.detail(&Detail::new(Cause::Cancelled, "")).finish().expect("it is short");
            self.served.remove(&number);
        }
        !adrift
    }

    /// Lets what is late arrive once its time has come: calls in the inbox, replies in the outbox.
    fn release(&mut self, now_ns: u64, inbox: &mut Vec<u8>) {
        let mut due: Vec<_> =
            self.adrift.iter().filter_map(|(number, late)| Some((late.as_ref()?.at_ns, *number))).collect();
        due.retain(|(at_ns, _)| *at_ns <= now_ns);
        due.sort_unstable();
        for (_, number) in due {
            let Some(Some(late)) = self.adrift.remove(&number) else { continue };
            match late.leg {
                Leg::Call => inbox.extend_from_slice(&late.bytes),
                Leg::Reply => {
                    self.outbox.extend_from_slice(&late.bytes);
                    if let Some(call) = self.served.remove(&number) {
                        self.wire.lock().calls[call].answered = true;
                    }
                }
            }
        }
    }

    /// Carries out what the guest has sent.
    fn send(&mut self, now_ns: u64) -> Result<(), Failure> {
        let sent = self.inner.outbox().to_vec();
        let mut rest = Frames::new(&sent);
        loop {
            let start = rest.offset();
            let Some(frame) = rest.next() else { return Ok(()) };
            let Ok(frame) = frame else {
                // The host shall see it as it is.
                self.outbox.extend_from_slice(&sent[start..]);
                return Ok(());
            };
            let bytes = &sent[start..rest.offset()];
            let reaches_host = match frame.kind() {
                Some(Kind::Reply) if frame.header.number != LAUNCH_NUMBER => self.send_reply(&frame, bytes, now_ns)?,
                Some(kind) => {
                    self.note_outbound(kind, &frame);
                    true
                }
                None => true,
            };
            if reaches_host {
                self.outbox.extend_from_slice(bytes);
            }
        }
    }

    fn note_outbound(&mut self, kind: Kind, frame: &Frame<'_>) {
        let number = frame.header.number;
        let mut wire = self.wire.lock();
        match kind {
            Kind::Call => {
                let names = names(&self.manifest.requires, frame.header.service, frame.header.method);
                self.made.insert(number, wire.begin(&self.name, number, names, frame));
            }
            Kind::Cancel => {
                let Some(call) = self.made.get(&number) else { return };
                wire.calls[*call].cancelled = true;
                let to = wire.calls[*call].to.clone();
                wire.note_of_call(*call, &self.name, &to, Said::of(kind, frame), None);
            }
            _ => wire.note(&self.name, HOST, Said::of(kind, frame)),
        }
    }

    fn send_reply(&mut self, frame: &Frame<'_>, bytes: &[u8], now_ns: u64) -> Result<bool, Failure> {
        let number = frame.header.number;
        let Some(call) = self.served.get(&number).copied() else { return Ok(true) };
        let mut wire = self.wire.lock();
        // To a call that was cancelled there is no reply that could be lost.
        let mishap = if wire.calls[call].cancelled { None } else { wire.strike(Leg::Reply, call) };
        let to = wire.calls[call].from.clone();
        wire.note_of_call(call, &self.name, &to, Said::of(Kind::Reply, frame), mishap);
        match mishap {
            None => {
                wire.calls[call].answered = true;
                self.served.remove(&number);
                Ok(true)
            }
            Some(Mishap::Crashed) => Err(crashed(number)),
            Some(Mishap::Lost) => {
                self.adrift.insert(number, None);
                Ok(false)
            }
            Some(Mishap::Delayed(by)) => {
                self.adrift.insert(number, Some(Late::new(Leg::Reply, now_ns, by, bytes)));
                Ok(false)
            }
        }
    }

    /// How many tasks the next turn may poll, if there is anything to do in it.
    fn next_turn(&self, inbox: &[u8], now_ns: u64) -> Option<u32> {
        match self.last {
            // It declares itself, which takes what it takes.
            None => Some(u32::MAX),
            Some(last) if inbox.is_empty() && !last.more && last.wake_at_ns > now_ns => None,
            Some(_) => Some(self.wire.lock().polls_max()),
        }
    }

    fn run(&mut self, prologue: Prologue, frames: &[u8]) -> Result<Turn, Failure> {
        let now_ns = prologue.monotonic_ns;
        let mut inbox = Vec::new();
        self.receive(frames, now_ns, &mut inbox)?;
        self.release(now_ns, &mut inbox);
        if let Some(polls_max) = self.next_turn(&inbox, now_ns) {
            let turn = self.inner.turn(prologue, &inbox, polls_max);
            // What was sent before a fault was sent.
            self.send(now_ns)?;
            self.last = Some(turn?);
        }
        let Turn { more, wake_at_ns } = self.last.expect("it had its first turn");
        let late_ns = self.adrift.values().flatten().map(|late| late.at_ns).min();
        Ok(Turn { more, wake_at_ns: late_ns.unwrap_or(NEVER).min(wake_at_ns) })
    }
}

impl Late {
    fn new(leg: Leg, now_ns: u64, by: Duration, bytes: &[u8]) -> Self {
        Late { leg, at_ns: now_ns.saturating_add(by.as_nanos() as u64), bytes: bytes.into() }
    }
}

/// The names of a service and of its method.
fn names(services: &[manifest::Service], service: u32, method: u32) -> (&str, &str) {
    let service = services.get(service as usize);
    let method = service.and_then(|service| service.methods.get(method as usize));
    (service.map_or("?", |service| &service.name), method.map_or("?", |method| &method.name))
}

/// A service ends while it has that call.
fn crashed(culprit: u64) -> Failure {
    Failure::Trap { reason: "the test has crashed it".into(), culprit: Some(culprit) }
}

impl Code for Wired {
    fn turn(&mut self, prologue: Prologue, frames: &[u8], _max_polls: u32) -> Result<Turn, Failure> {
        self.outbox.clear();
        let turn = self.run(prologue, frames);
        if let Err(fault) = &turn {
            self.wire.lock().note_end(&self.name, &fault.to_string());
        }
        turn
    }

    fn learn(&mut self, manifest: &Manifest) {
        self.inner.learn(manifest);
        self.manifest = manifest.clone();
        let exports = &mut self.wire.lock().exports;
        let is_new = |service: &&manifest::Service| exports.iter().all(|known| known.name != service.name);
        let new: Vec<_> = manifest.exports.iter().filter(is_new).cloned().collect();
        exports.extend(new);
    }

    fn outbox(&self) -> &[u8] {
        &self.outbox
    }

    fn take_output(&mut self, ended: bool, line: &mut dyn FnMut(Level, &str)) {
        let (wire, name) = (Arc::clone(&self.wire), &self.name);
        self.inner.take_output(ended, &mut |level, text| {
            let payload = text.as_bytes();
            wire.lock().note(
                name,
                HOST,
                Said { kind: Kind::Log, status: level as u32, flags: 0, detail: &[], payload },
            );
            line(level, text);
        });
    }
}
