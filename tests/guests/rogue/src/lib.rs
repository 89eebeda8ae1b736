//! A guest against the bare ABI that does what no SDK would do; its argument says what.
//!
//! It serves echo.v1.Echo, and misbehaves whenever that is called; and load.v1.Work, as `worker` does, and misbehaves whenever a job has a deed.
//! After `first/` and a deed it misbehaves in its first turn, when it has declared itself. After `caller/` and a deed it serves nothing, requires
//! echo.v1.Echo, and misbehaves once it is launched. With a second argument it is ready then, and does that deed.

mod lie;

use std::cell::RefCell;
use std::hint::black_box;

use parigot_abi::control::{NEVER, NO_CALL};
use parigot_abi::frame::LAUNCH_NUMBER;
use parigot_abi::manifest::{Method, Service};
use parigot_abi::{
    Code, Control, FrameBuilder, Frames, Header, Kind, Manifest, Prologue, Start, TURN_OK, VERSION,
};

use crate::lie::Job;

static CONTROL: Control = Control::new();

/// The hash of the schema of load.v1.Work, without which no other process calls it. What is generated cannot be used here: it brings an SDK, and
/// the exports of that.
fn schema_of_work() -> u64 {
    let generated = include_str!("../../../golden/load/rust/load.v1.rs");
    let (_, of_work) = generated
        .split_once("name: \"load.v1.Work\",")
        .expect("it is there");
    let (_, hash) = of_work
        .split_once("schema: 0x")
        .expect("each service has one");
    u64::from_str_radix(&hash[..16], 16).expect("it is hexadecimal")
}

/// The place of load.v1.Work among the exports.
const WORK: u32 = 1;

thread_local! {
    static GUEST: RefCell<Guest> = RefCell::default();
}

#[derive(Default)]
struct Guest {
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    deed: String,
    /// What it does once it is ready.
    then: Option<String>,
    /// Work is ready, as it says, from now on.
    more: bool,
    /// When it wants its next turn, as it says.
    wake_at_ns: Option<u64>,
    /// What it says of its boxes after each turn instead of the truth.
    boxes: Option<(u64, u64)>,
    /// It answers calls when they are cancelled, so often.
    answers_after_cancel: usize,
}

#[unsafe(no_mangle)]
extern "C" fn parigot_abi() -> u32 {
    VERSION.packed()
}

#[unsafe(no_mangle)]
extern "C" fn parigot_open() -> usize {
    (&raw const CONTROL).expose_provenance()
}

#[unsafe(no_mangle)]
extern "C" fn parigot_inbox(_control: usize, bytes: usize) {
    GUEST.with_borrow_mut(|guest| {
        guest.inbox = vec![0; bytes];
        CONTROL.set_inbox(
            guest.inbox.as_mut_ptr().expose_provenance() as u64,
            bytes as u64,
        );
    });
}

#[unsafe(no_mangle)]
extern "C" fn parigot_turn(_control: usize, inbox_bytes: usize, _max_polls: u32) -> u32 {
    GUEST.with_borrow_mut(|guest| guest.turn(inbox_bytes));
    TURN_OK
}

impl Guest {
    fn turn(&mut self, inbox_bytes: usize) {
        // The host has written into it.
        let inbox = black_box(std::mem::take(&mut self.inbox));
        self.outbox.clear();
        let (_, frames) = Prologue::split(&inbox[..inbox_bytes]).expect("an inbox has a prologue");
        for frame in Frames::new(frames) {
            let frame = frame.expect("the host writes frames");
            let Header {
                number,
                service,
                method,
                ..
            } = frame.header;
            if frame.kind() == Some(Kind::Call) {
                CONTROL.set_progress(number, service, method);
            }
            match frame.kind() {
                Some(Kind::Start) => {
                    let start = Start::read(&frame).expect("the host writes the start");
                    self.then = start.args.get(1).map(|deed| (*deed).to_owned());
                    self.begin(start.args.first().copied().unwrap_or_default());
                }
                Some(Kind::Launched) => {
                    match self.deed.strip_prefix("caller/").map(str::to_owned) {
                        Some(deed) => self.misbehave(&deed, NO_CALL, &[]),
                        None => self.be_ready(),
                    }
                }
                Some(Kind::Stop) => self.send(Header::new(Kind::Exit), &[]),
                Some(Kind::Call) if service == WORK => self.work(number, Job::read(frame.payload)),
                Some(Kind::Call) => self.misbehave(&self.deed.clone(), number, &[]),
                Some(Kind::Cancel) => {
                    (0..self.answers_after_cancel).for_each(|_| self.answer(number, &[]))
                }
                _ => {}
            }
        }
        self.inbox = inbox;
        self.show();
    }

