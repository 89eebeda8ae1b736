//! One running guest, as the scheduler and its callers see it: a seat for its body, and a mailbox.
//!
//! Whoever runs an instance takes its [`InstanceState`] out of its [`Slot`] and puts it back after the turn: there is never a second one inside. Who
//! has something for it and may run it next takes the body as well, if it is idle, and needs no lock. All others lock the mailbox
//! for a few instructions and notify. Nobody locks two mailboxes at once, so there is no order to keep.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use hashbrown::HashSet;
use parigot_abi::control::NEVER;
use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::id::{CallId, InstanceId};
use parigot_abi::{Frame, FrameBuilder, Frames, Header, Kind};
use parking_lot::Mutex;

use crate::deployment::GuestSpec;
use crate::error::{Failure, GuestFault, Unavailable};
use crate::guest::code::{GuestInstance, Turn};
use crate::kernel::call_table::Table;
use crate::kernel::index::InstanceIndex;
use crate::kernel::route::Route;
use crate::kernel::slot::Slot;
pub(crate) use crate::kernel::slot::Wake;
use crate::limits::{CALLS_MAX, MAILBOX_BYTES_MAX};
use crate::log::guest_log::GuestLog;
use crate::log::rate_limit::LogRate;

/// A mailbox that grew beyond this is not kept for the next turn.
const MAILBOX_BYTES_KEPT: usize = 1 << 20;

/// One running guest. A service that is made anew stays at its place, where it has another life and another id.
pub(crate) struct Instance {
    /// Only the log asks for it.
    id: Mutex<InstanceId>,
    /// How often it was made anew; changes under the lock of the mailbox alone.
    generation: AtomicU32,
    pub(crate) index: InstanceIndex,
    /// Whether it stands for guests of other processes: then the ids of the calls that it makes were given there.
    pub(crate) is_proxy: bool,
    pub(crate) name: String,
    /// The frame that tells it that it is launched.
    launched_frame: Box<[u8]>,
    /// The zero of the guest's monotonic clock on the host's; another one in each life.
    started_ns: AtomicU64,
    /// How long calls to it may take if the caller does not say. What stands for others learns it with them, before it is ready.
    deadline_ns: AtomicU64,
    pub(crate) log_rate: LogRate,
    /// Its body, while nobody runs it; closed while it takes no calls.
    slot: Slot<InstanceState>,
    mailbox: Mutex<Mailbox>,
    /// When the timer will ring.
    wake_at_ns: AtomicU64,
    /// How many calls it serves, and how many it waits for: for all others to see, by whoever runs it.
    serves: AtomicU32,
    awaits: AtomicU32,
    /// How many calls wait in its mailbox; changes under the lock of that alone.
    waiting: AtomicU32,
}

/// What only the worker touches that runs the instance.
pub(crate) struct InstanceState {
    pub(crate) code: Box<dyn GuestInstance>,
    /// Where calls go, by handle.
    pub(crate) routes: Vec<Route>,
    pub(crate) calls: Calls,
    /// When its last turn began: its time does not go back.
    pub(crate) began_ns: u64,
    /// The guest has said that it has work which is ready.
    more: bool,
    /// When the guest wants its next turn, on the host's clock.
    wake_ns: u64,
}

/// The calls of an instance.
pub(crate) struct Calls {
    /// Those that it waits for, by its own number.
    pub(crate) outbound: Table<Outbound>,
    /// The earliest deadline of those, or earlier.
    pub(crate) deadlines_ns: u64,
    /// Those that it serves.
    pub(crate) inbound: Table<Inbound>,
    /// The number of the last that came past the mailbox.
    last_number: u64,
}

/// What has come for an instance from those who could not take its body.
struct Mailbox {
    /// For the next turn.
    batch: Box<Batch>,
    /// The number of the last call that was left here.
    last_number: u64,
    /// Why it takes no calls, if it takes none.
    unavailable_reason: Option<Unavailable>,
    /// Nothing is taken any more, or not before it is made anew.
    has_ended: bool,
    /// Why it is to end before its next turn, if it is.
    kill_reason: Option<Box<GuestFault>>,
}

/// Numbers of calls that were left in a mailbox begin here, others at 1: two spaces, each with a counter that needs no other lock.
const FIRST_NUMBER_IN_MAILBOX: u64 = 1 << 63;

/// A call that an instance serves.
#[derive(Clone, Copy)]
pub(crate) struct Inbound {
    /// Who waits, or nobody if the call was cancelled.
    pub(crate) caller: Option<InstanceIndex>,
    /// The caller's number.
    pub(crate) number: u64,
    pub(crate) id: CallId,
}

