//! One running guest, as the scheduler and its callers see it: a slot for its state, and a mailbox.
//!
//! A worker that runs an instance takes the [`InstanceState`] out of the [`Slot`] and puts it back
//! after the turn, so at most one worker runs an instance. A sender that may run the receiver next
//! takes the state as well if the instance is idle, and needs no lock. All other senders lock the
//! mailbox for a few instructions and notify the slot. No two mailboxes are ever locked at once, so
//! there is no lock order.

mod backlog;
mod calls;
mod mailbox;
mod send;
mod state;
mod stream;
mod stream_calls;
#[cfg(test)]
mod tests;
mod window;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parigot_abi::control::NEVER;
use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::id::InstanceId;
use parking_lot::Mutex;

use crate::deployment::{GuestSpec, Role};
use crate::error::Unavailable;
use crate::guest::code::Turn;
use crate::kernel::index::InstanceIndex;
use crate::kernel::slot::Slot;
use crate::log::guest_log::GuestLog;
use crate::log::rate_limit::LogRate;
use backlog::Backlog;
use mailbox::Mailbox;
use window::WindowPool;

pub(crate) use crate::kernel::slot::Wake;
pub(crate) use calls::{Batch, Calls, Inbound, Origin, Outbound};
pub(crate) use state::{
    Delivery, IDLE_LONG_NS, Idle, InstanceState, TimerChange, TurnEnd, TurnStart,
};
pub(crate) use stream::{Side, Stream, StreamEvent};
pub(crate) use window::Window;

/// One running guest. A restarted service keeps its [`Instance`], with the next generation, another
/// id and another state.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `index`, `is_proxy`, `has_main`, `name`, `launched_frame` | immutable | `new` | all threads |
/// | `id` | its own lock | `reopen` | log, failures |
/// | `generation` | lock of `mailbox` | `reopen` | `enqueue_launched` |
/// | `started_ns` | atomic | `reopen`, while no worker has the state | senders, the worker |
/// | `deadline_ns` | atomic | worker of a proxy, before it is ready | workers of callers |
/// | `log_rate` | lock of its own | every log line | timers, log |
/// | `slot` | one atomic word | senders, the worker | all threads |
/// | `mailbox` | its own lock | senders, `begin_turn`, `close`, `reopen` | the same |
/// | `backlog` | atomics | owner of the state | senders |
/// | `wake_at_ns` | atomic | `end_turn` (worker), `fire` (timer thread) | `end_turn` |
/// | `inbound_count` | atomic | owner of the state, `close` | senders, `pending` |
/// | `outbound_count` | atomic | owner of the state, `close` | `pending` |
/// | `windows` | atomic | workers of callers, owner of the state | the same |
/// | `mailbox_count` | lock of `mailbox` to write | senders, `begin_turn`, `close` | as above |
///
/// The *owner of the state* is the worker that has taken the state out of the slot. All atomics but
/// the slot are `Relaxed`, because each is an independent number: no reader infers another write
/// from the number. The slot and the lock of the mailbox order everything else.
pub(crate) struct Instance {
    /// Id of this generation. Locked, because an id has two words; not on the path of a call.
    id: Mutex<InstanceId>,
    /// Number of restarts. A message for one generation does not reach another generation.
    generation: AtomicU32,
    pub(crate) index: InstanceIndex,
    /// Set if the instance represents guests of another process. That process has assigned the ids
    /// of the calls that the instance makes.
    pub(crate) is_proxy: bool,
    /// Set if the guest is a program or a worker. A service without work waits for calls; a `main`
    /// function without work is stuck.
    has_main: bool,
    pub(crate) name: String,
    /// Frame that tells the guest that it is launched.
    launched_frame: Box<[u8]>,
    /// Zero of the guest's monotonic clock, on the host's clock; differs in each generation.
    started_ns: AtomicU64,
    /// Deadline of calls without a deadline of their own. A proxy receives the deadline with the
    /// description of its remote service, before the proxy is ready.
    deadline_ns: AtomicU64,
    pub(crate) log_rate: LogRate,
    /// State of the idle instance. Closed while the instance takes no calls.
    slot: Slot<InstanceState>,
    mailbox: Mutex<Mailbox>,
    backlog: Backlog,
    /// Moment at which the timer fires, or [`NEVER`].
    wake_at_ns: AtomicU64,
    /// Number of calls that the instance serves, without the calls in the mailbox.
    inbound_count: AtomicU32,
    /// Number of calls that the instance waits for.
    outbound_count: AtomicU32,
    /// Number of calls in the mailbox.
    mailbox_count: AtomicU32,
    /// Windows of the streams that the instance receives.
    pub(crate) windows: Arc<WindowPool>,
}

