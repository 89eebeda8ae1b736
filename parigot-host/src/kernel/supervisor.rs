//! What follows when a service has ended: it is made anew, after a pause that grows with each time, or it was the last time.
//!
//! The rules are those of OTP. A service that ends is restarted if its policy says so, unless there were so many restarts in so many seconds
//! already: then it has failed for good, and so have those that are to be restarted and require it. One that was never ready is not restarted, since its start has failed. What is
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
use crate::error::{Absence, Ending, Fault};
use crate::guest::code::Mould;
use crate::kernel::instance::{Body, Instance, Place};
use crate::kernel::lifecycle::{Fall, Phase, Stranded};
use crate::kernel::route::Link;
use crate::kernel::scheduler::{Kernel, Worker};
use crate::kernel::timer::Timers;
use crate::log::events;
use crate::random::Randomness;
use crate::settings::Settings;
use crate::start::boot::{self, FirstTurn, FirstWords, Newborn, Stillborn};

/// The longest pause before a first restart; each that follows within the time of the policy may take twice as long.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// No pause is longer.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Makes services anew, on a thread of its own, so that one that fails all the time takes no worker from others.
pub(crate) struct Supervisor {
    settings: Settings,
    randomness: Randomness,
    pub(crate) timers: Arc<Timers<Place>>,
    /// By their places; none for what is never restarted.
    wards: Vec<Option<Box<Ward>>>,
}

/// A service that is restarted.
pub(crate) struct Ward {
    spec: GuestSpec,
    mould: Arc<dyn Mould>,
    manifest: Manifest,
    state: Mutex<WardState>,
}

#[derive(Default)]
struct WardState {
    history: History,
    /// Where its calls go, kept here while there is no body.
    links: Vec<Link>,
    /// When it ended last, on the host's clock.
    ended_ns: u64,
}

/// When the restarts were asked for that count, on the host's clock; not more than there may be.
#[derive(Default)]
struct History(VecDeque<u64>);

/// What follows an end.
pub(crate) enum Sequel {
    Restart {
        backoff: Duration,
    },
    /// It has ended too often, or what it requires is gone for good.
    Failure {
        why: String,
    },
    Nothing,
}

impl Sequel {
    /// What callers are told from now on.
    pub(crate) fn absence(&self, now_ns: u64) -> Absence {
        match self {
            Sequel::Restart { .. } => Absence::Restarting { since_ns: now_ns },
            Sequel::Failure { why } => Absence::Failed { why: why.clone() },
            Sequel::Nothing => Absence::Over,
        }
    }
}

impl Supervisor {
    pub(crate) fn new(settings: &Settings, seed: [u8; 32], wards: Vec<Option<Box<Ward>>>) -> Self {
        let timers = Timers::new(Arc::clone(&settings.clock));
        Supervisor {
            settings: settings.clone(),
            randomness: Randomness::new(Some(seed)),
            timers,
            wards,
        }
    }

    /// Restarts nobody any more.
    pub(crate) fn close(&self) {
        self.timers.close();
    }

    fn ward(&self, place: Place) -> Option<&Ward> {
        self.wards[place].as_deref()
    }
}

