//! The scheduler: workers that run instances turn by turn. What the instances send is carried by [`crate::kernel::router`].
//!
//! A worker that has just run an instance keeps one of those that it woke for itself, so that a call inside a process never
//! changes threads while there is nothing else to do; the rest goes to the queue that all workers share. Nothing polls: a worker
//! without work sleeps until the queue has some.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parigot_abi::Prologue;
use parking_lot::{Condvar, Mutex};
use rand::rngs::StdRng;

use crate::clock::Clock;
use crate::error::{Ending, Failure};
use crate::guest::code::{GuestInstance, Turn};
use crate::guest::epoch_ticker::EpochTicker;
use crate::kernel::index::InstanceIndex;
use crate::kernel::init_turn::InitTurn;
#[cfg(feature = "testing")]
use crate::kernel::instance::Outbound;
use crate::kernel::instance::{Batch, Calls, Handoff, Instance, InstanceState, TimerChange, Wake};
use crate::kernel::lifecycle::Lifecycle;
use crate::kernel::supervisor::Supervisor;
use crate::kernel::timer::Timers;
use crate::settings::Settings;

/// So many turns a worker takes from what it woke itself before it looks into the shared queue.
const HANDOFFS_MAX: u32 = 64;

/// What all workers share.
pub(crate) struct Kernel {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timers: Arc<Timers<InstanceIndex>>,
    pub(crate) lifecycle: Lifecycle,
    /// By their places, which are those in the deployment.
    pub(crate) instances: Vec<Instance>,
    /// The largest payload that is let through.
    pub(crate) message_bytes_max: usize,
    pub(crate) supervisor: Supervisor,
    pub(crate) epoch_ticker: EpochTicker,
    queue: Queue,
}

/// Instances that are ready to run and that no worker has taken.
struct Queue {
    state: Mutex<QueueState>,
    filled: Condvar,
    /// How many there are, to look at without the lock.
    count: AtomicUsize,
}

struct QueueState {
    ready: VecDeque<InstanceIndex>,
    closed: bool,
}

impl Queue {
    fn push(&self, instance: InstanceIndex) {
        let mut state = self.state.lock();
        state.ready.push_back(instance);
        self.count.store(state.ready.len(), Ordering::Relaxed);
        drop(state);
        self.filled.notify_one();
    }

    /// Takes the first, waiting for one; `None` once closed.
    fn take(&self) -> Option<InstanceIndex> {
        let mut state = self.state.lock();
        while !state.closed {
            if let Some(first) = state.ready.pop_front() {
                self.count.store(state.ready.len(), Ordering::Relaxed);
                return Some(first);
            }
            self.filled.wait(&mut state);
        }
        None
    }

    /// Takes the first, if there is one.
    fn try_take(&self) -> Option<InstanceIndex> {
        let mut state = self.state.lock();
        let first = state.ready.pop_front();
        self.count.store(state.ready.len(), Ordering::Relaxed);
        first
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.ready.clear();
        drop(state);
        self.filled.notify_all();
    }
}

impl Kernel {
    pub(crate) fn new(
        settings: &Settings,
        lifecycle: Lifecycle,
        instances: Vec<Instance>,
        supervisor: Supervisor,
        epoch_ticker: EpochTicker,
    ) -> Self {
        let state = QueueState {
            ready: VecDeque::new(),
            closed: false,
        };
        Kernel {
            clock: Arc::clone(&settings.clock),
            timers: Timers::new(Arc::clone(&settings.clock)),
            lifecycle,
            instances,
            message_bytes_max: settings.message_bytes_max as usize,
            supervisor,
            epoch_ticker,
            queue: Queue {
                state: Mutex::new(state),
                filled: Condvar::new(),
                count: AtomicUsize::new(0),
            },
        }
    }

    /// Queues an instance for any worker, if it must be.
    pub(crate) fn wake(&self, instance: &Instance, wake: Wake) {
        if wake == Wake::Queue {
            self.queue.push(instance.index);
        }
    }

    /// Takes an instance that is ready to run, if there is one, for whoever runs instances without [`Worker::run`].
    #[cfg(feature = "testing")]
    pub(crate) fn take_ready(&self) -> Option<InstanceIndex> {
        self.queue.try_take()
    }

    /// Makes workers and timers return when they have finished what they are doing.
    pub(crate) fn close(&self) {
        self.queue.close();
        self.timers.close();
        self.supervisor.close();
    }

    /// Lets the timers wake instances until closed.
    pub(crate) fn run_timers(&self) {
        self.timers.run(|at_ns, index| self.fire(at_ns, index));
    }

