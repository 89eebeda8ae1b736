//! One running guest, as the scheduler and its callers see it: a mailbox, the calls in flight, and the code.
//!
//! Whoever has something for an instance locks its mailbox for a few instructions. The worker that runs it takes the rest, its [`Body`], out
//! of the mailbox and puts it back after the turn: there is never a second one inside. Nobody locks two mailboxes at once, so
//! there is no order to keep.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use hashbrown::HashSet;
use parigot_abi::control::NEVER;
use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::id::{CallId, InstanceId};
use parigot_abi::{Frame, FrameBuilder, Frames, Header, Kind};
use parking_lot::Mutex;

use crate::code::{Code, Turn};
use crate::deployment::GuestSpec;
use crate::error::{Absence, Failure, Fault};
use crate::link::Link;
use crate::log::Speaker;
use crate::log_rate::LogRate;
use crate::slots::Slots;
use crate::table::Table;

/// Calls that an instance may have in flight, each way.
pub(crate) const CALLS_MAX: usize = 16 << 10;
/// Bytes that may wait in a mailbox before calls are refused and answers are replaced by a status.
pub(crate) const MAILBOX_BYTES_MAX: usize = 64 << 20;
/// A mailbox that grew beyond this is not kept for the next turn.
const MAILBOX_BYTES_KEPT: usize = 1 << 20;

/// The place of an instance among those of the kernel.
pub(crate) type Place = usize;

/// One running guest. A service that is made anew stays at its place, where it has another life and another id.
pub(crate) struct Instance {
    /// Only the log asks for it.
    id: Mutex<InstanceId>,
    /// How often it was made anew; changes under the lock of the mailbox alone.
    life: AtomicU32,
    pub(crate) place: Place,
    /// Whether it stands for guests of other processes: then the ids of the calls that it makes were given there.
    pub(crate) is_stand_in: bool,
    pub(crate) name: String,
    /// The frame that tells it that it is launched.
    introduction: Box<[u8]>,
    /// The zero of the guest's monotonic clock on the host's; another one in each life.
    started_ns: AtomicU64,
    /// How long calls to it may take if the caller does not say. What stands for others learns it with them, before it is ready.
    deadline_ns: AtomicU64,
    pub(crate) log_rate: LogRate,
    mail: Mutex<Mail>,
    /// How many calls it serves, or [`AWAY`]; changes under the lock of the mailbox alone.
    busy: AtomicU32,
}

/// What an instance that takes no calls counts as serving.
pub(crate) const AWAY: u32 = u32::MAX;

/// What only the worker touches that runs the instance.
pub(crate) struct Body {
    pub(crate) code: Box<dyn Code>,
    /// Where calls go, by handle.
    pub(crate) links: Vec<Link>,
    /// Calls that it waits for, by its own number.
    pub(crate) outbound: Table<Outbound>,
    /// The earliest deadline of those, or earlier.
    pub(crate) deadlines_ns: u64,
}

struct Mail {
    /// For the next turn.
    delivery: Box<Delivery>,
    /// Calls that it serves.
    inbound: Slots<Inbound>,
    run: Run,
    /// Why it takes no calls, if it takes none.
    absence: Option<Absence>,
    /// Here while nobody runs the instance.
    body: Option<Box<Body>>,
    /// The guest has said that it has work which is ready.
    more: bool,
    /// When the guest wants its next turn, on the host's clock.
    wake_ns: u64,
    /// When the timer will ring.
    alarm_ns: u64,
    /// Why it is to end before its next turn, if it is.
    doom: Option<Box<Fault>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Idle,
    Queued,
    Running,
    /// Something has come for it while it was running.
    RunningNotified,
    /// It has ended: nothing is taken any more, or not before it is made anew.
    Ended,
}

/// A call that an instance serves.
#[derive(Clone, Copy)]
pub(crate) struct Inbound {
    /// Who waits, or nobody if the call was cancelled.
    pub(crate) caller: Option<Caller>,
    /// The caller's number.
    pub(crate) number: u64,
    pub(crate) id: CallId,
}

