//! The scheduler: workers that run instances turn by turn. What the instances send is carried by [`crate::route`].
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

use crate::boot::FirstTurn;
use crate::clock::Clock;
use crate::code::Turn;
use crate::instance::{Body, Instance, Wake, recycle};
use crate::life::Life;
use crate::log;
use crate::route::Ending;
use crate::timer::Timers;

/// So many turns a worker takes from what it woke itself before it looks into the shared queue.
const HAND_OVERS_MAX: u32 = 64;

/// What all workers share.
pub(crate) struct Kernel {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timers: Arc<Timers<Arc<Instance>>>,
    pub(crate) life: Life,
    /// By their place in the deployment.
    pub(crate) instances: Vec<Arc<Instance>>,
    /// The largest payload that is let through.
    pub(crate) message_bytes_max: usize,
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
    ready: VecDeque<Arc<Instance>>,
    closed: bool,
}

impl Queue {
    fn push(&self, instance: Arc<Instance>) {
        let mut state = self.state.lock();
        state.ready.push_back(instance);
        self.count.store(state.ready.len(), Ordering::Relaxed);
        drop(state);
        self.filled.notify_one();
    }

    /// Takes the first, waiting for one; `None` once closed.
    fn take(&self) -> Option<Arc<Instance>> {
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
        clock: Arc<dyn Clock>,
        timers: Arc<Timers<Arc<Instance>>>,
        life: Life,
        instances: Vec<Arc<Instance>>,
        message_bytes_max: usize,
    ) -> Arc<Self> {
        let state = QueueState { ready: VecDeque::new(), closed: false };
        let queue = Queue { state: Mutex::new(state), filled: Condvar::new(), count: AtomicUsize::new(0) };
        Arc::new(Kernel { clock, timers, life, instances, message_bytes_max, queue })
    }

    /// Queues an instance for any worker, if it must be.
    pub(crate) fn wake(&self, instance: &Arc<Instance>, wake: Wake) {
        if wake == Wake::Queue {
            self.queue.push(Arc::clone(instance));
        }
    }

    /// Makes workers and timers return when they have finished what they are doing.
    pub(crate) fn close(&self) {
        self.queue.close();
        self.timers.close();
    }

    /// Lets the timers wake instances until closed.
    pub(crate) fn run_timers(&self) {
        self.timers.run(|at_ns, instance| self.wake(&instance, instance.ring(at_ns)));
    }
}

/// One thread that runs instances.
pub(crate) struct Worker {
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) random: StdRng,
    /// Those that it woke in this turn.
    woken: Vec<Arc<Instance>>,
    /// The mailbox that is being delivered.
    frames: Vec<u8>,
}

impl Worker {
    pub(crate) fn new(kernel: Arc<Kernel>, random: StdRng) -> Self {
        Worker { kernel, random, woken: Vec::new(), frames: Vec::new() }
    }

    /// Runs instances until the kernel is closed.
    pub(crate) fn run(mut self) {
        let mut hand_overs = 0;
        let mut next = None;
        while let Some(instance) = next.or_else(|| self.kernel.queue.take()) {
            self.turn(&instance);
            next = self.woken.pop();
            self.share_woken();
            if next.is_none() {
                hand_overs = 0;
                continue;
            }
            hand_overs += 1;
            if hand_overs >= HAND_OVERS_MAX && !self.kernel.queue.is_empty() {
                hand_overs = 0;
                self.kernel.queue.push(next.take().expect("it was seen two lines above"));
            }
        }
    }

    /// Leaves all that were woken to any worker.
    pub(crate) fn share_woken(&mut self) {
        for instance in self.woken.drain(..) {
            self.kernel.queue.push(instance);
        }
    }

    pub(crate) fn wake(&mut self, instance: &Arc<Instance>, wake: Wake) {
        if wake == Wake::Queue {
            self.woken.push(Arc::clone(instance));
        }
    }

    /// Lets an instance run for one turn.
    fn turn(&mut self, instance: &Arc<Instance>) {
        let mut body = instance.body.lock();
        let now_ns = self.kernel.clock.monotonic_ns();
        let start = instance.begin_turn(now_ns, &mut self.frames);
        for call in start.expired {
            self.cancel_at_callee(&call);
        }
        let entered = if start.enter { self.enter(instance, &mut body, now_ns) } else { Ok(None) };
        recycle(&mut self.frames);
        match entered {
            Ok(turn) => {
                drop(body);
                self.leave(instance, turn);
            }
            Err(ending) => self.end(instance, &mut body, ending),
        }
    }

    /// The one place where an inbox is handed to an instance; then what it has sent is carried out.
    fn enter(&mut self, instance: &Arc<Instance>, body: &mut Body, now_ns: u64) -> Result<Option<Turn>, Ending> {
        let Body { code: Some(code), links } = body else { return Ok(None) };
        let prologue = Prologue { monotonic_ns: instance.own_time_ns(now_ns), wall_ns: self.kernel.clock.wall_ns() };
        let entered = code.turn(prologue, &self.frames, u32::MAX);
        code.take_output(entered.is_err(), &mut |level, text| {
            log::line(&instance.name, instance.id, level, None, text);
        });
        // What was sent before a fault was sent: it is carried out all the same.
        self.route(instance, code.outbox(), links)?;
        entered.map(Some).map_err(Ending::from)
    }

    fn leave(&self, instance: &Arc<Instance>, turn: Option<Turn>) {
        let end = instance.end_turn(turn);
        if let Some((previous_ns, alarm_ns)) = end.alarm {
            self.kernel.timers.set(instance.index as u64, previous_ns, alarm_ns, Arc::clone(instance));
        }
        self.kernel.wake(instance, end.wake);
    }

    /// Carries out what a guest sent in its first turn, before there were workers.
    pub(crate) fn finish_first_turn(&mut self, instance: &Arc<Instance>, first: FirstTurn) {
        let mut body = instance.body.lock();
        match self.route(instance, &first.outbox, &body.links) {
            Ok(()) => {
                drop(body);
                self.leave(instance, Some(first.turn));
            }
            Err(ending) => self.end(instance, &mut body, ending),
        }
    }
}
