//! Guests that break the rules of streams are ended, and no other guest is.

use e2e::{App, Ended, guest};

use super::outcomes;

/// Room for items over the message limit.
const ROOMY: &str = "memory = '256MiB'\nbudget = '10s'";

/// Runs a service that sends these frames, and a program that makes one call of the service.
fn serve(frames: &str, call: &str) -> Ended {
    let frames: Vec<_> = frames.split(' ').collect();
    let deployment = format!(
        "[service.liar]\nwasm = \"liar.wasm\"\nrestart = \"never\"\n{ROOMY}\n\
         args = {frames:?}\n\
         [program.streamer]\nwasm = \"streamer.wasm\"\nargs = [\"{call}\"]\n"
    );
    App::new(&deployment)
        .with("liar.wasm", guest("liar"))
        .with("streamer.wasm", guest("streamer"))
        .run()
}

/// Checks that a service which sends these frames is ended for this reason.
#[track_caller]
fn check_service(frames: &str, call: &str, reason: &str) {
    let ended = serve(frames, call);
    assert_eq!(
        faults(&ended, "liar"),
        [reason],
        "{frames}: {}",
        ended.stderr
    );
    let outcome = outcomes(&ended, &[call]).remove(0);
    assert!(outcome.contains("liar broke the protocol"), "{outcome}");
    assert_eq!(
        ended.status,
        Some(0),
        "the program must end well: {}",
        ended.stderr
    );
}

/// Checks that a caller which sends these frames is ended for this reason.
#[track_caller]
fn check_caller(frames: &str, reason: &str) {
    let (ended, args) = call(frames);
    assert_eq!(
        faults(&ended, "liar"),
        [reason],
        "{args:?}: {}",
        ended.stderr
    );
    assert_eq!(faults(&ended, "feed"), [""; 0], "{}", ended.stderr);
    assert_eq!(outcomes(&ended, &["watch=count 9"]), ["9 items, complete"]);
}

/// Runs a caller that sends these frames, beside a program that makes a call.
fn call(frames: &str) -> (Ended, Vec<&str>) {
    let args: Vec<_> = ["caller"].into_iter().chain(frames.split(' ')).collect();
    let deployment = format!(
        "[service.feed]\nwasm = \"feed.wasm\"\nrestart = \"never\"\n\
         [program.liar]\nwasm = \"liar.wasm\"\n{ROOMY}\nargs = {args:?}\n\
         [program.streamer]\nwasm = \"streamer.wasm\"\nargs = [\"watch=count 9\"]\n"
    );
    let ended = App::new(&deployment)
        .with("liar.wasm", guest("liar"))
        .with("feed.wasm", guest("feed"))
        .with("streamer.wasm", guest("streamer"))
        .run();
    (ended, args)
}

/// Returns the faults of a guest, without the numbers of calls.
fn faults(ended: &Ended, guest: &str) -> Vec<String> {
    let of_guest = ended.log().into_iter().filter(|line| line.guest == guest);
    of_guest
        .filter_map(|line| {
            let fault = line.message.split_once("sent a")?.1;
            let (before, behind) = fault.split_once(" call ")?;
            let (_, behind) = behind.split_once(' ')?;
            Some(format!("{before} call {behind}"))
        })
        .collect()
}

#[test]
fn an_item_beyond_the_credit_ends_its_sender() {
    let items = "item:2 item:2 item:2 item:2 item:2";
    check_service(items, "watch=x", "n item of call without credit");
    check_service(
        "item:5000 item:2",
        "watch=x",
        "n item of call without credit",
    );
    check_caller(&format!("Upload {items}"), "n item of call without credit");
}

#[test]
fn a_frame_in_a_direction_that_does_not_stream_ends_its_sender() {
    let reason = |kind| format!(" frame of kind {kind} for call which does not stream that way");
    check_service("credit:9:9", "watch=x", &reason("Credit"));
    check_service("item:2", "upload=x", &reason("Item"));
    check_caller("Watch item:2", &reason("Item"));
    check_caller("Watch end", &reason("End"));
    check_caller("Upload credit:9:9", &reason("Credit"));
}

