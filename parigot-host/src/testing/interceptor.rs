//! What stands between a guest and its host: it notes each frame, and does what faults say.
//!
//! The kernel knows nothing of it. To the kernel a call that was lost is one that its service has not answered yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::control::NEVER;
use parigot_abi::frame::{LAUNCH_NUMBER, Level};
use parigot_abi::{
    Cause, Code as StatusCode, Detail, Frame, FrameBuilder, Frames, Header, Kind, Manifest,
    Prologue, manifest,
};
use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;

use super::fault::{Fault, Leg};
use super::frame::{HOST, Mishap};
use super::record::{CallPlace, Record};
use crate::clock::ManualClock;
use crate::error::{Culprit, Fault as Failure, ModuleError};
use crate::guest::code::{Code, Mould, Turn};
use crate::guest::wasm::Surroundings;

/// What all guests of a run share.
pub(super) struct Wire {
    pub(super) record: Record,
    pub(super) faults: Vec<Fault>,
    /// What guests have declared that they export.
    pub(super) exports: Vec<manifest::Service>,
    chance: StdRng,
    /// Whether guests do less in a turn than they could, now and then.
    cuts_turns: bool,
}

impl Wire {
    pub(super) fn new(
        clock: Arc<ManualClock>,
        faults: Vec<Fault>,
        chance: StdRng,
        cuts_turns: bool,
    ) -> Self {
        Wire {
            record: Record::new(clock),
            faults,
            exports: Vec::new(),
            chance,
            cuts_turns,
        }
    }

    /// How many tasks a turn may poll: few now and then, as if a tick had fallen into it.
    fn polls_max(&mut self) -> u32 {
        if self.cuts_turns && self.chance.random_bool(0.25) {
            self.chance.random_range(1..=4)
        } else {
            u32::MAX
        }
    }

    /// What happens to a call on that leg.
    fn strike(&mut self, leg: Leg, call: CallPlace) -> Option<Mishap> {
        let Wire {
            faults,
            chance,
            record,
            ..
        } = self;
        let call = record.call(call);
        // Each of them counts the call; the first that strikes does it.
        faults.iter_mut().fold(None, |struck, fault| {
            let strikes = fault.strike(leg, call, chance);
            struck.or(strikes)
        })
    }
}

/// A guest behind the wire.
pub(super) struct WiredMould {
    pub(super) name: String,
    pub(super) wire: Arc<Mutex<Wire>>,
    pub(super) inner: Arc<dyn Mould>,
    /// Whether it is the test itself: what the host sends it are then the test's own wishes.
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
    made: HashMap<u64, CallPlace>,
    /// Calls that it has, by the host's numbers.
    served: HashMap<u64, CallPlace>,
    /// Of these the ones that it does not have, since they are lost, or late, on their way here or back.
    adrift: BTreeMap<u64, Adrift>,
    /// The call that it had when the test crashed it.
    crashed: Option<u64>,
}

enum Adrift {
    Lost,
    Late(Late),
}

/// A frame that comes late.
struct Late {
    leg: Leg,
    at_ns: u64,
    bytes: Vec<u8>,
    /// Its place in the record.
    frame: usize,
}

/// A frame that goes through the wire.
struct Passing<'a> {
    frame: Frame<'a>,
    bytes: &'a [u8],
    now_ns: u64,
}

/// Whether a frame goes on.
#[derive(PartialEq, Eq)]
enum Passage {
    Through,
    Held,
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
            adrift: BTreeMap::new(),
            crashed: None,
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
        Ok(Turn {
            more,
            wake_at_ns: wake_at_ns.min(self.next_release_ns()),
        })
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

    /// Takes in what has come; what reaches the guest goes into its inbox.
    fn receive(&mut self, frames: &[u8], now_ns: u64, inbox: &mut Vec<u8>) -> Result<(), Failure> {
        let mut rest = Frames::new(frames);
        loop {
            let start = rest.offset();
            let Some(frame) = rest.next() else {
                return Ok(());
            };
            let frame = frame.expect("the host writes frames");
            let passing = Passing {
                frame,
                bytes: &frames[start..rest.offset()],
                now_ns,
            };
            if self.receive_frame(&passing)? == Passage::Through {
                inbox.extend_from_slice(passing.bytes);
            }
        }
    }

