//! Builds what the tests run: the command, the examples and the guests.
//!
//! Each is built once per process, on first use, by the tools that a user would run. Other test
//! processes may use the same target folder at the same time, so two rules hold:
//!
//! - One tool runs at a time over all test processes: see [`ToolLock`].
//! - No test reads a file that a tool may write. A wasm file is copied, before the lock is
//!   released, to a path that its content determines. A file at such a path never changes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

const WASM: &str = "wasm32-unknown-unknown";

/// Returns the root of the repository.
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors()
            .nth(2)
            .expect("this package lies two folders below the root")
            .to_owned()
    });
    &ROOT
}

/// Returns the path of the `parigot` command.
pub fn parigot() -> &'static Path {
    static PARIGOT: OnceLock<PathBuf> = OnceLock::new();
    PARIGOT.get_or_init(|| {
        let _lock = ToolLock::take();
        // The whole workspace, because dependencies get other features if cargo selects fewer
        // packages, and the engine would be compiled once more.
        let args = [
            "--workspace",
            "--bin",
            "parigot",
            "--bin",
            "protoc-gen-parigot",
        ];
        cargo_build(root(), args);
        target()
            .join("debug")
            .join(format!("parigot{}", std::env::consts::EXE_SUFFIX))
    })
}

/// Returns the path of `protoc`: that of the variable `PROTOC`, else the vendored one. A `protoc`
/// on `PATH` is never used, because what old versions accept and print differs.
pub fn protoc() -> PathBuf {
    std::env::var_os("PROTOC").map_or_else(
        || protoc_bin_vendored::protoc_bin_path().expect("protoc is vendored for this platform"),
        PathBuf::from,
    )
}

/// Returns the folder of `examples/helloworld` after `make build`.
pub fn example() -> &'static Path {
    static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| build_example("helloworld"));
    &EXAMPLE
}

/// Returns the folder of `examples/helloworld` after `make debug`.
pub fn example_for_debugger() -> &'static Path {
    static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| make_example("helloworld", "debug"));
    &EXAMPLE
}

/// Returns the folder of `examples/helloworld-go` after `make build`.
pub fn go_example() -> &'static Path {
    static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| build_example("helloworld-go"));
    &EXAMPLE
}

/// Returns the folder of `examples/shop` after `make build`.
pub fn shop() -> &'static Path {
    static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| build_example("shop"));
    &EXAMPLE
}

/// Returns the folder of `examples/streams` after `make build`.
pub fn streams() -> &'static Path {
    static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| build_example("streams"));
    &EXAMPLE
}

fn build_example(name: &str) -> PathBuf {
    make_example(name, "build")
}

fn make_example(name: &str, target: &str) -> PathBuf {
    let _lock = ToolLock::take();
    let folder = root().join("examples").join(name);
    let mut make = Command::new("make");
    make.args(["--no-print-directory", target])
        .env("PROTOC", protoc())
        .current_dir(&folder);
    succeed(&mut make);
    folder
}

/// Returns the wasm file of a guest of `tests/guests`.
pub fn guest(name: &str) -> Vec<u8> {
    read(&guest_file(name))
}

/// Returns the wasm file of a guest of `tests/guests` that is built without optimisation.
pub fn debug_guest(name: &str) -> Vec<u8> {
    static GUESTS: Guests = Guests::new();
    read(&GUESTS.file(name, || build_guest(name, "dev", "debug")))
}

/// Returns the path of the wasm file of a guest of `tests/guests`.
pub fn guest_file(name: &str) -> PathBuf {
    static GUESTS: Guests = Guests::new();
    GUESTS.file(name, || build_guest(name, "release", "release"))
}

/// Builds a guest with a profile, which has this folder, and returns its wasm file.
fn build_guest(name: &str, profile: &str, folder: &str) -> Vec<u8> {
    // A target folder for each checkout: cargo names what it builds by package and by path within
    // the workspace. If two checkouts shared `CARGO_TARGET_DIR`, the guests of one would pass for
    // those of the other.
    let target = target().join(format!("guests-{:016x}", hash(root())));
    let target = target
        .to_str()
        .expect("the path of the target folder is UTF-8");
    // Each guest by itself, so that the features of one are not those of another.
    let args = [
        "--profile",
        profile,
        "--target",
        WASM,
        "--package",
        name,
        "--target-dir",
        target,
    ];
    cargo_build(&root().join("tests/guests"), args);
    let file = format!("{WASM}/{folder}/{name}.wasm");
    read(&Path::new(target).join(file))
}

