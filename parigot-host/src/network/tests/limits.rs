//! Limits of calls and replies between processes.

use bytes::Bytes;
use parigot_abi::id::CallId;
use parigot_abi::{Cause, Code as StatusCode};

use super::super::event_queue::{EventQueue, RemoteEvent};
use super::super::message::Reply;
use super::processes::{Front, Pair, front, pair};
use super::service_guest::{ECHO, NEVER_ENDS};
use super::watched::poll_until;
use crate::limits::{CALLS_MAX, MAILBOX_BYTES_MAX};

#[test]
fn queued_replies_are_limited_like_a_mailbox() {
    let reply = |bytes: usize| Reply {
        status: 0,
        flags: 0,
        headers: Bytes::new(),
        metadata: Bytes::new(),
        detail: Bytes::new(),
        payload: vec![0; bytes].into(),
    };
    let queue = EventQueue::<RemoteEvent>::new();
    for _ in 0..3 {
        queue.push_reply(
            "x.Echo",
            CallId::from_random(1),
            reply(MAILBOX_BYTES_MAX / 2),
        );
    }
    let answered: Vec<_> = queue
        .take()
        .into_iter()
        .map(|event| matches!(event, RemoteEvent::Answered { .. }))
        .collect();
    assert_eq!(
        answered,
        [true, true, false],
        "the third call must fail because its reply was dropped"
    );
}

#[test]
fn ten_thousand_calls_in_flight_all_end() {
    let pair = pair();
    let all = 1..=10_000;
    for number in all.clone() {
        pair.front.begin(number, NEVER_ENDS, &[]);
    }
    pair.received.call(9_999);
    for number in all {
        pair.front.cancel(number);
    }
    pair.received.wait_for_cancellations(10_000);
    let others = 10_001..=20_000;
    for number in others.clone() {
        pair.front.begin(number, ECHO, &[]);
    }
    for number in others {
        assert_eq!(pair.front.end(number).status, 0);
    }
    pair.finish();
}

#[test]
fn calls_beyond_the_limit_of_a_gateway_are_refused() {
    let Pair {
        board,
        front: one,
        back,
        received,
    } = pair();
    let other = front(&board);
    for front in [&one, &other] {
        for number in 0..CALLS_MAX as u64 / 2 + 1 {
            front.begin(number, NEVER_ENDS, &[]);
        }
    }
    received.call(CALLS_MAX - 1);
    let refused = |front: &Front| {
        front
            .observed
            .wait_for(|observed| Some(observed.ends.values().next().cloned()))
    };
    let first = poll_until("a call is refused", || {
        refused(&one).or_else(|| refused(&other))
    });
    let expected = format!("network/x.Echo has reached the limit of {CALLS_MAX} outstanding calls");
    assert_eq!(
        first.failure(),
        (StatusCode::ResourceExhausted, Cause::Overloaded, &*expected)
    );
    one.process.stop();
    other.process.stop();
    back.wait_until_idle();
    back.stop();
}