/// An instance in one of its lives: what is meant for one that has ended does not reach the next.
#[derive(Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) place: Place,
    life: u32,
}

/// A call that an instance waits for.
#[derive(Clone, Copy)]
pub(crate) struct Outbound {
    pub(crate) callee: Place,
    /// The callee's number.
    pub(crate) inbound: u64,
    pub(crate) id: CallId,
    /// On the host's clock.
    pub(crate) deadline_ns: u64,
}

/// The calls that an instance had when it ended.
pub(crate) struct Abandoned {
    pub(crate) inbound: Slots<Inbound>,
    /// What had come for it and it has not been given.
    unread: Vec<u8>,
}

impl Abandoned {
    /// The numbers of the calls that it has not been given: they have not run.
    pub(crate) fn never_given(&self) -> HashSet<u64> {
        let calls = Frames::new(&self.unread).flatten().filter(|frame| frame.kind() == Some(Kind::Call));
        calls.map(|call| call.header.number).collect()
    }
}

/// Whether the instance must be queued by whoever has just left something for it.
#[must_use = "an instance that is not queued never runs"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    Queue,
    AlreadyAwake,
}

/// What becomes of an instance for which a worker has left the last of what it had to carry.
#[must_use = "an instance that nobody runs is lost"]
pub(crate) enum HandOver {
    Wake(Wake),
    /// It was idle, and is the worker's now.
    RunNext(Box<Body>),
}

/// The mail of one turn. It goes from the mailbox to the worker and an empty one back, so that its memory is used again.
#[derive(Default)]
pub(crate) struct Delivery {
    pub(crate) frames: Vec<u8>,
    /// The guest's numbers of the calls that end in these frames.
    pub(crate) ended_calls: Vec<u64>,
}

/// An instance that a worker has begun to run.
pub(crate) struct TurnStart {
    pub(crate) body: Box<Body>,
    /// Whether the guest itself has asked for this turn.
    pub(crate) wanted: bool,
    /// Why it is to end instead.
    pub(crate) doom: Option<Box<Fault>>,
}

/// What is to be done after a turn.
pub(crate) struct TurnEnd {
    pub(crate) wake: Wake,
    /// An alarm to set: when it was set before, and when it must ring.
    pub(crate) alarm: Option<(Option<u64>, u64)>,
}

impl Mail {
    fn notify(&mut self) -> Wake {
        match self.run {
            Run::Idle => {
                self.run = Run::Queued;
                Wake::Queue
            }
            Run::Running => {
                self.run = Run::RunningNotified;
                Wake::AlreadyAwake
            }
            Run::Queued | Run::RunningNotified | Run::Ended => Wake::AlreadyAwake,
        }
    }

    /// As [`Mail::notify`], but one that is idle is handed to the worker that brings an empty delivery, to be run next.
    #[inline]
    fn hand_over(&mut self, delivery: Option<&mut Box<Delivery>>) -> HandOver {
        match delivery {
            Some(delivery) if self.run == Run::Idle => match self.hand_out(delivery) {
                Some(body) => HandOver::RunNext(body),
                None => unreachable!("an idle instance has its body"),
            },
            _ => HandOver::Wake(self.notify()),
        }
    }

    /// Gives what has come and the body to a worker that brings an empty delivery; `None` if the instance has ended.
    #[inline]
    fn hand_out(&mut self, delivery: &mut Box<Delivery>) -> Option<Box<Body>> {
        let body = self.body.take()?;
        self.run = Run::Running;
        std::mem::swap(&mut self.delivery, delivery);
        Some(body)
    }

    fn end_call(&mut self, number: u64, id: CallId, failure: &Failure) {
        failure.push(number, id, &mut self.delivery.frames);
        self.delivery.ended_calls.push(number);
    }
}

/// Finishes a frame whose parts were all inside frames or mailboxes that are shorter than 4 GiB.
fn push(frame: FrameBuilder<'_>) {
    frame.finish().expect("a mailbox is shorter than 4 GiB");
}