/// A call that an instance waits for.
#[derive(Clone, Copy)]
pub(crate) struct Outbound {
    pub(crate) callee: InstanceIndex,
    /// The callee's number.
    pub(crate) inbound: u64,
    pub(crate) id: CallId,
    /// On the host's clock.
    pub(crate) deadline_ns: u64,
}

/// What becomes of an instance for which a worker has left the last of what it had to carry.
#[must_use = "an instance that nobody runs is lost"]
pub(crate) enum Handoff {
    Wake(Wake),
    /// It was idle, and is the worker's now.
    RunNext(Box<InstanceState>),
}

/// The mail of one turn. It goes from the mailbox to the worker and an empty one back, so that its memory is used again.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) frames: Vec<u8>,
    /// The calls that come in these frames, with their numbers.
    arrivals: Vec<(u64, Inbound)>,
    /// The calls that end in these frames.
    answered: Vec<CallName>,
    /// Calls that it serves and for which nobody waits any more.
    cancelled: Vec<CallName>,
}

/// A call by the number that it has at one side. Numbers are used again in another life, ids are not.
#[derive(Clone, Copy)]
struct CallName {
    number: u64,
    id: CallId,
}

/// An instance that a worker has begun to run.
pub(crate) struct TurnStart {
    pub(crate) body: Box<InstanceState>,
    /// Whether the guest itself has asked for this turn.
    pub(crate) wanted: bool,
    /// Why it is to end instead.
    pub(crate) kill_reason: Option<Box<GuestFault>>,
}

/// What is to be done after a turn.
pub(crate) struct TurnEnd {
    pub(crate) wake: Wake,
    /// Change of the instance's timer, if the timer must fire earlier than set.
    pub(crate) timer: Option<TimerChange>,
}

/// Change of an instance's timer, in ns on the host's clock.
pub(crate) struct TimerChange {
    /// Time to which the timer is set now, if it is set.
    pub(crate) previous_ns: Option<u64>,
    pub(crate) wake_at_ns: u64,
}

impl Mailbox {
    fn end_call(&mut self, number: u64, id: CallId, failure: &Failure) {
        failure.push(number, id, &mut self.batch.frames);
        self.batch.answered.push(CallName { number, id });
    }
}

/// Finishes a frame whose parts were all inside frames or mailboxes that are shorter than 4 GiB.
fn push(frame: FrameBuilder<'_>) {
    frame.finish().expect("a mailbox is shorter than 4 GiB");
}

impl Instance {
    /// An instance in its first turn.
    pub(crate) fn new(identity: Identity, spec: &GuestSpec, is_proxy: bool) -> Self {
        Instance {
            id: Mutex::new(identity.id),
            generation: AtomicU32::new(0),
            index: identity.index,
            is_proxy,
            name: spec.name.clone(),
            launched_frame: identity.launched_frame,
            started_ns: AtomicU64::new(identity.started_ns),
            deadline_ns: AtomicU64::new(spec.deadline.as_nanos() as u64),
            log_rate: identity.log_rate,
            slot: Slot::empty(),
            mailbox: Mutex::new(Mailbox {
                batch: Box::default(),
                last_number: FIRST_NUMBER_IN_MAILBOX,
                unavailable_reason: None,
                has_ended: false,
                kill_reason: None,
            }),
            wake_at_ns: AtomicU64::new(NEVER),
            serves: AtomicU32::new(0),
            awaits: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
        }
    }

    /// Returns the number of calls that the instance serves, or `None` if it takes no calls.
    pub(crate) fn load(&self) -> Option<usize> {
        (!self.slot.is_closed()).then(|| self.calls())
    }

    /// How many calls it serves.
    pub(crate) fn calls(&self) -> usize {
        (self.serves.load(Ordering::Relaxed) + self.waiting.load(Ordering::Relaxed)) as usize
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
    pub(crate) fn guest_log(&self) -> GuestLog<'_> {
        GuestLog {
            service: &self.name,
            instance: self.id(),
            rate: &self.log_rate,
        }
    }

    /// Returns the instance for the failure of a call to it: empty for a proxy, because this
    /// process does not know whether the call reached its remote service.
    pub(crate) fn id_in_failure(&self) -> InstanceId {
        if self.is_proxy {
            InstanceId::EMPTY
        } else {
            self.id()
        }
    }

    /// The id that it has in this life.
    pub(crate) fn id(&self) -> InstanceId {
        *self.id.lock()
    }

