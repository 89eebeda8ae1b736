//! Restart window of a service: the limit of its restarts and the backoff before each restart.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use crate::deployment::RestartPolicy;

/// Longest backoff before the first restart in a restart window. Each further restart in the window
/// doubles the value.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);

/// Longest backoff before any restart.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Times of the restarts within the current restart window, oldest first, on the host's clock; at
/// most as many as the policy's `max_restarts`.
#[derive(Default)]
pub(super) struct RestartWindow(VecDeque<u64>);

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

    /// Returns the position of the last restart in the window.
    pub(super) fn count(&self, policy: RestartPolicy) -> RestartCount {
        RestartCount {
            count: self.0.len(),
            policy,
        }
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
    use crate::deployment::RestartAfter;

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