#[test]
fn a_stream_frame_of_a_unary_call_ends_its_sender() {
    let reason = |kind| format!(" frame of kind {kind} for call which does not stream that way");
    check_service("item:2", "last=x", &reason("Item"));
    check_caller("Last item:2", &reason("Item"));
    check_caller("Last end", &reason("End"));
}

#[test]
fn nothing_may_follow_the_end_of_requests() {
    let reason = |kind| format!(" frame of kind {kind} for call after the end of its requests");
    check_caller("Upload end item:2", &reason("Item"));
    check_caller("Upload end end", &reason("End"));
}

#[test]
fn nothing_may_follow_the_reply() {
    for (frame, kind) in [("item:2", "Item"), ("credit:9:9", "Credit")] {
        let ended = serve(&format!("reply {frame}"), "chat=0");
        let reason = format!(" frame of kind {kind} for call which is not pending");
        assert_eq!(faults(&ended, "liar"), [reason], "{}", ended.stderr);
        let outcome = outcomes(&ended, &["chat=0"]).remove(0);
        assert!(
            outcome.ends_with("0 items, complete"),
            "the reply counts: {outcome}"
        );
    }
    check_caller(
        "Chat back:item:2",
        " frame of kind Item for call which is not pending",
    );
}

#[test]
fn headers_come_once_and_before_all_items() {
    let ended = serve("open open", "watch=x");
    assert!(
        ended.stderr.contains("sent the headers of call") && ended.stderr.contains("twice"),
        "{}",
        ended.stderr
    );
    let ended = serve("item:2 open", "watch=x");
    assert!(ended.stderr.contains("after an item"), "{}", ended.stderr);
}

#[test]
fn an_item_over_the_message_limit_ends_its_sender() {
    let bytes = parigot_abi::MESSAGE_BYTES_MAX + 2;
    let reason = "n item of 16777218 bytes for call expected at most 16777216";
    check_service(&format!("item:{bytes}"), "watch=x", reason);
    check_caller(&format!("Upload item:{bytes}"), reason);
}

#[test]
fn a_malformed_stream_frame_ends_its_sender() {
    for frame in ["short-credit", "long-end", "item-with-detail"] {
        let (ended, _) = call(&format!("Chat {frame}"));
        assert!(
            ended.stderr.contains("sent a malformed frame"),
            "{frame}: {}",
            ended.stderr
        );
        assert_eq!(outcomes(&ended, &["watch=count 9"]), ["9 items, complete"]);
    }
}

#[test]
fn frames_of_a_cancelled_call_are_ignored() {
    // The second call has the number of the first, which has ended.
    let (ended, _) = call("Upload item:2 cancel item:2 end Last");
    assert_eq!(faults(&ended, "liar"), [""; 0], "{}", ended.stderr);
    assert_eq!(ended.messages_of("liar"), ["replied"], "{}", ended.stderr);
}

#[test]
fn a_call_with_items_is_never_refused() {
    let ended = serve("item:0 refuse", "watch=x");
    let outcome = outcomes(&ended, &["watch=x"]).remove(0);
    assert!(outcome.starts_with("1 items, unknown: "), "{outcome}");
    let ended = serve("refuse", "watch=x");
    let outcome = outcomes(&ended, &["watch=x"]).remove(0);
    assert!(outcome.starts_with("0 items, refused: "), "{outcome}");
}

#[test]
fn methods_that_stream_in_other_directions_are_missing() {
    let ended = serve("unary", "watch=x");
    let outcome = outcomes(&ended, &["watch=x"]).remove(0);
    assert!(
        outcome.starts_with("0 items, refused: ") && outcome.contains("liar has no such method"),
        "{outcome}"
    );
}