impl Instance {
    /// An instance in its first turn.
    pub(crate) fn new(identity: Identity, spec: &GuestSpec, is_stand_in: bool) -> Self {
        Instance {
            id: Mutex::new(identity.id),
            life: AtomicU32::new(0),
            place: identity.place,
            is_stand_in,
            name: spec.name.clone(),
            introduction: identity.introduction,
            started_ns: AtomicU64::new(identity.started_ns),
            deadline_ns: AtomicU64::new(spec.deadline.as_nanos() as u64),
            log_rate: identity.log_rate,
            mail: Mutex::new(Mail {
                delivery: Box::default(),
                inbound: Slots::new(),
                run: Run::Running,
                absence: None,
                body: None,
                more: false,
                wake_ns: NEVER,
                alarm_ns: NEVER,
                doom: None,
            }),
            busy: AtomicU32::new(0),
        }
    }

    /// Lets those who choose between several know how busy it is, now that its mailbox has changed.
    fn show_busy(&self, mail: &Mail) {
        let busy = if mail.absence.is_none() { mail.inbound.len() as u32 } else { AWAY };
        self.busy.store(busy, Ordering::Relaxed);
    }

    /// How many calls it serves, or [`AWAY`], for those who choose between several.
    pub(crate) fn busy(&self) -> u32 {
        self.busy.load(Ordering::Relaxed)
    }

    /// How long calls to it may take if the caller does not say.
    pub(crate) fn deadline_ns(&self) -> u64 {
        self.deadline_ns.load(Ordering::Relaxed)
    }

    /// Calls to those for whom it stands may take so long if the caller does not say.
    pub(crate) fn set_deadline(&self, deadline_ns: u64) {
        self.deadline_ns.store(deadline_ns, Ordering::Relaxed);
    }

