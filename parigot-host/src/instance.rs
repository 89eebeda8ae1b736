//! One running guest, as the scheduler and its callers see it: a mailbox, the calls in flight, and the code.
//!
//! Two locks. `mail` is held for a few instructions by anyone who has something for the instance; `body` is held by the one
//! worker that is inside it. Nobody takes the `mail` of two instances at once, so there is no order to keep.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use parigot_abi::control::NEVER;
use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::id::{CallId, InstanceId};
use parigot_abi::{Cause, Code as StatusCode, Frame, FrameBuilder, Header, Kind};
use parking_lot::Mutex;

use crate::code::{Code, Turn};
use crate::deployment::GuestSpec;

/// Calls that an instance may have in flight, each way.
pub(crate) const CALLS_MAX: usize = 16 << 10;
/// Bytes that may wait in a mailbox before calls are refused and answers are replaced by a status.
pub(crate) const MAILBOX_BYTES_MAX: usize = 64 << 20;
/// A mailbox that grew beyond this is not kept for the next turn.
const MAILBOX_BYTES_KEPT: usize = 1 << 20;

/// One running guest.
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    /// Its place among the deployment's guests.
    pub(crate) index: usize,
    /// How many services it requires.
    pub(crate) requirements: u32,
    pub(crate) name: String,
    /// The zero of the guest's monotonic clock on the host's.
    pub(crate) started_ns: u64,
    /// How long calls to it may take if the caller does not say.
    pub(crate) deadline_ns: u64,
    /// The number of the next call that arrives.
    next_inbound: AtomicU64,
    mail: Mutex<Mail>,
    pub(crate) body: Mutex<Body>,
}

/// What only the worker inside the instance touches.
pub(crate) struct Body {
    /// Gone once the instance has ended.
    pub(crate) code: Option<Box<dyn Code>>,
    /// Where calls go, by handle.
    pub(crate) links: Vec<Link>,
}

/// Where calls to a required service go.
pub(crate) struct Link {
    pub(crate) callee: Arc<Instance>,
    /// The service's place among the callee's exports.
    pub(crate) service: u32,
    /// The callee's place of each method, by the caller's place of it; `None` where the callee lacks it.
    pub(crate) methods: Vec<Option<u32>>,
}

struct Mail {
    /// Frames for the next turn.
    frames: Vec<u8>,
    run: Run,
    /// The guest has said that it has work which is ready.
    more: bool,
    /// When the guest wants its next turn, on the host's clock.
    wake_ns: u64,
    /// The earliest deadline of a call that it waits for, or earlier.
    deadlines_ns: u64,
    /// When the timer will notify it.
    alarm_ns: u64,
    /// Calls that it serves, by the host's number.
    inbound: HashMap<u64, Inbound>,
    /// Calls that it waits for, by its own number.
    outbound: HashMap<u64, Outbound>,
    /// Nothing is taken any more.
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Idle,
    Queued,
    Running,
    /// Something has come for it while it was running.
    RunningNotified,
}

/// A call that an instance serves.
pub(crate) struct Inbound {
    /// Who waits, or nobody if the call was cancelled.
    pub(crate) caller: Option<Arc<Instance>>,
    /// The caller's number.
    pub(crate) number: u64,
    pub(crate) id: CallId,
}

/// A call that an instance waits for.
pub(crate) struct Outbound {
    pub(crate) callee: Arc<Instance>,
    /// The callee's number.
    pub(crate) inbound: u64,
    pub(crate) id: CallId,
    /// On the host's clock.
    pub(crate) deadline_ns: u64,
}

/// How a call ends that its callee does not answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: StatusCode,
    pub(crate) cause: Cause,
    pub(crate) message: String,
}

/// Whether the instance must be queued by whoever has just left something for it.
#[must_use = "an instance that is not queued never runs"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    Queue,
    AlreadyAwake,
}

/// What a turn begins with.
pub(crate) struct TurnStart {
    /// Whether there is anything for the guest to do.
    pub(crate) enter: bool,
    /// Calls whose deadline has passed; the guest is told in this turn, the callees are not yet.
    pub(crate) expired: Vec<Outbound>,
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
            Run::Queued | Run::RunningNotified => Wake::AlreadyAwake,
        }
    }

    fn push_failure(&mut self, number: u64, id: CallId, failure: &Failure) {
        let header = Header { number, status: failure.code.number(), id: id.to_wire(), ..Header::new(Kind::Reply) };
        push(FrameBuilder::new(&mut self.frames, header).detail(failure.cause, &failure.message));
    }

    /// Ends the calls whose deadline has passed.
    fn expire(&mut self, now_ns: u64) -> Vec<Outbound> {
        let expired: Vec<_> = self.outbound.extract_if(|_, call| call.deadline_ns <= now_ns).collect();
        self.deadlines_ns = self.outbound.values().map(|call| call.deadline_ns).min().unwrap_or(NEVER);
        for (number, call) in &expired {
            let message = format!("{} did not answer in time", call.callee.name);
            let failure = Failure { code: StatusCode::DeadlineExceeded, cause: Cause::TimedOut, message };
            self.push_failure(*number, call.id, &failure);
        }
        expired.into_iter().map(|(_, call)| call).collect()
    }
}

