//! What follows when a service has ended: it is made anew, after a pause that grows with each time, or it was the last time.
//!
//! The rules are those of OTP. A service that ends is restarted if its policy says so, unless there were so many restarts in so many seconds
//! already: then it has failed permanently, and so have those that are to be restarted and require it. One that was never ready is not restarted, since its start has failed. What is
//! made anew comes from the same module, stays at its place and keeps its links, so callers' handles stay valid; but it is another
//! instance, with an id and a memory of its own. Until it is ready again, calls are refused at once: whoever waits
//! in a queue for what may take half a minute is served worse than one who is told.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::Manifest;
use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::id::InstanceId;
use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;

use crate::deployment::{GuestSpec, RestartAfter, RestartPolicy};
use crate::error::{Ending, GuestFault, Unavailable};
use crate::guest::code::{InstanceFactory, InstantiateError};
use crate::kernel::index::InstanceIndex;
use crate::kernel::init_turn::{self, InitOutput, InitTurn, InstantiateParams};
use crate::kernel::instance::{Instance, InstanceState};
use crate::kernel::lifecycle::{Fall, Phase, Unlaunchable};
use crate::kernel::observer::Observer;
use crate::kernel::route::Route;
use crate::kernel::scheduler::{Kernel, Worker};
use crate::kernel::timer::Timers;
use crate::log::events;
use crate::random::Randomness;
use crate::settings::Settings;

/// The longest pause before a first restart; each that follows within the time of the policy may take twice as long.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// No pause is longer.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Makes services anew, on a thread of its own, so that one that fails all the time takes no worker from others.
pub(crate) struct Supervisor {
    settings: Settings,
    randomness: Randomness,
    pub(crate) timers: Arc<Timers<InstanceIndex>>,
    /// By their places; none for what is never restarted.
    supervised: Vec<Option<Box<SupervisedService>>>,
}

/// A service that is restarted.
pub(crate) struct SupervisedService {
    spec: GuestSpec,
    factory: Arc<dyn InstanceFactory>,
    manifest: Manifest,
    state: Mutex<RestartState>,
}

#[derive(Default)]
struct RestartState {
    history: RestartWindow,
    /// Where its calls go, kept here while there is no body.
    routes: Vec<Route>,
    /// When it ended last, on the host's clock.
    ended_ns: u64,
}

/// When the restarts were asked for that count, on the host's clock; not more than there may be.
#[derive(Default)]
struct RestartWindow(VecDeque<u64>);

/// What follows an end.
pub(crate) enum RestartDecision {
    Restart {
        backoff: Duration,
    },
    /// It has ended too often, or what it requires is gone for good.
    Failure {
        why: String,
    },
    Nothing,
}

impl RestartDecision {
    /// What callers are told from now on.
    pub(crate) fn unavailable_reason(&self, now_ns: u64) -> Unavailable {
        match self {
            RestartDecision::Restart { .. } => Unavailable::Restarting { since_ns: now_ns },
            RestartDecision::Failure { why } => Unavailable::Failed { why: why.clone() },
            RestartDecision::Nothing => Unavailable::Over,
        }
    }
}

impl Supervisor {
    pub(crate) fn new(
        settings: &Settings,
        seed: [u8; 32],
        supervised: Vec<Option<Box<SupervisedService>>>,
    ) -> Self {
        let timers = Timers::new(Arc::clone(&settings.clock));
        Supervisor {
            settings: settings.clone(),
            randomness: Randomness::new(Some(seed)),
            timers,
            supervised,
        }
    }

    /// Restarts nobody any more.
    pub(crate) fn close(&self) {
        self.timers.close();
    }

    fn service(&self, place: InstanceIndex) -> Option<&SupervisedService> {
        self.supervised[place].as_deref()
    }
}