    /// Who it is in the log.
    pub(crate) fn speaker(&self) -> Speaker<'_> {
        Speaker { service: &self.name, instance: self.id(), rate: &self.log_rate }
    }

    /// The id that it has in this life.
    pub(crate) fn id(&self) -> InstanceId {
        *self.id.lock()
    }

    /// Itself, for those whom it calls. Read without the lock, by the worker that runs it: nobody else ends its life.
    pub(crate) fn as_caller(&self) -> Caller {
        Caller { place: self.place, life: self.life.load(Ordering::Relaxed) }
    }

    /// Whether it is still there in that life, seen by one who has locked the mailbox.
    fn lives(&self, mail: &Mail, life: u32) -> bool {
        mail.run != Run::Ended && life == self.life.load(Ordering::Relaxed)
    }

    /// Tells it that it is launched, in that life of its.
    pub(crate) fn post_launched(&self, life: u32) -> Wake {
        let mut mail = self.mail.lock();
        if !self.lives(&mail, life) {
            return Wake::AlreadyAwake;
        }
        mail.delivery.frames.extend_from_slice(&self.introduction);
        mail.notify()
    }

    /// Leaves a frame as it is, for a test's own instance.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn post(&self, header: Header, metadata: &[u8], payload: &[u8]) -> Wake {
        let mut mail = self.mail.lock();
        push(FrameBuilder::new(&mut mail.delivery.frames, header).metadata_bytes(metadata).payload(payload));
        mail.notify()
    }

    /// Tells it to finish the calls that it has, and to leave by that time of the host's clock. It takes no more calls.
    pub(crate) fn post_stop(&self, deadline_ns: u64) -> Wake {
        let deadline_ns = self.own_time_ns(deadline_ns);
        let mut mail = self.mail.lock();
        if mail.run == Run::Ended {
            return Wake::AlreadyAwake;
        }
        mail.absence = Some(Absence::Stopping);
        self.show_busy(&mail);
        push(FrameBuilder::new(&mut mail.delivery.frames, Header { deadline_ns, ..Header::new(Kind::Stop) }));
        mail.notify()
    }

    /// Sees to it that it ends for this reason and has no other turn.
    pub(crate) fn doom(&self, why: Fault) -> Wake {
        let mut mail = self.mail.lock();
        mail.doom = Some(Box::new(why));
        mail.notify()
    }

    /// How many calls it serves.
    pub(crate) fn calls(&self) -> usize {
        self.mail.lock().inbound.len()
    }

    /// Leaves a call, made at `now_ns`, and hands itself over to who brings a `delivery`. Returns the call's number here.
    #[inline]
    pub(crate) fn post_call(
        &self,
        call: Inbound,
        header: Header,
        frame: &Frame<'_>,
        now_ns: u64,
        delivery: Option<&mut Box<Delivery>>,
    ) -> Result<(u64, HandOver), Failure> {
        let mut mail = self.mail.lock();
        if let Some(absence) = &mail.absence {
            return Err(Failure::absent(&self.name, absence, now_ns).at(self));
        }
        if mail.inbound.len() >= CALLS_MAX {
            return Err(Failure::too_many_inbound(&self.name).at(self));
        }
        if mail.delivery.frames.len() + frame.content_bytes() > MAILBOX_BYTES_MAX {
            return Err(Failure::mailbox_full(&self.name, mail.delivery.frames.len()).at(self));
        }
        let number = mail.inbound.insert(call);
        self.show_busy(&mail);
        let header = Header { number, id: call.id.to_wire(), ..header };
        frame.pass_on(header, &mut mail.delivery.frames);
        Ok((number, mail.hand_over(delivery)))
    }

    /// Takes a call that was answered, or `None` if there is no such call.
    #[inline]
    pub(crate) fn take_inbound(&self, number: u64) -> Option<Inbound> {
        let mut mail = self.mail.lock();
        let call = mail.inbound.remove(number);
        self.show_busy(&mail);
        call
    }

    /// The id of a call that it serves.
    pub(crate) fn inbound_id(&self, number: u64) -> Option<CallId> {
        self.mail.lock().inbound.get_mut(number).map(|call| call.id)
    }

    /// Leaves the answer of `callee` to a call that it made, as this caller; with another detail than its own, if one is given.
    #[inline]
    pub(crate) fn post_reply(
        &self,
        caller: Caller,
        call: &Inbound,
        reply: &Frame<'_>,
        detail: Option<&[u8]>,
        callee: &Instance,
        delivery: Option<&mut Box<Delivery>>,
    ) -> HandOver {
        let mut mail = self.mail.lock();
        if !self.lives(&mail, caller.life) {
            return HandOver::Wake(Wake::AlreadyAwake);
        }
        if mail.delivery.frames.len() + reply.content_bytes() > MAILBOX_BYTES_MAX {
            let failure = Failure::no_room_for_answer(&self.name, mail.delivery.frames.len()).at(callee);
            mail.end_call(call.number, call.id, &failure);
            return mail.hand_over(delivery);
        }
        let Header { flags, status, .. } = reply.header;
        let header = Header { flags, number: call.number, status, id: call.id.to_wire(), ..Header::new(Kind::Reply) };
        match detail {
            None => reply.pass_on(header, &mut mail.delivery.frames),
            Some(detail) => {
                let frame = FrameBuilder::new(&mut mail.delivery.frames, header).metadata_bytes(reply.metadata);
                push(frame.detail_bytes(detail).payload(reply.payload));
            }
        }
        mail.delivery.ended_calls.push(call.number);
        mail.hand_over(delivery)
    }

    /// Tells it that a call which it made, as this caller, has failed.
    pub(crate) fn post_failure(&self, caller: Caller, number: u64, id: CallId, failure: &Failure) -> Wake {
        let mut mail = self.mail.lock();
        if !self.lives(&mail, caller.life) {
            return Wake::AlreadyAwake;
        }
        mail.end_call(number, id, failure);
        mail.notify()
    }

    /// Whether it runs no more, at least not before it is made anew.
    #[cfg(feature = "testing")]
    pub(crate) fn has_ended(&self) -> bool {
        self.mail.lock().run == Run::Ended
    }

    /// Tells it that nobody waits for a call any more: it still answers, and the answer goes nowhere. `None` if it has no such call any more: then
    /// whoever has taken that call tells its caller.
    pub(crate) fn post_cancel(&self, number: u64) -> Option<Wake> {
        let mut mail = self.mail.lock();
        mail.inbound.get_mut(number)?.caller = None;
        push(FrameBuilder::new(&mut mail.delivery.frames, Header { number, ..Header::new(Kind::Cancel) }));
        Some(mail.notify())
    }

    /// Gives it a turn, if it stands for others: it has something to look at.
    #[cfg(feature = "nats")]
    pub(crate) fn nudge(&self) -> Wake {
        self.mail.lock().notify()
    }

    /// The timer rings.
    pub(crate) fn ring(&self, at_ns: u64) -> Wake {
        let mut mail = self.mail.lock();
        if mail.alarm_ns == at_ns {
            mail.alarm_ns = NEVER;
        }
        mail.notify()
    }

    /// Takes what has come, into an empty `delivery`, and the body; `None` if the instance has ended.
    #[inline]
    pub(crate) fn begin_turn(&self, now_ns: u64, delivery: &mut Box<Delivery>) -> Option<TurnStart> {
        let mut mail = self.mail.lock();
        let body = mail.hand_out(delivery)?;
        // One that stands for others is told by its turn that something is in the post.
        let wanted = mail.more || mail.wake_ns <= now_ns || self.is_stand_in;
        Some(TurnStart { body, wanted, doom: mail.doom.take() })
    }

    /// Puts the body back and says how the turn ended; `None` if the guest was not entered.
    #[inline]
    pub(crate) fn end_turn(&self, body: Box<Body>, turn: Option<Turn>) -> TurnEnd {
        let mut mail = self.mail.lock();
        if let Some(turn) = turn {
            mail.more = turn.more;
            mail.wake_ns = turn.wake_at_ns.saturating_add(self.started_ns());
        }
        let again = mail.more || mail.run == Run::RunningNotified || mail.doom.is_some();
        mail.run = if again { Run::Queued } else { Run::Idle };
        let alarm_ns = mail.wake_ns.min(body.deadlines_ns);
        mail.body = Some(body);
        // An alarm that is too early does no harm, and moving it for each call would cost more.
        let alarm = (alarm_ns < mail.alarm_ns).then(|| {
            let previous_ns = std::mem::replace(&mut mail.alarm_ns, alarm_ns);
            ((previous_ns != NEVER).then_some(previous_ns), alarm_ns)
        });
        TurnEnd { wake: if again { Wake::Queue } else { Wake::AlreadyAwake }, alarm }
    }

    /// Closes the mailbox, and gives back the calls that were in it.
    pub(crate) fn close(&self, absence: Absence) -> Abandoned {
        let mut mail = self.mail.lock();
        mail.run = Run::Ended;
        let unread = std::mem::take(&mut *mail.delivery).frames;
        match (&mail.absence, &absence) {
            // It is as long as before that it has been down, and what will not come back need not be told twice.
            (Some(Absence::Restarting { .. }), Absence::Restarting { .. }) | (Some(Absence::Failed { .. }), _) => {}
            _ => mail.absence = Some(absence),
        }
        self.show_busy(&mail);
        Abandoned { inbound: mail.inbound.take(), unread }
    }

    /// Begins another life, with a first turn that the caller runs, and returns its number. Calls are taken once it is ready: see
    /// [`Instance::welcome_calls`].
    pub(crate) fn reopen(&self, id: InstanceId, started_ns: u64) -> u32 {
        *self.id.lock() = id;
        let mut mail = self.mail.lock();
        self.started_ns.store(started_ns, Ordering::Relaxed);
        let life = self.life.load(Ordering::Relaxed).wrapping_add(1);
        self.life.store(life, Ordering::Relaxed);
        // An alarm that is set stays so: a turn that nobody needs does no harm.
        (mail.run, mail.more, mail.wake_ns) = (Run::Running, false, NEVER);
        life
    }

    /// How many calls it serves, and how many it waits for; the latter are not known while it is in a turn.
    pub(crate) fn pending(&self) -> (usize, Option<usize>) {
        let mail = self.mail.lock();
        let outbound = match &mail.body {
            Some(body) => Some(body.outbound.len()),
            None => (mail.run == Run::Ended).then_some(0),
        };
        (mail.inbound.len(), outbound)
    }

    /// Takes calls from now on.
    pub(crate) fn welcome_calls(&self) {
        let mut mail = self.mail.lock();
        if mail.absence != Some(Absence::Stopping) {
            mail.absence = None;
            self.show_busy(&mail);
        }
    }

    fn started_ns(&self) -> u64 {
        self.started_ns.load(Ordering::Relaxed)
    }

    /// A moment of the host's clock on the guest's own.
    pub(crate) fn own_time_ns(&self, host_ns: u64) -> u64 {
        if host_ns == NO_DEADLINE { NO_DEADLINE } else { host_ns.saturating_sub(self.started_ns()) }
    }

    /// A moment of the guest's clock on the host's.
    pub(crate) fn host_time_ns(&self, own_ns: u64) -> u64 {
        if own_ns == NO_DEADLINE { NO_DEADLINE } else { own_ns.saturating_add(self.started_ns()) }
    }
}

