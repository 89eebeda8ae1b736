//! Behaviour (f): the latency of a call does not depend on the number of idle services. The others
//! are in `tests/load/behaviours.rs`.

use std::time::{Duration, Instant};

use e2e::{App, BesideNeighbours, guest};

use crate::alone;

/// How long a hundred calls take that are made one after the other beside so many services that do nothing: the median.
fn median_of_a_hundred_calls(idle: usize) -> Duration {
    let services = (0..idle)
        .map(|k| format!("[service.s{k}]\nwasm = 'rogue.wasm'\nargs = ['first/exports-of:{k}']\n"));
    let app = App::new(&services.collect::<String>()).with("rogue.wasm", guest("rogue"));
    let started = BesideNeighbours::new(app).in_a_hurry().start(|_| false);
    let mut times: Vec<_> = (0..60)
        .map(|_| {
            let begun = Instant::now();
            started.log.until("calling");
            begun.elapsed()
        })
        .collect();
    assert_eq!(started.stop(Vec::new()).neighbours.failed, 0);
    times.sort();
    times[times.len() / 2]
}

#[test]
fn behaviour_f_idle_services_do_not_slow_calls() {
    let _alone = alone();
    // Who else has the machine changes from moment to moment: the best of three, in turns.
    let [mut few, mut many] = [Duration::MAX; 2];
    for _ in 0..3 {
        few = few.min(median_of_a_hundred_calls(0));
        many = many.min(median_of_a_hundred_calls(100));
    }
    println!("a hundred calls: {few:?} beside no idle service, {many:?} beside a hundred");
    // It doubled in the original from none to eight.
    assert!(many < few * 3 / 2, "{few:?}, then {many:?}");
}
