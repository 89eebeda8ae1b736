//! Calls that a frozen process does not read are refused or end at their deadline. They do not pile
//! up in the memory of their callers.

use std::thread::sleep;
use std::time::Duration;

use e2e::Deployed;
use load::{Callee, Trial, memory_kib};

use crate::alone;

#[test]
fn calls_to_a_frozen_process_take_bounded_memory() {
    let _alone = alone();
    let trial = Trial::of(Deployed::Apart, Callee::Rust, "").with_child_processes(&["back"]);
    // Each caller is answered a few times before the freeze and once after it.
    let args = "--lanes 64 --deadline-ms 2000 --ballast-bytes 200000 Again*5 Nothing*1500 Again";
    let mut running = trial
        .caller(args)
        .caller(args)
        .caller(args)
        .caller(args)
        .start();
    // Most calls are refused: together they exceed what may wait to be sent.
    running.wait_until(|ledger| ledger.ran() >= 20);
    let before = memory_kib();
    running.child("back").freeze();
    let mut most = before;
    for _ in 0..120 {
        sleep(Duration::from_millis(50));
        most = most.max(memory_kib());
    }
    running.child("back").thaw();
    let ended = running.end();
    println!("{}", ended.report);
    let report = ended.assert_kept();
    println!("from {before} to {most} KiB");
    assert!(report.unknown + report.refused > 0, "{report}");
    assert!(most - before < 512 << 10, "from {before} to {most} KiB");
}
