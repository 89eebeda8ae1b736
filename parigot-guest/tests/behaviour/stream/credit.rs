//! Credit: what a sender may send, and what a receiver grants.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::stream::desk::Desk;
use crate::stream::peer::*;

#[test]
fn a_sender_waits_when_its_items_are_used_up() {
    let mut peer = Peer::serving::<Desk, _>();
    let numbers = |numbers: core::ops::Range<u32>| -> Vec<String> {
        numbers.map(|number| format!("item 1: {number}")).collect()
    };
    assert_eq!(peer.turn([call(1, WATCH, "count 9")]), numbers(0..4));
    // Totals since the call began; a lower one is ignored.
    assert!(peer.turn([credit(1, 4, 99_999)]).is_empty());
    assert!(peer.turn([credit(1, 2, 0)]).is_empty());
    assert_eq!(peer.turn([credit(1, 7, 0)]), numbers(4..7));
    let mut rest = numbers(7..9);
    rest.extend(["dropped".into(), "reply 1: OK".into()]);
    assert_eq!(peer.turn([credit(1, 100, 0)]), rest);
}

#[test]
fn a_sender_waits_when_its_bytes_are_used_up() {
    let mut peer = Peer::serving::<Desk, _>();
    // The second item exceeds the bytes, and is sent whole.
    assert_eq!(
        peer.turn([call(1, WATCH, "bytes 3000")]),
        ["item 1: 3003 bytes"; 2]
    );
    assert!(peer.turn([credit(1, 99, 6_006)]).is_empty());
    assert_eq!(peer.turn([credit(1, 99, 6_007)]), ["item 1: 3003 bytes"]);
}

#[test]
fn credit_may_arrive_before_it_is_needed() {
    let mut peer = Peer::serving::<Desk, _>();
    let frames = [call(1, WATCH, "count 6"), credit(1, 256, 1 << 20)];
    assert_eq!(peer.turn(frames).len(), 8);
}

#[test]
fn a_receiver_grants_what_its_code_has_taken() {
    let mut peer = Peer::serving::<Desk, _>();
    // The handler sleeps after the first item, so three items wait.
    let mut frames = vec![call(1, UPLOAD, ""), request(1, "sleep")];
    frames.extend((0..3).map(|_| request(1, "")));
    assert!(peer.turn(frames).is_empty());
    peer.guest.now_ns += 1_000_000_000;
    // A whole window was taken, so the next one is twice as long.
    assert_eq!(
        peer.turn([]),
        ["credit 1: 6 4103", "credit 1: 8 4103", "credit 1: 12 4103"]
    );
}

#[test]
fn a_slow_stream_keeps_its_first_window() {
    let mut peer = Peer::serving::<Desk, _>();
    peer.turn([call(1, UPLOAD, "")]);
    let sent: Vec<_> = (0..8).flat_map(|_| peer.turn([request(1, "")])).collect();
    let granted = [6, 8, 10, 12].map(|items| format!("credit 1: {items} 4096"));
    assert_eq!(sent, granted);
}

/// A handler with credit for all its items would hold the thread.
#[test]
fn a_sender_with_credit_yields_when_the_host_asks() {
    let mut peer = Peer::serving::<Desk, _>();
    // SAFETY: the guest is open until the end of the test, and an atomic number may be shared.
    let cell = unsafe { &*std::ptr::with_exposed_provenance::<AtomicU32>(peer.guest.yield_cell()) };
    cell.store(1, Ordering::Relaxed);
    assert!(peer.turn([call(1, WATCH, "count 3")]).is_empty());
    assert!(peer.guest.view().more);
    // One item in each turn, as long as the host asks.
    assert_eq!(peer.turn([]), ["item 1: 0"]);
    cell.store(0, Ordering::Relaxed);
    assert_eq!(
        peer.turn([]),
        ["item 1: 1", "item 1: 2", "dropped", "reply 1: OK"]
    );
}

#[test]
fn a_reader_with_items_yields_when_the_host_asks() {
    let mut peer = Peer::serving::<Desk, _>();
    peer.turn([call(1, UPLOAD, ""), request(1, "sleep")]);
    peer.turn([request(1, ""), request(1, ""), end(1)]);
    // SAFETY: as above.
    let cell = unsafe { &*std::ptr::with_exposed_provenance::<AtomicU32>(peer.guest.yield_cell()) };
    cell.store(1, Ordering::Relaxed);
    peer.guest.now_ns += 1_000_000_000;
    assert!(peer.turn([]).is_empty());
    assert!(peer.guest.view().more);
    cell.store(0, Ordering::Relaxed);
    assert_eq!(peer.turn([]), ["dropped", "reply 1: OK [8, 3]"]);
}