    /// Tells it that it is launched, in that life of its.
    pub(crate) fn enqueue_launched(&self, generation: u32) -> Wake {
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended || generation != self.generation.load(Ordering::Relaxed) {
            return Wake::AlreadyAwake;
        }
        mailbox.batch.frames.extend_from_slice(&self.launched_frame);
        self.slot.notify()
    }

    /// Leaves a frame as it is, for a test's own instance.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn enqueue_frame(&self, header: Header, metadata: &[u8], payload: &[u8]) -> Wake {
        let mut mailbox = self.mailbox.lock();
        push(
            FrameBuilder::new(&mut mailbox.batch.frames, header)
                .metadata_bytes(metadata)
                .payload(payload),
        );
        self.slot.notify()
    }

    /// Tells it to finish the calls that it has, and to leave by that time of the host's clock. It takes no more calls.
    pub(crate) fn enqueue_stop(&self, deadline_ns: u64) -> Wake {
        let deadline_ns = self.own_time_ns(deadline_ns);
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended {
            return Wake::AlreadyAwake;
        }
        mailbox.unavailable_reason = Some(Unavailable::Stopping);
        push(FrameBuilder::new(
            &mut mailbox.batch.frames,
            Header {
                deadline_ns,
                ..Header::new(Kind::Stop)
            },
        ));
        self.slot.close()
    }

    /// Sees to it that it ends for this reason and has no other turn.
    pub(crate) fn kill(&self, why: GuestFault) -> Wake {
        let mut mailbox = self.mailbox.lock();
        mailbox.kill_reason = Some(Box::new(why));
        self.slot.notify()
    }

    /// Brings a call, made at `now_ns`. One that is idle gets it in the worker's empty `batch`, if there is one, and is handed over; else the
    /// call is left in the mailbox. Returns the call's number here.
    #[inline(always)]
    pub(crate) fn send_call(
        &self,
        call: Inbound,
        header: Header,
        frame: &Frame<'_>,
        now_ns: u64,
        batch: Option<&mut Box<Batch>>,
    ) -> Result<(u64, Handoff), Failure> {
        if let Some(batch) = batch
            && self.calls() < CALLS_MAX
            && frame.content_bytes() <= MAILBOX_BYTES_MAX
            && let Some(mut body) = self.slot.take_idle()
        {
            let number = body.calls.number_next();
            body.calls.inbound.insert(number, call);
            self.show_calls(&body.calls);
            batch.push_call(number, &call, header, frame);
            return Ok((number, Handoff::RunNext(body)));
        }
        self.enqueue_call(call, header, frame, now_ns)
            .map(|(number, wake)| (number, Handoff::Wake(wake)))
    }

    fn enqueue_call(
        &self,
        call: Inbound,
        header: Header,
        frame: &Frame<'_>,
        now_ns: u64,
    ) -> Result<(u64, Wake), Failure> {
        let mut mailbox = self.mailbox.lock();
        if let Some(unavailable_reason) = &mailbox.unavailable_reason {
            return Err(
                Failure::absent(&self.name, unavailable_reason, now_ns).at(self.id_in_failure())
            );
        }
        if self.calls() >= CALLS_MAX {
            return Err(Failure::too_many_inbound(&self.name).at(self.id_in_failure()));
        }
        if mailbox.batch.frames.len() + frame.content_bytes() > MAILBOX_BYTES_MAX {
            return Err(
                Failure::mailbox_full(&self.name, mailbox.batch.frames.len())
                    .at(self.id_in_failure()),
            );
        }
        mailbox.last_number += 1;
        let number = mailbox.last_number;
        mailbox.batch.push_call(number, &call, header, frame);
        mailbox.batch.arrivals.push((number, call));
        self.show_waiting(&mailbox);
        Ok((number, self.slot.notify()))
    }

    /// Brings the answer of `callee` to a call that it made, as [`Instance::send_call`] brings a call; with another detail than its own, if one
    /// is given.
    #[inline(always)]
    pub(crate) fn send_reply(
        &self,
        call: &Inbound,
        reply: &Frame<'_>,
        detail: Option<&[u8]>,
        callee: &Instance,
        batch: Option<&mut Box<Batch>>,
    ) -> Handoff {
        if let Some(batch) = batch
            && reply.content_bytes() <= MAILBOX_BYTES_MAX
            && let Some(mut body) = self.slot.take_idle()
        {
            // Else nobody waits for it any more.
            if body.calls.end(call.number, call.id) {
                batch.push_reply(call, reply, detail);
            }
            return Handoff::RunNext(body);
        }
        Handoff::Wake(self.enqueue_reply(call, reply, detail, callee))
    }

    fn enqueue_reply(
        &self,
        call: &Inbound,
        reply: &Frame<'_>,
        detail: Option<&[u8]>,
        callee: &Instance,
    ) -> Wake {
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended {
            return Wake::AlreadyAwake;
        }
        if mailbox.batch.frames.len() + reply.content_bytes() > MAILBOX_BYTES_MAX {
            let failure = Failure::no_room_for_answer(&self.name, mailbox.batch.frames.len())
                .at(callee.id_in_failure());
            mailbox.end_call(call.number, call.id, &failure);
        } else {
            mailbox.batch.push_reply(call, reply, detail);
            mailbox.batch.answered.push(CallName {
                number: call.number,
                id: call.id,
            });
        }
        self.slot.notify()
    }

    /// Tells it that a call which it made has failed.
    pub(crate) fn enqueue_failure(&self, number: u64, id: CallId, failure: &Failure) -> Wake {
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended {
            return Wake::AlreadyAwake;
        }
        mailbox.end_call(number, id, failure);
        self.slot.notify()
    }

    /// Tells it, by whoever runs it, that a call which it wanted to make was not made.
    pub(crate) fn enqueue_call_refused(&self, number: u64, id: CallId, failure: &Failure) -> Wake {
        failure.push(number, id, &mut self.mailbox.lock().batch.frames);
        self.slot.notify()
    }

    /// Whether it runs no more, at least not before it is made anew.
    pub(crate) fn has_ended(&self) -> bool {
        self.mailbox.lock().has_ended
    }

    /// Tells it that nobody waits for a call any more. If it serves that call, it still answers, and the answer goes nowhere.
    pub(crate) fn enqueue_cancel(&self, number: u64, id: CallId) -> Wake {
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended {
            return Wake::AlreadyAwake;
        }
        mailbox.batch.cancelled.push(CallName { number, id });
        self.slot.notify()
    }

    /// Gives it a turn, if it stands for others: it has something to look at.
    #[cfg(feature = "nats")]
    pub(crate) fn notify(&self) -> Wake {
        self.slot.notify()
    }

    /// The timer rings.
    pub(crate) fn fire(&self, at_ns: u64) -> Wake {
        // If it is not set to that moment, it was set anew meanwhile.
        let _ =
            self.wake_at_ns
                .compare_exchange(at_ns, NEVER, Ordering::Relaxed, Ordering::Relaxed);
        self.slot.notify()
    }

    /// Takes what has come, into an empty `batch`, and the body; `None` if the instance has ended.
    pub(crate) fn begin_turn(&self, now_ns: u64, batch: &mut Box<Batch>) -> Option<TurnStart> {
        let mut body = self.slot.take()?;
        let mut mailbox = self.mailbox.lock();
        std::mem::swap(&mut mailbox.batch, batch);
        let kill_reason = mailbox.kill_reason.take();
        // Whoever leaves a call has this lock and looks at both numbers, so none may be counted in neither.
        self.serves.store(
            (body.calls.inbound.len() + batch.arrivals.len()) as u32,
            Ordering::Relaxed,
        );
        self.show_waiting(&mailbox);
        drop(mailbox);
        body.calls.receive(batch);
        self.show_calls(&body.calls);
        // One that stands for others is told by its turn that something is in the post.
        let wanted = body.more || body.wake_ns <= now_ns || self.is_proxy;
        Some(TurnStart {
            body,
            wanted,
            kill_reason,
        })
    }

    /// Puts the body back and says how the turn ended; `None` if the guest was not entered.
    #[inline]
    pub(crate) fn end_turn(&self, mut body: Box<InstanceState>, turn: Option<Turn>) -> TurnEnd {
        if let Some(turn) = turn {
            body.more = turn.more;
            body.wake_ns = turn.wake_at_ns.saturating_add(self.started_ns());
        }
        self.show_calls(&body.calls);
        let more = body.more;
        let timer = self.timer_change(body.wake_ns.min(body.calls.deadlines_ns));
        TurnEnd {
            wake: self.slot.put_back(body, more),
            timer,
        }
    }

    /// The alarm to set if one is needed at that moment. One that is too early does no harm, and moving it for each call would cost more.
    fn timer_change(&self, wake_at_ns: u64) -> Option<TimerChange> {
        let previous_ns = self.wake_at_ns.load(Ordering::Relaxed);
        (wake_at_ns < previous_ns).then(|| {
            self.wake_at_ns.store(wake_at_ns, Ordering::Relaxed);
            TimerChange {
                previous_ns: (previous_ns != NEVER).then_some(previous_ns),
                wake_at_ns,
            }
        })
    }

    /// Lets all see how many calls it has, now that its own have changed, or are about to be out of reach.
    pub(crate) fn show_calls(&self, calls: &Calls) {
        self.serves
            .store(calls.inbound.len() as u32, Ordering::Relaxed);
        self.awaits
            .store(calls.outbound.len() as u32, Ordering::Relaxed);
    }

    /// Lets all see how many calls wait, now that its mailbox has changed.
    fn show_waiting(&self, mailbox: &Mailbox) {
        self.waiting
            .store(mailbox.batch.arrivals.len() as u32, Ordering::Relaxed);
    }

    /// Closes the mailbox of one whose body will not come back. Returns the calls that were in it: they have not run.
    pub(crate) fn close(&self, unavailable_reason: Unavailable) -> Vec<(u64, Inbound)> {
        let mut mailbox = self.mailbox.lock();
        mailbox.has_ended = true;
        self.slot.give_up();
        match (&mailbox.unavailable_reason, &unavailable_reason) {
            // It is as long as before that it has been down, and what will not come back need not be told twice.
            (Some(Unavailable::Restarting { .. }), Unavailable::Restarting { .. })
            | (Some(Unavailable::Failed { .. }), _) => {}
            _ => mailbox.unavailable_reason = Some(unavailable_reason),
        }
        let never_given = std::mem::take(&mut *mailbox.batch).arrivals;
        self.show_waiting(&mailbox);
        self.serves.store(0, Ordering::Relaxed);
        self.awaits.store(0, Ordering::Relaxed);
        never_given
    }

    /// Begins another life, with a first turn that the caller runs, and returns its number. Calls are taken once it is ready: see
    /// [`Instance::welcome_calls`].
    pub(crate) fn reopen(&self, id: InstanceId, started_ns: u64) -> u32 {
        *self.id.lock() = id;
        let mut mailbox = self.mailbox.lock();
        self.started_ns.store(started_ns, Ordering::Relaxed);
        let generation = self.generation.load(Ordering::Relaxed).wrapping_add(1);
        self.generation.store(generation, Ordering::Relaxed);
        mailbox.has_ended = false;
        // An alarm that is set stays so: a turn that nobody needs does no harm.
        self.slot.prepare(mailbox.kill_reason.is_some());
        generation
    }

    /// How many calls it serves, and how many it waits for; the latter are not known while it is in a turn.
    pub(crate) fn pending(&self) -> (usize, Option<usize>) {
        let is_in_turn = self.slot.is_taken() && !self.has_ended();
        (
            self.calls(),
            (!is_in_turn).then(|| self.awaits.load(Ordering::Relaxed) as usize),
        )
    }

    /// Takes calls from now on.
    pub(crate) fn welcome_calls(&self) {
        let mut mailbox = self.mailbox.lock();
        if mailbox.unavailable_reason != Some(Unavailable::Stopping) {
            mailbox.unavailable_reason = None;
            self.slot.open();
        }
    }

    fn started_ns(&self) -> u64 {
        self.started_ns.load(Ordering::Relaxed)
    }

    /// A moment of the host's clock on the guest's own.
    pub(crate) fn own_time_ns(&self, host_ns: u64) -> u64 {
        if host_ns == NO_DEADLINE {
            NO_DEADLINE
        } else {
            host_ns.saturating_sub(self.started_ns())
        }
    }

    /// A moment of the guest's clock on the host's.
    pub(crate) fn host_time_ns(&self, own_ns: u64) -> u64 {
        if own_ns == NO_DEADLINE {
            NO_DEADLINE
        } else {
            own_ns.saturating_add(self.started_ns())
        }
    }
}

