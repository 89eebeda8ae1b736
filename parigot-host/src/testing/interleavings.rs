//! One scenario in many orders.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::TestHost;

/// Says which seeds are tried.
const SEEDS: &str = "PARIGOT_SEEDS";

impl TestHost {
    /// Runs `scenario` once for each of `count` seeds, with a host to which it adds its guests.
    ///
    /// The seeds are those from 0 on, or those that the variable `PARIGOT_SEEDS` has: `17`, or `1000..11000`.
    ///
    /// ```no_run
    /// # use parigot_host::testing::TestHost;
    /// # use parigot_host::deployment::GuestSpec;
    /// TestHost::interleavings(100, |host| {
    ///     let mut host = host.guest(GuestSpec::program("hello", "build/hello.wasm")).start();
    ///     assert_eq!(host.wait_for_exit("hello"), 0);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// As soon as one of them does, with the seed, and how to repeat it.
    pub fn interleavings(count: u64, scenario: impl Fn(TestHost)) {
        let seeds = std::env::var(SEEDS).map_or(0..count, |text| {
            seeds(&text).unwrap_or_else(|| {
                panic!("{SEEDS} is `{text}`, and not a seed, 17, or a range of them, 0..100")
            })
        });
        for seed in seeds {
            let outcome = catch_unwind(AssertUnwindSafe(|| scenario(TestHost::new().seed(seed))));
            if let Err(panic) = outcome {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text
                    .or(panic.downcast_ref::<&str>().copied())
                    .unwrap_or("it panicked");
                panic!("with seed {seed}, which {SEEDS}={seed} tries again: {text}");
            }
        }
    }
}

/// The seeds that a variable names, at least one.
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
    fn seeds_are_one_or_a_range() {
        assert_eq!(seeds("17"), Some(17..18));
        assert_eq!(seeds("1000..11000"), Some(1_000..11_000));
        for text in ["", "x", "1..", "..1", "1-2", "-1", "3..3"] {
            assert_eq!(seeds(text), None, "{text}");
        }
    }
}