/// Properties that distinguish an instance from other instances of its guest.
pub(crate) struct Identity {
    pub(crate) id: InstanceId,
    pub(crate) index: InstanceIndex,
    /// Frame that tells the guest that it is launched.
    pub(crate) launched_frame: Box<[u8]>,
    pub(crate) started_ns: u64,
    /// Log rate, with the lines of the init turn.
    pub(crate) log_rate: LogRate,
}

impl Instance {
    /// Creates an instance in its init turn. Its state is not in the slot yet.
    pub(crate) fn new(identity: Identity, spec: &GuestSpec, is_proxy: bool) -> Self {
        Instance {
            id: Mutex::new(identity.id),
            generation: AtomicU32::new(0),
            index: identity.index,
            is_proxy,
            has_main: !is_proxy && spec.role != Role::Service,
            name: spec.name.clone(),
            launched_frame: identity.launched_frame,
            started_ns: AtomicU64::new(identity.started_ns),
            deadline_ns: AtomicU64::new(spec.deadline.as_nanos() as u64),
            log_rate: identity.log_rate,
            slot: Slot::empty(),
            mailbox: Mutex::new(Mailbox::new()),
            backlog: Backlog::none(),
            wake_at_ns: AtomicU64::new(NEVER),
            inbound_count: AtomicU32::new(0),
            outbound_count: AtomicU32::new(0),
            mailbox_count: AtomicU32::new(0),
            windows: WindowPool::new(),
        }
    }

    /// Returns the id of this generation.
    pub(crate) fn id(&self) -> InstanceId {
        *self.id.lock()
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

    /// Returns the instance as the log names it.
    pub(crate) fn guest_log(&self) -> GuestLog<'_> {
        GuestLog {
            service: &self.name,
            instance: self.id(),
            rate: &self.log_rate,
        }
    }

    /// Returns the number of calls that the instance serves, including those in its mailbox.
    #[inline]
    pub(crate) fn calls(&self) -> usize {
        let inbound = self.inbound_count.load(Ordering::Relaxed);
        let in_mailbox = self.mailbox_count.load(Ordering::Relaxed);
        (inbound + in_mailbox) as usize
    }

    /// Returns the number of calls that the instance serves, or `None` if it takes no calls.
    pub(crate) fn load(&self) -> Option<usize> {
        (!self.slot.is_closed()).then(|| self.calls())
    }

    /// Returns the numbers of calls that the instance serves and waits for. The second number is
    /// `None` during a turn, because only the worker of the turn knows the number.
    pub(crate) fn pending(&self) -> (usize, Option<usize>) {
        let is_in_turn = self.slot.is_taken() && !self.has_ended();
        let outbound = self.outbound_count.load(Ordering::Relaxed) as usize;
        (self.calls(), (!is_in_turn).then_some(outbound))
    }

    /// Looks at the state, if the instance is idle, and returns what the caller must do.
    pub(crate) fn peek<R>(&self, look: impl FnOnce(&mut InstanceState) -> R) -> Option<(R, Wake)> {
        let mut state = self.slot.take_idle()?;
        let seen = look(&mut state);
        Some((seen, self.slot.put_back(state, false)))
    }

    /// Returns whether the instance has ended. A restart makes the answer `false` again.
    pub(crate) fn has_ended(&self) -> bool {
        self.mailbox.lock().has_ended
    }

