//! Many calls, and a service that breaks at random: all are accounted for, and memory stays what it was.

use e2e::Deployed;
use load::{Callee, Soak};

use crate::alone;

/// What memory may grow by, in KiB, while the last three quarters of the calls are made: what allocators keep, and a garbage collector has not
/// collected, differs from moment to moment. If each call left a hundred bytes behind, it would be more within the short run.
const GROWTH_KIB: u64 = 16 << 10;

#[track_caller]
fn check(soak: Soak) {
    let _alone = alone();
    println!("{soak:?}");
    let soaked = soak.run();
    println!("{soaked}");
    let report = soaked.ended.assert_kept();
    assert_eq!(report.sent, soak.calls);
    assert!(report.ok > soak.calls / 2 && report.unknown > 0, "{report}");
    assert!(soaked.restarts > 0, "nothing has happened");
    assert!(soaked.growth_kib() < GROWTH_KIB, "{soaked}");
}

/// The seed of `make soak`, else always the same.
fn seed() -> u64 {
    std::env::var("PARIGOT_SOAK_SEED").map_or(7, |seed| seed.parse().expect("a seed is a number"))
}

#[test]
fn calls_made_are_answers_and_typed_errors_and_memory_is_flat() {
    let calls = e2e::soak(400_000, 20_000_000) as u64;
    check(Soak {
        deployed: Deployed::Together,
        callee: Callee::Rust,
        calls,
        lanes: 64,
        harm_every: 20_000,
        seed: seed(),
    });
}

#[test]
fn the_same_holds_of_a_service_in_go() {
    let calls = e2e::soak(40_000, 1_000_000) as u64;
    check(Soak {
        deployed: Deployed::Together,
        callee: Callee::Go,
        calls,
        lanes: 64,
        harm_every: 5_000,
        seed: seed(),
    });
}

#[test]
fn the_same_holds_between_processes() {
    let calls = e2e::soak(20_000, 1_000_000) as u64;
    check(Soak {
        deployed: Deployed::Apart,
        callee: Callee::Rust,
        calls,
        lanes: 64,
        harm_every: 2_000,
        seed: seed(),
    });
}
