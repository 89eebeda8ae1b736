//! The service of standard input and output, on pipes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use parigot_abi::frame::flags;
use parigot_abi::{Code, Detail, Frame, Header, Kind};
use parigot_guest::Method;
use parigot_guest::prost::Message;
use parigot_guest::stdio::v1::{ReadRequest, ReadResponse, StdioErr, WriteRequest, stdio};

use super::service::StdioService;
use super::streams::Results;
use crate::guest::builtin::BuiltInFactory;
use crate::guest::builtin_test::{TestedBuiltIn, frame};

/// Longest time that a test waits for an event.
const DEADLINE: Duration = Duration::from_secs(60);

const MIB: usize = 1 << 20;

/// The service, and the other ends of its pipes.
struct Served {
    guest: TestedBuiltIn,
    stdin: PipeWriter,
    stdout: PipeReader,
    /// Calls by number: their methods.
    methods: BTreeMap<u64, u32>,
}

impl Served {
    /// Creates and launches the service.
    fn new() -> Self {
        let (of_service, stdin) = pipe().expect("a pipe must be available");
        let (stdout, to_service) = pipe().expect("a pipe must be available");
        let file = |descriptor: OwnedFd| Some(Arc::new(File::from(descriptor)));
        let read_from = file(of_service.into());
        let write_to = file(to_service.into());
        let results = Arc::new(Results::default());
        let factory = BuiltInFactory(move || {
            StdioService::new(read_from.clone(), write_to.clone(), Arc::clone(&results))
        });
        let mut served = Served {
            guest: TestedBuiltIn::new(factory),
            stdin,
            stdout,
            methods: BTreeMap::new(),
        };
        assert_eq!(served.turn(Header::new(Kind::Launched), &[]), ["reply 0: "]);
        served
    }

    /// Runs a turn with one frame. Returns a line for each frame in the outbox.
    fn turn(&mut self, header: Header, payload: &[u8]) -> Vec<String> {
        self.run(&frame(header, payload))
    }

    fn run(&mut self, frames: &[u8]) -> Vec<String> {
        let methods = &self.methods;
        self.guest.turn(0, frames, |frame| line(frame, methods))
    }

    /// Sends a call that reads. Returns the lines of the turn.
    fn read(&mut self, number: u64, bytes_max: u32) -> Vec<String> {
        let request = ReadRequest { bytes_max }.encode_to_vec();
        self.call(number, stdio::Read::INDEX, &request)
    }

    /// Sends a call that writes. Returns the lines of the turn.
    fn write(&mut self, number: u64, data: impl Into<Vec<u8>>) -> Vec<String> {
        let request = WriteRequest { data: data.into() }.encode_to_vec();
        self.call(number, stdio::Write::INDEX, &request)
    }

    fn call(&mut self, number: u64, method: u32, request: &[u8]) -> Vec<String> {
        self.methods.insert(number, method);
        let header = Header {
            number,
            method,
            ..Header::new(Kind::Call)
        };
        self.turn(header, request)
    }

    fn cancel(&mut self, number: u64) -> Vec<String> {
        let header = Header {
            number,
            ..Header::new(Kind::Cancel)
        };
        self.turn(header, &[])
    }

    fn stop(&mut self) -> Vec<String> {
        self.turn(Header::new(Kind::Stop), &[])
    }

    /// Runs turns until the service has sent something.
    fn wait(&mut self) -> Vec<String> {
        let until = Instant::now() + DEADLINE;
        loop {
            let lines = self.run(&[]);
            if !lines.is_empty() {
                return lines;
            }
            assert!(Instant::now() < until, "the service must send a frame");
            yield_now();
        }
    }

    fn input(&mut self, text: &str) {
        let written = self.stdin.write_all(text.as_bytes());
        written.expect("the pipe must be open");
    }

    /// Takes this number of bytes from stdout.
    fn output(&mut self, bytes: usize) -> Vec<u8> {
        let mut output = vec![0; bytes];
        let read = self.stdout.read_exact(&mut output);
        read.expect("the pipe must be open");
        output
    }
}