impl Body {
    pub(crate) fn new(code: Box<dyn Code>, links: Vec<Link>) -> Box<Self> {
        Box::new(Body { code, links, outbound: Table::new(), deadlines_ns: NEVER })
    }

    /// Forgets the calls whose deadline has passed, and returns them with their numbers, for both sides to be told.
    pub(crate) fn expire(&mut self, now_ns: u64) -> Vec<(u64, Outbound)> {
        let expired = self.outbound.take_if(|call| call.deadline_ns <= now_ns);
        self.deadlines_ns = self.outbound.values().map(|call| call.deadline_ns).min().unwrap_or(NEVER);
        expired
    }
}

impl Delivery {
    /// Empties it, so that it can be used again.
    pub(crate) fn clear(&mut self) {
        self.ended_calls.clear();
        self.frames.clear();
        if self.frames.capacity() > MAILBOX_BYTES_KEPT {
            self.frames = Vec::new();
        }
    }
}

/// Which instance of a guest it is.
pub(crate) struct Identity {
    pub(crate) id: InstanceId,
    pub(crate) place: Place,
    /// The frame that tells it that it is launched.
    pub(crate) introduction: Box<[u8]>,
    pub(crate) started_ns: u64,
    /// What it has logged in its first turn.
    pub(crate) log_rate: LogRate,
}

