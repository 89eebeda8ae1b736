//! The guest: its state, its turns and its deeds.

use std::hint::black_box;

use parigot_abi::control::{NEVER, NO_CALL};
use parigot_abi::frame::LAUNCH_NUMBER;
use parigot_abi::manifest::{Method, MethodFlags, Service};
use parigot_abi::{Code, Control, FrameBuilder, Frames, Header, Kind, Manifest, Prologue, Start};

use crate::job::Job;

pub(crate) static CONTROL: Control = Control::new();

/// Generated code of echo.v1.Echo.
const ECHO: &str = include_str!("../../../golden/echo/rust/echo.v1.rs");

/// Generated code of load.v1.Work.
const LOAD: &str = include_str!("../../../golden/load/rust/load.v1.rs");

/// Returns the schema hash of a service, without which no other process calls the service. The
/// generated code cannot be linked here, because it brings the exports of the SDK along.
fn schema_of(service: &str, generated: &str) -> u64 {
    let (_, of_service) = generated
        .split_once(&format!("name: \"{service}\","))
        .expect("the generated code has the service");
    let (_, hash) = of_service
        .split_once("schema: 0x")
        .expect("each service has a schema hash");
    u64::from_str_radix(&hash[..16], 16).expect("a schema hash is hexadecimal")
}

/// Index of load.v1.Work among the exports.
const WORK: u32 = 1;

#[derive(Default)]
pub(crate) struct Guest {
    pub(crate) inbox: Vec<u8>,
    pub(crate) outbox: Vec<u8>,
    deed: String,
    /// The deed to do once the guest is ready.
    then: Option<String>,
    /// Report more work after each turn.
    pub(crate) more: bool,
    /// Time of the next turn to report.
    pub(crate) wake_at_ns: Option<u64>,
    /// Address and length of the outbox to report instead of the true ones.
    pub(crate) boxes: Option<(u64, u64)>,
    /// Number of answers to send when a call is cancelled.
    answers_after_cancel: usize,
}

impl Guest {
    pub(crate) fn turn(&mut self, inbox_bytes: usize) {
        // `black_box`, because the host has written into the buffer without the compiler's
        // knowledge.
        let inbox = black_box(std::mem::take(&mut self.inbox));
        self.outbox.clear();
        let (_, frames) = Prologue::split(&inbox[..inbox_bytes]).expect("an inbox has a prologue");
        for frame in Frames::new(frames) {
            let frame = frame.expect("the host must write valid frames");
            let Header {
                number,
                service,
                method,
                ..
            } = frame.header;
            if frame.kind() == Some(Kind::Call) {
                CONTROL.set_progress(number, service, method);
                CONTROL.set_begun(number);
            }
            match frame.kind() {
                Some(Kind::Start) => {
                    let start = Start::read(&frame).expect("the host must write a valid start");
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

    /// Writes the control block.
    fn show(&self) {
        let boxes = (
            self.outbox.as_ptr().expose_provenance() as u64,
            self.outbox.len() as u64,
        );
        let (address, committed) = self.boxes.unwrap_or(boxes);
        CONTROL.set_outbox(address, committed);
        CONTROL.set_turn(self.more, self.wake_at_ns.unwrap_or(NEVER), 0);
    }

    pub(crate) fn send(&mut self, header: Header, payload: &[u8]) {
        FrameBuilder::new(&mut self.outbox, header)
            .payload(payload)
            .finish()
            .expect("the frame is shorter than 4 GiB");
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

    pub(crate) fn manifest(&self) -> Manifest {
        let budget_ns = if self.deed.starts_with("claim") {
            400_000_000
        } else {
            0
        };
        let method = |name: &str| Method {
            name: name.into(),
            budget_ns,
            deadline_ns: 0,
            flags: MethodFlags::default(),
        };
        let service = |name: &str, generated: &str, methods: &[&str]| Service {
            name: name.into(),
            schema: schema_of(name, generated),
            methods: methods.iter().copied().map(method).collect(),
        };
        let echo = service("echo.v1.Echo", ECHO, &["Echo", "Misbehave"]);
        match self.deed.starts_with("caller/") {
            true => Manifest {
                requires: vec![echo.into()],
                ..Manifest::default()
            },
            false => Manifest {
                exports: vec![echo, service("load.v1.Work", LOAD, &["Run"])],
                ..Manifest::default()
            },
        }
    }

    pub(crate) fn send_manifest(&mut self, manifest: &Manifest) {
        let mut payload = Vec::new();
        manifest.write(&mut payload);
        self.send(Header::new(Kind::Manifest), &payload);
    }

    pub(crate) fn answer(&mut self, number: u64, payload: &[u8]) {
        self.send(
            Header {
                number,
                status: Code::Ok.number(),
                ..Header::new(Kind::Reply)
            },
            payload,
        );
    }

    pub(crate) fn log(&mut self, call: u64, text: &[u8]) {
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

    /// Does a deed while serving a call, and then answers the call if the guest still runs.
    fn misbehave(&mut self, deed: &str, call: u64, answer: &[u8]) {
        // The host reads the outbox even if the deed ends the guest.
        self.show();
        let (deed, amount) = deed.split_once(':').unwrap_or((deed, "0"));
        let amount: usize = amount.parse().expect("a number follows the colon");
        match deed {
            // Reports a new call all the time, as if it went from call to call.
            "progress" => {
                let mut call = 0;
                loop {
                    CONTROL.set_progress(call, 0, call as u32 % 2);
                    call += 1;
                }
            }
            // Reads the host's request to yield, and ignores it.
            "stubborn" => loop {
                black_box(CONTROL.yield_now());
            },
            // SAFETY: none; the address is beyond the memory, so the guest traps.
            "wild" => {
                _ = unsafe { std::ptr::with_exposed_provenance::<u8>(1 << 31).read_volatile() }
            }
            "exit" => std::process::exit(3),
            "abort" => std::process::abort(),
            "recurse" => _ = black_box(faults::recurse(0)),
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
            // Answers when the call is cancelled, not now.
            "answer-late" => {
                self.answers_after_cancel = amount;
                return;
            }
            _ if self.answer_badly(deed, amount, call) => return,
            _ if self.violate(deed, amount, call, answer) => {}
            _ => {
                faults::inject(deed);
                panic!("unknown deed {deed}");
            }
        }
        if call != NO_CALL {
            self.answer(call, answer);
        }
    }
}