    fn receive_frame(&mut self, passing: &Passing<'_>) -> Result<Passage, Failure> {
        let frame = &passing.frame;
        match frame.kind() {
            Some(Kind::Call | Kind::Cancel) if self.is_test => {}
            Some(Kind::Call) => return self.receive_call(passing),
            Some(Kind::Cancel) => return Ok(self.receive_cancel(frame)),
            Some(Kind::Reply) => {
                if let Some(call) = self.made.get(&frame.header.number) {
                    self.wire.lock().record.end(*call, frame);
                }
            }
            Some(kind) => {
                if kind == Kind::Launched {
                    self.learn_methods(frame);
                }
                self.wire.lock().record.note(HOST, &self.name, kind, frame);
            }
            None => {}
        }
        Ok(Passage::Through)
    }

    /// Learns what methods services have that it requires by name, which it is told when it is launched.
    fn learn_methods(&mut self, launched: &Frame<'_>) {
        for (service, method) in launched.metadata_pairs().flatten() {
            let method = manifest::Method {
                name: method.into(),
                budget_ns: 0,
                deadline_ns: 0,
            };
            let required = self
                .manifest
                .requires
                .iter_mut()
                .filter(|required| required.name == service);
            required.for_each(|required| required.methods.push(method.clone()));
        }
    }

    fn receive_call(&mut self, passing: &Passing<'_>) -> Result<Passage, Failure> {
        let mut wire = self.wire.lock();
        let Some((call, frame)) = wire.record.arrive(&passing.frame) else {
            return Ok(Passage::Through);
        };
        let mishap = wire.strike(Leg::Call, call);
        drop(wire);
        self.served.insert(passing.frame.header.number, call);
        self.suffer(mishap, Leg::Call, passing, frame)
    }

    /// Does to a frame what happens to it.
    fn suffer(
        &mut self,
        mishap: Option<Mishap>,
        leg: Leg,
        passing: &Passing<'_>,
        frame: usize,
    ) -> Result<Passage, Failure> {
        let Some(mishap) = mishap else {
            return Ok(Passage::Through);
        };
        self.wire.lock().record.note_mishap(frame, mishap);
        let number = passing.frame.header.number;
        let adrift = match mishap {
            Mishap::Lost => Adrift::Lost,
            Mishap::Delayed(by) => Adrift::Late(Late::new(leg, passing, by, frame)),
            Mishap::Crashed => {
                self.crashed = Some(number);
                return Err(Failure::Trap {
                    reason: "the test has crashed it".into(),
                });
            }
        };
        self.adrift.insert(number, adrift);
        Ok(Passage::Held)
    }

    /// Nobody waits for a call. If it is adrift the guest does not know of it, and the host must be answered here.
    fn receive_cancel(&mut self, frame: &Frame<'_>) -> Passage {
        let number = frame.header.number;
        let mut wire = self.wire.lock();
        if let Some(call) = self.served.get(&number) {
            wire.record.cancel_at_callee(*call, frame);
        }
        match self.adrift.remove(&number) {
            None => return Passage::Through,
            Some(Adrift::Lost) => {}
            // It comes no more.
            Some(Adrift::Late(late)) => wire.record.note_mishap(late.frame, Mishap::Lost),
        }
        self.served.remove(&number);
        let header = Header {
            number,
            status: StatusCode::Cancelled.number(),
            ..Header::new(Kind::Reply)
        };
        let reply =
            FrameBuilder::new(&mut self.outbox, header).detail(&Detail::new(Cause::Cancelled, ""));
        reply.finish().expect("it is short");
        Passage::Held
    }

    /// Lets what is late go on once its time has come, calls into the inbox, replies into the outbox.
    fn release(&mut self, now_ns: u64, inbox: &mut Vec<u8>) {
        let is_due = |_: &u64, adrift: &mut Adrift| matches!(adrift, Adrift::Late(late) if late.at_ns <= now_ns);
        let mut due: Vec<_> = self.adrift.extract_if(.., is_due).collect();
        due.sort_by_key(|(_, adrift)| adrift.at_ns());
        for (number, adrift) in due {
            let Adrift::Late(late) = adrift else { continue };
            match late.leg {
                Leg::Call => inbox.extend_from_slice(&late.bytes),
                Leg::Reply => {
                    self.outbox.extend_from_slice(&late.bytes);
                    self.served
                        .remove(&number)
                        .into_iter()
                        .for_each(|call| self.wire.lock().record.release(call));
                }
            }
        }
    }

    /// When the next that is late goes on, on the guest's own clock.
    fn next_release_ns(&self) -> u64 {
        self.adrift
            .values()
            .map(Adrift::at_ns)
            .min()
            .unwrap_or(NEVER)
    }