#[cfg(test)]
mod tests {
    use parigot_abi::frame::Level;
    use parigot_abi::{Cause, Code as StatusCode, Detail, Frames, Manifest, Prologue};

    use super::*;
    use crate::deployment::Deployment;

    /// Nobody enters it.
    struct Nothing;

    impl Code for Nothing {
        fn turn(&mut self, _: Prologue, _: &[u8], _: u32) -> Result<Turn, Fault> {
            unreachable!("nobody enters it")
        }

        fn learn(&mut self, _: &Manifest) {}

        fn outbox(&self) -> &[u8] {
            &[]
        }

        fn take_output(&mut self, _: bool, _: &mut dyn FnMut(Level, &str)) {}
    }

    /// An idle instance that takes calls.
    fn idle() -> Instance {
        let deployment = "manifest_version = 1\n[service.echo]\nwasm = \"echo.wasm\"\n";
        let deployment = Deployment::parse(deployment, "app.toml".as_ref()).expect("the file is right");
        let spec = &deployment.guests[0];
        let log_rate = LogRate::new(spec.log_bytes);
        let id = InstanceId::from_random(1);
        let mut introduction = Vec::new();
        push(FrameBuilder::new(&mut introduction, Header::new(Kind::Launched)));
        let identity = Identity { id, place: 0, introduction: introduction.into(), started_ns: 0, log_rate };
        let instance = Instance::new(identity, spec, false);
        let mut mail = instance.mail.lock();
        mail.run = Run::Idle;
        mail.body = Some(Body::new(Box::new(Nothing), Vec::new()));
        drop(mail);
        instance
    }

    fn frames(instance: &Instance) -> Vec<Kind> {
        kinds(&instance.mail.lock().delivery)
    }

