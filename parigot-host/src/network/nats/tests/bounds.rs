//! Limits of pending calls and of data to send.

use super::*;
use crate::limits::CALLS_MAX;

#[test]
fn each_call_beyond_the_limit_fails() {
    let server = Server::start();
    // With frozen clocks, a busy machine misses no heartbeat.
    let (front, mut events, kitchen, mut gateway) = frozen_pair(&server);
    let calls = CALLS_MAX as u128 + 500;
    for number in 1..=calls {
        front.call(number, "").unwrap();
    }
    let mut taken: Vec<_> = (0..CALLS_MAX).map(|_| gateway.call()).collect();
    let one_too_many = FailedCall {
        code: Code::ResourceExhausted,
        cause: Cause::Overloaded,
        text: "greeting.v1.Greeting has reached the limit of 16384 pending calls".to_owned(),
    };
    for _ in CALLS_MAX as u128..calls {
        assert_eq!(events.failed().1, one_too_many);
    }
    // An answer makes room for one more call.
    kitchen.reply(taken.pop().unwrap().1, "");
    events.answered();
    front.call(calls + 1, "").unwrap();
    assert_eq!(gateway.call().0.id, call_id(calls + 1));
}

#[test]
fn data_to_send_is_limited() {
    let server = Server::start();
    let front = Process::new(&server, "front");
    // A callee that never requests the chunks of its calls.
    let client = RawClient::on(&server);
    let silent = FakePeer::on(&client, "silent");
    let _calls = client.listen(&silent.subjects.call(SERVICE, SCHEMA));
    let mut questions = silent.questions();
    let mut events = front.import(SCHEMA, Vec::new());
    silent.offer_when_asked(&mut questions);
    events.found();
    let payload = Bytes::from(vec![0; 15 << 20]);
    for number in 1..=4 {
        front.call(number, payload.clone()).unwrap();
    }
    let text = "send buffer for other processes is full (64 MiB): retry later".to_owned();
    let told = FailedCall {
        code: Code::ResourceExhausted,
        cause: Cause::Overloaded,
        text,
    };
    assert_eq!(front.call(5, payload.clone()), Err(told));
    // A cancellation makes room for one more call.
    front.transport.cancel(SERVICE, call_id(1));
    while front.call(6, payload.clone()).is_err() {
        std::thread::yield_now();
    }
}
