//! Violations of the ABI.

use parigot_abi::control::NO_CALL;
use parigot_abi::frame::flags;
use parigot_abi::manifest::Service;
use parigot_abi::{Cause, FrameBuilder, Header, Kind, Manifest};

use crate::guest::{CONTROL, Guest};

/// An address that no guest has.
const OUTSIDE: u64 = 1 << 40;

impl Guest {
    /// Commits a violation while serving a call, whose answer is `answer`. Returns false if there
    /// is no violation of that name.
    pub(crate) fn violate(
        &mut self,
        violation: &str,
        amount: usize,
        call: u64,
        answer: &[u8],
    ) -> bool {
        self.violate_calls(violation, amount, call, answer)
            || self.violate_memory(violation)
            || self.violate_frames(violation, amount)
            || self.violate_manifest(violation, amount)
            || self.violate_turns(violation)
    }

    /// Answers a call in a way that no SDK would. Returns false if there is no such way of that
    /// name.
    pub(crate) fn answer_badly(&mut self, deed: &str, amount: usize, call: u64) -> bool {
        // Stands for any bytes: a count of 4 GiB, and nothing behind it.
        const GARBAGE: &[u8] = &[0xff; 100];
        const UNAVAILABLE: u32 = 14;
        let reply = Header {
            number: call,
            ..Header::new(Kind::Reply)
        };
        let failed = Header {
            status: UNAVAILABLE,
            ..reply
        };
        let error = |number| Header {
            status: number,
            flags: flags::SERVICE_ERROR,
            ..reply
        };
        match deed {
            "fail-at-length" => {
                let text = "m".repeat(amount);
                let mut detail = Vec::new();
                detail.extend_from_slice(&Cause::Answered.number().to_le_bytes());
                detail.extend_from_slice(&[0; 16]);
                detail.extend_from_slice(&(amount as u32).to_le_bytes());
                detail.extend_from_slice(text.as_bytes());
                self.reply(failed, &[], &detail);
            }
            "fail-with-garbage" => self.reply(failed, &[], GARBAGE),
            "error-with-garbage" => self.reply(error(4), GARBAGE, GARBAGE),
            "error-of-zero" => self.reply(error(0), &[], &[]),
            "error-of-nothing" => self.reply(error(u32::MAX), &[], &[]),
            "trailers-of-garbage" => self.reply(reply, GARBAGE, &[]),
            "headers-of-garbage" => {
                let open = Header {
                    number: call,
                    ..Header::new(Kind::Open)
                };
                self.reply(open, GARBAGE, &[]);
                self.answer(call, &[]);
            }
            "answer-with-flags" => {
                let flags = amount as u16;
                self.reply(Header { flags, ..reply }, &[], &[]);
            }
            _ => return false,
        }
        true
    }

    /// Makes invalid calls and answers.
    fn violate_calls(&mut self, violation: &str, amount: usize, call: u64, answer: &[u8]) -> bool {
        match violation {
            "handle" => self.call(7, amount as u32, 0),
            "method" => self.call(7, 0, amount as u32),
            // On behalf of a call that the guest does not serve.
            "parent" => self.send_call(Header {
                number: 7,
                id: (u64::MAX, amount as u64),
                method: 1,
                ..Header::new(Kind::Call)
            }),
            // Claims to serve this call, or its own, and does not return.
            "claim" => {
                if amount > 0 {
                    CONTROL.set_progress(amount as u64, 0, 0);
                }
                faults::spin();
            }
            "twice" => (0..2).for_each(|_| self.call(7, 0, 1)),
            "cancel" => self.send(
                Header {
                    number: 12_345,
                    ..Header::new(Kind::Cancel)
                },
                &[],
            ),
            "open-twice" => (0..2).for_each(|_| self.open(call, "colour")),
            "open-of-nothing" => self.open(12_345, "colour"),
            "open-after-answer" => {
                self.answer(call, answer);
                self.open(call, "colour");
            }
            "open-reserved" => self.open(call, "parigot-user"),
            "answer-to-nothing" => self.answer(12_345, &[]),
            "answer-twice" => (0..2).for_each(|_| self.answer(call, answer)),
            "ready-twice" => self.answer(parigot_abi::frame::LAUNCH_NUMBER, &[]),
            _ => return false,
        }
        true
    }

