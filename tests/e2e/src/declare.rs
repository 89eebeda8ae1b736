//! Guests that declare what a test wants them to, and do nothing else.

use parigot_abi::control::{CONTROL_BYTES, NEVER, NO_CALL};
use parigot_abi::manifest::{Method, Service};
use parigot_abi::{FrameBuilder, Header, Kind, Manifest};

/// Where they have what in their memory.
const CONTROL: u64 = 1 << 10;
const INBOX: u64 = 1 << 16;
const OUTBOX: u64 = 2 << 16;

/// A wasm file that exports and requires these services. It never asks to be launched.
pub fn declaring(exports: &[Service], requires: &[Service]) -> Vec<u8> {
    let mut manifest = Vec::new();
    Manifest { exports: exports.to_vec(), requires: requires.to_vec() }.write(&mut manifest);
    let mut outbox = Vec::new();
    let frame = FrameBuilder::new(&mut outbox, Header::new(Kind::Manifest)).payload(&manifest);
    frame.finish().expect("a manifest is shorter than 4 GiB");
    let text = format!(
        r#"(module
            (memory (export "memory") {pages})
            (data (i32.const {CONTROL}) "{control}")
            (data (i32.const {OUTBOX}) "{outbox_data}")
            (global $bytes (mut i64) (i64.const {outbox_bytes}))
            (func (export "parigot_abi") (result i32) (i32.const 0x10000))
            (func (export "parigot_open") (result i32) (i32.const {CONTROL}))
            (func (export "parigot_inbox") (param i32 i32) unreachable)
            (func (export "parigot_turn") (param i32 i32 i32) (result i32)
                (i64.store offset=24 (local.get 0) (global.get $bytes))
                (global.set $bytes (i64.const 0))
                (i32.const 0)))"#,
        pages = (OUTBOX as usize + outbox.len()).div_ceil(1 << 16),
        control = escaped(&control_block()),
        outbox_data = escaped(&outbox),
        outbox_bytes = outbox.len(),
    );
    wat::parse_str(text).expect("the text is a module")
}

/// A service with that name, of which nothing else is known.
pub fn service(name: &str) -> Service {
    let method = Method { name: "Do".into(), budget_ns: 0, deadline_ns: 0 };
    Service { name: name.into(), schema: 0, methods: vec![method], descriptors: Vec::new() }
}

/// A control block with nothing in the outbox yet, as `parigot_abi::control` lays it out.
fn control_block() -> [u8; CONTROL_BYTES] {
    let mut block = [0; CONTROL_BYTES];
    for (offset, value) in [(0, INBOX), (8, OUTBOX - INBOX), (16, OUTBOX), (32, NO_CALL), (56, NEVER)] {
        block[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }
    block
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}
