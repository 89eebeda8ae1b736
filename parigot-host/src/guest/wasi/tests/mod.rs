//! Tests of Go guests from `tests/abi/go`, driven through wasmtime alone. Each test sets the time,
//! and no test sleeps.

mod calls;
mod go_module;
mod marking;
mod sandbox;
mod turns;

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use parigot_abi::control::{CONTROL_BYTES, ControlView, OUTBOX_COMMITTED_OFFSET};
use parigot_abi::frame::Level;
use parigot_abi::{Prologue, VERSION};
use wasmtime::{Engine, Instance, Linker, Module, Store, WasmParams, WasmResults};

use super::imports::{IMPORTS, MODULE, link};
use super::*;

/// One millisecond in nanoseconds.
const MS: u64 = 1_000_000;
const WALL_NS: u64 = 1_763_780_400_123_456_789;

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);
static PROBE: LazyLock<Module> =
    LazyLock::new(|| Module::new(&ENGINE, go_build("abi/go", ".")).unwrap());
static DENIED: LazyLock<Module> =
    LazyLock::new(|| Module::new(&ENGINE, go_build("abi/go", "./denied")).unwrap());

/// Builds a package of a module below `tests` as a guest.
fn go_build(module: &str, package: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../tests")
        .join(module);
    // A folder of its own: two tests may build the same package at the same time.
    let output_folder = tempfile::tempdir().unwrap();
    let wasm = output_folder.path().join("guest.wasm");
    let output = Command::new("go")
        .args(["build", "-buildmode=c-shared", "-o"])
        .arg(&wasm)
        .arg(package)
        .current_dir(&folder)
        .envs([("GOOS", "wasip1"), ("GOARCH", "wasm")])
        .output()
        .unwrap_or_else(|error| panic!("the tests need `go`: {error}"));
    assert!(
        output.status.success(),
        "go build {package}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::read(&wasm).unwrap()
}

/// Running guest.
struct Guest {
    store: Store<Wasi>,
    instance: Instance,
    control: u32,
}

impl Guest {
    fn open(module: &Module, args: &[&str], env: &[(&str, &str)], seed: [u8; 32]) -> Self {
        for import in module.imports() {
            assert!(
                import.module() == MODULE && IMPORTS.contains(&import.name()),
                "{}",
                import.name()
            );
        }
        let mut linker = Linker::new(&ENGINE);
        link(&mut linker, |wasi| wasi).unwrap();
        let args = args.iter().map(|text| text.to_string()).collect();
        let env = env
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        let mut store = Store::new(&ENGINE, Wasi::new(args, env, seed));
        store.data_mut().begin_turn(0, WALL_NS);
        let instance = linker.instantiate(&mut store, module).unwrap();
        let mut guest = Guest {
            store,
            instance,
            control: 0,
        };
        guest.call::<(), ()>("_initialize", ()).unwrap();
        assert_eq!(
            guest.call::<(), u32>("parigot_abi", ()).unwrap(),
            VERSION.packed()
        );
        guest.control = guest.call("parigot_open", ()).unwrap();
        guest
    }

    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        export: &str,
        parameters: P,
    ) -> wasmtime::Result<R> {
        self.instance
            .get_typed_func(&mut self.store, export)
            .unwrap()
            .call(&mut self.store, parameters)
    }

    fn memory(&mut self, address: u64, bytes: u64) -> &mut [u8] {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        &mut memory.data_mut(&mut self.store)[address as usize..][..bytes as usize]
    }

    fn control(&mut self) -> ControlView {
        let bytes = self.memory(self.control.into(), CONTROL_BYTES as u64);
        ControlView::read(bytes.first_chunk().unwrap())
    }

    /// Runs one turn; returns the frames of the answer and the time of the next turn.
    fn turn(&mut self, monotonic_ns: u64, frames: &[u8]) -> (Vec<u8>, u64) {
        let prologue = Prologue {
            monotonic_ns,
            wall_ns: WALL_NS + monotonic_ns,
        };
        let inbox = [&prologue.to_bytes(), frames].concat();
        let bytes = inbox.len() as u64;
        if self.control().inbox_capacity < bytes {
            self.call::<(u32, u32), ()>("parigot_inbox", (self.control, bytes as u32))
                .unwrap();
        }
        let address = self.control().inbox_address;
        self.memory(address, bytes).copy_from_slice(&inbox);
        self.memory(self.control as u64 + OUTBOX_COMMITTED_OFFSET as u64, 8)
            .fill(0);
        self.begin_turn(monotonic_ns);
        let status: u32 = self
            .call("parigot_turn", (self.control, bytes as u32, u32::MAX))
            .unwrap();
        assert_eq!(status, 0);
        let control = self.control();
        let outbox = self
            .memory(control.outbox_address, control.outbox_committed)
            .to_vec();
        (
            outbox,
            self.store.data_mut().end_turn().min(control.wake_at_ns),
        )
    }

    fn begin_turn(&mut self, monotonic_ns: u64) {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        let (memory, wasi) = memory.data_and_store_mut(&mut self.store);
        wasi.begin_turn(monotonic_ns, WALL_NS + monotonic_ns);
        wasi.show_timers(memory, self.control);
    }

    fn timers_moved(&mut self) -> bool {
        self.memory(self.control as u64 + TIMERS_MOVED_OFFSET as u64, 4) != [0; 4]
    }

    /// Runs one action of `tests/abi/go/denied`.
    fn act(&mut self, what: u32, amount: u32) -> wasmtime::Result<u32> {
        self.store.data_mut().begin_turn(0, WALL_NS);
        self.call("parigot_turn", (self.control, what, amount))
    }

    fn lines(&mut self) -> Vec<(Level, String)> {
        let mut lines = Vec::new();
        self.store
            .data_mut()
            .take_lines(&mut |line| lines.push((line.level, line.text.into())));
        lines
    }
}
