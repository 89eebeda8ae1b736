//! A guest against the bare ABI that does what no SDK would do; its argument says what.
//!
//! It serves echo.v1.Echo and misbehaves whenever it is called. After `twice` it serves nothing, requires that service, and
//! misbehaves once it is launched.

use std::cell::RefCell;
use std::hint::black_box;

use parigot_abi::control::{NEVER, NO_CALL};
use parigot_abi::frame::LAUNCH_NUMBER;
use parigot_abi::manifest::{Method, Service};
use parigot_abi::{Code, Control, FrameBuilder, Frames, Header, Kind, Manifest, Prologue, Start, TURN_OK, VERSION};

static CONTROL: Control = Control::new();

thread_local! {
    static GUEST: RefCell<Guest> = RefCell::default();
}

#[derive(Default)]
struct Guest {
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    deed: String,
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
        CONTROL.set_inbox(guest.inbox.as_mut_ptr().expose_provenance() as u64, bytes as u64);
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
            match frame.kind() {
                Some(Kind::Start) => {
                    let start = Start::read(&frame).expect("the host writes the start");
                    self.deed = start.args.first().copied().unwrap_or_default().to_owned();
                    self.declare();
                }
                Some(Kind::Launched) if self.deed == "twice" => self.call_twice(),
                Some(Kind::Launched) => self.answer(LAUNCH_NUMBER, &[]),
                Some(Kind::Stop) => self.send(Header::new(Kind::Exit), &[]),
                Some(Kind::Call) => self.misbehave(frame.header.number),
                _ => {}
            }
        }
        self.inbox = inbox;
        CONTROL.set_outbox(self.outbox.as_ptr().expose_provenance() as u64, self.outbox.len() as u64);
        CONTROL.set_turn(false, NEVER, 0);
    }

    fn send(&mut self, header: Header, payload: &[u8]) {
        FrameBuilder::new(&mut self.outbox, header).payload(payload).finish().expect("it is short enough");
    }

    fn declare(&mut self) {
        let method = |name: &str| Method { name: name.into(), budget_ns: 0, deadline_ns: 0 };
        let methods = ["Echo", "Misbehave"].map(method).into();
        let echo = vec![Service { name: "echo.v1.Echo".into(), schema: 0, methods, descriptors: vec![] }];
        let (exports, requires) = if self.deed == "twice" { (vec![], echo) } else { (echo, vec![]) };
        let mut manifest = Vec::new();
        Manifest { exports, requires }.write(&mut manifest);
        self.send(Header::new(Kind::Manifest), &manifest);
        self.send(Header::new(Kind::Launch), &[]);
    }

    fn answer(&mut self, number: u64, payload: &[u8]) {
        self.send(Header { number, status: Code::Ok.number(), ..Header::new(Kind::Reply) }, payload);
    }

    /// Two calls under one number, to a method that says in the log when it has begun.
    fn call_twice(&mut self) {
        const HANG: &[u8] = &[1 << 3, 5];
        for _ in 0..2 {
            self.send(Header { number: 7, service: 0, method: 1, ..Header::new(Kind::Call) }, HANG);
        }
    }

    fn misbehave(&mut self, number: u64) {
        let (deed, amount) = self.deed.split_once(':').unwrap_or((&self.deed, "0"));
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
            "recurse" => _ = black_box(recurse(0)),
            "overflow" => _ = black_box(overflow(0)),
            "trap" => trap(),
            "grow" => grow(),
            "flood" => (0..amount).for_each(|_| {
                self.send(Header { number: NO_CALL, status: 3, ..Header::new(Kind::Log) }, b"what a flood");
            }),
            "line" => {
                self.send(Header { number: NO_CALL, status: 3, ..Header::new(Kind::Log) }, &vec![b'x'; amount]);
            }
            "swell" => return self.answer(number, &vec![0; amount]),
            "burn" => _ = black_box((0..amount).fold(0, |sum, k| black_box(sum ^ k))),
            _ => panic!("{deed} is no deed"),
        }
        self.answer(number, &[]);
    }
}

/// Takes of the thread's stack alone.
#[inline(never)]
#[expect(unconditional_recursion, reason = "it ends with the stack")]
fn recurse(depth: u64) -> u64 {
    recurse(depth + 1).rotate_left(7) ^ depth
}

/// Takes of the stack in its memory, more than of the thread's.
#[inline(never)]
#[expect(unconditional_recursion, reason = "it ends with the stack")]
fn overflow(depth: usize) -> usize {
    let mut frame = [0_usize; 4096];
    frame[depth % 4096] = depth;
    black_box(&mut frame);
    overflow(depth + 1) + frame[0]
}

#[cfg(target_arch = "wasm32")]
fn trap() {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn trap() {
    std::process::abort()
}

fn grow() {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}
