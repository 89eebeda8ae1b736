//! Behaviour (f): the latency of a call does not depend on the number of idle services. The others
//! are in `tests/load/behaviours.rs`.

use std::time::{Duration, Instant};

use e2e::{App, WithControlPair, guest};

use crate::alone;

/// Returns the median time of a hundred calls, made one after the other beside `idle` services that
/// do nothing.
fn median_of_a_hundred_calls(idle: usize) -> Duration {
    let services = (0..idle).map(|k| {
        format!("[service.s{k}]\nwasm = 'faulty.wasm'\nargs = ['first/exports-of:{k}']\n")
    });
    let app = App::new(&services.collect::<String>()).with("faulty.wasm", guest("faulty"));
    let started = WithControlPair::new(app).without_pauses().start(|_| false);
    let mut times: Vec<_> = (0..60)
        .map(|_| {
            let begun = Instant::now();
            started.log.until("calling");
            begun.elapsed()
        })
        .collect();
    assert_eq!(started.stop(Vec::new()).pair.failed, 0);
    times.sort();
    times[times.len() / 2]
}

#[test]
fn behaviour_f_idle_services_do_not_slow_calls() {
    let _alone = alone();
    // Other processes use the machine too, so the best of three counts, measured in turns.
    let [mut few, mut many] = [Duration::MAX; 2];
    for _ in 0..3 {
        few = few.min(median_of_a_hundred_calls(0));
        many = many.min(median_of_a_hundred_calls(100));
    }
    println!("a hundred calls: {few:?} beside no idle service, {many:?} beside a hundred");
    // In the original parigot it doubled from no idle service to eight.
    assert!(many < few * 3 / 2, "{few:?}, then {many:?}");
}
