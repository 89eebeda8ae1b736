//! Single-threaded scheduler of a test: one step after the other, on the calling thread.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;

use super::intercepted::CRASH;
use super::interceptor::Interceptor;
use crate::error::{Ending, GuestFault, Stack};
use crate::guest::stack;
use crate::kernel::index::InstanceIndex;
use crate::kernel::instance::{Batch, Outbound};
use crate::kernel::observer::Observer;
use crate::kernel::scheduler::{HandoffSlot, Kernel, Worker};
use crate::kernel::startup::{self, Alarm};
use crate::kernel::timer::Timers;
use crate::random::Randomness;

/// Number of turns without a rest after which guests are assumed to wake each other forever.
const TURNS_MAX: u32 = 1_000_000;

/// Scheduler that runs a kernel's guests step by step.
pub(super) struct Stepper {
    pub(super) kernel: Arc<Kernel>,
    pub(super) interceptor: Arc<Mutex<Interceptor>>,
    pub(super) startup_timers: Arc<Timers<Alarm>>,
    pub(super) startup_deadline: Duration,
    pub(super) randomness: Randomness,
    /// Chooses among the possible steps. Without it, timers come first, then the guest that has
    /// been ready for the longest time.
    pub(super) random: Option<StdRng>,
    /// Guests that are ready to run, in the order in which they became ready.
    pub(super) ready: Vec<InstanceIndex>,
}

/// Step that can be taken next.
#[derive(Clone, Copy)]
enum Step {
    /// A timer of a guest fires.
    Timer,
    /// A service is restarted.
    Restart,
    /// A timer of the start fires.
    Startup,
    /// A guest runs for one turn. The number is its index in [`Stepper::ready`].
    Turn(usize),
}

impl Stepper {
    /// Returns the index of a guest, of several replicas that of the first.
    pub(super) fn index_of(&self, guest: &str) -> InstanceIndex {
        let index = self
            .kernel
            .instances
            .iter()
            .position(|instance| instance.name == guest);
        index.unwrap_or_else(|| panic!("there is no guest `{guest}`"))
    }

