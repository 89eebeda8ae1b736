//! Generates guests that declare given services, and do nothing else.

use parigot_abi::control::{CONTROL_BYTES, NEVER, NO_CALL};
use parigot_abi::manifest::{Method, MethodFlags, Requirement, Service};
use parigot_abi::{FrameBuilder, Header, Kind, Manifest};

// Layout of the memory of these guests.
const CONTROL: u64 = 1 << 10;
const INBOX: u64 = 1 << 16;
const OUTBOX: u64 = 2 << 16;

/// Returns a wasm file that exports and requires these services and has these descriptors, and
/// never asks to be launched.
pub fn declaring(exports: &[Service], requires: &[Requirement], descriptors: &[u8]) -> Vec<u8> {
    let manifest = Manifest {
        exports: exports.to_vec(),
        requires: requires.to_vec(),
        descriptors: descriptors.to_vec(),
    };
    let turn =
        "(i64.store offset=24 (local.get 0) (global.get $bytes)) (global.set $bytes (i64.const 0))";
    sending(
        &[manifest_frame(&manifest)],
        control_block(OUTBOX - INBOX),
        "unreachable",
        turn,
    )
}

/// Returns a wasm file that asks to be launched and has an inbox for the first turn only. It traps
/// when the host asks for a larger inbox a second time, and leaves what it has sent in its outbox.
pub fn trapping_inbox() -> Vec<u8> {
    let mut launch = Vec::new();
    FrameBuilder::new(&mut launch, Header::new(Kind::Launch))
        .finish()
        .expect("the frame is shorter than 4 GiB");
    let inbox =
        "(if (global.get $has_room) (then unreachable)) (global.set $has_room (i32.const 1))
        (i64.store offset=8 (local.get 0) (i64.extend_i32_u (local.get 1)))";
    let turn = "(i64.store offset=24 (local.get 0) (global.get $bytes)) (i64.store offset=8 \
                (local.get 0) (i64.const 0))";
    sending(
        &[manifest_frame(&Manifest::default()), launch],
        control_block(0),
        inbox,
        turn,
    )
}

fn manifest_frame(manifest: &Manifest) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut frame = Vec::new();
    manifest.write(&mut payload);
    let built = FrameBuilder::new(&mut frame, Header::new(Kind::Manifest)).payload(&payload);
    built.finish().expect("a manifest is shorter than 4 GiB");
    frame
}

/// Returns a wasm file with these frames in its outbox, whose length is the global `$bytes`, and
/// with these bodies of `parigot_inbox` and `parigot_turn`.
fn sending(frames: &[Vec<u8>], control: [u8; CONTROL_BYTES], inbox: &str, turn: &str) -> Vec<u8> {
    let outbox = frames.concat();
    let text = format!(
        r#"(module
            (memory (export "memory") {pages})
            (data (i32.const {CONTROL}) "{control}")
            (data (i32.const {OUTBOX}) "{outbox_data}")
            (global $bytes (mut i64) (i64.const {outbox_bytes}))
            (global $has_room (mut i32) (i32.const 0))
            (func (export "parigot_abi") (result i32) (i32.const 0x20000))
            (func (export "parigot_open") (result i32) (i32.const {CONTROL}))
            (func (export "parigot_inbox") (param i32 i32) {inbox})
            (func (export "parigot_turn") (param i32 i32 i32) (result i32) {turn} (i32.const 0)))"#,
        pages = (OUTBOX as usize + outbox.len()).div_ceil(1 << 16),
        control = escaped(&control),
        outbox_data = escaped(&outbox),
        outbox_bytes = outbox.len(),
    );
    wat::parse_str(text).expect("the text must be a valid module")
}

/// Returns a service of that name, with one method and no schema.
pub fn service(name: &str) -> Service {
    let method = Method {
        name: "Do".into(),
        budget_ns: 0,
        deadline_ns: 0,
        flags: MethodFlags::default(),
    };
    Service {
        name: name.into(),
        schema: 0,
        methods: vec![method],
    }
}

/// Returns a control block with an empty outbox, in the layout of `parigot_abi::control`.
fn control_block(inbox_capacity: u64) -> [u8; CONTROL_BYTES] {
    let mut block = [0; CONTROL_BYTES];
    for (offset, value) in [
        (0, INBOX),
        (8, inbox_capacity),
        (16, OUTBOX),
        (32, NO_CALL),
        (56, NEVER),
    ] {
        block[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }
    block
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}