impl Ward {
    /// A guest that was made from this and has declared this, unless its policy is never to restart it.
    pub(crate) fn new(
        spec: &GuestSpec,
        mould: &Arc<dyn Mould>,
        manifest: &Manifest,
    ) -> Option<Box<Self>> {
        (spec.restart.after != RestartAfter::Never).then(|| {
            Box::new(Ward {
                spec: spec.clone(),
                mould: Arc::clone(mould),
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

impl History {
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
    pub(crate) fn restart(&self, place: Place) {
        let ward = self.supervisor.ward(place).expect("others have no timer");
        let mut worker = Worker::new(self, self.supervisor.randomness.generator());
        let _awake = self.pulse.keep_awake();
        worker.restart(&self.instances[place], ward);
        worker.share_woken();
    }
}

impl Worker<'_> {
    /// Decides what follows the end of an instance, which is now: a turn that was killed has begun long before.
    pub(crate) fn sequel(&mut self, instance: &Instance, ending: &Ending) -> Sequel {
        self.now_ns = self.kernel.clock.monotonic_ns();
        let Some(ward) = self.kernel.supervisor.ward(instance.place) else {
            return Sequel::Nothing;
        };
        let policy = &ward.spec.restart;
        if !policy.covers(ending) {
            return Sequel::Nothing;
        }
        match self.kernel.life.fall(instance.place) {
            Fall::Refused => return Sequel::Nothing,
            Fall::Lost { exporter } => {
                return Sequel::Failure {
                    why: self.why_lost(ending, exporter),
                };
            }
            Fall::Fallen => {}
        }
        match ward
            .state
            .lock()
            .history
            .ask(policy, self.now_ns, &mut self.random)
        {
            Some(backoff) => Sequel::Restart { backoff },
            None => {
                let RestartPolicy {
                    max_restarts,
                    within,
                    ..
                } = policy;
                Sequel::Failure {
                    why: format!("after {max_restarts} restarts in {within:?} it {ending}"),
                }
            }
        }
    }

    /// Why a service is not made anew that has ended so and requires one that is gone for good.
    fn why_lost(&self, ending: &Ending, exporter: Place) -> String {
        let lost = Fault::Lost {
            exporter: self.kernel.instances[exporter].name.clone(),
        };
        match ending {
            Ending::Fault(Fault::Lost { .. }) => format!("it {lost}"),
            _ => format!("it {ending}, and {lost}"),
        }
    }

    /// Does what follows the end of an instance, whose calls went along `links`.
    pub(crate) fn follow(
        &mut self,
        instance: &Instance,
        sequel: Sequel,
        links: Vec<Link>,
        ending: &Ending,
    ) {
        match (sequel, self.kernel.supervisor.ward(instance.place)) {
            (Sequel::Restart { backoff }, Some(ward)) => {
                let mut state = ward.state.lock();
                (state.links, state.ended_ns) = (links, self.now_ns);
                drop(state);
                let at_ns = self.now_ns.saturating_add(backoff.as_nanos() as u64);
                self.kernel.supervisor.timers.set(
                    instance.place as u64,
                    None,
                    at_ns,
                    instance.place,
                );
                return;
            }
            (Sequel::Failure { why }, _) => events::failed_for_good(instance, &why),
            _ => {}
        }
        self.count_out(instance, ending.status());
    }

    /// Counts a guest out that is gone for good, and sees to those that require it and cannot be launched any more.
    fn count_out(&mut self, instance: &Instance, status: Option<u8>) {
        for Stranded {
            guest,
            phase,
            was_ready,
        } in self.kernel.life.ended(instance.place, status)
        {
            let stranded = &self.kernel.instances[guest];
            let lost = Fault::Lost {
                exporter: instance.name.clone(),
            };
            match phase {
                // Other processes may have others for whoever calls the lost one.
                _ if stranded.is_stand_in => {
                    let wake = stranded.post_stop(NO_DEADLINE);
                    self.wake(stranded, wake);
                }
                _ if !was_ready => events::stranded(stranded, instance),
                Phase::Fallen => {
                    let why = format!("it {lost}");
                    // Told once callers are told so too.
                    stranded.close(Absence::Failed { why: why.clone() });
                    events::failed_for_good(stranded, &why);
                    self.count_out(stranded, None);
                }
                _ => {
                    let wake = stranded.doom(lost);
                    self.wake(stranded, wake);
                }
            }
        }
    }

    /// Makes a service anew.
    fn restart(&mut self, instance: &Instance, ward: &Ward) {
        if !self.kernel.life.is_fallen(instance.place) {
            return;
        }
        self.now_ns = self.kernel.clock.monotonic_ns();
        let id = InstanceId::from_random(self.random.random());
        let made = self.remake(instance, ward, id);
        let mut state = ward.state.lock();
        let (links, ended_ns) = (std::mem::take(&mut state.links), state.ended_ns);
        drop(state);
        match made {
            Ok(FirstWords {
                code, outbox, turn, ..
            }) => {
                // In this order, for as soon as it has risen it may be told to leave.
                let life = instance.reopen(id, self.now_ns);
                if self.kernel.life.rise(instance.place, life).is_none() {
                    instance.close(Absence::Over);
                    return;
                }
                events::restarted(
                    instance,
                    Duration::from_nanos(self.now_ns.saturating_sub(ended_ns)),
                    &ward.nth(),
                );
                let body = Body::new(code, links);
                self.finish_first_turn(instance, FirstTurn { body, outbox, turn });
            }
            Err(ending) => {
                let sequel = self.sequel(instance, &ending);
                events::ending(instance, &ending, events::Circumstances::default());
                instance.close(sequel.absence(self.now_ns));
                self.follow(instance, sequel, links, &ending);
            }
        }
    }

    /// Makes the instance that is to take this one's place, and lets it have its first turn.
    fn remake(
        &self,
        instance: &Instance,
        ward: &Ward,
        id: InstanceId,
    ) -> Result<FirstWords, Ending> {
        let Supervisor {
            settings,
            randomness,
            ..
        } = &self.kernel.supervisor;
        let newborn = Newborn {
            id,
            started_ns: self.now_ns,
            log_rate: &instance.log_rate,
        };
        let first = boot::first_turn(&ward.spec, &*ward.mould, newborn, settings, randomness);
        match first {
            Ok(first) if first.manifest == ward.manifest => Ok(first),
            Ok(_) => Err(Fault::Changed.into()),
            Err(Stillborn::Fault(fault)) => Err(fault.into()),
            Err(Stillborn::Module(error)) => {
                let reason = error
                    .source()
                    .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
                Err(Fault::NotMade { reason }.into())
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
        let (mut history, mut random) = (History::default(), random());
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
            History::default().ask(&policy(1, 1), 0, &mut random)
        };
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
    }

    #[test]
    fn more_restarts_than_there_may_be_in_so_many_seconds_are_refused() {
        let (mut history, mut random) = (History::default(), random());
        let mut ask = |now_ns| history.ask(&policy(2, 5), now_ns, &mut random);
        assert!(ask(0).is_some());
        assert!(ask(2 * SECOND_NS).is_some());
        assert_eq!(ask(5 * SECOND_NS - 1), None);
        assert!(ask(5 * SECOND_NS).is_some(), "the first counts no longer");
        assert_eq!(ask(6 * SECOND_NS), None);
    }

    #[test]
    fn a_service_that_fails_rarely_never_waits_long() {
        let (mut history, mut random) = (History::default(), random());
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
        let (mut history, mut random, mut now_ns) = (History::default(), random(), 0);
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
