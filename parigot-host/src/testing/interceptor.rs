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
use super::frame::{Effect, HOST};
use super::record::{CallPlace, Record};
use crate::clock::ManualClock;
use crate::error::{ActiveCall, GuestFault};
use crate::guest::code::{GuestInstance, InstanceConfig, InstanceFactory, InstantiateError, Turn};

/// What all guests of a run share.
pub(super) struct Interceptor {
    pub(super) record: Record,
    pub(super) faults: Vec<Fault>,
    /// What guests have declared that they export.
    pub(super) exports: Vec<manifest::Service>,
    chance: StdRng,
    /// Whether guests do less in a turn than they could, now and then.
    cuts_turns: bool,
}

impl Interceptor {
    pub(super) fn new(
        clock: Arc<ManualClock>,
        faults: Vec<Fault>,
        chance: StdRng,
        cuts_turns: bool,
    ) -> Self {
        Interceptor {
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
    fn strike(&mut self, leg: Leg, call: CallPlace) -> Option<Effect> {
        let Interceptor {
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

/// A guest behind the interceptor.
pub(super) struct InterceptedFactory {
    pub(super) name: String,
    pub(super) interceptor: Arc<Mutex<Interceptor>>,
    pub(super) inner: Arc<dyn InstanceFactory>,
    /// Whether it is the test itself: what the host sends it are then the test's own wishes.
    pub(super) is_test: bool,
}

impl InstanceFactory for InterceptedFactory {
    fn instantiate(
        &self,
        config: InstanceConfig<'_>,
        line: &mut dyn FnMut(Level, &str),
    ) -> Result<Box<dyn GuestInstance>, InstantiateError> {
        let inner = self.inner.instantiate(config, line)?;
        Ok(Box::new(Intercepted::new(self, inner)))
    }
}

/// An instance behind the interceptor.
struct Intercepted {
    name: String,
    interceptor: Arc<Mutex<Interceptor>>,
    is_test: bool,
    inner: Box<dyn GuestInstance>,
    manifest: Manifest,
    outbox: Vec<u8>,
    /// How its last turn ended; none before the first.
    last: Option<Turn>,
    /// Calls that it has made, by its own numbers.
    made: HashMap<u64, CallPlace>,
    /// Calls that it has, by the host's numbers.
    served: HashMap<u64, CallPlace>,
    /// Of these the ones that it does not have, since they are lost, or late, on their way here or back.
    delayed: BTreeMap<u64, Delayed>,
    /// The call that it had when the test crashed it.
    crashed: Option<u64>,
}

enum Delayed {
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

/// A frame that goes through the interceptor.
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
            made: HashMap::new(),
            served: HashMap::new(),
            delayed: BTreeMap::new(),
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
            Some(_) => Some(self.interceptor.lock().polls_max()),
        }
    }

    /// Takes in what has come; what reaches the guest goes into its inbox.
    fn receive(
        &mut self,
        frames: &[u8],
        now_ns: u64,
        inbox: &mut Vec<u8>,
    ) -> Result<(), GuestFault> {
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

    fn receive_frame(&mut self, passing: &Passing<'_>) -> Result<Passage, GuestFault> {
        let frame = &passing.frame;
        match frame.kind() {
            Some(Kind::Call | Kind::Cancel) if self.is_test => {}
            Some(Kind::Call) => return self.receive_call(passing),
            Some(Kind::Cancel) => return Ok(self.receive_cancel(frame)),
            Some(Kind::Reply) => {
                if let Some(call) = self.made.get(&frame.header.number) {
                    self.interceptor.lock().record.end(*call, frame);
                }
            }
            Some(kind) => {
                if kind == Kind::Launched {
                    self.learn_methods(frame);
                }
                self.interceptor
                    .lock()
                    .record
                    .note(HOST, &self.name, kind, frame);
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

    fn receive_call(&mut self, passing: &Passing<'_>) -> Result<Passage, GuestFault> {
        let mut interceptor = self.interceptor.lock();
        let Some((call, frame)) = interceptor.record.arrive(&passing.frame) else {
            return Ok(Passage::Through);
        };
        let effect = interceptor.strike(Leg::Call, call);
        drop(interceptor);
        self.served.insert(passing.frame.header.number, call);
        self.suffer(effect, Leg::Call, passing, frame)
    }

    /// Does to a frame what happens to it.
    fn suffer(
        &mut self,
        effect: Option<Effect>,
        leg: Leg,
        passing: &Passing<'_>,
        frame: usize,
    ) -> Result<Passage, GuestFault> {
        let Some(effect) = effect else {
            return Ok(Passage::Through);
        };
        self.interceptor.lock().record.note_effect(frame, effect);
        let number = passing.frame.header.number;
        let delayed = match effect {
            Effect::Lost => Delayed::Lost,
            Effect::Delayed(by) => Delayed::Late(Late::new(leg, passing, by, frame)),
            Effect::Crashed => {
                self.crashed = Some(number);
                return Err(GuestFault::Trap {
                    reason: "the test has crashed it".into(),
                });
            }
        };
        self.delayed.insert(number, delayed);
        Ok(Passage::Held)
    }

    /// Nobody waits for a call. If it is delayed the guest does not know of it, and the host must be answered here.
    fn receive_cancel(&mut self, frame: &Frame<'_>) -> Passage {
        let number = frame.header.number;
        let mut interceptor = self.interceptor.lock();
        if let Some(call) = self.served.get(&number) {
            interceptor.record.cancel_at_callee(*call, frame);
        }
        match self.delayed.remove(&number) {
            None => return Passage::Through,
            Some(Delayed::Lost) => {}
            // It comes no more.
            Some(Delayed::Late(late)) => interceptor.record.note_effect(late.frame, Effect::Lost),
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
        let is_due = |_: &u64, delayed: &mut Delayed| matches!(delayed, Delayed::Late(late) if late.at_ns <= now_ns);
        let mut due: Vec<_> = self.delayed.extract_if(.., is_due).collect();
        due.sort_by_key(|(_, delayed)| delayed.at_ns());
        for (number, delayed) in due {
            let Delayed::Late(late) = delayed else {
                continue;
            };
            match late.leg {
                Leg::Call => inbox.extend_from_slice(&late.bytes),
                Leg::Reply => {
                    self.outbox.extend_from_slice(&late.bytes);
                    self.served
                        .remove(&number)
                        .into_iter()
                        .for_each(|call| self.interceptor.lock().record.release(call));
                }
            }
        }
    }

    /// When the next that is late goes on, on the guest's own clock.
    fn next_release_ns(&self) -> u64 {
        self.delayed
            .values()
            .map(Delayed::at_ns)
            .min()
            .unwrap_or(NEVER)
    }

    /// Takes over what the guest has sent; what reaches the host goes into the outbox.
    fn send(&mut self, now_ns: u64) -> Result<(), GuestFault> {
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

    fn send_frame(&mut self, passing: &Passing<'_>) -> Result<Passage, GuestFault> {
        let frame = &passing.frame;
        let Header {
            number,
            service,
            method,
            ..
        } = frame.header;
        let mut interceptor = self.interceptor.lock();
        match frame.kind() {
            Some(Kind::Reply) if number != LAUNCH_NUMBER => {
                drop(interceptor);
                return self.send_reply(passing);
            }
            Some(Kind::Call) => {
                let call = interceptor.record.begin(
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
                    .for_each(|call| interceptor.record.cancel(*call, frame));
            }
            Some(kind) => interceptor.record.note(&self.name, HOST, kind, frame),
            None => {}
        }
        Ok(Passage::Through)
    }

    fn send_reply(&mut self, passing: &Passing<'_>) -> Result<Passage, GuestFault> {
        let number = passing.frame.header.number;
        let Some(call) = self.served.get(&number).copied() else {
            return Ok(Passage::Through);
        };
        let mut interceptor = self.interceptor.lock();
        let frame = interceptor.record.answer(call, &passing.frame);
        // An answer that goes nowhere cannot be lost.
        let effect = if interceptor.record.call(call).is_cancelled {
            None
        } else {
            interceptor.strike(Leg::Reply, call)
        };
        if effect.is_none() {
            interceptor.record.release(call);
            self.served.remove(&number);
        }
        drop(interceptor);
        self.suffer(effect, Leg::Reply, passing, frame)
    }
}

impl Delayed {
    fn at_ns(&self) -> u64 {
        match self {
            Delayed::Lost => NEVER,
            Delayed::Late(late) => late.at_ns,
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

    fn learn(&mut self, manifest: &Manifest) {
        self.inner.learn(manifest);
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

    fn outbox(&self) -> &[u8] {
        &self.outbox
    }

    fn take_output(&mut self, ended: bool, line: &mut dyn FnMut(Level, &str)) {
        let (interceptor, name) = (&self.interceptor, &self.name);
        self.inner.take_output(ended, &mut |level, text| {
            interceptor
                .lock()
                .record
                .note_line(name, level as u32, text);
            line(level, text);
        });
    }
}