    fn kinds(delivery: &Delivery) -> Vec<Kind> {
        Frames::new(&delivery.frames).map(|frame| frame.expect("whole").kind().expect("known")).collect()
    }

    fn call(instance: &Instance) -> Result<(), Failure> {
        call_with(instance, None).map(drop)
    }

    fn call_with(instance: &Instance, delivery: Option<&mut Box<Delivery>>) -> Result<HandOver, Failure> {
        numbered_call(instance, delivery).map(|(_, hand_over)| hand_over)
    }

    fn numbered_call(instance: &Instance, delivery: Option<&mut Box<Delivery>>) -> Result<(u64, HandOver), Failure> {
        let mut bytes = Vec::new();
        push(FrameBuilder::new(&mut bytes, Header::new(Kind::Call)));
        let frame = Frames::new(&bytes).next().expect("there is one").expect("it is whole");
        let call = Inbound { caller: None, number: 1, id: CallId::from_random(1) };
        instance.post_call(call, Header::new(Kind::Call), &frame, 0, delivery)
    }

    #[test]
    fn one_that_is_idle_is_handed_over_with_its_mail_and_one_that_runs_is_not() {
        let instance = idle();
        let mut delivery = Box::default();
        assert!(matches!(call_with(&instance, Some(&mut delivery)), Ok(HandOver::RunNext(_))));
        assert_eq!(kinds(&delivery), [Kind::Call]);
        let mut other = Box::default();
        assert!(matches!(call_with(&instance, Some(&mut other)), Ok(HandOver::Wake(Wake::AlreadyAwake))));
        assert_eq!((kinds(&other), frames(&instance)), (vec![], vec![Kind::Call]));
    }

    #[test]
    fn one_that_has_mail_already_waits_in_the_queue_in_which_it_is() {
        let instance = idle();
        call(&instance).expect("it takes calls");
        let mut delivery = Box::default();
        assert!(matches!(call_with(&instance, Some(&mut delivery)), Ok(HandOver::Wake(Wake::AlreadyAwake))));
        assert_eq!((kinds(&delivery), frames(&instance)), (vec![], vec![Kind::Call; 2]));
    }

    #[test]
    fn a_call_that_is_being_answered_is_not_ended_by_another() {
        let instance = idle();
        let numbers = [(); 2].map(|()| numbered_call(&instance, None).expect("it takes calls").0);
        assert!(instance.take_inbound(numbers[0]).is_some(), "its answer is on its way");
        assert_eq!(numbers.map(|number| instance.post_cancel(number).is_some()), [false, true]);
        assert_eq!(frames(&instance), [Kind::Call, Kind::Call, Kind::Cancel]);
    }

    #[test]
    fn one_life_is_not_told_of_the_launch_of_another() {
        let instance = idle();
        assert_eq!(instance.post_launched(0), Wake::Queue);
        instance.close(Absence::Restarting { since_ns: 0 });
        assert_eq!(instance.reopen(InstanceId::from_random(2), 0), 1);
        assert_eq!(instance.post_launched(0), Wake::AlreadyAwake);
        assert_eq!(frames(&instance), []);
        assert_eq!(instance.post_launched(1), Wake::AlreadyAwake, "it is in its first turn");
        assert_eq!(frames(&instance), [Kind::Launched]);
    }

    #[test]
    fn one_that_was_told_to_leave_keeps_its_calls_and_gets_no_more() {
        let instance = idle();
        call(&instance).expect("it takes calls");
        assert_eq!(instance.post_stop(7), Wake::AlreadyAwake);
        let mut told = Vec::new();
        call(&instance).expect_err("it takes no more").push(1, CallId::from_random(1), &mut told);
        let told = Frames::new(&told).next().expect("there is one").expect("it is whole");
        let Detail { cause, message, .. } = Detail::read(told.detail);
        assert_eq!((told.header.status, cause), (StatusCode::Unavailable.number(), Cause::Unreachable));
        assert_eq!(message, "echo is stopping");
        assert_eq!(frames(&instance), [Kind::Call, Kind::Stop]);
        // It was on its way to being ready.
        instance.welcome_calls();
        assert!(call(&instance).is_err());
    }
}