impl SupervisedService {
    /// A guest that was made from this and has declared this, unless its policy is never to restart it.
    pub(crate) fn new(
        spec: &GuestSpec,
        factory: &Arc<dyn InstanceFactory>,
        manifest: &Manifest,
    ) -> Option<Box<Self>> {
        (spec.restart.after != RestartAfter::Never).then(|| {
            Box::new(SupervisedService {
                spec: spec.clone(),
                factory: Arc::clone(factory),
                manifest: manifest.clone(),
                state: Mutex::default(),
            })
        })
    }

    /// Which of the restarts that it may have the last one is.
    fn nth(&self) -> Nth {
        Nth {
            nth: self.state.lock().history.0.len(),
            policy: self.spec.restart,
        }
    }
}

impl RestartPolicy {
    fn covers(&self, ending: &Ending) -> bool {
        match self.after {
            RestartAfter::Never => false,
            RestartAfter::Failure => ending.status() != Some(0),
            RestartAfter::Always => true,
        }
    }
}

impl RestartWindow {
    /// Counts one more restart and returns the pause before it, or `None` if there were as many as there may be.
    fn ask(
        &mut self,
        policy: &RestartPolicy,
        now_ns: u64,
        random: &mut StdRng,
    ) -> Option<Duration> {
        let within_ns = policy.within.as_nanos() as u64;
        while self
            .0
            .front()
            .is_some_and(|asked_ns| now_ns.saturating_sub(*asked_ns) >= within_ns)
        {
            self.0.pop_front();
        }
        if self.0.len() >= policy.max_restarts as usize {
            return None;
        }
        let longest = 2_u32
            .checked_pow(self.0.len() as u32)
            .and_then(|factor| BACKOFF_FIRST.checked_mul(factor));
        let longest = longest.unwrap_or(BACKOFF_MAX).min(BACKOFF_MAX);
        self.0.push_back(now_ns);
        // Some of it is chance, so that services which fail together do not come back together.
        Some(longest.mul_f64(random.random_range(0.5..=1.0)))
    }
}

/// Restart 2 of the 10 there may be in 60 s.
struct Nth {
    nth: usize,
    policy: RestartPolicy,
}

impl fmt::Display for Nth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RestartPolicy {
            max_restarts,
            within,
            ..
        } = self.policy;
        write!(f, "restart {} of {max_restarts} in {within:?}", self.nth)
    }
}

impl Kernel {
    /// Restarts services when their time has come, until closed.
    pub(crate) fn run_restarts(&self) {
        self.supervisor.timers.run(|_, place| self.restart(place));
    }

    /// Restarts a service whose time has come.
    pub(crate) fn restart(&self, place: InstanceIndex) {
        let service = self
            .supervisor
            .service(place)
            .expect("others have no timer");
        let mut worker = Worker::new(self, self.supervisor.randomness.generator());
        let _awake = self.epoch_ticker.keep_awake();
        worker.restart(&self.instances[place], service);
        worker.share_woken();
    }
}