    /// States lengths that do not fit, and addresses outside of memory.
    fn violate_memory(&mut self, violation: &str) -> bool {
        match violation {
            "frame-overruns" => self.send_lengths(72 + 8, [0, 0, 8]),
            "frame-of-4-gib" => self.send_lengths(u32::MAX - 7, [0, 0, u32::MAX - 71]),
            "parts-overlap" => self.send_lengths(72, [8, 8, 8]),
            "parts-of-4-gib" => self.send_lengths(72, [u32::MAX, u32::MAX, u32::MAX]),
            "frame-of-nothing" => self.send_lengths(0, [0, 0, 0]),
            "half-a-frame" => self.outbox.extend_from_slice(&[9, 0, 0, 0]),
            "outbox-outside" => self.boxes = Some((OUTSIDE, 64)),
            "outbox-of-4-gib" => self.boxes = Some((8, 4 << 30)),
            "outbox-without-end" => self.boxes = Some((8, u64::MAX)),
            "inbox-outside" => CONTROL.set_inbox(OUTSIDE, 1 << 20),
            "inbox-without-end" => CONTROL.set_inbox(u64::MAX - 7, u64::MAX),
            "panic-outside" => {
                CONTROL.set_panic_buffer(OUTSIDE, 1 << 20);
                CONTROL.set_panic(1 << 20);
                faults::trap();
            }
            "panic-without-end" => {
                CONTROL.set_panic_buffer(8, u64::MAX);
                CONTROL.set_panic(u64::MAX);
                faults::trap();
            }
            "begun-of-nothing" => {
                CONTROL.set_begun(u64::MAX >> 1);
                CONTROL.set_begun(u64::MAX);
                faults::trap();
            }
            "progress-of-nothing" => {
                CONTROL.set_progress(12_345, 99, 99);
                faults::trap();
            }
            _ => return false,
        }
        true
    }

    /// Sends frames of invalid kinds or with invalid fields.
    fn violate_frames(&mut self, violation: &str, amount: usize) -> bool {
        match violation {
            "kind" => {
                let mut header = Header::new(Kind::Log);
                header.kind = amount as u16;
                self.send(header, &[]);
            }
            "flags" => self.send(
                Header {
                    flags: 1 << 15,
                    ..Header::new(Kind::Log)
                },
                &[],
            ),
            "level" => self.send(
                Header {
                    number: NO_CALL,
                    status: 99,
                    ..Header::new(Kind::Log)
                },
                b"of no level",
            ),
            "line-of-another" => self.log(12_345, b"about an unknown call"),
            "line-of-bytes" => self.log(NO_CALL, &[0xff, 0xfe, 0, b'\n', 0x1b]),
            "leave-with-300" => self.send(
                Header {
                    status: 300,
                    ..Header::new(Kind::Exit)
                },
                &[],
            ),
            "launch-twice" => self.send(Header::new(Kind::Launch), &[]),
            _ => return false,
        }
        true
    }

    /// Sends invalid manifests.
    fn violate_manifest(&mut self, violation: &str, amount: usize) -> bool {
        match violation {
            "manifest-again" => self.send_manifest(&self.manifest()),
            "exports" => self.declare_instead((0..amount).map(|k| format!("x.S{k}"))),
            "exports-twice" => self.declare_instead(["x.S", "x.S"].map(String::from).into_iter()),
            "name-of-bytes" => {
                self.declare_instead(["x.XXXX".to_owned()].into_iter());
                let at = self
                    .outbox
                    .windows(4)
                    .position(|bytes| bytes == b"XXXX")
                    .expect("the name is in the manifest");
                self.outbox[at] = 0xff;
            }
            "manifest-without-end" => {
                self.outbox.clear();
                self.send(Header::new(Kind::Manifest), &u32::MAX.to_le_bytes());
            }
            "exports-of" => self.declare_instead([format!("x.S{amount}")].into_iter()),
            _ => return false,
        }
        true
    }

    /// Reports endless work.
    fn violate_turns(&mut self, violation: &str) -> bool {
        match violation {
            "more" => self.more = true,
            "wake" => self.wake_at_ns = Some(0),
            _ => return false,
        }
        true
    }

    fn call(&mut self, number: u64, service: u32, method: u32) {
        self.send_call(Header {
            number,
            service,
            method,
            ..Header::new(Kind::Call)
        });
    }

    fn send_call(&mut self, header: Header) {
        // A deed that logs a line when it begins.
        const HANG: &[u8] = &[1 << 3, 5];
        self.send(header, HANG);
    }

    /// Sends a frame without payload.
    fn reply(&mut self, header: Header, metadata: &[u8], detail: &[u8]) {
        FrameBuilder::new(&mut self.outbox, header)
            .metadata_bytes(metadata)
            .detail_bytes(detail)
            .finish()
            .expect("the frame is shorter than 4 GiB");
    }

    /// Sends the response headers of a call, with one entry.
    fn open(&mut self, number: u64, key: &str) {
        let header = Header {
            number,
            ..Header::new(Kind::Open)
        };
        FrameBuilder::new(&mut self.outbox, header)
            .metadata(key, "red")
            .finish()
            .expect("the frame is shorter than 4 GiB");
    }

    /// Sends a log frame of 72 bytes whose header states these lengths: of the frame, of metadata,
    /// detail and payload.
    fn send_lengths(&mut self, frame: u32, parts: [u32; 3]) {
        let start = self.outbox.len();
        self.log(NO_CALL, b"12345678");
        let lengths = [(4, frame), (28, parts[0]), (32, parts[1]), (36, parts[2])];
        for (at, length) in lengths {
            self.outbox[start + at..][..4].copy_from_slice(&length.to_le_bytes());
        }
    }

    /// Replaces the manifest in the outbox by one with these exports.
    fn declare_instead(&mut self, exports: impl Iterator<Item = String>) {
        let service = |name| Service {
            name,
            schema: 0,
            methods: vec![],
        };
        self.outbox.clear();
        self.send_manifest(&Manifest {
            exports: exports.map(service).collect(),
            ..Manifest::default()
        });
    }
}
