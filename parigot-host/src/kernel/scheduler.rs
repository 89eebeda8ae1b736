//! Scheduler: workers that run instances turn by turn. [`crate::kernel::router`] carries out the
//! frames that instances send.
//!
//! A worker keeps one of the instances that a turn has woken, and runs it next. Thus a call inside
//! a process never changes threads while there is nothing else to do. All other woken instances go
//! to the queue that the workers share. A worker sleeps while no instance needs a turn and the
//! queue is empty. No thread polls.

use std::mem;
use std::sync::Arc;

use parigot_abi::Prologue;
use rand::rngs::StdRng;

use crate::clock::Clock;
use crate::error::Ending;
use crate::guest::code::{GuestInstance, Turn};
use crate::guest::epoch_ticker::EpochTicker;
use crate::kernel::callees::Route;
use crate::kernel::index::InstanceIndex;
use crate::kernel::init_turn::InitTurn;
use crate::kernel::instance::{
    Batch, Calls, Delivery, IDLE_LONG_NS, Idle, Instance, InstanceState, TimerChange, Wake,
};
use crate::kernel::lifecycle::Lifecycle;
use crate::kernel::observer::Observer;
use crate::kernel::queue::Queue;
use crate::kernel::supervisor::Supervisor;
use crate::kernel::timer::Timers;
use crate::kernel::turn_clock::{TurnClock, WallClock};
use crate::log::events;
use crate::settings::Settings;

/// Number of turns that a worker may run one after another on instances that its own turns woke or
/// handed off, while the queue is not empty.
const OWN_TURNS_MAX: u32 = 64;

/// State that all workers share.
pub(crate) struct Kernel {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timers: Arc<Timers<InstanceIndex>>,
    pub(crate) lifecycle: Lifecycle,
    /// Instances in the order of the deployment, proxies last.
    pub(crate) instances: Vec<Instance>,
    /// Largest payload in bytes of a message.
    pub(crate) message_bytes_max: usize,
    pub(crate) supervisor: Supervisor,
    pub(crate) epoch_ticker: EpochTicker,
    queue: Queue,
}

impl Kernel {
    pub(crate) fn new(
        settings: &Settings,
        lifecycle: Lifecycle,
        instances: Vec<Instance>,
        supervisor: Supervisor,
        epoch_ticker: EpochTicker,
    ) -> Self {
        Kernel {
            clock: Arc::clone(&settings.clock),
            timers: Timers::new(Arc::clone(&settings.clock)),
            lifecycle,
            instances,
            message_bytes_max: settings.message_bytes_max as usize,
            supervisor,
            epoch_ticker,
            queue: Queue::new(),
        }
    }

    /// Queues an instance for any worker, if `wake` demands it.
    pub(crate) fn wake(&self, instance: &Instance, wake: Wake) {
        if wake == Wake::Queue {
            self.queue.push(instance.index);
        }
    }

    /// Looks at the state of an instance; `None` if the instance is not idle.
    pub(crate) fn peek<R>(
        &self,
        instance: &Instance,
        look: impl FnOnce(&mut InstanceState) -> R,
    ) -> Option<R> {
        let (seen, wake) = instance.peek(look)?;
        self.wake(instance, wake);
        Some(seen)
    }

    /// Removes the first instance from the queue, if there is one.
    pub(crate) fn take_ready(&self) -> Option<InstanceIndex> {
        self.queue.try_take()
    }

    /// Makes workers, timers and the supervisor return after their current work.
    pub(crate) fn close(&self) {
        self.queue.close();
        self.timers.close();
        self.supervisor.close();
    }

    /// Wakes instances when their timers fire, until closed.
    pub(crate) fn run_timers(&self) {
        self.timers.run(|at_ns, index| self.fire(at_ns, index));
    }

    /// Wakes the instance of a timer that was set to `at_ns`.
    pub(crate) fn fire(&self, at_ns: u64, index: InstanceIndex) {
        let instance = &self.instances[index];
        instance.guest_log().report_dropped(at_ns);
        self.wake(instance, instance.fire(at_ns));
    }

    /// Sets a timer at which the log reports the lines of an instance that exceeded its log rate.
    /// Does nothing if `at_ns` is `None`.
    pub(crate) fn set_log_timer(&self, instance: &Instance, at_ns: Option<u64>) {
        if let Some(at_ns) = at_ns {
            // Wake-up timers have the index of the instance as key, so these keys begin above all
            // indexes.
            let key = (self.instances.len() + instance.index) as u64;
            self.timers.set(key, None, at_ns, instance.index);
        }
    }

