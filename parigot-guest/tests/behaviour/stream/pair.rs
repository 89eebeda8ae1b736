//! A caller and a handler, connected by a model of a host that delays frames and withholds credit.
//!
//! The model checks the rules of hosts: no item without credit, nothing out of order, one reply.
//! The guests check that each complete stream has all its items, in order. Each seed is another
//! schedule; a failure prints its seed.

use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::{BTreeMap, VecDeque};

use parigot_abi::frame::flags;
use parigot_abi::{
    Credit, Frame, Frames, Header, Kind, Start, StreamContent, StreamFrame, TURN_OK, VERSION,
};
use parigot_guest::future::join;
use parigot_guest::rand_core::RngCore;
use parigot_guest::{CallError, Context, Definition, Error, Exit};

use crate::feed::*;
use crate::harness::{Guest, Inbound, frame, launched};
use crate::stream::desk::{Desk, item};
use crate::stream::peer::{FeedAlone, REQUIRES_FEED};

/// Makes calls of all kinds at the same time. Some of them break off.
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let feed = FeedClient::locate(&cx)?;
    let calls = (0..8).map(async |_| {
        let count = cx.random().next_u32() as usize % 300;
        // Half of the calls break off, after so many items.
        let leave_after = cx.random().next_u32() as usize % 600;
        match cx.random().next_u32() % 3 {
            0 => watch(&feed, count, leave_after).await,
            1 => upload(&feed, count, leave_after).await,
            _ => chat(&feed, count, leave_after).await,
        }
    });
    for result in join(calls.collect::<Vec<_>>()).await {
        result?;
    }
    Ok(Exit::SUCCESS)
}

async fn watch(feed: &FeedClient, count: usize, leave_after: usize) -> Result<(), Error> {
    let mut items = feed.watch(item(format!("count {count}")));
    for number in 0..leave_after {
        let Some(item) = items.next().await? else {
            assert_eq!(number, count, "a complete stream must have all items");
            return Ok(());
        };
        assert_eq!(item.text, number.to_string());
    }
    Ok(())
}

async fn upload(feed: &FeedClient, count: usize, leave_after: usize) -> Result<(), Error> {
    let mut upload = feed.upload();
    for number in 0..count {
        if number == leave_after {
            return Ok(());
        }
        upload.send(item("x".repeat(number * 7 % 5_000))).await?;
    }
    assert_eq!(upload.finish().await?.items, count as u32);
    Ok(())
}

async fn chat(feed: &FeedClient, count: usize, leave_after: usize) -> Result<(), Error> {
    let (mut notes, mut answers) = feed.chat();
    let send = async {
        for number in 0..count.min(leave_after) {
            notes.send(item(number.to_string())).await?;
        }
        if count <= leave_after {
            notes.finish();
        }
        Ok::<(), Error>(())
    };
    let read = async {
        let mut number = 0;
        while let Some(answer) = answers.next().await? {
            assert_eq!(answer.text, number.to_string());
            number += 1;
        }
        Ok::<_, CallError<FeedErr>>(number)
    };
    let (sent, read) = join((send, read)).await;
    sent?;
    match read {
        Ok(number) => assert_eq!(number, count, "a complete stream must have all items"),
        Err(error) => assert!(error.is_cancelled() && leave_after < count, "{error}"),
    }
    Ok(())
}

/// Items of one direction of a call.
#[derive(Default)]
struct Flow {
    sent: Credit,
    /// Credit that the sender knows.
    passed: Credit,
    /// Credit that the receiver has granted.
    granted: Credit,
    has_ended: bool,
}

impl Flow {
    fn count(&mut self, item: &[u8]) {
        assert!(!self.has_ended, "an item came after the end");
        assert!(self.passed.permits(self.sent), "an item had no credit");
        self.sent = self.sent.with_item(item.len());
    }
}

/// A call between the guests, stored under its number at the callee.
struct Call {
    number_at_caller: u64,
    requests: Flow,
    responses: Flow,
    is_cancelled: bool,
    has_replied: bool,
}

/// The model of a host.
struct Link {
    /// The caller and the callee.
    guests: [Guest; 2],
    mailboxes: [VecDeque<Inbound>; 2],
    calls: BTreeMap<u64, Call>,
    random: u64,
    exit: Option<u32>,
}

