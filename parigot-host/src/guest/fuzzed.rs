//! Fuzz target: control blocks and outboxes that a guest may write.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use parigot_abi::control::{CONTROL_BYTES, NEVER, NO_CALL};
use parigot_abi::start::PROLOGUE_BYTES;
use parigot_abi::{Frames, Manifest, Prologue, VERSION};

use crate::compile::compiler::Compiler;
use crate::guest::code::{InstanceConfig, InstanceFactory};
use crate::guest::wasm::GuestModule;
use crate::settings::Settings;

const CONTROL: usize = 1 << 10;
const INBOX: usize = 1 << 16;

/// Module whose turn copies the begin of the frames into its control block. The last byte of the
/// block is the result of the turn.
static MODULE: LazyLock<GuestModule> = LazyLock::new(|| {
    let mut control = [0; CONTROL_BYTES];
    for (offset, value) in [(0, INBOX as u64), (8, 1 << 16), (32, NO_CALL), (56, NEVER)] {
        control[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }
    let control: String = control.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let text = format!(
        r#"(module
            (memory (export "memory") 2)
            (data (i32.const {CONTROL}) "{control}")
            (func (export "parigot_abi") (result i32) (i32.const {version}))
            (func (export "parigot_open") (result i32) (i32.const {CONTROL}))
            (func (export "parigot_inbox") (param i32 i32))
            (func (export "parigot_turn") (param i32 i32 i32) (result i32)
                (memory.copy (i32.const {CONTROL}) (i32.const {block}) (i32.const {CONTROL_BYTES}))
                (i32.load8_u (i32.const {last}))))"#,
        version = VERSION.packed(),
        block = INBOX + PROLOGUE_BYTES,
        last = CONTROL + CONTROL_BYTES - 1,
    );
    let bytes = wat::parse_str(text).expect("the text must be a valid module");
    let compiler = Compiler::new(&Settings::default());
    let module = compiler.compile(Path::new("fuzzed.wasm"), &bytes, || {});
    module.expect("the module must conform to the ABI")
});

/// Passes `data` to a guest that takes the begin for its control block, for two turns. The rest is
/// in the guest's memory, behind a copy of the begin.
pub fn control_block(data: &[u8]) {
    let env = BTreeMap::new();
    let config = InstanceConfig {
        name: "fuzz",
        args: &[],
        env: &env,
        memory_bytes_max: 1 << 20,
        budget: Duration::from_secs(1),
        yields_on_first_tick: true,
        seed: [0; 32],
        wall_ns: 0,
    };
    let guest = MODULE.instantiate(config, &mut |_| {});
    let Ok(mut guest) = guest else {
        panic!("an instance of a few pages must fit")
    };
    let mut frames = data.to_vec();
    frames.resize(frames.len().max(CONTROL_BYTES), 0);
    for monotonic_ns in [0, 1] {
        let prologue = Prologue {
            monotonic_ns,
            wall_ns: 0,
        };
        let turn = guest.turn(prologue, &frames, u32::MAX);
        for frame in Frames::new(guest.outbox()).flatten() {
            if let Ok(manifest) = Manifest::read(frame.payload) {
                guest.set_manifest(&manifest);
                break;
            }
        }
        guest.active_call();
        guest.has_begun(1);
        guest.has_begun(u64::MAX);
        if let Err(fault) = turn {
            fault.to_string();
            return;
        }
    }
}