    /// Sets a timer at which the instance has been idle for long, unless it runs before.
    fn set_idle_timer(&self, instance: &Instance, now_ns: u64) {
        let key = (2 * self.instances.len() + instance.index) as u64;
        let at_ns = now_ns.saturating_add(IDLE_LONG_NS);
        self.timers.set(key, None, at_ns, instance.index);
    }
}

/// Thread that runs instances. See [`Observer`] for `O`.
///
/// The fields belong to one thread, so they need no lock. Only `kernel` is shared.
pub(crate) struct Worker<'k, O: Observer = ()> {
    pub(crate) kernel: &'k Kernel,
    pub(crate) random: StdRng,
    pub(crate) observer: O,
    clock: TurnClock,
    wall: WallClock,
    /// Frames for the instance that runs now or, after a handoff, next. The batch is empty from the
    /// moment at which the guest has read it, so the same batch serves the receiver of a handoff.
    pub(crate) batch: Box<Batch>,
    /// Instances that were woken in this turn.
    woken: Vec<InstanceIndex>,
}

/// Next instance of a worker.
enum Next {
    /// Instance that the last turn handed off. Its state is here, its frames are in the batch of
    /// the worker.
    Handoff(InstanceIndex, Box<InstanceState>),
    /// Instance that the last turn woke, and that this worker keeps.
    Woken(InstanceIndex),
    /// No instance of this worker: the shared queue decides.
    Queue,
}

/// Slot in which a turn leaves the instance that it hands off to its worker.
pub(crate) enum HandoffSlot {
    /// No handoff is permitted.
    Closed,
    /// The receiver of the turn's last frame may be handed off.
    Open,
    /// The receiver, with its state. Its frames are in the batch of the worker.
    Filled(InstanceIndex, Box<InstanceState>),
}

/// Instance whose frames are routed, with the parts of its state that routing needs.
///
/// The outbox with the frames is borrowed from the rest of the state, so the state cannot be passed
/// as a whole.
pub(crate) struct Sender<'a> {
    pub(crate) instance: &'a Instance,
    pub(crate) routes: &'a [Route],
    pub(crate) calls: &'a mut Calls,
}

impl<'k> Worker<'k> {
    /// Creates a worker without an observer.
    pub(crate) fn new(kernel: &'k Kernel, random: StdRng) -> Self {
        Worker::with_observer(kernel, random, ())
    }
}

impl<'k, O: Observer> Worker<'k, O> {
    pub(crate) fn with_observer(kernel: &'k Kernel, random: StdRng, observer: O) -> Self {
        Worker {
            kernel,
            random,
            observer,
            clock: TurnClock::default(),
            wall: WallClock::default(),
            batch: Box::default(),
            woken: Vec::new(),
        }
    }

    /// Runs instances until the kernel is closed.
    pub(crate) fn run(mut self) {
        while let Some(index) = self.kernel.queue.take() {
            // The epoch ticker runs only while a worker is awake, so an idle host takes no CPU.
            let _awake = self.kernel.epoch_ticker.keep_awake();
            self.run_while_ready(index);
        }
    }

    /// Runs an instance, then the instances that it woke, then the instances in the queue, until
    /// there is none.
    ///
    /// Fairness: two guests that call each other could keep a worker forever, while instances wait
    /// in the queue. Hence a worker runs at most [`OWN_TURNS_MAX`] turns one after another on
    /// instances that its own turns woke or handed off, while the queue has instances. After the
    /// limit the turns permit no handoff, and a woken instance goes to the end of the queue. With
    /// an empty queue no instance waits, so there is no limit. An instance that was handed off
    /// never goes to the queue, because its frames are in this worker's batch; its turn exceeds the
    /// limit by one.
    fn run_while_ready(&mut self, first: InstanceIndex) {
        let kernel = self.kernel;
        let queue = &kernel.queue;
        let mut next = Next::Woken(first);
        let mut own_turns = 0;
        loop {
            let mut handoff = HandoffSlot::open_if(own_turns < OWN_TURNS_MAX || queue.is_empty());
            match next {
                Next::Handoff(index, state) => {
                    self.turn_after_handoff(&kernel.instances[index], state, &mut handoff);
                }
                Next::Woken(index) => self.turn(&kernel.instances[index], &mut handoff),
                Next::Queue => match kernel.take_ready() {
                    Some(index) => self.turn(&kernel.instances[index], &mut handoff),
                    None => return,
                },
            }
            next = self.next(handoff);
            own_turns = match next {
                Next::Queue => 0,
                Next::Handoff(..) | Next::Woken(_) => own_turns + 1,
            };
            if own_turns > OWN_TURNS_MAX
                && !queue.is_empty()
                && let Next::Woken(index) = next
            {
                queue.push(index);
                next = Next::Queue;
                own_turns = 0;
            }
        }
    }

