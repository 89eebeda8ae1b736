//! Proxies and the queue of a provider, without a kernel.

use std::sync::Arc;
use std::time::Duration;

use parigot_abi::frame::flags;
use parigot_abi::{Cause, Code, Detail, Frame, Header, Kind};
use parigot_guest::Method;
use parigot_guest::kv::KvErr;
use parigot_guest::kv::v1::{Entry, GetRequest, GetResponse, SetRequest, SetResponse, kv};
use parigot_guest::prost::Message;

use super::proxy::{CallQueue, ProviderProxy};
use super::{Answer, Calls};
use crate::clock::{Clock, ManualClock};
use crate::deployment::{Access, Grant};
use crate::guest::builtin::BuiltInFactory;
use crate::guest::builtin_test::{TestedBuiltIn, frame};
use crate::limits::PROVIDER_CALLS_MAX;

/// A proxy, and the other end of its queue.
struct Served {
    proxy: TestedBuiltIn,
    calls: Calls,
    clock: Arc<ManualClock>,
}

const NOTHING: [&str; 0] = [];

impl Served {
    /// Creates and launches the proxy of a grant to the guest `links`.
    fn new(access: Access) -> Self {
        let clock = Arc::new(ManualClock::new(Duration::ZERO));
        let of_queue = Arc::clone(&clock) as Arc<dyn Clock>;
        let queue = CallQueue::new("sessions", &of_queue);
        let of_proxy = Arc::clone(&queue);
        let grant = Grant {
            provider: "sessions".into(),
            binding: String::new(),
            access,
            span: 0..0,
        };
        let factory = BuiltInFactory(move || {
            ProviderProxy::new(&kv::SERVICE, "links", &grant, &of_proxy, &Arc::default())
        });
        let mut served = Served {
            proxy: TestedBuiltIn::new(factory),
            calls: Calls::new(queue),
            clock,
        };
        assert_eq!(served.turn(Header::new(Kind::Launched), &[]), ["reply 0: "]);
        served
    }

    /// Runs a turn with one frame. Returns a line for each frame in the outbox.
    fn turn(&mut self, header: Header, payload: &[u8]) -> Vec<String> {
        self.run(&frame(header, payload))
    }

    fn run(&mut self, frames: &[u8]) -> Vec<String> {
        self.proxy.turn(self.clock.monotonic_ns(), frames, line)
    }

    /// Sends a call with a deadline in a second.
    fn call<M: Method>(&mut self, number: u64, request: M::Request) -> Vec<String> {
        let header = Header {
            number,
            method: M::INDEX,
            deadline_ns: self.clock.monotonic_ns() + 1_000_000_000,
            ..Header::new(Kind::Call)
        };
        self.turn(header, &request.encode_to_vec())
    }

    fn get(&mut self, number: u64, key: &str) -> Vec<String> {
        self.call::<kv::Get>(number, GetRequest { key: key.into() })
    }

    fn cancel(&mut self, number: u64) -> Vec<String> {
        let header = Header {
            number,
            ..Header::new(Kind::Cancel)
        };
        self.turn(header, &[])
    }
}

fn line(frame: &Frame<'_>) -> String {
    let Header {
        number,
        status,
        flags,
        ..
    } = frame.header;
    if frame.kind() == Some(Kind::Exit) {
        return "exit".to_owned();
    }
    let text = if flags & flags::SERVICE_ERROR != 0 {
        let error = KvErr::try_from(status as i32).expect("the number must be known");
        error.as_str_name().to_owned()
    } else if status != 0 {
        let code = Code::from_number(status).expect("the code must be known");
        let Detail { cause, message, .. } = Detail::read(frame.detail);
        format!("{code} {} {message}", cause.fate().name())
    } else {
        let response = GetResponse::decode(frame.payload).expect("a valid response");
        response.entry.map_or(String::new(), |entry| entry.key)
    };
    format!("reply {number}: {text}")
}

/// Answers a `Get` with an entry of the requested key.
fn echo(request: GetRequest) -> Result<GetResponse, parigot_guest::Failure<KvErr>> {
    Ok(GetResponse {
        entry: Some(Entry {
            key: request.key,
            ..Entry::default()
        }),
    })
}

#[test]
fn calls_are_served_in_the_order_of_arrival() {
    let mut served = Served::new(Access::Full);
    assert_eq!(served.get(1, "a"), NOTHING);
    assert_eq!(served.get(2, "b"), NOTHING);
    let group = served.calls.next_group(10);
    assert_eq!(group.len(), 2);
    for call in group {
        assert_eq!(call.guest(), "links");
        call.serve::<kv::Get>(echo);
    }
    assert_eq!(served.run(&[]), ["reply 1: a", "reply 2: b"]);
}

#[test]
fn errors_of_the_service_reach_the_caller() {
    let mut served = Served::new(Access::Full);
    served.get(1, "a");
    let call = served.calls.next().expect("a call must wait");
    call.serve::<kv::Get>(|_| Err(KvErr::DataLoss.into()));
    assert_eq!(served.run(&[]), ["reply 1: DATA_LOSS"]);
}

#[test]
fn a_dropped_call_fails_with_an_unknown_fate() {
    let mut served = Served::new(Access::Full);
    served.get(1, "a");
    drop(served.calls.next());
    let expected = "reply 1: UNAVAILABLE unknown the provider did not answer the call";
    assert_eq!(served.run(&[]), [expected]);
}

