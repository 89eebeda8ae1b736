//! Restarts leave no memory behind.

use std::fs;
use std::time::Duration;

use e2e::{App, guest, start_on_manual_clock};

use crate::alone;

#[test]
fn five_hundred_restarts_take_no_more_memory() {
    let _alone = alone();
    let app = App::new(
        "[service.flaky]\nwasm = \"flaky.wasm\"\nargs = [\"--fails-after\", \"1\", \"--status\", \
         \"0\"]\n\
         restart = \"always\"\nmax_seconds = 1\n",
    );
    let app = app.with("flaky.wasm", guest("flaky"));
    let (running, log, clock) = start_on_manual_clock(&app);
    log.wait_for("started up");
    let cycle = || {
        clock.advance(Duration::from_millis(1));
        // The host logs nothing when a guest leaves with status 0, so the test cannot know when
        // the pause before the restart has begun. It moves the clock until the restart is logged.
        while !log
            .rest()
            .iter()
            .any(|line| line.message.starts_with("restarted after "))
        {
            clock.advance(Duration::from_secs(2));
        }
    };
    (0..100).for_each(|_| cycle());
    let before_kib = resident_kib();
    (0..400).for_each(|_| cycle());
    let after_kib = resident_kib();
    running.stopper().stop();
    assert_eq!(running.wait().status, 0);
    println!("500 restarts: {before_kib} KiB after 100, {after_kib} KiB after all");
    // An instance that is not dropped takes at least 40 KiB, which is 16 MiB for 400 of them.
    assert!(
        after_kib < before_kib + 8 * 1024,
        "{before_kib} KiB, then {after_kib} KiB"
    );
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc must exist");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("the file must be readable");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("the line must have a number")
}
