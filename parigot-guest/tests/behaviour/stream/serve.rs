//! Handlers of methods that stream.

use crate::harness::{cancel, stop};
use crate::stream::desk::Desk;
use crate::stream::peer::*;

const CLOSED: &str = "the stream is closed: its call has ended";

#[test]
fn responses_precede_the_reply() {
    let mut peer = Peer::serving::<Desk, _>();
    assert_eq!(
        peer.turn([call(1, WATCH, "count 2")]),
        ["item 1: 0", "item 1: 1", "dropped", "reply 1: OK"]
    );
}

#[test]
fn a_failure_follows_the_responses() {
    let mut peer = Peer::serving::<Desk, _>();
    assert_eq!(
        peer.turn([call(1, WATCH, "fail")]),
        ["item 1: one", "dropped", "reply 1: error 1"]
    );
}

#[test]
fn headers_precede_the_first_item() {
    let mut peer = Peer::serving::<Desk, _>();
    assert_eq!(
        peer.turn([call(1, WATCH, "headers")]),
        [
            "open 1: served-by=desk",
            "item 1: one",
            "header \"late\" dropped: the stream of responses has begun",
            "dropped",
            "reply 1: OK cost=1 cost=2",
        ]
    );
}

#[test]
fn an_open_tells_once_that_the_stream_has_begun() {
    let mut peer = Peer::serving::<Desk, _>();
    assert_eq!(
        peer.turn([call(1, WATCH, "open")]),
        ["open 1: served-by=desk"]
    );
    assert_eq!(
        peer.turn([call(2, WATCH, "open-bare")]),
        ["open 2:", "dropped", "reply 2: OK"]
    );
}

#[test]
fn requests_are_complete_with_their_end() {
    let mut peer = Peer::serving::<Desk, _>();
    // Items may arrive before the handler has run.
    let first = [call(1, UPLOAD, ""), request(1, "one"), request(1, "two")];
    assert_eq!(peer.turn(first), ["credit 1: 6 4106"]);
    assert_eq!(
        peer.turn([request(1, "three"), end(1)]),
        ["dropped", "reply 1: OK [8, 3]"]
    );
}

#[test]
fn a_handler_may_reply_before_the_end_of_its_requests() {
    let mut peer = Peer::serving::<Desk, _>();
    let frames = [call(1, UPLOAD, ""), request(1, "stop"), request(1, "?")];
    assert_eq!(peer.turn(frames), ["dropped", "reply 1: OK [8, 1]"]);
    assert!(peer.turn([request(1, "late"), end(1)]).is_empty());
    let frames = [call(2, UPLOAD, ""), request(2, "fail")];
    assert_eq!(peer.turn(frames), ["dropped", "reply 2: error 1"]);
}

#[test]
fn a_request_that_cannot_be_decoded_fails_the_stream() {
    let mut peer = Peer::serving::<Desk, _>();
    let frames = [call(1, UPLOAD, ""), request_bytes(1, &[0xff]), end(1)];
    let sent = peer.turn(frames);
    assert!(
        sent[0].starts_with("INVALID_ARGUMENT: a request of the stream cannot be decoded"),
        "{sent:?}"
    );
    assert!(
        sent[2].starts_with("reply 1: INVALID_ARGUMENT: "),
        "{sent:?}"
    );
}

#[test]
fn cancelled_requests_do_not_look_complete() {
    let mut peer = Peer::serving::<Desk, _>();
    peer.turn([call(1, UPLOAD, ""), request(1, "one")]);
    let text = "CANCELLED: the caller has cancelled the call";
    assert_eq!(
        peer.turn([cancel(1)]),
        [text, "dropped", &format!("reply 1: {text}")]
    );
}

#[test]
fn a_cancellation_behind_an_item_does_not_drop_the_handler() {
    let mut peer = Peer::serving::<Desk, _>();
    peer.turn([call(1, UPLOAD, ""), request(1, "one")]);
    let text = "CANCELLED: the caller has cancelled the call";
    assert_eq!(
        peer.turn([request(1, "two"), cancel(1)]),
        [text, "dropped", &format!("reply 1: {text}")]
    );
}