/// Finishes a frame whose parts were all inside frames or mailboxes that are shorter than 4 GiB.
fn push(frame: FrameBuilder<'_>) {
    frame.finish().expect("a mailbox is shorter than 4 GiB");
}

impl Instance {
    pub(crate) fn new(identity: Identity, spec: &GuestSpec, body: Body) -> Self {
        Instance {
            id: identity.id,
            index: identity.index,
            requirements: identity.requirements,
            name: spec.name.clone(),
            started_ns: identity.started_ns,
            deadline_ns: spec.deadline.as_nanos() as u64,
            next_inbound: AtomicU64::new(parigot_abi::frame::LAUNCH_NUMBER + 1),
            mail: Mutex::new(Mail {
                frames: Vec::new(),
                // It is in its first turn.
                run: Run::Running,
                more: false,
                wake_ns: NEVER,
                deadlines_ns: NEVER,
                alarm_ns: NEVER,
                inbound: HashMap::new(),
                outbound: HashMap::new(),
                ended: false,
            }),
            body: Mutex::new(body),
        }
    }

    /// Leaves a frame without a call.
    pub(crate) fn post(&self, header: Header, payload: &[u8]) -> Wake {
        let mut mail = self.mail.lock();
        if mail.ended {
            return Wake::AlreadyAwake;
        }
        push(FrameBuilder::new(&mut mail.frames, header).payload(payload));
        mail.notify()
    }

    /// Reserves a number for a call that is about to arrive.
    pub(crate) fn next_inbound(&self) -> u64 {
        self.next_inbound.fetch_add(1, Ordering::Relaxed)
    }

    /// Leaves a call of `caller`.
    pub(crate) fn post_call(
        &self,
        number: u64,
        call: Inbound,
        header: Header,
        frame: &Frame<'_>,
    ) -> Result<Wake, Failure> {
        let mut mail = self.mail.lock();
        if mail.ended {
            let message = format!("{} is not running", self.name);
            return Err(Failure { code: StatusCode::Unavailable, cause: Cause::Unreachable, message });
        }
        if mail.inbound.len() >= CALLS_MAX || mail.frames.len() + frame.payload.len() > MAILBOX_BYTES_MAX {
            let message = format!("{} has {} calls to serve", self.name, mail.inbound.len());
            return Err(Failure { code: StatusCode::ResourceExhausted, cause: Cause::Overloaded, message });
        }
        let header = Header { number, id: call.id.to_wire(), ..header };
        push(FrameBuilder::new(&mut mail.frames, header).metadata_bytes(frame.metadata).payload(frame.payload));
        mail.inbound.insert(number, call);
        Ok(mail.notify())
    }

    /// Remembers a call that it is about to make.
    ///
    /// # Errors
    ///
    /// A number that is in use gives `Ok(false)`, too many calls a failure for the guest.
    pub(crate) fn begin_outbound(&self, number: u64, call: Outbound) -> Result<bool, Failure> {
        let mut mail = self.mail.lock();
        if mail.outbound.len() >= CALLS_MAX {
            let message = format!("{} waits for {CALLS_MAX} calls already", self.name);
            return Err(Failure { code: StatusCode::ResourceExhausted, cause: Cause::Overloaded, message });
        }
        mail.deadlines_ns = mail.deadlines_ns.min(call.deadline_ns);
        Ok(mail.outbound.insert(number, call).is_none())
    }

    /// Gives up a call that it waits for, without a word to the guest.
    pub(crate) fn take_outbound(&self, number: u64) -> Option<Outbound> {
        self.mail.lock().outbound.remove(&number)
    }

    /// Takes a call that was answered, or `None` if there is no such call.
    pub(crate) fn take_inbound(&self, number: u64) -> Option<Inbound> {
        self.mail.lock().inbound.remove(&number)
    }

    /// Leaves the answer to a call, if it still waits for it.
    pub(crate) fn post_reply(&self, number: u64, id: CallId, reply: &Frame<'_>) -> Wake {
        let mut mail = self.mail.lock();
        if mail.outbound.remove(&number).is_none() {
            return Wake::AlreadyAwake;
        }
        if mail.frames.len() + reply.payload.len() > MAILBOX_BYTES_MAX {
            let message = format!("{} has {} bytes waiting for it", self.name, mail.frames.len());
            let failure = Failure { code: StatusCode::ResourceExhausted, cause: Cause::Overloaded, message };
            mail.push_failure(number, id, &failure);
        } else {
            let Header { flags, status, .. } = reply.header;
            let header = Header { flags, number, status, id: id.to_wire(), ..Header::new(Kind::Reply) };
            let frame = FrameBuilder::new(&mut mail.frames, header).metadata_bytes(reply.metadata);
            push(frame.detail_bytes(reply.detail).payload(reply.payload));
        }
        mail.notify()
    }

