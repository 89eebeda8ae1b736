//! Methods of sinks.

use parigot_guest::{Closed, Code, Status, TrySendError};

use crate::feed::Item;
use crate::stream::desk::{Desk, item};
use crate::stream::peer::*;

#[test]
fn try_send_returns_the_item_when_the_stream_is_full() {
    let mut peer = Peer::serving::<Desk, _>();
    assert_eq!(
        peer.turn([call(1, WATCH, "try")]),
        [
            "item 1: ",
            "item 1: ",
            "item 1: ",
            "item 1: ",
            "sent 4, then true"
        ]
    );
    assert_eq!(
        peer.turn([credit(1, 5, 0)]),
        ["item 1: last", "dropped", "reply 1: OK"]
    );
}

#[test]
fn send_all_sends_a_stream() {
    let mut peer = Peer::serving::<Desk, _>();
    assert_eq!(peer.turn([call(1, WATCH, "all 5")]).len(), 4);
    assert_eq!(
        peer.turn([credit(1, 5, 0)]),
        ["item 1: 4", "dropped", "reply 1: OK"]
    );
}

#[test]
fn an_item_that_is_too_large_fails_the_call() {
    let mut peer = Peer::serving_with::<Desk, _>(1_000);
    let failure = "reply 1: RESOURCE_EXHAUSTED (answer lost): \
                   response of 1003 bytes exceeds the limit of 1000";
    assert_eq!(
        peer.turn([call(1, WATCH, "bytes 1000")]),
        ["dropped", failure]
    );
    // The handler returns `Ok`, and the call fails nevertheless: an item is missing.
    assert_eq!(
        peer.turn([call(2, WATCH, "careless 1000")]),
        ["dropped", &failure.replace("reply 1", "reply 2")]
    );
}

#[test]
fn errors_of_sinks_convert_and_print() {
    assert_eq!(
        Closed.to_string(),
        "the stream is closed: its call has ended"
    );
    let status = Status::from(Closed);
    assert_eq!(status.code(), Code::Cancelled);
    let full = TrySendError::Full(item("one"));
    assert_eq!(
        full.to_string(),
        "the stream is full: its receiver is behind"
    );
    assert_eq!(full.into_item().text, "one");
    let closed: TrySendError<Item> = TrySendError::Closed(item(""));
    assert_eq!(closed.to_string(), Closed.to_string());
    assert!(!closed.is_full());
}
