//! What follows when a service has ended: it is made anew, after a pause that grows with each time, or it was the last time.
//!
//! The rules are those of OTP. A service that ends is restarted if its policy says so, unless there were so many restarts in so many seconds
//! already: then it has failed permanently, and so have those that are to be restarted and require it. One that was never ready is not restarted, since its start has failed. What is
//! made anew comes from the same module, stays at its place and keeps its links, so callers' handles stay valid; but it is another
//! instance, with an id and a memory of its own. Until it is ready again, calls are refused at once: whoever waits
//! in a queue for what may take half a minute is served worse than one who is told.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::Manifest;
use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;

use crate::deployment::{GuestSpec, RestartAfter, RestartPolicy};
use crate::error::{Ending, Unavailable};
use crate::guest::code::InstanceFactory;
use crate::kernel::instance::InstanceIndex;
use crate::kernel::route::Route;
use crate::kernel::timer::Timers;
use crate::random::Randomness;
use crate::settings::Settings;

/// The longest pause before a first restart; each that follows within the time of the policy may take twice as long.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// No pause is longer.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Makes services anew, on a thread of its own, so that one that fails all the time takes no worker from others.
pub(crate) struct Supervisor {
    pub(super) settings: Settings,
    pub(super) randomness: Randomness,
    pub(crate) timers: Arc<Timers<InstanceIndex>>,
    /// By their places; none for what is never restarted.
    supervised: Vec<Option<Box<SupervisedService>>>,
}

/// A service that is restarted.
pub(crate) struct SupervisedService {
    pub(super) spec: GuestSpec,
    pub(super) factory: Arc<dyn InstanceFactory>,
    pub(super) manifest: Manifest,
    pub(super) state: Mutex<RestartState>,
}

#[derive(Default)]
pub(super) struct RestartState {
    pub(super) history: RestartWindow,
    /// Where its calls go, kept here while there is no body.
    pub(super) routes: Vec<Route>,
    /// When it ended last, on the host's clock.
    pub(super) ended_ns: u64,
}

/// When the restarts were asked for that count, on the host's clock; not more than there may be.
#[derive(Default)]
pub(super) struct RestartWindow(VecDeque<u64>);

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

    pub(super) fn service(&self, place: InstanceIndex) -> Option<&SupervisedService> {
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
    pub(super) fn nth(&self) -> Nth {
        Nth {
            nth: self.state.lock().history.0.len(),
            policy: self.spec.restart,
        }
    }
}

impl RestartPolicy {
    pub(super) fn covers(&self, ending: &Ending) -> bool {
        match self.after {
            RestartAfter::Never => false,
            RestartAfter::Failure => ending.status() != Some(0),
            RestartAfter::Always => true,
        }
    }
}

impl RestartWindow {
    /// Counts one more restart and returns the pause before it, or `None` if there were as many as there may be.
    pub(super) fn ask(
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
pub(super) struct Nth {
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