    /// Takes over what the guest has sent; what reaches the host goes into the outbox.
    fn send(&mut self, now_ns: u64) -> Result<(), Failure> {
        let sent = self.inner.outbox().to_vec();
        let mut rest = Frames::new(&sent);
        loop {
            let start = rest.offset();
            let Some(frame) = rest.next() else {
                return Ok(());
            };
            let Ok(frame) = frame else {
                // The host shall see for itself.
                self.outbox.extend_from_slice(&sent[start..]);
                return Ok(());
            };
            let passing = Passing {
                frame,
                bytes: &sent[start..rest.offset()],
                now_ns,
            };
            if self.send_frame(&passing)? == Passage::Through {
                self.outbox.extend_from_slice(passing.bytes);
            }
        }
    }

    fn send_frame(&mut self, passing: &Passing<'_>) -> Result<Passage, Failure> {
        let frame = &passing.frame;
        let Header {
            number,
            service,
            method,
            ..
        } = frame.header;
        let mut wire = self.wire.lock();
        match frame.kind() {
            Some(Kind::Reply) if number != LAUNCH_NUMBER => {
                drop(wire);
                return self.send_reply(passing);
            }
            Some(Kind::Call) => {
                let call = wire.record.begin(
                    &self.name,
                    names(&self.manifest.requires, service, method),
                    frame,
                );
                self.made.insert(number, call);
            }
            Some(Kind::Cancel) => {
                self.made
                    .get(&number)
                    .into_iter()
                    .for_each(|call| wire.record.cancel(*call, frame));
            }
            Some(kind) => wire.record.note(&self.name, HOST, kind, frame),
            None => {}
        }
        Ok(Passage::Through)
    }

    fn send_reply(&mut self, passing: &Passing<'_>) -> Result<Passage, Failure> {
        let number = passing.frame.header.number;
        let Some(call) = self.served.get(&number).copied() else {
            return Ok(Passage::Through);
        };
        let mut wire = self.wire.lock();
        let frame = wire.record.answer(call, &passing.frame);
        // An answer that goes nowhere cannot be lost.
        let mishap = if wire.record.call(call).is_cancelled {
            None
        } else {
            wire.strike(Leg::Reply, call)
        };
        if mishap.is_none() {
            wire.record.release(call);
            self.served.remove(&number);
        }
        drop(wire);
        self.suffer(mishap, Leg::Reply, passing, frame)
    }
}

impl Adrift {
    fn at_ns(&self) -> u64 {
        match self {
            Adrift::Lost => NEVER,
            Adrift::Late(late) => late.at_ns,
        }
    }
}

impl Late {
    fn new(leg: Leg, passing: &Passing<'_>, by: Duration, frame: usize) -> Self {
        let at_ns = passing.now_ns.saturating_add(by.as_nanos() as u64);
        Late {
            leg,
            at_ns,
            bytes: passing.bytes.into(),
            frame,
        }
    }
}

/// The names of a service and of its method.
fn names(services: &[manifest::Service], service: u32, method: u32) -> (&str, &str) {
    let service = services.get(service as usize);
    let method = service.and_then(|service| service.methods.get(method as usize));
    (
        service.map_or("?", |service| &service.name),
        method.map_or("?", |method| &method.name),
    )
}

impl Code for Wired {
    fn turn(
        &mut self,
        prologue: Prologue,
        frames: &[u8],
        _max_polls: u32,
    ) -> Result<Turn, Failure> {
        self.outbox.clear();
        let turn = self.run(prologue, frames);
        if let Err(fault) = &turn {
            self.wire
                .lock()
                .record
                .note_end(&self.name, &fault.to_string());
        }
        turn
    }

    fn learn(&mut self, manifest: &Manifest) {
        self.inner.learn(manifest);
        self.manifest = manifest.clone();
        let exports = &mut self.wire.lock().exports;
        for service in &manifest.exports {
            if exports.iter().all(|known| known.name != service.name) {
                exports.push(service.clone());
            }
        }
    }

    fn culprit(&self) -> Option<Culprit> {
        self.crashed
            .map(|call| Culprit { call, method: None })
            .or_else(|| self.inner.culprit())
    }

    fn outbox(&self) -> &[u8] {
        &self.outbox
    }

    fn take_output(&mut self, ended: bool, line: &mut dyn FnMut(Level, &str)) {
        let (wire, name) = (&self.wire, &self.name);
        self.inner.take_output(ended, &mut |level, text| {
            wire.lock().record.note_line(name, level as u32, text);
            line(level, text);
        });
    }
}
