//! Memory of streams.

use e2e::{App, guest, soak};

use crate::alone;
use crate::idle::Process;

#[test]
fn streams_that_are_not_read_take_no_more_memory_with_time() {
    let _alone = alone();
    let flood = format!("flood={}", soak(500, 20_000));
    // The handlers of all streams want to send for ever. Two more streams are read meanwhile.
    let calls = ["unread=1000:bytes 1000", "flood=100", &flood];
    let deployment = format!(
        "[service.feed]\nwasm = \"feed.wasm\"\n\
         [program.streamer]\nwasm = \"streamer.wasm\"\nargs = {calls:?}\n"
    );
    let app = App::new(&deployment)
        .with("feed.wasm", guest("feed"))
        .with("streamer.wasm", guest("streamer"));
    let mut started = app.start();
    let process = Process(started.id());
    started.wait_for("flood=100: answered");
    let before_kib = process.resident_kib();
    started.wait_for(&format!("{flood}: answered"));
    let after_kib = process.resident_kib();
    println!("a thousand streams: {before_kib} KiB, later {after_kib} KiB");
    assert!(
        after_kib < before_kib + 4_096,
        "{before_kib} KiB, then {after_kib} KiB"
    );
    started.interrupt();
    started.wait();
}