    /// Returns the deadline in ns of calls without a deadline of their own.
    #[inline]
    pub(crate) fn deadline_ns(&self) -> u64 {
        self.deadline_ns.load(Ordering::Relaxed)
    }

    /// Sets the deadline in ns of calls without a deadline of their own, from the declaration of
    /// the proxy's remote service.
    pub(crate) fn set_deadline(&self, deadline_ns: u64) {
        self.deadline_ns.store(deadline_ns, Ordering::Relaxed);
    }

    #[inline]
    fn started_ns(&self) -> u64 {
        self.started_ns.load(Ordering::Relaxed)
    }

    /// Converts a moment of the host's clock to the guest's clock.
    #[inline]
    pub(crate) fn guest_time_ns(&self, host_ns: u64) -> u64 {
        if host_ns == NO_DEADLINE {
            NO_DEADLINE
        } else {
            host_ns.saturating_sub(self.started_ns())
        }
    }

    /// Converts a moment of the guest's clock to the host's clock.
    #[inline]
    pub(crate) fn host_time_ns(&self, guest_ns: u64) -> u64 {
        if guest_ns == NO_DEADLINE {
            NO_DEADLINE
        } else {
            guest_ns.saturating_add(self.started_ns())
        }
    }
}

/// Turns of the worker.
impl Instance {
    /// Takes the state, and swaps the empty `batch` for the batch in the mailbox. Returns `None` if
    /// the instance has ended.
    pub(crate) fn begin_turn(&self, now_ns: u64, batch: &mut Box<Batch>) -> Option<TurnStart> {
        // Before the mailbox is read: a message that comes later sets the notified flag again.
        let mut state = self.slot.take()?;
        if state.has_more_work {
            self.measure_backlog(&mut state, now_ns);
        }
        let mut mailbox = self.mailbox.lock();
        std::mem::swap(&mut mailbox.batch, batch);
        state.received = mailbox.last_number;
        let kill_reason = mailbox.kill_reason.take();
        // Both counts change under the lock. A sender has the lock when it compares their sum with
        // the limit, so no call is missing from both.
        self.inbound_count.store(
            (state.calls.inbound.len() + batch.arrivals.len()) as u32,
            Ordering::Relaxed,
        );
        self.publish_mailbox_count(&mailbox);
        drop(mailbox);
        state.calls.receive(batch);
        self.publish_counts(&state.calls);
        // A proxy must also look at its queue of remote events, which is not in the mailbox.
        let is_requested = state.has_more_work || state.wake_ns <= now_ns || self.is_proxy;
        Some(TurnStart {
            state,
            is_requested,
            kill_reason,
        })
    }

    /// Measures the backlog of a guest whose last turn ended with work that is ready.
    #[cold]
    fn measure_backlog(&self, state: &mut InstanceState, now_ns: u64) {
        let last = state.measurement.take();
        // Other work than new calls is no backlog. Calls that have ended without a beginning may
        // have the highest numbers, so the numbers alone do not suffice.
        if state.calls.inbound.len() > 0
            && let Some(begun) = state.code.last_begun()
            && begun < state.received
        {
            state.measurement = Some(self.backlog.measure(last, now_ns, begun));
        } else if last.is_some() {
            self.backlog.end();
        }
    }

    /// Returns true if the guest has a `main` function that waits for no reply.
    #[inline]
    pub(crate) fn may_be_idle(&self, state: &InstanceState) -> bool {
        self.has_main && state.calls.outbound.len() == 0
    }

    /// Puts the state back after a turn. `turn` is the outcome, or `None` if the guest was not
    /// entered.
    #[inline]
    pub(crate) fn end_turn(&self, mut state: Box<InstanceState>, turn: Option<Turn>) -> TurnEnd {
        if let Some(turn) = turn {
            state.has_more_work = turn.has_more_work;
            state.wake_ns = turn.wake_at_ns.saturating_add(self.started_ns());
        }
        self.publish_counts(&state.calls);
        let has_more_work = state.has_more_work;
        if !has_more_work && state.measurement.take().is_some() {
            self.backlog.end();
        }
        // Before the state is put back: afterwards another worker may be in `timer_change`.
        let timer = self.timer_change(state.wake_ns.min(state.calls.next_deadline_ns));
        TurnEnd {
            wake: self.slot.put_back(state, has_more_work),
            timer,
        }
    }

