//! Building what the tests run, once.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, OnceLock};

const WASM: &str = "wasm32-unknown-unknown";

/// The root of the repository.
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

/// The `parigot` command.
pub fn parigot() -> &'static Path {
    static PARIGOT: OnceLock<PathBuf> = OnceLock::new();
    PARIGOT.get_or_init(|| {
        // With the whole workspace, for with fewer packages others' dependencies have other features, and are built again.
        cargo_build(
            root(),
            [
                "--workspace",
                "--bin",
                "parigot",
                "--bin",
                "protoc-gen-parigot",
            ],
        );
        target(root())
            .join("debug")
            .join(format!("parigot{}", std::env::consts::EXE_SUFFIX))
    })
}

/// The folder of `examples/helloworld`, where `make build` has run.
pub fn example() -> &'static Path {
    static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| build_example("helloworld"));
    &EXAMPLE
}

/// The wasm file of a guest of `tests/guests`.
pub fn guest(name: &str) -> Vec<u8> {
    read(&guest_file(name))
}

/// The same where cargo has put it.
pub fn guest_file(name: &str) -> PathBuf {
    let folder = root().join("tests/guests");
    cargo_build(&folder, ["--release", "--target", WASM, "--package", name]);
    target(&folder)
        .join(WASM)
        .join("release")
        .join(format!("{name}.wasm"))
}

fn read(wasm: &Path) -> Vec<u8> {
    std::fs::read(wasm).unwrap_or_else(|error| panic!("{}: {error}", wasm.display()))
}

/// The folder of `examples/helloworld-go`, where `make build` has run.
pub fn go_example() -> &'static Path {
    static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| build_example("helloworld-go"));
    &EXAMPLE
}

/// The folder of `examples/pizzeria`, where `make build` has run.
pub fn pizzeria() -> &'static Path {
    static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| build_example("pizzeria"));
    &EXAMPLE
}

fn build_example(name: &str) -> PathBuf {
    let folder = root().join("examples").join(name);
    succeed(
        Command::new("make")
            .arg("--no-print-directory")
            .arg("build")
            .current_dir(&folder),
    );
    folder
}

/// The wasm file of a guest of `tests/guests-go`.
pub fn go_guest(name: &str) -> Vec<u8> {
    go_build(&root().join("tests/guests-go"), &format!("./{name}"))
}

/// The guest of `tests/abi/go`, which is written in Go against the bare ABI.
pub fn go_probe() -> Vec<u8> {
    go_build(&root().join("tests/abi/go"), ".")
}

/// Builds a package as a guest.
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

/// Where the command keeps what it has compiled.
pub(crate) fn caches() -> PathBuf {
    target(root()).join("e2e-caches")
}

/// Where hosts in a test's own process keep what they have compiled: where the command does.
pub fn code_cache() -> PathBuf {
    caches().join("parigot/code")
}

/// Where cargo puts what it builds of a workspace.
fn target(workspace: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.join("target"), |target| root().join(target))
}

fn cargo_build<const N: usize>(workspace: &Path, args: [impl AsRef<OsStr>; N]) {
    succeed(
        Command::new(env!("CARGO"))
            .args(["build", "--quiet"])
            .args(args)
            .current_dir(workspace),
    );
}

/// Runs a tool, one at a time over all test programs, and panics with what it said if it fails.
fn succeed(command: &mut Command) {
    let lock = File::create(target(root()).join("e2e.lock"))
        .expect("the folder is there, for the tests lie in it");
    lock.lock().expect("the lock is free in the end");
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