impl InstanceState {
    pub(crate) fn new(code: Box<dyn GuestInstance>, routes: Vec<Route>) -> Box<Self> {
        let calls = Calls {
            outbound: Table::new(),
            deadlines_ns: NEVER,
            inbound: Table::new(),
            last_number: 0,
        };
        Box::new(InstanceState {
            code,
            routes,
            calls,
            began_ns: 0,
            more: false,
            wake_ns: NEVER,
        })
    }
}

impl Calls {
    /// A number for a call that comes past the mailbox.
    fn number_next(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Ends a call that it waits for. Returns whether it did.
    #[inline]
    fn end(&mut self, number: u64, id: CallId) -> bool {
        let waits = self
            .outbound
            .get_mut(number)
            .is_some_and(|call| call.id.key() == id.key());
        waits && self.outbound.remove(number).is_some()
    }

    /// Brings itself up to date with what was left in the mailbox. Each call ends once, so of the answers those are dropped for which it does not
    /// wait any more.
    fn receive(&mut self, batch: &mut Batch) {
        for (number, call) in batch.arrivals.drain(..) {
            self.inbound.insert(number, call);
        }
        let unwanted = batch
            .answered
            .drain(..)
            .filter(|call| !self.end(call.number, call.id));
        let unwanted: HashSet<_> = unwanted.map(|call| call.id.to_wire()).collect();
        if !unwanted.is_empty() {
            drop_replies(&mut batch.frames, &unwanted);
        }
        for CallName { number, id } in batch.cancelled.drain(..) {
            let call = self
                .inbound
                .get_mut(number)
                .filter(|call| call.id.key() == id.key());
            // Else it has been answered.
            if let Some(call) = call {
                call.caller = None;
                push(FrameBuilder::new(
                    &mut batch.frames,
                    Header {
                        number,
                        ..Header::new(Kind::Cancel)
                    },
                ));
            }
        }
    }

    /// Forgets the calls whose deadline has passed, and returns them with their numbers, for both sides to be told.
    pub(crate) fn expire(&mut self, now_ns: u64) -> Vec<(u64, Outbound)> {
        let expired = self.outbound.take_if(|call| call.deadline_ns <= now_ns);
        self.deadlines_ns = self
            .outbound
            .values()
            .map(|call| call.deadline_ns)
            .min()
            .unwrap_or(NEVER);
        expired
    }
}

impl Batch {
    #[inline]
    fn push_call(&mut self, number: u64, call: &Inbound, header: Header, frame: &Frame<'_>) {
        frame.pass_on(
            Header {
                number,
                id: call.id.to_wire(),
                ..header
            },
            &mut self.frames,
        );
    }