    /// An alarm of an instance rings.
    pub(crate) fn fire(&self, at_ns: u64, index: InstanceIndex) {
        let instance = &self.instances[index];
        instance.guest_log().settle(at_ns);
        self.wake(instance, instance.fire(at_ns));
    }

    /// Has it told at that time, if any, what an instance's log lacks.
    pub(crate) fn settle_log_at(&self, instance: &Instance, at_ns: Option<u64>) {
        if let Some(at_ns) = at_ns {
            // Alarms of the instance itself have its index for a key.
            self.timers.set(
                (self.instances.len() + instance.index) as u64,
                None,
                at_ns,
                instance.index,
            );
        }
    }
}

/// One thread that runs instances.
pub(crate) struct Worker<'k> {
    pub(crate) kernel: &'k Kernel,
    pub(crate) random: StdRng,
    /// When the turn began that is being run, or the one before.
    pub(crate) now_ns: u64,
    /// Epoch tick at which `now_ns` was read; `None` once two turns have shared it.
    tick: Option<u64>,
    wall: WallClock,
    /// What has come for the instance that is being run.
    batch: Box<Batch>,
    /// Whether the last frame of this turn may hand its receiver over to this worker.
    may_hand_off: bool,
    pub(crate) is_last_frame: bool,
    /// The receiver, if it did.
    next: Option<(InstanceIndex, Box<InstanceState>)>,
    /// Those that were woken in this turn.
    woken: Vec<InstanceIndex>,
    /// Calls that were given to a callee in this turn, by their caller's numbers.
    #[cfg(feature = "testing")]
    pub(crate) given: Vec<(u64, Outbound)>,
}

/// The time of day, read from its clock a few hundred times a second at most; in between it goes on with the monotonic clock.
struct WallClock {
    ahead_ns: u64,
    good_until_ns: u64,
}

impl WallClock {
    const GOOD_FOR_NS: u64 = 5_000_000;

    fn read(&mut self, clock: &dyn Clock, monotonic_ns: u64) -> u64 {
        if monotonic_ns >= self.good_until_ns {
            self.ahead_ns = clock.wall_ns().wrapping_sub(monotonic_ns);
            self.good_until_ns = monotonic_ns + Self::GOOD_FOR_NS;
        }
        monotonic_ns.wrapping_add(self.ahead_ns)
    }
}

impl<'k> Worker<'k> {
    pub(crate) fn new(kernel: &'k Kernel, random: StdRng) -> Self {
        let wall = WallClock {
            ahead_ns: 0,
            good_until_ns: 0,
        };
        Worker {
            kernel,
            random,
            now_ns: 0,
            tick: None,
            wall,
            batch: Box::default(),
            may_hand_off: false,
            is_last_frame: false,
            next: None,
            woken: Vec::new(),
            #[cfg(feature = "testing")]
            given: Vec::new(),
        }
    }

    /// Runs instances until the kernel is closed.
    pub(crate) fn run(mut self) {
        while let Some(index) = self.kernel.queue.take() {
            let _awake = self.kernel.epoch_ticker.keep_awake();
            self.run_while_ready(index);
        }
    }

    /// Runs an instance, then those that it woke, then those in the queue, until there is none.
    fn run_while_ready(&mut self, first: InstanceIndex) {
        let queue = &self.kernel.queue;
        let mut handoffs = 0;
        let mut woken = Some(first);
        loop {
            self.may_hand_off = handoffs < HANDOFFS_MAX || queue.is_empty();
            if let Some((index, body)) = self.next.take() {
                self.follow_on(&body);
                self.turn_with(&self.kernel.instances[index], body, false);
            } else if let Some(index) = woken.take().or_else(|| queue.try_take()) {
                self.turn(&self.kernel.instances[index]);
            } else {
                return;
            }
            if self.next.is_none() {
                woken = self.woken.pop();
            }
            if !self.woken.is_empty() {
                self.share_woken();
            }
            handoffs = if woken.is_some() || self.next.is_some() {
                handoffs + 1
            } else {
                0
            };
            if handoffs > HANDOFFS_MAX
                && !queue.is_empty()
                && let Some(index) = woken.take()
            {
                handoffs = 0;
                queue.push(index);
            }
        }
    }

    /// Leaves all that were woken to any worker.
    pub(crate) fn share_woken(&mut self) {
        self.woken
            .drain(..)
            .for_each(|index| self.kernel.queue.push(index));
    }

    pub(crate) fn wake(&mut self, instance: &Instance, wake: Wake) {
        if wake == Wake::Queue {
            self.woken.push(instance.index);
        }
    }

    /// Does what follows from a frame that was left for an instance.
    #[inline(always)]
    pub(crate) fn follow_up(&mut self, instance: &Instance, handoff: Handoff) {
        match handoff {
            Handoff::Wake(wake) => self.wake(instance, wake),
            Handoff::RunNext(body) => self.next = Some((instance.index, body)),
        }
    }

