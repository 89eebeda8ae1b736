//! The scheduler of a test: one step after the other, on the thread that asks.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;

use super::interceptor::Interceptor;
use crate::error::{Ending, GuestFault};
use crate::kernel::index::InstanceIndex;
use crate::kernel::instance::{Batch, Outbound};
use crate::kernel::observer::Observer;
use crate::kernel::scheduler::{HandoffSlot, Kernel, Worker};
use crate::kernel::startup::{self, Alarm};
use crate::kernel::timer::Timers;
use crate::random::Randomness;

/// More turns without an end are taken for guests that wake each other for ever.
const TURNS_MAX: u32 = 1_000_000;

/// What crashed a guest that [`TestRun::crash`](super::TestRun::crash) was told of.
const CRASH: &str = "the test has crashed it";

/// Runs a kernel's guests.
pub(super) struct Stepper {
    pub(super) kernel: Arc<Kernel>,
    pub(super) interceptor: Arc<Mutex<Interceptor>>,
    pub(super) start: Arc<Timers<Alarm>>,
    pub(super) startup_deadline: Duration,
    pub(super) randomness: Randomness,
    /// Chooses among the steps that are possible; without it alarms come first, and then whoever has waited longest.
    pub(super) chance: Option<StdRng>,
    /// Those that are ready to run, in the order in which they became it.
    pub(super) ready: Vec<InstanceIndex>,
}

/// Something that can happen next.
#[derive(Clone, Copy)]
enum Step {
    Alarm,
    Restart,
    Start,
    /// Of one that is ready.
    Turn(usize),
}

impl Stepper {
    /// The index of a guest.
    pub(super) fn index(&self, guest: &str) -> InstanceIndex {
        let index = self
            .kernel
            .instances
            .iter()
            .position(|instance| instance.name == guest);
        index.unwrap_or_else(|| panic!("there is no guest `{guest}`"))
    }

    /// When the clock must be moved to so that something happens.
    pub(super) fn next_timer_ns(&self) -> Option<u64> {
        let Kernel {
            timers, supervisor, ..
        } = &*self.kernel;
        [
            timers.lock().first_ns(),
            supervisor.timers.lock().first_ns(),
            self.start.lock().first_ns(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Takes steps until `is_so` or none is possible. Returns whether it is so.
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
        panic!("the guests do not come to rest: they had a million turns while the clock stood");
    }

    /// What happens next.
    fn choose(&mut self) -> Option<Step> {
        self.ready
            .extend(std::iter::from_fn(|| self.kernel.take_ready()));
        let now_ns = self.kernel.clock.monotonic_ns();
        let is_due = |first_ns: Option<u64>| first_ns.is_some_and(|first_ns| first_ns <= now_ns);
        let alarms = [
            (Step::Alarm, self.kernel.timers.lock().first_ns()),
            (
                Step::Restart,
                self.kernel.supervisor.timers.lock().first_ns(),
            ),
            (Step::Start, self.start.lock().first_ns()),
        ];
        let due = alarms
            .into_iter()
            .filter(|(_, first_ns)| is_due(*first_ns))
            .map(|(step, _)| step);
        let steps: Vec<Step> = due.chain((0..self.ready.len()).map(Step::Turn)).collect();
        let chosen = match &mut self.chance {
            Some(chance) if steps.len() > 1 => chance.random_range(0..steps.len()),
            _ => 0,
        };
        steps.get(chosen).copied()
    }

    fn take(&mut self, step: Step, worker: &mut Worker<'_, TurnRecorder<'_>>) {
        let now_ns = self.kernel.clock.monotonic_ns();
        match step {
            Step::Alarm => {
                let (at_ns, index) = self
                    .kernel
                    .timers
                    .lock()
                    .take_due(now_ns)
                    .expect("it is due");
                self.kernel.fire(at_ns, index);
            }
            Step::Restart => {
                let (_, index) = self
                    .kernel
                    .supervisor
                    .timers
                    .lock()
                    .take_due(now_ns)
                    .expect("it is due");
                self.kernel.restart(index);
            }
            Step::Start => {
                let (_, alarm) = self.start.lock().take_due(now_ns).expect("it is due");
                if startup::is_over(&self.kernel, self.startup_deadline, alarm) {
                    self.start.close();
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
        // No handoff: the test chooses the next step.
        worker.turn(instance, &mut HandoffSlot::Closed);
        worker.share_woken();
    }

    /// Ends an instance as though it had trapped.
    pub(super) fn crash(&mut self, index: InstanceIndex) {
        let kernel = Arc::clone(&self.kernel);
        let instance = &kernel.instances[index];
        let mut delivery = Box::<Batch>::default();
        let Some(start) = instance.begin_turn(kernel.clock.monotonic_ns(), &mut delivery) else {
            return;
        };
        let mut worker = Worker::new(&kernel, self.randomness.generator());
        let fault = GuestFault::Trap {
            reason: CRASH.into(),
        };
        self.interceptor
            .lock()
            .record
            .note_end(&instance.name, &fault.to_string());
        worker.end(instance, *start.state, Ending::Fault(fault));
        worker.share_woken();
    }
}

/// Observer that adds to the record what only the kernel knows of a turn.
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
        record.learn_routes(&sent, &self.kernel.instances);
    }
}
