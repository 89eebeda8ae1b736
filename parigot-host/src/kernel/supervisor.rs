//! Data of the supervisor: the supervised services and their restart windows.
//!
//! [`restart`](crate::kernel::restart) has the rules, and acts on this data.

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
use crate::kernel::index::InstanceIndex;
use crate::kernel::route::Route;
use crate::kernel::timer::Timers;
use crate::random::Randomness;
use crate::settings::Settings;

/// Longest backoff before the first restart in a restart window. Each further restart in the window
/// doubles the value.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);

/// Longest backoff before any restart.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Supervised services of a deployment, and the timers of their restarts.
pub(crate) struct Supervisor {
    pub(super) settings: Settings,
    pub(super) randomness: Randomness,
    /// Ends of the current backoffs.
    pub(crate) timers: Arc<Timers<InstanceIndex>>,
    /// Supervised services by instance index; `None` for guests that are never restarted.
    supervised: Vec<Option<Box<SupervisedService>>>,
}

/// A service that is restarted after its end.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `spec`, `factory`, `manifest` | immutable | - | the restart thread |
/// | `state` | its mutex | the worker of the ended instance | the restart thread |
pub(crate) struct SupervisedService {
    pub(super) spec: GuestSpec,
    pub(super) factory: Arc<dyn InstanceFactory>,
    /// Manifest of the first instance. Each later instance must declare the same.
    pub(super) manifest: Manifest,
    pub(super) state: Mutex<RestartState>,
}

/// Restart state of a service.
#[derive(Default)]
pub(super) struct RestartState {
    pub(super) window: RestartWindow,
    /// Routes of the instance's calls, while no instance exists.
    pub(super) routes: Vec<Route>,
    /// End of the last instance, on the host's clock.
    pub(super) ended_ns: u64,
}

/// Times of the restarts within the current restart window, oldest first, on the host's clock; at
/// most as many as the policy's `max_restarts`.
#[derive(Default)]
pub(super) struct RestartWindow(VecDeque<u64>);

/// Decision on an instance that has ended.
pub(crate) enum RestartDecision {
    /// The service is restarted after the backoff.
    Restart { backoff: Duration },
    /// The service has failed permanently: it has exceeded its restart limit, or a dependency has
    /// ended permanently.
    Failure { why: String },
    /// The guest has ended, and the policy does not cover that end.
    Nothing,
}

impl RestartDecision {
    /// Returns the reason that callers receive from now on.
    pub(crate) fn unavailable_reason(&self, now_ns: u64) -> Unavailable {
        match self {
            RestartDecision::Restart { .. } => Unavailable::Restarting { since_ns: now_ns },
            RestartDecision::Failure { why } => Unavailable::Failed { why: why.clone() },
            RestartDecision::Nothing => Unavailable::Over,
        }
    }
}

impl Supervisor {
    /// Creates the supervisor of these services, which are in the order of the instances.
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

    /// Stops all restarts.
    pub(crate) fn close(&self) {
        self.timers.close();
    }

    /// Returns the supervised service of an instance; `None` if the guest is never restarted.
    pub(super) fn service(&self, place: InstanceIndex) -> Option<&SupervisedService> {
        self.supervised[place].as_deref()
    }
}

impl SupervisedService {
    /// Creates the supervised service of a guest; `None` if its policy never restarts it.
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

    /// Returns the position of the last restart in the restart window.
    pub(super) fn count(&self) -> RestartCount {
        RestartCount {
            count: self.state.lock().window.0.len(),
            policy: self.spec.restart,
        }
    }
}

impl RestartPolicy {
    /// Returns `true` if the policy restarts a service after this end.
    pub(super) fn covers(&self, ending: &Ending) -> bool {
        match self.after {
            RestartAfter::Never => false,
            RestartAfter::Failure => ending.status() != Some(0),
            RestartAfter::Always => true,
        }
    }
}