    /// Chooses the next instance after a turn, and shares the other instances that the turn woke.
    #[inline]
    fn next(&mut self, handoff: HandoffSlot) -> Next {
        let next = match handoff {
            HandoffSlot::Filled(index, state) => Next::Handoff(index, state),
            // If the turn woke several instances, this worker keeps the last one.
            HandoffSlot::Open | HandoffSlot::Closed => {
                self.woken.pop().map_or(Next::Queue, Next::Woken)
            }
        };
        if !self.woken.is_empty() {
            self.share_woken();
        }
        next
    }

    /// Queues all woken instances for any worker.
    pub(crate) fn share_woken(&mut self) {
        for index in self.woken.drain(..) {
            self.kernel.queue.push(index);
        }
    }

    /// Notes an instance that must run after this turn, if `wake` demands it.
    pub(crate) fn wake(&mut self, instance: &Instance, wake: Wake) {
        if wake == Wake::Queue {
            self.woken.push(instance.index);
        }
    }

    /// Carries out the outcome of sending a frame to an instance, with the `handoff` that was given
    /// to [`batch_for`](Worker::batch_for).
    #[inline(always)]
    pub(crate) fn finish_delivery(
        &mut self,
        instance: &Instance,
        delivery: Delivery,
        handoff: Option<&mut HandoffSlot>,
    ) {
        match delivery {
            Delivery::Enqueued(wake) => self.wake(instance, wake),
            Delivery::HandedOff(state) => {
                let handoff = handoff.expect("an instance is handed off into an open slot only");
                let open = mem::replace(handoff, HandoffSlot::Filled(instance.index, state));
                debug_assert!(matches!(open, HandoffSlot::Open));
                // An open slot owns nothing. Without this line, the compiler adds a check and a
                // call to drop a state, 13 instructions per call.
                mem::forget(open);
            }
        }
    }

    /// Returns the batch for the receiver of a frame, if the receiver may be handed off. `handoff`
    /// is `None` for a frame that is not the last of its turn.
    #[inline(always)]
    pub(crate) fn batch_for(&mut self, handoff: Option<&HandoffSlot>) -> Option<&mut Box<Batch>> {
        matches!(handoff, Some(HandoffSlot::Open)).then_some(&mut self.batch)
    }

    /// Returns the time of the current turn on the host's clock, or of the last turn.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Reads the host's clock.
    pub(crate) fn read_clock(&mut self) {
        let tick = self.kernel.epoch_ticker.tick_count();
        self.clock.begin(tick, &*self.kernel.clock);
    }

    /// Runs one turn of a queued instance.
    pub(crate) fn turn(&mut self, instance: &Instance, handoff: &mut HandoffSlot) {
        self.read_clock();
        let Some(mut start) = instance.begin_turn(self.now_ns(), &mut self.batch) else {
            return;
        };
        self.observer.turn_begins(instance.index, self.now_ns());
        if !start.state.calls.overdue.is_empty() {
            self.decide_fates(instance, &mut start.state);
        }
        if !start.state.calls.withheld.is_empty() {
            self.pass_withheld_credit(&mut start.state.calls);
        }
        match start.kill_reason {
            None => self.turn_with(instance, start.state, start.is_requested, handoff),
            Some(fault) => {
                self.batch.clear();
                self.end(instance, *start.state, (*fault).into());
            }
        }
        self.observer.turn_ended(instance.index);
    }

    /// Runs the turn of an instance that was handed off with the last frame of the turn before.
    fn turn_after_handoff(
        &mut self,
        instance: &Instance,
        state: Box<InstanceState>,
        handoff: &mut HandoffSlot,
    ) {
        let tick = self.kernel.epoch_ticker.tick_count();
        self.clock
            .continue_from(tick, state.began_ns, &*self.kernel.clock);
        self.observer.turn_begins(instance.index, self.now_ns());
        self.turn_with(instance, state, false, handoff);
        self.observer.turn_ended(instance.index);
    }

