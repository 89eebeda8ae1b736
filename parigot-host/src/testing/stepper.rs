//! The scheduler of a test: one step after the other, on the thread that asks.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;

use super::interceptor::Interceptor;
use crate::error::{Ending, GuestFault};
use crate::kernel::index::InstanceIndex;
use crate::kernel::instance::Batch;
use crate::kernel::scheduler::{Kernel, Worker};
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
    /// The place of a guest.
    pub(super) fn place(&self, guest: &str) -> InstanceIndex {
        let place = self
            .kernel
            .instances
            .iter()
            .position(|instance| instance.name == guest);
        place.unwrap_or_else(|| panic!("there is no guest `{guest}`"))
    }

    /// When the clock must be moved to so that something happens.
    pub(super) fn next_timer_ns(&self) -> Option<u64> {
        let Kernel {
            timers, supervisor, ..
        } = &*self.kernel;
        [
            timers.first_ns(),
            supervisor.timers.first_ns(),
            self.start.first_ns(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Takes steps until `is_so` or none is possible. Returns whether it is so.
    pub(super) fn run(&mut self, is_so: &impl Fn(&Stepper) -> bool) -> bool {
        let kernel = Arc::clone(&self.kernel);
        let mut worker = Worker::new(&kernel, self.randomness.generator());
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
            (Step::Alarm, self.kernel.timers.first_ns()),
            (Step::Restart, self.kernel.supervisor.timers.first_ns()),
            (Step::Start, self.start.first_ns()),
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

    fn take(&mut self, step: Step, worker: &mut Worker<'_>) {
        match step {
            Step::Alarm => {
                let (at_ns, place) = self.kernel.timers.take_due().expect("it is due");
                self.kernel.fire(at_ns, place);
            }
            Step::Restart => {
                let (_, place) = self.kernel.supervisor.timers.take_due().expect("it is due");
                self.kernel.restart(place);
            }
            Step::Start => {
                let (_, alarm) = self.start.take_due().expect("it is due");
                if startup::is_over(&self.kernel, self.startup_deadline, alarm) {
                    self.start.close();
                }
            }
            Step::Turn(ready) => {
                let place = self.ready.remove(ready);
                self.turn(place, worker);
            }
        }
    }

    fn turn(&self, place: InstanceIndex, worker: &mut Worker<'_>) {
        let instances = &worker.kernel.instances;
        let instance = &instances[place];
        if instance.has_ended() {
            return;
        }
        self.interceptor.lock().record.begin_turn();
        worker.turn(instance);
        worker.share_woken();
        let record = &mut self.interceptor.lock().record;
        record.learn_routes(&std::mem::take(&mut worker.given), instances);
        if instance.has_ended() {
            record.ensure_end(&instance.name);
        }
    }

    /// Ends an instance as though it had trapped.
    pub(super) fn crash(&mut self, place: InstanceIndex) {
        let kernel = Arc::clone(&self.kernel);
        let instance = &kernel.instances[place];
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
        worker.end(instance, *start.body, Ending::Fault(fault));
        worker.share_woken();
    }
}
