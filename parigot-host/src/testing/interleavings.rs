//! Runs of one scenario in many orders.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::builder::TestHost;

/// Environment variable with the seeds to try.
const SEEDS: &str = "PARIGOT_SEEDS";

impl TestHost {
    /// Runs `scenario` once per seed. The scenario adds its guests to the host that it receives.
    ///
    /// The seed decides which guest runs next, when a due timer fires, and where turns are cut
    /// short. The seeds are 0 to `count - 1`. The environment variable `PARIGOT_SEEDS` replaces
    /// them by one seed, `17`, or by a range, `1000..11000`.
    ///
    /// ```no_run
    /// # use parigot_host::testing::TestHost;
    /// # use parigot_host::deployment::GuestSpec;
    /// TestHost::interleavings(100, |host| {
    ///     let mut run = host.guest(GuestSpec::program("hello", "build/hello.wasm")).start();
    ///     assert_eq!(run.wait_for_exit("hello"), 0);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If a run panics. The message has the seed, the way to repeat the run, and the run's own
    /// message. No further seed is tried.
    ///
    /// If `PARIGOT_SEEDS` is neither a seed nor a range.
    pub fn interleavings(count: u64, scenario: impl Fn(TestHost)) {
        let seeds = std::env::var(SEEDS).map_or(0..count, |text| {
            seeds(&text).unwrap_or_else(|| {
                panic!("{SEEDS} is `{text}`, expected a seed (17) or a range (0..100)")
            })
        });
        for seed in seeds {
            let outcome = catch_unwind(AssertUnwindSafe(|| scenario(TestHost::new().seed(seed))));
            if let Err(panic) = outcome {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text
                    .or(panic.downcast_ref::<&str>().copied())
                    .unwrap_or("panic without a text");
                panic!("failed with seed {seed}; set {SEEDS}={seed} to repeat the run: {text}");
            }
        }
    }
}

/// Parses one seed or a non-empty range of seeds.
fn seeds(text: &str) -> Option<Range<u64>> {
    let (first, end) = match text.split_once("..") {
        Some((first, end)) => (first.parse().ok()?, end.parse().ok()?),
        None => (
            text.parse().ok()?,
            text.parse::<u64>().ok()?.checked_add(1)?,
        ),
    };
    (first < end).then_some(first..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_one_number_or_a_range() {
        assert_eq!(seeds("17"), Some(17..18));
        assert_eq!(seeds("1000..11000"), Some(1_000..11_000));
        for text in ["", "x", "1..", "..1", "1-2", "-1", "3..3"] {
            assert_eq!(seeds(text), None, "{text}");
        }
    }
}