impl RestartWindow {
    /// Counts one more restart and returns its backoff; `None` if the window already has
    /// `max_restarts`.
    pub(super) fn admit(
        &mut self,
        policy: &RestartPolicy,
        now_ns: u64,
        random: &mut StdRng,
    ) -> Option<Duration> {
        let within_ns = policy.within.as_nanos() as u64;
        while let Some(oldest_ns) = self.0.front()
            && now_ns.saturating_sub(*oldest_ns) >= within_ns
        {
            self.0.pop_front();
        }
        if self.0.len() >= policy.max_restarts as usize {
            return None;
        }
        let longest = 2_u32
            .checked_pow(self.0.len() as u32)
            .and_then(|factor| BACKOFF_FIRST.checked_mul(factor))
            .unwrap_or(BACKOFF_MAX)
            .min(BACKOFF_MAX);
        self.0.push_back(now_ns);
        // Jitter of up to a half, so that services which fail together do not restart together.
        Some(longest.mul_f64(random.random_range(0.5..=1.0)))
    }
}

/// Position of a restart in its restart window: `restart 2 of 10 in 60s`.
pub(super) struct RestartCount {
    count: usize,
    policy: RestartPolicy,
}

impl fmt::Display for RestartCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RestartPolicy {
            max_restarts,
            within,
            ..
        } = self.policy;
        write!(f, "restart {} of {max_restarts} in {within:?}", self.count)
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
    fn backoffs_double_up_to_ten_seconds() {
        let mut window = RestartWindow::default();
        let mut random = random();
        let mut longest_ms = 100;
        for _ in 0..40 {
            let backoff = window
                .admit(&policy(1_000, 3_600), 0, &mut random)
                .expect("40 restarts must be below the limit of 1000");
            let ms = backoff.as_secs_f64() * 1e3;
            assert!(
                (f64::from(longest_ms) / 2.0..=f64::from(longest_ms)).contains(&ms),
                "{ms} of {longest_ms}"
            );
            longest_ms = (2 * longest_ms).min(10_000);
        }
        let backoff = |seed| {
            let mut random = StdRng::from_seed([seed; 32]);
            RestartWindow::default().admit(&policy(1, 1), 0, &mut random)
        };
        assert_eq!(backoff(1), backoff(1));
        assert_ne!(backoff(1), backoff(2));
    }

    #[test]
    fn restarts_beyond_the_limit_of_the_window_are_refused() {
        let mut window = RestartWindow::default();
        let mut random = random();
        let mut admit = |now_ns| window.admit(&policy(2, 5), now_ns, &mut random);
        assert!(admit(0).is_some());
        assert!(admit(2 * SECOND_NS).is_some());
        assert_eq!(admit(5 * SECOND_NS - 1), None);
        assert!(
            admit(5 * SECOND_NS).is_some(),
            "the first restart has left the window"
        );
        assert_eq!(admit(6 * SECOND_NS), None);
    }

    #[test]
    fn rare_failures_keep_the_first_backoff() {
        let mut window = RestartWindow::default();
        let mut random = random();
        for day in 0..1_000 {
            let backoff = window.admit(&policy(10, 60), day * 86_400 * SECOND_NS, &mut random);
            assert!(
                backoff.is_some_and(|backoff| backoff <= BACKOFF_FIRST),
                "{backoff:?}"
            );
        }
        assert_eq!(window.0.len(), 1);
    }

    #[test]
    fn a_crash_loop_fails_permanently_within_43_seconds() {
        let policy = policy(10, 60);
        let mut window = RestartWindow::default();
        let mut random = random();
        let mut now_ns = 0;
        for _ in 0..10 {
            now_ns += window
                .admit(&policy, now_ns, &mut random)
                .expect("10 restarts must be within the limit")
                .as_nanos() as u64;
        }
        assert_eq!(window.admit(&policy, now_ns, &mut random), None);
        assert!((20..43).contains(&(now_ns / SECOND_NS)), "{now_ns}");
    }
}