    #[inline]
    fn push_reply(&mut self, call: &Inbound, reply: &Frame<'_>, detail: Option<&[u8]>) {
        let Header { flags, status, .. } = reply.header;
        let header = Header {
            flags,
            number: call.number,
            status,
            id: call.id.to_wire(),
            ..Header::new(Kind::Reply)
        };
        match detail {
            None => reply.pass_on(header, &mut self.frames),
            Some(detail) => {
                let frame =
                    FrameBuilder::new(&mut self.frames, header).metadata_bytes(reply.metadata);
                push(frame.detail_bytes(detail).payload(reply.payload));
            }
        }
    }

    /// Empties it, so that it can be used again.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
        if self.frames.capacity() > MAILBOX_BYTES_KEPT {
            self.frames = Vec::new();
        }
    }
}

/// Takes the replies to calls of these ids out of frames.
#[cold]
fn drop_replies(frames: &mut Vec<u8>, ids: &HashSet<(u64, u64)>) {
    let is_one =
        |frame: &Frame<'_>| frame.kind() == Some(Kind::Reply) && ids.contains(&frame.header.id);
    let kept: Vec<_> = Frames::new(frames)
        .flatten()
        .filter(|frame| !is_one(frame))
        .map(|frame| frame.bytes)
        .collect();
    *frames = kept.concat();
}