/// Returns the wasm file of a guest of `tests/guests-go`.
pub fn go_guest(name: &str) -> Vec<u8> {
    static GUESTS: Guests = Guests::new();
    read(&GUESTS.file(name, || {
        go_build(&root().join("tests/guests-go"), &format!("./{name}"))
    }))
}

/// Returns the wasm file of `tests/abi/go`, a guest that is written in Go against the bare ABI.
pub fn go_probe() -> Vec<u8> {
    static GUESTS: Guests = Guests::new();
    read(&GUESTS.file("probe", || go_build(&root().join("tests/abi/go"), ".")))
}

/// Builds a package as a guest, and returns its wasm file.
fn go_build(module: &Path, package: &str) -> Vec<u8> {
    let output = tempfile::tempdir().expect("a temporary folder can be made");
    let wasm = output.path().join("guest.wasm");
    let mut go = Command::new("go");
    go.args(["build", "-buildmode=c-shared", "-o"])
        .arg(&wasm)
        .arg(package)
        .current_dir(module);
    succeed(go.env("GOOS", "wasip1").env("GOARCH", "wasm"));
    read(&wasm)
}

/// Guests of one folder by name, each built on first use.
struct Guests {
    files: Mutex<BTreeMap<String, Arc<OnceLock<PathBuf>>>>,
}

impl Guests {
    const fn new() -> Self {
        Guests {
            files: Mutex::new(BTreeMap::new()),
        }
    }

    /// Returns the path of a guest, which `build` builds on first use.
    fn file(&self, name: &str, build: impl FnOnce() -> Vec<u8>) -> PathBuf {
        let file = {
            let mut files = self.files.lock().expect("nothing panics with this lock");
            Arc::clone(files.entry(name.to_owned()).or_default())
        };
        // Without the map's lock: a build that fails panics, and fails the tests of this guest
        // alone.
        file.get_or_init(|| {
            let _lock = ToolLock::take();
            keep(name, &build())
        })
        .clone()
    }
}

/// Writes a wasm file to a path that its content determines, and returns the path.
fn keep(name: &str, wasm: &[u8]) -> PathBuf {
    let folder = target()
        .join("e2e-guests")
        .join(format!("{:016x}", hash(wasm)));
    let file = folder.join(format!("{name}.wasm"));
    if !file.exists() {
        std::fs::create_dir_all(&folder).expect("the target folder can be written to");
        let mut temporary =
            tempfile::NamedTempFile::new_in(&folder).expect("the folder can be written to");
        temporary
            .write_all(wasm)
            .expect("the disk has room for a guest");
        // A rename, so that no reader finds half a file.
        temporary
            .persist(&file)
            .expect("the folder can be written to");
    }
    file
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn read(wasm: &Path) -> Vec<u8> {
    std::fs::read(wasm).unwrap_or_else(|error| panic!("{}: {error}", wasm.display()))
}

/// Returns the folder in which the command keeps compiled guests.
pub fn caches() -> PathBuf {
    target().join("e2e-caches")
}

/// Returns the folder in which hosts of this process keep compiled guests: that of the command.
pub fn code_cache() -> PathBuf {
    caches().join("parigot/code")
}

/// Returns the target folder of the workspace.
fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root().join(target)
}

fn cargo_build<const N: usize>(workspace: &Path, args: [impl AsRef<OsStr>; N]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet"]).args(args);
    succeed(cargo.current_dir(workspace));
}

/// Runs a tool, and panics with its output if it fails.
fn succeed(command: &mut Command) {
    // Cargo sets these variables for this test. The build script of ring watches them, so that a
    // cargo that is started here, by `make` too, would compile ring and all that uses it, and so
    // would the next run.
    let of_test = ["CARGO_MANIFEST_", "CARGO_PKG_"];
    for (name, _) in std::env::vars_os() {
        if of_test
            .iter()
            .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
        {
            command.env_remove(name);
        }
    }
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

/// The right to run a tool. One test process has it at a time, and one thread of that process.
struct ToolLock {
    /// Unlocked when closed, also if the process is killed.
    _file: File,
}

impl ToolLock {
    /// Waits until no other thread or process has the lock.
    fn take() -> Self {
        let file = File::create(target().join("e2e.lock"))
            .expect("the target folder exists, because this program lies in it");
        file.lock().expect("every holder of the lock releases it");
        ToolLock { _file: file }
    }
}