    /// Returns the time of the next timer, of any kind.
    pub(super) fn next_timer_ns(&self) -> Option<u64> {
        let Kernel {
            timers, supervisor, ..
        } = &*self.kernel;
        [
            timers.lock().first_ns(),
            supervisor.timers.lock().first_ns(),
            self.startup_timers.lock().first_ns(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Takes steps until `is_so` holds or no step is possible. Returns true if `is_so` holds.
    pub(super) fn run(&mut self, is_so: &impl Fn(&Stepper) -> bool) -> bool {
        let kernel = Arc::clone(&self.kernel);
        let recorder = TurnRecorder {
            kernel: &kernel,
            interceptor: Arc::clone(&self.interceptor),
            sent: Vec::new(),
        };
        let random = self.randomness.generator();
        let mut worker = Worker::with_observer(&kernel, random, recorder);
        let _awake = kernel.epoch_ticker.keep_awake();
        for _ in 0..TURNS_MAX {
            if is_so(self) {
                return true;
            }
            let Some(step) = self.choose() else {
                return false;
            };
            self.take(step, &mut worker);
        }
        panic!("guests are still busy after {TURNS_MAX} turns without an advance of the clock");
    }

    /// Chooses the next step.
    fn choose(&mut self) -> Option<Step> {
        self.ready
            .extend(std::iter::from_fn(|| self.kernel.take_ready()));
        let now_ns = self.kernel.clock.monotonic_ns();
        let is_due = |first_ns: Option<u64>| first_ns.is_some_and(|first_ns| first_ns <= now_ns);
        let timers = [
            (Step::Timer, self.kernel.timers.lock().first_ns()),
            (
                Step::Restart,
                self.kernel.supervisor.timers.lock().first_ns(),
            ),
            (Step::Startup, self.startup_timers.lock().first_ns()),
        ];
        let due = timers
            .into_iter()
            .filter(|(_, first_ns)| is_due(*first_ns))
            .map(|(step, _)| step);
        let steps: Vec<Step> = due.chain((0..self.ready.len()).map(Step::Turn)).collect();
        let chosen = match &mut self.random {
            Some(random) if steps.len() > 1 => random.random_range(0..steps.len()),
            _ => 0,
        };
        steps.get(chosen).copied()
    }

    fn take(&mut self, step: Step, worker: &mut Worker<'_, TurnRecorder<'_>>) {
        const DUE: &str = "a chosen timer must be due";
        let now_ns = self.kernel.clock.monotonic_ns();
        match step {
            Step::Timer => {
                let (at_ns, index) = self.kernel.timers.lock().take_due(now_ns).expect(DUE);
                self.kernel.fire(at_ns, index);
            }
            Step::Restart => {
                let (_, index) = self
                    .kernel
                    .supervisor
                    .timers
                    .lock()
                    .take_due(now_ns)
                    .expect(DUE);
                self.kernel.restart(index);
            }
            Step::Startup => {
                let (_, alarm) = self.startup_timers.lock().take_due(now_ns).expect(DUE);
                if startup::is_over(&self.kernel, self.startup_deadline, alarm) {
                    self.startup_timers.close();
                }
            }
            Step::Turn(ready) => {
                let index = self.ready.remove(ready);
                self.turn(index, worker);
            }
        }
    }

    fn turn(&self, index: InstanceIndex, worker: &mut Worker<'_, TurnRecorder<'_>>) {
        let instance = &worker.kernel.instances[index];
        // Closed: a handoff would be a step that the test did not choose.
        worker.turn(instance, &mut HandoffSlot::Closed);
        // Woken guests go to the queue, so that each of them becomes a step of its own.
        worker.share_woken();
    }

    /// Ends an instance as after a trap.
    pub(super) fn crash(&mut self, index: InstanceIndex) {
        let kernel = Arc::clone(&self.kernel);
        let instance = &kernel.instances[index];
        let mut batch = Box::<Batch>::default();
        let Some(start) = instance.begin_turn(kernel.clock.monotonic_ns(), &mut batch) else {
            return;
        };
        let mut worker = Worker::new(&kernel, self.randomness.generator());
        let fault = GuestFault::of_trap(String::new(), CRASH.into(), Stack::Unknown);
        self.interceptor
            .lock()
            .record
            .note_end(&instance.name, &fault.to_string());
        worker.end(instance, *start.state, Ending::Fault(fault));
        worker.share_woken();
    }
}

/// Observer that adds to the record what only the kernel knows of a turn.
///
/// Each method releases the lock of the interceptor at once: the intercepted guest takes the lock
/// for each frame of the turn.
struct TurnRecorder<'k> {
    kernel: &'k Kernel,
    interceptor: Arc<Mutex<Interceptor>>,
    /// Calls of this turn that were delivered, by their caller's numbers.
    sent: Vec<(u64, Outbound)>,
}

impl Observer for TurnRecorder<'_> {
    fn turn_begins(&mut self, _instance: InstanceIndex, _now_ns: u64) {
        self.interceptor.lock().record.begin_turn();
    }

    fn call_sent(&mut self, _caller: InstanceIndex, number: u64, call: &Outbound) {
        self.sent.push((number, *call));
    }

    fn instance_ended(&mut self, instance: InstanceIndex, _ending: &Ending) {
        let name = &self.kernel.instances[instance].name;
        self.interceptor.lock().record.ensure_end(name);
    }

    fn turn_ended(&mut self, _instance: InstanceIndex) {
        let sent = std::mem::take(&mut self.sent);
        let record = &mut self.interceptor.lock().record;
        record.record_routes(&sent, &self.kernel.instances);
    }
}

/// Runs guests on a thread with enough stack, and waits for the thread.
///
/// # Panics
///
/// If the system does not start the thread.
pub(super) fn on_test_thread<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    stack::on_guest_thread("parigot test", run).unwrap_or_else(|error| panic!("{error}"))
}