/// Which instance of a guest it is.
pub(crate) struct Identity {
    pub(crate) id: InstanceId,
    pub(crate) index: InstanceIndex,
    /// The frame that tells it that it is launched.
    pub(crate) launched_frame: Box<[u8]>,
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

    impl GuestInstance for Nothing {
        fn turn(&mut self, _: Prologue, _: &[u8], _: u32) -> Result<Turn, GuestFault> {
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
        let deployment =
            Deployment::parse(deployment, "app.toml".as_ref()).expect("the file is right");
        let spec = &deployment.guests[0];
        let log_rate = LogRate::new(spec.log_bytes);
        let id = InstanceId::from_random(1);
        let mut launched_frame = Vec::new();
        push(FrameBuilder::new(
            &mut launched_frame,
            Header::new(Kind::Launched),
        ));
        let identity = Identity {
            id,
            index: 0,
            launched_frame: launched_frame.into(),
            started_ns: 0,
            log_rate,
        };
        let instance = Instance::new(identity, spec, false);
        assert_eq!(
            instance
                .slot
                .put_back(InstanceState::new(Box::new(Nothing), Vec::new()), false),
            Wake::AlreadyAwake
        );
        instance
    }

    fn frames(instance: &Instance) -> Vec<Kind> {
        kinds(&instance.mailbox.lock().batch)
    }