#[test]
fn a_cancelled_call_does_not_reach_the_provider() {
    let mut served = Served::new(Access::Full);
    served.get(1, "a");
    served.get(2, "b");
    let expected = format!("reply 1: CANCELLED {} ", Cause::Cancelled.fate().name());
    assert_eq!(served.cancel(1), [expected]);
    let group = served.calls.next_group(10);
    assert_eq!(group.len(), 1);
    group
        .into_iter()
        .for_each(|call| call.serve::<kv::Get>(echo));
    assert_eq!(served.run(&[]), ["reply 2: b"]);
}

#[test]
fn the_answer_to_a_cancelled_call_is_dropped() {
    let mut served = Served::new(Access::Full);
    served.get(1, "a");
    let call = served.calls.next().expect("a call must wait");
    served.cancel(1);
    call.serve::<kv::Get>(echo);
    assert_eq!(served.run(&[]), NOTHING);
}

#[test]
fn a_late_call_is_refused_unless_it_has_begun() {
    let mut served = Served::new(Access::Full);
    served.get(1, "a");
    let begun = served.calls.next().expect("a call must wait");
    served.get(2, "b");
    served.clock.advance(Duration::from_secs(1));
    let mut lines = served.run(&[]);
    lines.sort();
    let expected = [
        "reply 1: DEADLINE_EXCEEDED unknown no reply within the deadline",
        "reply 2: DEADLINE_EXCEEDED refused the deadline passed before the call began",
    ];
    assert_eq!(lines, expected);
    begun.serve::<kv::Get>(echo);
    assert_eq!(served.run(&[]), NOTHING);
}

#[test]
fn a_provider_gets_no_call_after_its_deadline() {
    let mut served = Served::new(Access::Full);
    served.get(1, "a");
    served.clock.advance(Duration::from_secs(1));
    served.get(2, "b");
    // The turn of the second call has refused the first.
    let call = served.calls.next().expect("a call must wait");
    call.serve::<kv::Get>(echo);
    assert_eq!(served.run(&[]), ["reply 2: b"]);
}

#[test]
fn read_access_refuses_methods_with_side_effects() {
    let mut served = Served::new(Access::Read);
    let lines = served.call::<kv::Set>(1, SetRequest::default());
    let expected = "reply 1: PERMISSION_DENIED answered parigot.kv.v1.Kv/Set writes, and `links` \
                    has read access to `sessions`; see `providers` in its table";
    assert_eq!(lines, [expected]);
    assert_eq!(served.get(2, "a"), NOTHING);
}

#[test]
fn streams_are_refused_with_a_text() {
    let mut served = Served::new(Access::Full);
    let lines = served.call::<kv::Watch>(1, Default::default());
    let expected = "reply 1: UNIMPLEMENTED refused parigot.kv.v1.Kv/Watch streams, and providers \
                    do not stream yet";
    assert_eq!(lines, [expected]);
}

#[test]
fn calls_beyond_the_queue_are_refused() {
    let mut served = Served::new(Access::Full);
    for number in 1..=PROVIDER_CALLS_MAX as u64 {
        assert_eq!(served.get(number, "a"), NOTHING);
    }
    let lines = served.get(5_000, "a");
    let expected = "reply 5000: RESOURCE_EXHAUSTED refused the provider `sessions` is busy: 1024 \
                    of 1024 calls";
    assert!(lines[0].starts_with(expected), "{lines:?}");
    drop(served.calls.next());
    served.run(&[]);
    assert_eq!(served.get(5_001, "a"), NOTHING);
}

#[test]
fn an_undecodable_request_is_refused() {
    let mut served = Served::new(Access::Full);
    let header = Header {
        number: 1,
        method: kv::Set::INDEX,
        deadline_ns: u64::MAX,
        ..Header::new(Kind::Call)
    };
    served.turn(header, &[0xff]);
    let call = served.calls.next().expect("a call must wait");
    call.serve::<kv::Set>(|_| Ok(SetResponse::default()));
    let lines = served.run(&[]);
    let expected = "reply 1: INVALID_ARGUMENT refused the request cannot be decoded: ";
    assert!(lines[0].starts_with(expected), "{lines:?}");
}

#[test]
fn the_end_of_the_provider_refuses_calls() {
    let mut served = Served::new(Access::Full);
    served.get(1, "a");
    served.calls.end();
    let text = "UNAVAILABLE refused the provider `sessions` has ended; see the log";
    assert_eq!(served.run(&[]), [format!("reply 1: {text}")]);
    assert_eq!(served.get(2, "b"), [format!("reply 2: {text}")]);
}

#[test]
fn the_proxy_exits_after_its_last_call_and_ends_the_calls() {
    let mut served = Served::new(Access::Full);
    served.get(1, "a");
    assert_eq!(served.turn(Header::new(Kind::Stop), &[]), NOTHING);
    let call = served.calls.next().expect("a call must wait");
    call.answer(Answer::refused("closed"));
    let lines = served.run(&[]);
    assert_eq!(lines, ["reply 1: UNAVAILABLE refused closed", "exit"]);
    let Served {
        proxy, mut calls, ..
    } = served;
    drop(proxy);
    assert!(calls.next().is_none());
}