#[test]
fn a_cancelled_handler_that_waits_for_credit_sees_closed() {
    let mut peer = Peer::serving::<Desk, _>();
    assert_eq!(peer.turn([call(1, WATCH, "conclude")]), ["item 1: "; 4]);
    // The handler concludes its work. Its reply has no reader.
    assert_eq!(
        peer.turn([cancel(1)]),
        ["closed true", "dropped", "reply 1: OK"]
    );
    peer.turn([call(2, WATCH, "count 5")]);
    assert_eq!(
        peer.turn([cancel(2)]),
        ["dropped", &format!("reply 2: CANCELLED: {CLOSED}")]
    );
}

#[test]
fn a_cancelled_handler_that_waits_for_anything_else_is_dropped() {
    let mut peer = Peer::serving::<Desk, _>();
    let reply = "(cancelled): the caller cancelled the call";
    assert_eq!(peer.turn([call(1, WATCH, "sleep")]), ["item 1: before"]);
    assert_eq!(
        peer.turn([cancel(1)]),
        ["dropped", &format!("reply 1: CANCELLED {reply}")]
    );
    // The handler has waited for a request before, and does not any more.
    peer.turn([call(2, UPLOAD, "")]);
    peer.turn([request(2, "sleep")]);
    assert_eq!(
        peer.turn([cancel(2)]),
        ["dropped", &format!("reply 2: CANCELLED {reply}")]
    );
    // The handler has not run.
    assert_eq!(
        peer.turn([call(3, WATCH, "count 1"), cancel(3)]),
        [format!("reply 3: CANCELLED {reply}")]
    );
    // Frames of ended calls change nothing.
    assert!(
        peer.turn([credit(1, 9, 9_999), request(2, "late"), end(2)])
            .is_empty()
    );
}

#[test]
fn a_request_is_not_lost_by_a_timeout() {
    let mut peer = Peer::serving::<Desk, _>();
    peer.turn([call(1, UPLOAD, ""), request(1, "timeout")]);
    peer.guest.now_ns += 1_000_000_000;
    assert_eq!(peer.turn([]), ["timed out: true"]);
    assert_eq!(
        peer.turn([request(1, "two"), end(1)]),
        ["dropped", "reply 1: OK [8, 2]"]
    );
}

#[test]
fn both_directions_stream_at_once() {
    let mut peer = Peer::serving::<Desk, _>();
    assert_eq!(
        peer.turn([call(1, CHAT, ""), request(1, "one")]),
        ["item 1: one"]
    );
    assert_eq!(
        peer.turn([request(1, "two")]),
        ["credit 1: 6 4106", "item 1: two"]
    );
    assert_eq!(peer.turn([end(1)]), ["reply 1: OK"]);
}

#[test]
fn streams_of_several_calls_are_kept_apart() {
    let mut peer = Peer::serving::<Desk, _>();
    let handed_over = 1 << 63 | 1;
    peer.turn([call(1, CHAT, ""), call(handed_over, CHAT, "")]);
    assert_eq!(
        peer.turn([request(handed_over, "b"), request(1, "a")]),
        [format!("item {handed_over}: b"), "item 1: a".into()]
    );
    assert_eq!(peer.turn([end(1)]), ["reply 1: OK"]);
    assert_eq!(peer.turn([cancel(handed_over)]).len(), 1);
}

#[test]
fn a_late_call_is_refused_before_its_handler_runs() {
    let mut peer = Peer::serving::<Desk, _>();
    let late = call_by(1, WATCH, "count 1", peer.guest.now_ns);
    let text = "(expired): the deadline passed before the call began";
    assert_eq!(
        peer.turn([late]),
        [format!("reply 1: DEADLINE_EXCEEDED {text}")]
    );
    assert_eq!(peer.guest.view().begun, [0, 0]);
}

#[test]
fn a_service_stops_when_its_streams_have_ended() {
    let mut peer = Peer::serving::<Desk, _>();
    peer.turn([call(1, CHAT, "")]);
    assert!(peer.turn([stop()]).is_empty());
    assert_eq!(peer.turn([end(1)]), ["reply 1: OK", "exit 0"]);
}