const CALLER: usize = 0;
const CALLEE: usize = 1;

impl Link {
    fn new(seed: u64) -> Self {
        let mut caller = Guest::open(Definition::program(main, REQUIRES_FEED));
        let mut callee = Guest::open(Definition::service::<Desk, FeedAlone, _>(
            &[],
            parigot_guest::creation::ByDefault,
        ));
        let start = |seed: u64| {
            let mut bytes = Vec::new();
            let start = Start {
                host: VERSION,
                message_bytes_max: 1 << 20,
                seed: [seed as u8; 32],
                instance: (0, 0),
                descriptors: false,
                settings: Vec::new(),
                args: Vec::new(),
                env: Vec::new(),
            };
            start.write(&mut bytes).expect("the frame is short");
            bytes
        };
        assert_eq!(callee.turn_status([start(seed)]), TURN_OK);
        assert_eq!(callee.turn_status([launched(&[])]), TURN_OK);
        assert_eq!(caller.turn_status([start(seed)]), TURN_OK);
        Link {
            guests: [caller, callee],
            mailboxes: [VecDeque::from([launched(&[70])]), VecDeque::new()],
            calls: BTreeMap::new(),
            random: seed + 1,
            exit: None,
        }
    }

    /// Returns a random number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) % limit
    }

    fn run(&mut self) {
        while self.exit.is_none() {
            let has_work = [CALLER, CALLEE]
                .map(|guest| !self.mailboxes[guest].is_empty() || self.guests[guest].view().more);
            if self.below(4) == 0 || has_work == [false; 2] {
                let is_passed = self.pass_credit(has_work == [false; 2]);
                assert!(
                    is_passed || has_work != [false; 2],
                    "the guests wait forever"
                );
            }
            let guest = self.below(2) as usize;
            if has_work[guest] {
                self.turn(guest);
            }
        }
    }

    fn turn(&mut self, index: usize) {
        let count = 1 + self.below(6) as usize;
        let count = count.min(self.mailboxes[index].len());
        let frames: Vec<_> = self.mailboxes[index].drain(..count).collect();
        let yields = self.below(3) == 0;
        let max_polls = [1, 3, u32::MAX][self.below(3) as usize];
        let guest = &mut self.guests[index];
        guest.max_polls = max_polls;
        let address = std::ptr::with_exposed_provenance::<AtomicU32>(guest.yield_cell());
        // SAFETY: the guest is open, and an atomic number may be shared.
        let cell = unsafe { &*address };
        cell.store(yields.into(), Ordering::Relaxed);
        assert_eq!(guest.turn_status(frames), TURN_OK, "{}", guest.panic_text());
        let sent = guest.sent();
        for frame in Frames::new(&sent) {
            self.route(index, &frame.expect("frames must be valid"));
        }
    }

    fn route(&mut self, from: usize, frame: &Frame<'_>) {
        let number = frame.header.number;
        match frame.kind().expect("the kind must be known") {
            Kind::Call => self.begin(frame),
            Kind::Cancel => self.call_of(from, number).is_cancelled = true,
            Kind::Reply if number > 0 => {
                let call = self.call_of(from, number);
                assert!(!call.has_replied, "a call has one reply");
                call.has_replied = true;
            }
            Kind::Item | Kind::Credit | Kind::End => self.check(from, frame),
            Kind::Exit => self.exit = Some(frame.header.status),
            _ => return,
        }
        if !matches!(frame.kind(), Some(Kind::Call | Kind::Credit | Kind::Exit)) && number > 0 {
            self.forward(from, frame);
        }
    }

    fn begin(&mut self, frame: &Frame<'_>) {
        let number = self.calls.len() as u64 + 1;
        let flow = || Flow {
            passed: Credit::INITIAL,
            granted: Credit::INITIAL,
            ..Flow::default()
        };
        let call = Call {
            number_at_caller: frame.header.number,
            requests: flow(),
            responses: flow(),
            is_cancelled: false,
            has_replied: false,
        };
        self.calls.insert(number, call);
        let header = Header {
            number,
            service: 0,
            id: (0, 0),
            ..frame.header
        };
        let mut bytes = Vec::new();
        frame.pass_on(header, &mut bytes);
        self.mailboxes[CALLEE].push_back(bytes);
    }

    fn check(&mut self, from: usize, frame: &Frame<'_>) {
        let frame = StreamFrame::read(frame).expect("frames must be valid");
        assert_eq!(frame.is_to_callee, from == CALLER);
        let call = self.call_of(from, frame.number);
        if from == CALLEE {
            assert!(!call.has_replied, "the reply is the last frame of a call");
        } else {
            assert!(
                !call.is_cancelled,
                "a caller sends nothing after its cancellation"
            );
        }
        let (sent, received) = match from {
            CALLER => (&mut call.requests, &mut call.responses),
            _ => (&mut call.responses, &mut call.requests),
        };
        match frame.content {
            StreamContent::Item(item) => sent.count(item),
            StreamContent::Credit(credit) => received.granted = received.granted.max(credit),
            StreamContent::End => {
                assert!(!sent.has_ended, "a stream has one end");
                sent.has_ended = true;
            }
        }
    }

    /// Passes a frame on, unless its call has ended for the receiver.
    fn forward(&mut self, from: usize, frame: &Frame<'_>) {
        let key = self.key_of(from, frame.header.number);
        let call = &self.calls[&key];
        let number = match from {
            CALLER if call.has_replied => return,
            CALLEE if call.is_cancelled => return,
            CALLER => key,
            _ => call.number_at_caller,
        };
        let mut bytes = Vec::new();
        frame.pass_on(
            Header {
                number,
                ..frame.header
            },
            &mut bytes,
        );
        self.mailboxes[1 - from].push_back(bytes);
    }

    /// Passes a part of the granted credit on, or all of it. Returns false if there is none.
    fn pass_credit(&mut self, all: bool) -> bool {
        let mut is_passed = false;
        let keys: Vec<u64> = self.calls.keys().copied().collect();
        for key in keys {
            let part = Credit {
                items: self.below(20),
                bytes: self.below(10_000),
            };
            let call = self.calls.get_mut(&key).expect("the call exists");
            let ends = [
                (CALLER, call.number_at_caller, &mut call.requests),
                (CALLEE, key, &mut call.responses),
            ];
            for (to, number, flow) in ends {
                let passed = Credit {
                    items: flow.granted.items.min(flow.passed.items + part.items),
                    bytes: flow.granted.bytes.min(flow.passed.bytes + part.bytes),
                };
                let passed = if all { flow.granted } else { passed };
                if passed == flow.passed || call.has_replied || call.is_cancelled {
                    continue;
                }
                flow.passed = passed;
                is_passed = true;
                let header = Header {
                    number,
                    flags: if to == CALLEE { flags::TO_CALLEE } else { 0 },
                    ..Header::new(Kind::Credit)
                };
                let bytes = frame(header, |frame| frame.payload(&passed.to_bytes()));
                self.mailboxes[to].push_back(bytes);
            }
        }
        is_passed
    }

    fn key_of(&self, from: usize, number: u64) -> u64 {
        let mut calls = self.calls.iter();
        match from {
            CALLER => calls.find(|(_, call)| call.number_at_caller == number),
            _ => calls.find(|(key, _)| **key == number),
        }
        .map(|(key, _)| *key)
        .expect("a frame must belong to a call")
    }

    fn call_of(&mut self, from: usize, number: u64) -> &mut Call {
        let key = self.key_of(from, number);
        self.calls.get_mut(&key).expect("the call exists")
    }
}

#[test]
fn streams_are_complete_or_fail_in_every_schedule() {
    let seeds = std::env::var("PARIGOT_STREAM_SEED");
    let seeds = match seeds.map(|seed| seed.parse().expect("a seed is a number")) {
        Ok(seed) => seed..seed + 1,
        Err(_) => 0..20_u64,
    };
    for seed in seeds {
        println!("to repeat this schedule: PARIGOT_STREAM_SEED={seed}");
        let mut link = Link::new(seed);
        link.run();
        assert_eq!(link.exit, Some(0), "{}", link.guests[CALLER].panic_text());
    }
}