impl<O: Observer> Worker<'_, O> {
    /// Decides what follows the end of an instance, which is now: a turn that was killed has begun long before.
    pub(crate) fn restart_decision(
        &mut self,
        instance: &Instance,
        ending: &Ending,
    ) -> RestartDecision {
        self.read_clock();
        let Some(service) = self.kernel.supervisor.service(instance.index) else {
            return RestartDecision::Nothing;
        };
        let policy = &service.spec.restart;
        if !policy.covers(ending) {
            return RestartDecision::Nothing;
        }
        match self.kernel.lifecycle.fall(instance.index) {
            Fall::Refused => return RestartDecision::Nothing,
            Fall::Lost { exporter } => {
                return RestartDecision::Failure {
                    why: self.why_lost(ending, exporter),
                };
            }
            Fall::Fallen => {}
        }
        match service
            .state
            .lock()
            .history
            .ask(policy, self.now_ns(), &mut self.random)
        {
            Some(backoff) => RestartDecision::Restart { backoff },
            None => {
                let RestartPolicy {
                    max_restarts,
                    within,
                    ..
                } = policy;
                RestartDecision::Failure {
                    why: format!("after {max_restarts} restarts in {within:?} it {ending}"),
                }
            }
        }
    }

    /// Why a service is not made anew that has ended so and requires one that is gone for good.
    fn why_lost(&self, ending: &Ending, exporter: InstanceIndex) -> String {
        let lost = GuestFault::Lost {
            exporter: self.kernel.instances[exporter].name.clone(),
        };
        match ending {
            Ending::Fault(GuestFault::Lost { .. }) => format!("it {lost}"),
            _ => format!("it {ending}, and {lost}"),
        }
    }

    /// Does what follows the end of an instance, whose calls went along `routes`.
    pub(crate) fn follow(
        &mut self,
        instance: &Instance,
        restart_decision: RestartDecision,
        routes: Vec<Route>,
        ending: &Ending,
    ) {
        match (
            restart_decision,
            self.kernel.supervisor.service(instance.index),
        ) {
            (RestartDecision::Restart { backoff }, Some(service)) => {
                let mut state = service.state.lock();
                (state.routes, state.ended_ns) = (routes, self.now_ns());
                drop(state);
                let at_ns = self.now_ns().saturating_add(backoff.as_nanos() as u64);
                self.kernel.supervisor.timers.set(
                    instance.index as u64,
                    None,
                    at_ns,
                    instance.index,
                );
                return;
            }
            (RestartDecision::Failure { why }, _) => {
                events::failed_for_good(&instance.guest_log(), &why)
            }
            _ => {}
        }
        self.count_out(instance, ending.status());
    }

    /// Counts a guest out that is gone for good, and sees to those that require it and cannot be launched any more.
    fn count_out(&mut self, instance: &Instance, status: Option<u8>) {
        for Unlaunchable {
            guest,
            phase,
            was_ready,
        } in self.kernel.lifecycle.ended(instance.index, status)
        {
            let stranded = &self.kernel.instances[guest];
            let lost = GuestFault::Lost {
                exporter: instance.name.clone(),
            };
            match phase {
                // Other processes may have others for whoever calls the lost one.
                _ if stranded.is_proxy => {
                    let wake = stranded.enqueue_stop(NO_DEADLINE);
                    self.wake(stranded, wake);
                }
                _ if !was_ready => events::unlaunchable(&stranded.guest_log(), &instance.name),
                Phase::Fallen => {
                    let why = format!("it {lost}");
                    // Told once callers are told so too.
                    stranded.close(Unavailable::Failed { why: why.clone() });
                    events::failed_for_good(&stranded.guest_log(), &why);
                    self.count_out(stranded, None);
                }
                _ => {
                    let wake = stranded.kill(lost);
                    self.wake(stranded, wake);
                }
            }
        }
    }

    /// Makes a service anew.
    fn restart(&mut self, instance: &Instance, service: &SupervisedService) {
        if !self.kernel.lifecycle.is_fallen(instance.index) {
            return;
        }
        self.read_clock();
        let id = InstanceId::from_random(self.random.random());
        let made = self.reinstantiate(instance, service, id);
        let mut state = service.state.lock();
        let (routes, ended_ns) = (std::mem::take(&mut state.routes), state.ended_ns);
        drop(state);
        match made {
            Ok(InitOutput {
                code, outbox, turn, ..
            }) => {
                // In this order, for as soon as it has risen it may be told to leave.
                let generation = instance.reopen(id, self.now_ns());
                if self
                    .kernel
                    .lifecycle
                    .rise(instance.index, generation)
                    .is_none()
                {
                    instance.close(Unavailable::Over);
                    return;
                }
                events::restarted(
                    &instance.guest_log(),
                    Duration::from_nanos(self.now_ns().saturating_sub(ended_ns)),
                    &service.nth(),
                );
                let body = InstanceState::new(code, routes);
                self.finish_init_turn(instance, InitTurn { body, outbox, turn });
            }
            Err(ending) => {
                let restart_decision = self.restart_decision(instance, &ending);
                events::ending(
                    &instance.guest_log(),
                    &ending,
                    events::EndContext::default(),
                );
                instance.close(restart_decision.unavailable_reason(self.now_ns()));
                self.follow(instance, restart_decision, routes, &ending);
            }
        }
    }

    /// Makes the instance that is to take this one's place, and lets it have its first turn.
    fn reinstantiate(
        &self,
        instance: &Instance,
        service: &SupervisedService,
        id: InstanceId,
    ) -> Result<InitOutput, Ending> {
        let Supervisor {
            settings,
            randomness,
            ..
        } = &self.kernel.supervisor;
        let params = InstantiateParams {
            id,
            started_ns: self.now_ns(),
            log_rate: &instance.log_rate,
        };
        let first = init_turn::init_turn(
            &service.spec,
            &*service.factory,
            params,
            settings,
            randomness,
        );
        match first {
            Ok(first) if first.manifest == service.manifest => Ok(first),
            Ok(_) => Err(GuestFault::Changed.into()),
            Err(InstantiateError::Fault(fault)) => Err(fault.into()),
            Err(InstantiateError::Module(error)) => {
                let reason = error
                    .source()
                    .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
                Err(GuestFault::NotMade { reason }.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn policy(max_restarts: u32, seconds: u64) -> RestartPolicy {
        RestartPolicy {
            after: RestartAfter::Failure,
            max_restarts,
            within: Duration::from_secs(seconds),
        }
    }

    fn random() -> StdRng {
        StdRng::from_seed([7; 32])
    }

    #[test]
    fn pauses_double_up_to_ten_seconds_and_chance_takes_up_to_a_half() {
        let (mut history, mut random) = (RestartWindow::default(), random());
        let mut longest_ms = 100;
        for _ in 0..40 {
            let pause = history
                .ask(&policy(1_000, 3_600), 0, &mut random)
                .expect("there may be a thousand");
            let ms = pause.as_secs_f64() * 1e3;
            assert!(
                (f64::from(longest_ms) / 2.0..=f64::from(longest_ms)).contains(&ms),
                "{ms} of {longest_ms}"
            );
            longest_ms = (2 * longest_ms).min(10_000);
        }
        let pauses = |seed| {
            let mut random = StdRng::from_seed([seed; 32]);
            RestartWindow::default().ask(&policy(1, 1), 0, &mut random)
        };
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
    }

    #[test]
    fn more_restarts_than_there_may_be_in_so_many_seconds_are_refused() {
        let (mut history, mut random) = (RestartWindow::default(), random());
        let mut ask = |now_ns| history.ask(&policy(2, 5), now_ns, &mut random);
        assert!(ask(0).is_some());
        assert!(ask(2 * SECOND_NS).is_some());
        assert_eq!(ask(5 * SECOND_NS - 1), None);
        assert!(ask(5 * SECOND_NS).is_some(), "the first counts no longer");
        assert_eq!(ask(6 * SECOND_NS), None);
    }

    #[test]
    fn a_service_that_fails_rarely_never_waits_long() {
        let (mut history, mut random) = (RestartWindow::default(), random());
        for day in 0..1_000 {
            let pause = history.ask(&policy(10, 60), day * 86_400 * SECOND_NS, &mut random);
            assert!(
                pause.is_some_and(|pause| pause <= BACKOFF_FIRST),
                "{pause:?}"
            );
        }
        assert_eq!(history.0.len(), 1);
    }

    #[test]
    fn a_service_that_fails_at_once_each_time_fails_for_good_within_the_default_time() {
        let policy = policy(10, 60);
        let (mut history, mut random, mut now_ns) = (RestartWindow::default(), random(), 0);
        for _ in 0..10 {
            now_ns += history
                .ask(&policy, now_ns, &mut random)
                .expect("there may be ten")
                .as_nanos() as u64;
        }
        assert_eq!(history.ask(&policy, now_ns, &mut random), None);
        assert!((20..43).contains(&(now_ns / SECOND_NS)), "{now_ns}");
    }
}
