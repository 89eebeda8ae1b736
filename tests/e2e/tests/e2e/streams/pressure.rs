//! Streams whose readers do not read, and streams without room.

use e2e::{App, guest};

use super::{app, outcomes, stream};

#[test]
fn streams_that_are_not_read_block_no_other_call() {
    let calls = ["unread=1000:bytes 1000", "watch=count 100", "last=x"];
    let app = app("", &calls);
    let mut started = app.start();
    started.wait_for("last=x: x");
    started.interrupt();
    let ended = started.wait();
    assert_eq!(
        outcomes(&ended, &calls),
        ["1000 open", "100 items, complete", "x"]
    );
}

#[test]
fn a_stream_without_room_is_refused() {
    // The windows of 32 MiB are used up before the calls are.
    let calls = ["unread=7710:hang", "watch=count 1", "last=x"];
    let app = app("", &calls);
    let mut started = app.start();
    started.wait_for("last=x: x");
    started.interrupt();
    let ended = started.wait();
    let [_, refused, unary] = &outcomes(&ended, &calls)[..] else {
        panic!("there are three calls");
    };
    assert!(
        refused.starts_with("0 items, refused: ") && refused.contains("windows use 33554432 bytes"),
        "{refused}"
    );
    assert_eq!(unary, "x");
}

#[test]
fn large_items_pass_one_by_one() {
    assert_eq!(
        stream("", &["watch/9=bytes 1000000"]),
        ["9 items, complete"]
    );
}

#[test]
fn a_reader_that_lies_about_its_credit_gets_a_window() {
    // The caller grants all credit that there is, and its mailbox stays within its bound.
    let deployment = "[service.feed]\nwasm = \"feed.wasm\"\n\
                      [program.liar]\nwasm = \"liar.wasm\"\n\
                      args = [\"caller\", \"Chat\", \"credit:999999999:999999999\", \"item:0\"]\n\
                      [program.streamer]\nwasm = \"streamer.wasm\"\nargs = [\"chat=100\"]\n";
    let app = App::new(deployment)
        .with("liar.wasm", guest("liar"))
        .with("feed.wasm", guest("feed"))
        .with("streamer.wasm", guest("streamer"));
    let mut started = app.start();
    started.wait_for("chat=100: sent true, 100 items, complete");
    started.interrupt();
    started.wait();
}