    /// Tells it that a call which it waits for has failed, if it still waits for it.
    pub(crate) fn post_failure(&self, number: u64, id: CallId, failure: &Failure) -> Wake {
        let mut mail = self.mail.lock();
        mail.outbound.remove(&number);
        if mail.ended {
            return Wake::AlreadyAwake;
        }
        mail.push_failure(number, id, failure);
        mail.notify()
    }

    /// Tells it that nobody waits for a call any more. It still answers, and the answer goes nowhere.
    pub(crate) fn post_cancel(&self, number: u64) -> Wake {
        let mut mail = self.mail.lock();
        let Some(call) = mail.inbound.get_mut(&number) else { return Wake::AlreadyAwake };
        call.caller = None;
        push(FrameBuilder::new(&mut mail.frames, Header { number, ..Header::new(Kind::Cancel) }));
        mail.notify()
    }

    /// The id of a call that it serves.
    pub(crate) fn inbound_id(&self, number: u64) -> Option<CallId> {
        self.mail.lock().inbound.get(&number).map(|call| call.id)
    }

    /// The timer rings.
    pub(crate) fn ring(&self, at_ns: u64) -> Wake {
        let mut mail = self.mail.lock();
        if mail.alarm_ns == at_ns {
            mail.alarm_ns = NEVER;
        }
        mail.notify()
    }

    /// Takes what has come: `frames`, which is empty, is swapped for the mailbox.
    pub(crate) fn begin_turn(&self, now_ns: u64, frames: &mut Vec<u8>) -> TurnStart {
        let mut mail = self.mail.lock();
        mail.run = Run::Running;
        let expired = if mail.deadlines_ns <= now_ns { mail.expire(now_ns) } else { Vec::new() };
        std::mem::swap(&mut mail.frames, frames);
        let enter = !frames.is_empty() || mail.more || mail.wake_ns <= now_ns;
        TurnStart { enter, expired }
    }

    /// Says how the turn ended; `None` if the guest was not entered.
    pub(crate) fn end_turn(&self, turn: Option<Turn>) -> TurnEnd {
        let mut mail = self.mail.lock();
        if let Some(turn) = turn {
            mail.more = turn.more;
            mail.wake_ns = turn.wake_at_ns.saturating_add(self.started_ns);
        }
        let again = mail.more || mail.run == Run::RunningNotified;
        mail.run = if again { Run::Queued } else { Run::Idle };
        let alarm_ns = mail.wake_ns.min(mail.deadlines_ns);
        // An alarm that is too early does no harm, and moving it for each call would cost more.
        let alarm = (alarm_ns < mail.alarm_ns).then(|| {
            let previous_ns = std::mem::replace(&mut mail.alarm_ns, alarm_ns);
            ((previous_ns != NEVER).then_some(previous_ns), alarm_ns)
        });
        TurnEnd { wake: if again { Wake::Queue } else { Wake::AlreadyAwake }, alarm }
    }

    /// Closes the mailbox for good and gives back the calls that were in flight: served, waited for.
    pub(crate) fn close(&self) -> (HashMap<u64, Inbound>, HashMap<u64, Outbound>) {
        let mut mail = self.mail.lock();
        mail.ended = true;
        mail.frames = Vec::new();
        mail.more = false;
        mail.wake_ns = NEVER;
        mail.deadlines_ns = NEVER;
        (std::mem::take(&mut mail.inbound), std::mem::take(&mut mail.outbound))
    }

    /// A moment of the host's clock on the guest's own.
    pub(crate) fn own_time_ns(&self, host_ns: u64) -> u64 {
        if host_ns == NO_DEADLINE { NO_DEADLINE } else { host_ns.saturating_sub(self.started_ns) }
    }

    /// A moment of the guest's clock on the host's.
    pub(crate) fn host_time_ns(&self, own_ns: u64) -> u64 {
        if own_ns == NO_DEADLINE { NO_DEADLINE } else { own_ns.saturating_add(self.started_ns) }
    }
}

/// Which instance of a guest it is.
pub(crate) struct Identity {
    pub(crate) id: InstanceId,
    pub(crate) index: usize,
    pub(crate) requirements: u32,
    pub(crate) started_ns: u64,
}

/// Empties a mailbox that was delivered, so that it can be used again.
pub(crate) fn recycle(frames: &mut Vec<u8>) {
    frames.clear();
    if frames.capacity() > MAILBOX_BYTES_KEPT {
        *frames = Vec::new();
    }
}
