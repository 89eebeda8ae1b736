//! Many calls to a service that fails at random: all are accounted for, and memory does not grow.

use e2e::Deployed;
use load::{Callee, Soak};

use crate::alone;

/// Limit of the growth of memory during the last three quarters of the calls, in KiB. Memory that
/// allocators keep, or that the garbage collector has not freed yet, varies. A leak of a hundred
/// bytes per call exceeds the limit even in the short run.
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
    assert!(soaked.restarts > 0, "no restart has happened");
    assert!(soaked.growth_kib() < GROWTH_KIB, "{soaked}");
}

/// Returns the seed of `make soak`, else a fixed one.
fn seed() -> u64 {
    std::env::var("PARIGOT_SOAK_SEED")
        .map_or(7, |seed| seed.parse().expect("a seed must be a number"))
}

#[test]
fn calls_are_accounted_for_and_memory_is_flat() {
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
fn so_they_are_with_a_service_in_go() {
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
fn so_they_are_between_processes() {
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