    /// Where to put what has come for an instance that this worker runs next, if it may have one.
    #[inline]
    pub(crate) fn slot(&mut self) -> Option<&mut Box<Batch>> {
        (self.may_hand_off && self.is_last_frame).then_some(&mut self.batch)
    }

    fn read_clock(&mut self) {
        self.tick = Some(self.kernel.epoch_ticker.beat());
        self.now_ns = self.kernel.clock.monotonic_ns();
    }

    /// The next turn follows on one that has handed its instance over. To read the clock takes longer than most of what a worker does in between, so
    /// two turns have the same time, if the first was over before the next beat and the instance has not seen a later one.
    fn follow_on(&mut self, body: &InstanceState) {
        let is_good = self.tick.take() == Some(self.kernel.epoch_ticker.beat())
            && body.began_ns <= self.now_ns;
        if !is_good {
            self.read_clock();
        }
    }

    /// Lets an instance run for one turn.
    pub(crate) fn turn(&mut self, instance: &Instance) {
        self.read_clock();
        let Some(start) = instance.begin_turn(self.now_ns, &mut self.batch) else {
            return;
        };
        match start.kill_reason {
            None => self.turn_with(instance, start.body, start.wanted),
            Some(why) => {
                self.batch.clear();
                self.end(instance, *start.body, (*why).into());
            }
        }
    }

    /// Lets an instance run whose body and mail are here. `wanted` says that it is entered even if nothing has come.
    fn turn_with(&mut self, instance: &Instance, mut body: Box<InstanceState>, wanted: bool) {
        #[cfg(feature = "testing")]
        self.given.clear();
        body.began_ns = self.now_ns;
        self.expire_calls(&mut body.calls);
        let enter = wanted || !self.batch.frames.is_empty();
        let turn = if enter {
            self.enter(instance, &mut body).map(Some)
        } else {
            Ok(None)
        };
        match turn {
            Ok(turn) => self.leave(instance, body, turn),
            Err(ending) => self.end(instance, *body, ending),
        }
    }

    /// Ends the calls that an instance waits for and whose time is over.
    fn expire_calls(&mut self, calls: &mut Calls) {
        if calls.deadlines_ns > self.now_ns {
            return;
        }
        for (number, call) in calls.expire(self.now_ns) {
            self.cancel_at_callee(&call);
            let failure =
                Failure::timed_out().at(self.kernel.instances[call.callee].id_in_failure());
            failure.push(number, call.id, &mut self.batch.frames);
        }
    }

    /// The one index where an inbox is handed to an instance; then what it has sent is carried out.
    fn enter(&mut self, instance: &Instance, body: &mut InstanceState) -> Result<Turn, Ending> {
        let wall_ns = self.wall.read(&*self.kernel.clock, self.now_ns);
        let prologue = Prologue {
            monotonic_ns: instance.own_time_ns(self.now_ns),
            wall_ns,
        };
        let turn = body.code.turn(prologue, &self.batch.frames, u32::MAX);
        // It is read, and its index is free for what has come for the next.
        self.batch.clear();
        // What was sent before a fault was sent: it is carried out all the same.
        let InstanceState {
            code,
            routes,
            calls,
            ..
        } = body;
        let routed = self.route(instance, code.outbox(), routes, calls);
        // Behind the lines that came in frames, as what Go's runtime says of a panic is the last of all.
        self.log_output(instance, &mut **code, turn.is_err() || routed.is_err());
        routed?;
        Ok(turn?)
    }

    fn leave(&self, instance: &Instance, body: Box<InstanceState>, turn: Option<Turn>) {
        let end = instance.end_turn(body, turn);
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

    /// Carries out what a guest sent in its first turn, before there were workers.
    pub(crate) fn finish_init_turn(&mut self, instance: &Instance, first: InitTurn) {
        self.now_ns = self.kernel.clock.monotonic_ns();
        let mut body = first.body;
        let InstanceState { routes, calls, .. } = &mut *body;
        match self.route(instance, &first.outbox, routes, calls) {
            Ok(()) => self.leave(instance, body, Some(first.turn)),
            Err(ending) => {
                self.log_output(instance, &mut *body.code, true);
                self.end(instance, *body, ending);
            }
        }
    }

    /// Adds to the log what a guest has written to streams of its own.
    fn log_output(&self, instance: &Instance, code: &mut dyn GuestInstance, ended: bool) {
        code.take_output(ended, &mut |level, text| {
            let settle_ns = instance.guest_log().say(self.now_ns, level, None, text);
            self.kernel.settle_log_at(instance, settle_ns);
        });
    }
}