/// Returns a line for a frame of the service, to calls of these methods.
fn line(frame: &Frame<'_>, methods: &BTreeMap<u64, u32>) -> String {
    if frame.kind() == Some(Kind::Exit) {
        return "exit".to_owned();
    }
    let Header { number, status, .. } = frame.header;
    let text = match methods.get(&number) {
        _ if frame.header.flags & flags::SERVICE_ERROR != 0 => {
            let error = StdioErr::try_from(status as i32).expect("the number must be known");
            error.as_str_name().to_owned()
        }
        _ if status != 0 => {
            let code = Code::from_number(status).expect("the code must be known");
            format!("{code} {}", Detail::read(frame.detail).message)
        }
        Some(&stdio::Read::INDEX) => {
            let response = ReadResponse::decode(frame.payload).expect("a valid response");
            String::from_utf8_lossy(&response.data).into_owned()
        }
        _ => String::new(),
    };
    format!("reply {number}: {text}")
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_read_returns_no_more_than_requested() {
    let mut served = Served::new();
    served.input("abcdef");
    served.read(1, 4);
    assert_eq!(served.wait(), ["reply 1: abcd"]);
    served.read(2, 0);
    assert_eq!(served.wait(), ["reply 2: ef"]);
}

#[test]
fn reads_are_served_in_the_order_of_arrival() {
    let mut served = Served::new();
    served.read(7, 1);
    served.read(3, 1);
    served.input("ab");
    assert_eq!(served.wait(), ["reply 7: a"]);
    assert_eq!(served.wait(), ["reply 3: b"]);
}

#[test]
fn input_for_a_cancelled_read_goes_to_the_next() {
    let mut served = Served::new();
    served.read(1, 100);
    assert_eq!(served.cancel(1), ["reply 1: CANCELLED "]);
    served.input("abcde");
    served.read(2, 2);
    assert_eq!(served.wait(), ["reply 2: ab"]);
    assert_eq!(served.read(3, 2), ["reply 3: cd"]);
    assert_eq!(served.read(4, 2), ["reply 4: e"]);
}

#[test]
fn the_end_of_input_is_an_empty_response() {
    let mut served = Served::new();
    served.input("a");
    let (_, other) = pipe().expect("a pipe must be available");
    drop(std::mem::replace(&mut served.stdin, other));
    served.read(1, 0);
    assert_eq!(served.wait(), ["reply 1: a"]);
    served.read(2, 0);
    assert_eq!(served.wait(), ["reply 2: "]);
    served.read(3, 0);
    assert_eq!(served.wait(), ["reply 3: "]);
}

#[test]
fn a_write_is_answered_when_all_its_bytes_are_taken() {
    let mut served = Served::new();
    assert_eq!(served.write(1, "abc"), NOTHING);
    assert_eq!(served.wait(), ["reply 1: "]);
    assert_eq!(served.output(3), b"abc");
    // More than a pipe holds.
    served.write(2, vec![7; MIB]);
    served.write(3, "end");
    assert_eq!(served.output(MIB / 2), vec![7; MIB / 2]);
    assert_eq!(served.run(&[]), NOTHING);
    assert_eq!(served.output(MIB / 2), vec![7; MIB / 2]);
    assert_eq!(served.output(3), b"end");
    let mut lines = served.wait();
    if lines.len() < 2 {
        lines.extend(served.wait());
    }
    assert_eq!(lines, ["reply 2: ", "reply 3: "]);
}

#[test]
fn writes_beyond_the_limit_are_refused() {
    let mut served = Served::new();
    for number in 1..=4 {
        assert_eq!(served.write(number, vec![0; 16 * MIB]), NOTHING);
    }
    let expected = "reply 5: RESOURCE_EXHAUSTED 67108864 of 67108864 bytes wait for stdout, whose \
                    reader does not read";
    assert_eq!(served.write(5, "a"), [expected]);
    served.output(16 * MIB);
    assert_eq!(served.wait(), ["reply 1: "]);
    assert_eq!(served.write(6, "a"), NOTHING);
}

#[test]
fn a_cancelled_write_is_carried_out() {
    let mut served = Served::new();
    served.write(1, vec![7; MIB]);
    served.write(2, "end");
    assert_eq!(served.cancel(1), NOTHING);
    assert_eq!(served.cancel(2), NOTHING);
    served.output(MIB);
    assert_eq!(served.output(3), b"end");
}

#[test]
fn a_write_without_a_reader_fails_with_closed() {
    let mut served = Served::new();
    let (other, _) = pipe().expect("a pipe must be available");
    drop(std::mem::replace(&mut served.stdout, other));
    served.write(1, "a");
    assert_eq!(served.wait(), ["reply 1: CLOSED"]);
}

#[test]
fn the_service_exits_after_its_last_write() {
    let mut served = Served::new();
    served.read(1, 0);
    served.write(2, vec![7; MIB]);
    assert_eq!(served.stop(), NOTHING);
    served.output(MIB);
    assert_eq!(served.wait(), ["reply 2: ", "exit"]);
}

#[test]
fn an_undecodable_request_is_refused() {
    let mut served = Served::new();
    let lines = served.call(1, stdio::Write::INDEX, &[0xff]);
    let expected = "reply 1: INVALID_ARGUMENT the request cannot be decoded: ";
    assert!(lines[0].starts_with(expected), "{lines:?}");
}