    /// Fills the control block in.
    fn show(&self) {
        let boxes = (
            self.outbox.as_ptr().expose_provenance() as u64,
            self.outbox.len() as u64,
        );
        let (address, committed) = self.boxes.unwrap_or(boxes);
        CONTROL.set_outbox(address, committed);
        CONTROL.set_turn(self.more, self.wake_at_ns.unwrap_or(NEVER), 0);
    }

    fn send(&mut self, header: Header, payload: &[u8]) {
        FrameBuilder::new(&mut self.outbox, header)
            .payload(payload)
            .finish()
            .expect("it is short enough");
    }

    fn begin(&mut self, deed: &str) {
        self.deed = deed.to_owned();
        self.send_manifest(&self.manifest());
        if let Some(deed) = deed.strip_prefix("first/") {
            self.misbehave(deed, NO_CALL, &[]);
        }
        self.send(Header::new(Kind::Launch), &[]);
    }

    fn be_ready(&mut self) {
        self.answer(LAUNCH_NUMBER, &[]);
        if let Some(deed) = self.then.take() {
            self.misbehave(&deed, NO_CALL, &[]);
        }
    }

    fn manifest(&self) -> Manifest {
        let method = |name: &str| Method {
            name: name.into(),
            budget_ns: 0,
            deadline_ns: 0,
        };
        let service = |name: &str, schema: u64, methods: &[&str]| Service {
            name: name.into(),
            schema,
            methods: methods.iter().copied().map(method).collect(),
            descriptors: vec![],
        };
        let echo = service("echo.v1.Echo", 0, &["Echo", "Misbehave"]);
        match self.deed.starts_with("caller/") {
            true => Manifest {
                exports: vec![],
                requires: vec![echo],
            },
            false => Manifest {
                exports: vec![echo, service("load.v1.Work", schema_of_work(), &["Run"])],
                requires: vec![],
            },
        }
    }

    fn send_manifest(&mut self, manifest: &Manifest) {
        let mut payload = Vec::new();
        manifest.write(&mut payload);
        self.send(Header::new(Kind::Manifest), &payload);
    }

    fn answer(&mut self, number: u64, payload: &[u8]) {
        self.send(
            Header {
                number,
                status: Code::Ok.number(),
                ..Header::new(Kind::Reply)
            },
            payload,
        );
    }

    fn log(&mut self, call: u64, text: &[u8]) {
        self.send(
            Header {
                number: call,
                status: 3,
                ..Header::new(Kind::Log)
            },
            text,
        );
    }

    fn work(&mut self, number: u64, job: Job) {
        self.log(
            number,
            format!("load: ran {}/{}", job.caller, job.number).as_bytes(),
        );
        if job.has_deed {
            self.misbehave(&self.deed.clone(), number, &job.done());
        } else {
            self.answer(number, &job.done());
        }
    }

    /// Does a deed while it serves that call, and gives the answer if it is still there.
    fn misbehave(&mut self, deed: &str, call: u64, answer: &[u8]) {
        // What was sent before is to be seen, however this ends.
        self.show();
        let (deed, amount) = deed.split_once(':').unwrap_or((deed, "0"));
        let amount: usize = amount.parse().expect("a number follows the colon");
        match deed {
            // As though it went from call to call.
            "progress" => {
                let mut call = 0;
                loop {
                    CONTROL.set_progress(call, 0, call as u32 % 2);
                    call += 1;
                }
            }
            // Sees what the host asks for, and does not do it.
            "stubborn" => loop {
                black_box(CONTROL.yield_now());
            },
            "recurse" => _ = black_box(deeds::recurse(0)),
            "flood" => (0..amount).for_each(|_| self.log(NO_CALL, b"what a flood")),
            "line" => self.log(NO_CALL, &vec![b'x'; amount]),
            "swell" => return self.answer(call, &vec![0; amount]),
            "burn" => _ = black_box((0..amount).fold(0, |sum, k| black_box(sum ^ k))),
            "leave" => self.send(
                Header {
                    status: amount as u32,
                    ..Header::new(Kind::Exit)
                },
                &[],
            ),
            // Only when nobody waits any more.
            "answer-late" => {
                self.answers_after_cancel = amount;
                return;
            }
            _ if self.lie(deed, amount, call, answer) => {}
            _ => {
                deeds::commit(deed);
                panic!("{deed} is no deed");
            }
        }
        if call != NO_CALL {
            self.answer(call, answer);
        }
    }
}
