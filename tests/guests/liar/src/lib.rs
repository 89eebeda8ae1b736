//! A guest against the bare ABI that sends the frames of streams in its arguments. With `caller` as
//! its first argument, the guest requires streams.Feed and makes call 7 when it is launched; else
//! it exports the service. The other arguments are frames, which a caller sends with the call, and
//! a service when it is called. The argument `unary` declares that no method streams.
//!
//! | argument | frame |
//! |---|---|
//! | `Watch`, `Upload`, `Chat`, `Last` | a call of this method, at a caller |
//! | `item:8` | an item of 8 bytes, an even number |
//! | `credit:9:90` | a credit |
//! | `end`, `open`, `reply`, `cancel` | as named |
//! | `refuse` | a reply with a cause that says that the call was refused |
//! | `back:item:8` | a frame in the other direction |
//! | `short-credit`, `long-end`, `item-with-detail` | a malformed frame |

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hint::black_box;

use parigot_abi::control::{NEVER, NO_CALL};
use parigot_abi::frame::{LAUNCH_NUMBER, flags};
use parigot_abi::manifest::{Method, MethodFlags, Service};
use parigot_abi::{
    Cause, Code, Control, Credit, Detail, FrameBuilder, Frames, Header, Kind, Manifest, Prologue,
    Start, TURN_OK, VERSION,
};

static CONTROL: Control = Control::new();

/// Methods of the service, with the sides that stream.
const METHODS: [(&str, bool, bool); 4] = [
    ("Last", false, false),
    ("Watch", false, true),
    ("Upload", true, false),
    ("Chat", true, true),
];

#[derive(Default)]
struct Guest {
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    is_caller: bool,
    script: VecDeque<String>,
    /// Number of the call that the script is about.
    call: u64,
}

impl Guest {
    fn turn(&mut self, inbox_bytes: usize) {
        // `black_box`, because the host has written into the buffer without the compiler's
        // knowledge.
        let inbox = black_box(std::mem::take(&mut self.inbox));
        self.outbox.clear();
        let (_, frames) = Prologue::split(&inbox[..inbox_bytes]).expect("an inbox has a prologue");
        for frame in Frames::new(frames) {
            let frame = frame.expect("the host must write valid frames");
            match frame.kind() {
                Some(Kind::Start) => {
                    let start = Start::read(&frame).expect("the host must write a valid start");
                    self.start(&start.args);
                }
                Some(Kind::Launched) if self.is_caller => {
                    self.call = 7;
                    self.play();
                }
                Some(Kind::Launched) => self.send(LAUNCH_NUMBER, Kind::Reply, 0, &[], &[]),
                Some(Kind::Stop) => self.send(0, Kind::Exit, 0, &[], &[]),
                Some(Kind::Call) => {
                    self.call = frame.header.number;
                    self.play();
                }
                Some(Kind::Reply) if self.is_caller => {
                    self.log("replied");
                    if self.script.is_empty() {
                        self.send(0, Kind::Exit, 0, &[], &[]);
                    }
                    self.play();
                }
                _ => self.play(),
            }
        }
        self.inbox = inbox;
        let address = self.outbox.as_ptr().expose_provenance() as u64;
        CONTROL.set_outbox(address, self.outbox.len() as u64);
        CONTROL.set_turn(false, NEVER, 0);
    }

    fn start(&mut self, args: &[&str]) {
        self.is_caller = args.first() == Some(&"caller");
        let is_unary = args.contains(&"unary");
        let script = args.iter().filter(|arg| !["caller", "unary"].contains(arg));
        self.script = script.map(|arg| String::from(*arg)).collect();
        let methods = METHODS.map(|(name, requests, responses)| Method {
            name: name.into(),
            budget_ns: 0,
            deadline_ns: 0,
            flags: MethodFlags::UNARY.with_streams(requests && !is_unary, responses && !is_unary),
        });
        let service = Service {
            name: "streams.Feed".into(),
            schema: 1,
            methods: methods.into(),
        };
        let mut manifest = Manifest::default();
        if self.is_caller {
            manifest.requires.push(service.into());
        } else {
            manifest.exports.push(service);
        }
        let mut payload = Vec::new();
        manifest.write(&mut payload);
        self.send(0, Kind::Manifest, 0, &payload, &[]);
        self.send(0, Kind::Launch, 0, &[], &[]);
    }

    /// Sends the frames of the script.
    fn play(&mut self) {
        while let Some(word) = self.script.pop_front() {
            self.send_word(&word);
        }
    }

    fn send_word(&mut self, word: &str) {
        if let Some(method) = METHODS.iter().position(|(name, ..)| *name == word) {
            let header = Header {
                number: self.call,
                method: method as u32,
                ..Header::new(Kind::Call)
            };
            return self.build(header, &[], &[]);
        }
        let (word, is_back) = match word.strip_prefix("back:") {
            Some(word) => (word, true),
            None => (word, false),
        };
        let to_callee = if self.is_caller != is_back {
            flags::TO_CALLEE
        } else {
            0
        };
        let mut parts = word.split(':');
        let name = parts.next().unwrap_or_default();
        let numbers: Vec<u64> = parts.map(|part| part.parse().expect("a number")).collect();
        let call = self.call;
        match (name, &*numbers) {
            ("item", [bytes]) => {
                // A field of two bytes, which the message does not have, again and again.
                let payload = [0x10, 0].repeat(*bytes as usize / 2);
                self.send(call, Kind::Item, to_callee, &payload, &[]);
            }
            ("credit", [items, bytes]) => {
                let credit = Credit {
                    items: *items,
                    bytes: *bytes,
                };
                self.send(call, Kind::Credit, to_callee, &credit.to_bytes(), &[]);
            }
            ("end", []) => self.send(call, Kind::End, to_callee, &[], &[]),
            ("open", []) => self.send(call, Kind::Open, 0, &[], &[]),
            ("reply", []) => self.send(call, Kind::Reply, 0, &[], &[]),
            ("cancel", []) => self.send(call, Kind::Cancel, 0, &[], &[]),
            ("refuse", []) => {
                let mut detail = Vec::new();
                Detail::new(Cause::Overloaded, "too busy").write(&mut detail);
                let header = Header {
                    number: call,
                    status: Code::ResourceExhausted.number(),
                    ..Header::new(Kind::Reply)
                };
                self.build(header, &[], &detail);
            }
            ("short-credit", []) => self.send(call, Kind::Credit, to_callee, &[0; 8], &[]),
            ("long-end", []) => self.send(call, Kind::End, to_callee, &[0], &[]),
            ("item-with-detail", []) => self.send(call, Kind::Item, to_callee, &[0], &[1; 8]),
            _ => panic!("unknown frame {word}"),
        }
    }

    fn log(&mut self, text: &str) {
        let header = Header {
            number: NO_CALL,
            status: 3,
            ..Header::new(Kind::Log)
        };
        self.build(header, text.as_bytes(), &[]);
    }

    fn send(&mut self, number: u64, kind: Kind, flags: u16, payload: &[u8], detail: &[u8]) {
        let header = Header {
            number,
            flags,
            ..Header::new(kind)
        };
        self.build(header, payload, detail);
    }

    fn build(&mut self, header: Header, payload: &[u8], detail: &[u8]) {
        FrameBuilder::new(&mut self.outbox, header)
            .detail_bytes(detail)
            .payload(payload)
            .finish()
            .expect("the frame is shorter than 4 GiB");
    }
}

thread_local! {
    static GUEST: RefCell<Guest> = RefCell::default();
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