    /// Returns the change of the timer that a turn at `wake_at_ns` needs.
    ///
    /// A timer that fires too early costs one turn without effect. Setting the timer back after
    /// each call would cost more.
    fn timer_change(&self, wake_at_ns: u64) -> Option<TimerChange> {
        let previous_ns = self.wake_at_ns.load(Ordering::Relaxed);
        if wake_at_ns >= previous_ns {
            return None;
        }
        self.wake_at_ns.store(wake_at_ns, Ordering::Relaxed);
        Some(TimerChange {
            previous_ns: (previous_ns != NEVER).then_some(previous_ns),
            wake_at_ns,
        })
    }

    /// Publishes the counts of calls. Called before the state goes out of reach, and when calls
    /// were removed.
    #[inline]
    pub(crate) fn publish_counts(&self, calls: &Calls) {
        self.inbound_count
            .store(calls.inbound.len() as u32, Ordering::Relaxed);
        self.outbound_count
            .store(calls.outbound.len() as u32, Ordering::Relaxed);
    }

    /// Publishes the count of calls in the mailbox. Takes the locked mailbox, so that the stores of
    /// two threads cannot overtake each other.
    fn publish_mailbox_count(&self, mailbox: &Mailbox) {
        self.mailbox_count
            .store(mailbox.batch.arrivals.len() as u32, Ordering::Relaxed);
    }
}

/// End and restart.
impl Instance {
    /// Closes the mailbox of an instance whose state will not come back. Returns the calls in the
    /// mailbox, which have not run.
    pub(crate) fn close(&self, unavailable_reason: Unavailable) -> Vec<(u64, Inbound)> {
        let mut mailbox = self.mailbox.lock();
        mailbox.has_ended = true;
        self.backlog.end();
        self.slot.give_up();
        match (&mailbox.unavailable_reason, &unavailable_reason) {
            // A restart that failed: the service is down since its first end.
            (Some(Unavailable::Restarting { .. }), Unavailable::Restarting { .. })
            // A permanent failure stays the reason.
            | (Some(Unavailable::Failed { .. }), _) => {}
            _ => mailbox.unavailable_reason = Some(unavailable_reason),
        }
        let mut batch = std::mem::take(&mut *mailbox.batch);
        if !batch.withdrawn.is_empty() {
            batch.remove_withdrawn();
        }
        let not_run = batch.arrivals;
        self.publish_mailbox_count(&mailbox);
        self.inbound_count.store(0, Ordering::Relaxed);
        self.outbound_count.store(0, Ordering::Relaxed);
        not_run
    }

    /// Begins the next generation and returns its number. The caller must run the init turn of the
    /// new generation. The instance takes calls after [`Instance::accept_calls`].
    pub(crate) fn reopen(&self, id: InstanceId, started_ns: u64) -> u32 {
        *self.id.lock() = id;
        let mut mailbox = self.mailbox.lock();
        self.started_ns.store(started_ns, Ordering::Relaxed);
        let generation = self.generation.load(Ordering::Relaxed).wrapping_add(1);
        self.generation.store(generation, Ordering::Relaxed);
        mailbox.has_ended = false;
        // A timer of the last generation stays set: a turn too early does no harm.
        self.slot.prepare(mailbox.kill_reason.is_some());
        generation
    }

    /// Accepts calls, unless the instance was asked to stop before it was ready.
    pub(crate) fn accept_calls(&self) {
        let mut mailbox = self.mailbox.lock();
        if mailbox.unavailable_reason != Some(Unavailable::Stopping) {
            mailbox.unavailable_reason = None;
            self.slot.open();
        }
    }
}