    /// Runs a turn with the state of the instance and the batch of the worker. The guest is entered
    /// if the turn `is_requested`, or if there are frames.
    fn turn_with(
        &mut self,
        instance: &Instance,
        mut state: Box<InstanceState>,
        is_requested: bool,
        handoff: &mut HandoffSlot,
    ) {
        state.began_ns = self.now_ns();
        self.expire_calls(&mut state.calls);
        let turn = if is_requested || !self.batch.frames.is_empty() {
            self.enter(instance, &mut state, handoff).map(Some)
        } else {
            Ok(None)
        };
        match turn {
            Ok(turn) => self.put_back(instance, state, turn),
            Err(ending) => self.end(instance, *state, ending),
        }
    }

    /// Enters the guest with the batch, and carries out the frames that the guest sends. Guests
    /// receive frames only here.
    fn enter(
        &mut self,
        instance: &Instance,
        state: &mut InstanceState,
        handoff: &mut HandoffSlot,
    ) -> Result<Turn, Ending> {
        let wall_ns = self.wall.read(&*self.kernel.clock, self.now_ns());
        let prologue = Prologue {
            monotonic_ns: instance.guest_time_ns(self.now_ns()),
            wall_ns,
        };
        self.observer
            .guest_entered(instance.index, &prologue, &self.batch.frames);
        state.set_served();
        let turn = state.code.turn(prologue, &self.batch.frames, u32::MAX);
        // The guest has read the frames. The batch must be empty before routing, which may fill the
        // batch for the receiver of a handoff.
        self.batch.clear();
        let InstanceState {
            code,
            routes,
            calls,
            ..
        } = state;
        // Routing comes before the check of the outcome, because the frames that the guest sent
        // before a fault count.
        let sender = Sender {
            instance,
            routes,
            calls,
        };
        let routed = self.route(sender, code.outbox(), handoff);
        // After the lines that came in frames: Go's runtime writes the text of a panic last.
        self.log_output(instance, &mut **code, turn.is_err() || routed.is_err());
        routed?;
        Ok(turn?)
    }

    /// Puts an instance back after a turn.
    fn put_back(&self, instance: &Instance, mut state: Box<InstanceState>, turn: Option<Turn>) {
        if instance.may_be_idle(&state) {
            self.watch_idle(instance, &mut state, turn.as_ref());
        }
        let end = instance.end_turn(state, turn);
        if let Some(TimerChange {
            previous_ns,
            wake_at_ns,
        }) = end.timer
        {
            self.kernel.timers.set(
                instance.index as u64,
                previous_ns,
                wake_at_ns,
                instance.index,
            );
        }
        self.kernel.wake(instance, end.wake);
    }

    /// Reports a guest with a `main` function that waits for nothing, once after a while.
    ///
    /// A program that works has a call in flight at the end of most turns, so this is cold.
    #[cold]
    #[inline(never)]
    fn watch_idle(&self, instance: &Instance, state: &mut InstanceState, turn: Option<&Turn>) {
        let is_alone = |_: &Idle| self.kernel.lifecycle.is_left_alone(instance.index);
        match state.note_idle(turn).filter(is_alone) {
            // The timer causes a turn in which the guest is not entered.
            Some(Idle::Begins) => self.kernel.set_idle_timer(instance, self.now_ns()),
            Some(Idle::Lasts) => events::stuck(&instance.guest_log()),
            None => {}
        }
    }

    /// Carries out the frames of a guest's init turn, which ran outside of the scheduler.
    pub(crate) fn finish_init_turn(&mut self, instance: &Instance, init_turn: InitTurn) {
        self.read_clock();
        let mut state = init_turn.state;
        let InstanceState { routes, calls, .. } = &mut *state;
        let sender = Sender {
            instance,
            routes,
            calls,
        };
        // No handoff: the caller runs no turns.
        let mut handoff = HandoffSlot::Closed;
        match self.route(sender, &init_turn.outbox, &mut handoff) {
            Ok(()) => self.put_back(instance, state, Some(init_turn.turn)),
            Err(ending) => {
                self.log_output(instance, &mut *state.code, true);
                self.end(instance, *state, ending);
            }
        }
    }

    /// Logs the lines that a guest wrote to stdout and stderr.
    fn log_output(&self, instance: &Instance, code: &mut dyn GuestInstance, ended: bool) {
        code.take_output(ended, &mut |line| {
            let report_at_ns = instance.guest_log().log_line(self.now_ns(), line, None);
            self.kernel.set_log_timer(instance, report_at_ns);
        });
    }
}

impl HandoffSlot {
    fn open_if(is_permitted: bool) -> Self {
        if is_permitted {
            HandoffSlot::Open
        } else {
            HandoffSlot::Closed
        }
    }
}
