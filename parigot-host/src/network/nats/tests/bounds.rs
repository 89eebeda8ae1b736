//! More than a process takes.

use super::*;
use crate::limits::CALLS_MAX;

#[test]
fn each_of_more_calls_than_may_be_taken_is_told_so() {
    let server = Server::start();
    let (front, mut news, kitchen, mut inbound_calls) = couple(&server);
    let calls = CALLS_MAX as u128 * 3;
    for number in 1..=calls {
        front.call(number, "").unwrap();
    }
    let mut taken: Vec<_> = (0..CALLS_MAX).map(|_| inbound_calls.call()).collect();
    let one_too_many = Told {
        code: Code::ResourceExhausted,
        cause: Cause::Overloaded,
        text: "greeting.v1.Greeting has reached the limit of 16384 pending calls".to_owned(),
    };
    for _ in CALLS_MAX as u128..calls {
        assert_eq!(news.failed().1, one_too_many);
    }
    // One that is answered makes room for one.
    kitchen.reply(taken.pop().unwrap().1, "");
    news.answered();
    front.call(calls + 1, "").unwrap();
    assert_eq!(inbound_calls.call().0.id, call_id(calls + 1));
}

#[test]
fn no_more_waits_to_be_sent_than_may() {
    let server = Server::start();
    let front = Process::new(&server, "front");
    // One that takes calls, and never asks for what they hold.
    let stranger = Stranger::on(&server);
    let sloth = Caller::on(&stranger, "sloth");
    let _calls = stranger.listen(&sloth.subjects.call(SERVICE, SCHEMA));
    let mut questions = sloth.questions();
    let mut news = front.import(SCHEMA, Vec::new());
    sloth.offer_when_asked(&mut questions);
    news.found();
    let payload = Bytes::from(vec![0; 15 << 20]);
    for number in 1..=4 {
        front.call(number, payload.clone()).unwrap();
    }
    let text = "send buffer for other processes is full (64 MiB): retry later".to_owned();
    let told = Told {
        code: Code::ResourceExhausted,
        cause: Cause::Overloaded,
        text,
    };
    assert_eq!(front.call(5, payload.clone()), Err(told));
    // One that is cancelled makes room for one.
    front.transport.cancel(SERVICE, call_id(1));
    while front.call(6, payload.clone()).is_err() {
        std::thread::yield_now();
    }
}