    fn kinds(batch: &Batch) -> Vec<Kind> {
        Frames::new(&batch.frames)
            .map(|frame| frame.expect("whole").kind().expect("known"))
            .collect()
    }

    fn call(instance: &Instance) -> Result<(), Failure> {
        call_with(instance, None).map(drop)
    }

    fn call_with(instance: &Instance, batch: Option<&mut Box<Batch>>) -> Result<Handoff, Failure> {
        numbered_call(instance, batch).map(|(_, handoff)| handoff)
    }

    fn numbered_call(
        instance: &Instance,
        batch: Option<&mut Box<Batch>>,
    ) -> Result<(u64, Handoff), Failure> {
        let mut bytes = Vec::new();
        push(FrameBuilder::new(&mut bytes, Header::new(Kind::Call)));
        let frame = Frames::new(&bytes)
            .next()
            .expect("there is one")
            .expect("it is whole");
        let call = Inbound {
            caller: None,
            number: 1,
            id: CallId::from_random(1),
        };
        instance.send_call(call, Header::new(Kind::Call), &frame, 0, batch)
    }

    /// Begins the turn that it was queued for.
    fn begin(instance: &Instance) -> (Box<InstanceState>, Box<Batch>) {
        let mut batch = Box::default();
        let start = instance.begin_turn(0, &mut batch).expect("nobody runs it");
        (start.body, batch)
    }

    /// Ends a turn in which the guest has asked for nothing.
    fn end(instance: &Instance, body: Box<InstanceState>) -> Wake {
        instance
            .end_turn(
                body,
                Some(Turn {
                    more: false,
                    wake_at_ns: NEVER,
                }),
            )
            .wake
    }

    fn waiting_call(id: u128) -> Outbound {
        Outbound {
            callee: 0,
            inbound: 1,
            id: CallId::from_random(id),
            deadline_ns: 10,
        }
    }

    /// Brings the answer to its call of that number.
    fn reply(
        instance: &Instance,
        number: u64,
        id: u128,
        batch: Option<&mut Box<Batch>>,
    ) -> Handoff {
        let mut bytes = Vec::new();
        push(FrameBuilder::new(&mut bytes, Header::new(Kind::Reply)));
        let frame = Frames::new(&bytes)
            .next()
            .expect("there is one")
            .expect("it is whole");
        let call = Inbound {
            caller: Some(0),
            number,
            id: CallId::from_random(id),
        };
        instance.send_reply(&call, &frame, None, instance, batch)
    }

    #[test]
    fn one_that_is_idle_is_handed_over_with_a_call_and_one_that_runs_is_not() {
        let instance = idle();
        let mut batch = Box::default();
        let Ok(Handoff::RunNext(body)) = call_with(&instance, Some(&mut batch)) else {
            panic!("it is idle")
        };
        assert_eq!(kinds(&batch), [Kind::Call]);
        let mut other = Box::default();
        assert!(matches!(
            call_with(&instance, Some(&mut other)),
            Ok(Handoff::Wake(Wake::AlreadyAwake))
        ));
        assert_eq!(
            (kinds(&other), frames(&instance), instance.calls()),
            (vec![], vec![Kind::Call], 2)
        );
        assert_eq!(end(&instance, body), Wake::Queue);
    }

    #[test]
    fn one_that_has_mail_already_waits_in_the_queue_in_which_it_is() {
        let instance = idle();
        assert!(matches!(
            call_with(&instance, None),
            Ok(Handoff::Wake(Wake::Queue))
        ));
        let mut batch = Box::default();
        assert!(matches!(
            call_with(&instance, Some(&mut batch)),
            Ok(Handoff::Wake(Wake::AlreadyAwake))
        ));
        assert_eq!(
            (kinds(&batch), frames(&instance)),
            (vec![], vec![Kind::Call; 2])
        );
        let (body, batch) = begin(&instance);
        assert_eq!(
            (kinds(&batch), body.calls.inbound.len()),
            (vec![Kind::Call; 2], 2)
        );
        assert_eq!(end(&instance, body), Wake::AlreadyAwake);
    }

    #[test]
    fn calls_have_different_numbers_whichever_way_they_come() {
        let instance = idle();
        let mut numbers = Vec::new();
        for _ in 0..3 {
            let mut batch = Box::default();
            let (number, handoff) =
                numbered_call(&instance, Some(&mut batch)).expect("it takes calls");
            numbers.push(number);
            numbers.push(numbered_call(&instance, None).expect("it takes calls").0);
            let Handoff::RunNext(body) = handoff else {
                panic!("it was idle")
            };
            assert_eq!(end(&instance, body), Wake::Queue);
            let (body, _) = begin(&instance);
            assert_eq!(end(&instance, body), Wake::AlreadyAwake);
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!((numbers.len(), instance.calls()), (6, 6));
    }

    #[test]
    fn a_call_that_was_answered_is_not_cancelled_any_more() {
        let instance = idle();
        let numbers = [(); 2].map(|()| numbered_call(&instance, None).expect("it takes calls").0);
        let (mut body, _) = begin(&instance);
        assert!(
            body.calls.inbound.remove(numbers[0]).is_some(),
            "its answer is on its way"
        );
        for number in numbers {
            assert_eq!(
                instance.enqueue_cancel(number, CallId::from_random(1)),
                Wake::AlreadyAwake
            );
        }
        assert_eq!(end(&instance, body), Wake::Queue);
        let (mut body, batch) = begin(&instance);
        assert_eq!(kinds(&batch), [Kind::Cancel]);
        assert!(
            body.calls
                .inbound
                .get_mut(numbers[1])
                .is_some_and(|call| call.caller.is_none())
        );
    }

    #[test]
    fn a_call_whose_deadline_has_passed_is_not_answered_besides() {
        for is_handed_over in [false, true] {
            let instance = idle();
            let (mut body, _) = begin(&instance);
            body.calls.outbound.insert(7, waiting_call(7));
            body.calls.outbound.insert(
                8,
                Outbound {
                    deadline_ns: 20,
                    ..waiting_call(8)
                },
            );
            assert_eq!(
                body.calls
                    .expire(10)
                    .into_iter()
                    .map(|(number, _)| number)
                    .collect::<Vec<_>>(),
                [7]
            );
            assert_eq!(end(&instance, body), Wake::AlreadyAwake);

            let mut batch = Box::default();
            let (body, batch) = match reply(&instance, 7, 7, is_handed_over.then_some(&mut batch)) {
                Handoff::RunNext(body) => (body, batch),
                Handoff::Wake(wake) => {
                    assert_eq!(wake, Wake::Queue);
                    let _ = reply(&instance, 8, 8, None);
                    begin(&instance)
                }
            };
            assert_eq!(kinds(&batch).len(), usize::from(!is_handed_over));
            assert_eq!(body.calls.outbound.len(), usize::from(is_handed_over));
        }
    }

    #[test]
    fn an_answer_to_a_call_of_an_earlier_life_ends_none_of_the_next() {
        let instance = idle();
        let (mut body, _) = begin(&instance);
        body.calls.outbound.insert(1, waiting_call(2));
        assert_eq!(end(&instance, body), Wake::AlreadyAwake);
        let mut batch = Box::default();
        let Handoff::RunNext(body) = reply(&instance, 1, 1, Some(&mut batch)) else {
            panic!("it is idle")
        };
        assert_eq!((kinds(&batch), body.calls.outbound.len()), (vec![], 1));
    }

    #[test]
    fn one_life_is_not_told_of_the_launch_of_another() {
        let instance = idle();
        assert_eq!(instance.enqueue_launched(0), Wake::Queue);
        drop(begin(&instance));
        instance.close(Unavailable::Restarting { since_ns: 0 });
        assert_eq!(instance.reopen(InstanceId::from_random(2), 0), 1);
        assert_eq!(instance.enqueue_launched(0), Wake::AlreadyAwake);
        assert_eq!(frames(&instance), []);
        assert_eq!(
            instance.enqueue_launched(1),
            Wake::AlreadyAwake,
            "it is in its first turn"
        );
        assert_eq!(frames(&instance), [Kind::Launched]);
    }

    #[test]
    fn one_that_was_told_to_leave_keeps_its_calls_and_gets_no_more() {
        let instance = idle();
        call(&instance).expect("it takes calls");
        assert_eq!(instance.enqueue_stop(7), Wake::AlreadyAwake);
        let mut told = Vec::new();
        call(&instance)
            .expect_err("it takes no more")
            .push(1, CallId::from_random(1), &mut told);
        let told = Frames::new(&told)
            .next()
            .expect("there is one")
            .expect("it is whole");
        let Detail { cause, message, .. } = Detail::read(told.detail);
        assert_eq!(
            (told.header.status, cause),
            (StatusCode::Unavailable.number(), Cause::Unreachable)
        );
        assert_eq!(message, "echo is stopping");
        assert_eq!(frames(&instance), [Kind::Call, Kind::Stop]);
        // It was on its way to being ready.
        instance.welcome_calls();
        assert!(call(&instance).is_err());
    }
}
