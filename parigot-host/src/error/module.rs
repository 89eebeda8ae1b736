//! Modules that cannot be run.

use std::time::Duration;

use parigot_abi::{VERSION, Version};

use crate::error::ThreadError;
use crate::limits::{MODULE_BYTES_MAX, Size, TABLE_ENTRIES_MAX};

/// Error of a module that cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModuleError {
    #[error("not a WebAssembly module: it does not begin with `\\0asm`")]
    NotWasm,
    #[error("a WebAssembly module that this host cannot compile")]
    Compile(#[source] wasmtime::Error),
    #[error("larger than {} MiB, the limit for modules", MODULE_BYTES_MAX >> 20)]
    TooLarge,
    #[error("compiling it takes longer than {time_max:?}")]
    CompileTime { time_max: Duration },
    #[error("compiling it takes more than {} of memory", Size(*bytes_max as usize))]
    CompileMemory { bytes_max: u64 },
    #[error("cannot run the process that compiles it")]
    Compiler(#[source] std::io::Error),
    #[error(transparent)]
    Thread(#[from] ThreadError),
    #[error("starts with {bytes} bytes of memory, and may have {bytes_max}")]
    Memory { bytes: usize, bytes_max: usize },
    #[error(transparent)]
    MemoryMax(TooLarge),
    #[error(transparent)]
    GoBuild(#[from] GoBuildError),
    #[error("imports `{module}.{name}`, and guests have no imports")]
    Import { module: String, name: String },
    #[error("does not export {missing}")]
    Export { missing: String },
    #[error("could not be instantiated")]
    Instantiate(#[source] wasmtime::Error),
    #[error(
        "uses version {found} of the ABI, and this host uses {}: {}",
        VERSION,
        abi_next_step(*found)
    )]
    Abi { found: Version },
}

const BUILD_HELP: &str = "a guest is a `cdylib` crate that uses parigot-guest of this version, \
                          built for wasm32-unknown-unknown";

impl ModuleError {
    /// Returns the next step, in the words of the guest's language if that is known.
    pub(super) fn next_step(&self) -> &'static str {
        match self {
            ModuleError::GoBuild(GoBuildError::Js | GoBuildError::Program) => {
                "build the guest with `GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared`"
            }
            ModuleError::GoBuild(GoBuildError::NoSdk) => {
                "import github.com/parigot/parigot/parigot-guest-go in package main, and call \
                 `parigot.Launch` or the generated `Run…` from main"
            }
            ModuleError::GoBuild(GoBuildError::Import { .. }) => {
                "remove the declaration with `//go:wasmimport`, or the package that has it"
            }
            ModuleError::MemoryMax(_) => {
                "raise `memory_max` of the deployment, or run fewer instances"
            }
            ModuleError::NotWasm => {
                "build the guest for wasm: in Rust with `cargo build --release --target \
                 wasm32-unknown-unknown`, in Go with `GOOS=wasip1 GOARCH=wasm go build \
                 -buildmode=c-shared`"
            }
            ModuleError::Thread(_) => ThreadError::NEXT_STEP,
            ModuleError::CompileMemory { .. } => {
                "raise the limit with `--compile-memory`; code with thousands of nested blocks \
                 needs much memory"
            }
            ModuleError::Compiler(_) => "run the command again: its executable may have been moved",
            ModuleError::Instantiate(error) => of_system_limit(error).unwrap_or(BUILD_HELP),
            _ => BUILD_HELP,
        }
    }

    pub(crate) fn of_instantiation(error: wasmtime::Error) -> Self {
        match error.downcast_ref() {
            Some(&TooLarge::Memory { bytes, bytes_max }) => {
                ModuleError::Memory { bytes, bytes_max }
            }
            Some(&too_large @ TooLarge::Pool { .. }) => ModuleError::MemoryMax(too_large),
            _ => ModuleError::Instantiate(error),
        }
    }
}

/// Error of a module that Go's linker has written, but not as a guest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GoBuildError {
    #[error("built with GOOS=js, expected GOOS=wasip1")]
    Js,
    #[error("a program of Go, expected a library: it was built without `-buildmode=c-shared`")]
    Program,
    #[error("a library of Go without the SDK: it does not import parigot-guest-go")]
    NoSdk,
    #[error("imports `{module}.{name}`, and a guest in Go has no imports but those of its runtime")]
    Import { module: String, name: String },
}

/// Error of a module whose initial memory or table exceeds its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooLarge {
    #[error("starts with {} of memory, and its `memory` is {}", Size(*bytes), Size(*bytes_max))]
    Memory { bytes: usize, bytes_max: usize },
    #[error(
        "its table starts with {entries} entries, expected at most {}",
        TABLE_ENTRIES_MAX
    )]
    Table { entries: usize },
    #[error(
        "starts with {} of memory, which is not left of the deployment's `memory_max`, {limit}",
        Size(*bytes)
    )]
    Pool { bytes: usize, limit: Size },
}

/// Limit of a guest's memory, as errors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MemoryLimit {
    #[error("its `memory`, {0}")]
    Guest(Size),
    #[error("the `memory_max` of the deployment, {0}")]
    Deployment(Size),
}

/// Returns the next step if a limit of the system prevented an instance.
fn of_system_limit(error: &wasmtime::Error) -> Option<&'static str> {
    // The engine's errors have types of its own dependencies; all show the number of the system.
    let has_number = |number: &str| {
        let shown = format!("(os error {number})");
        error
            .chain()
            .any(|cause| cause.to_string().ends_with(&shown))
    };
    const ENOMEM: &str = "12";
    const EMFILE: &str = "24";
    if has_number(ENOMEM) {
        Some(
            "each instance reserves 4 GiB of address space, whatever its `memory` is: raise the \
             limit of the address space (`ulimit -v`), or run fewer instances",
        )
    } else if has_number(EMFILE) {
        Some("raise the limit of open files: `ulimit -n`")
    } else {
        None
    }
}

/// Returns the next step after a guest and this host were built for different versions of the ABI.
fn abi_next_step(guest: Version) -> &'static str {
    if VERSION.major <= guest.major {
        "the guest is newer than this host, so update parigot"
    } else {
        "update the guest's parigot SDK and rebuild the guest with \
         `cargo build --release --target wasm32-unknown-unknown`, or \
         `GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared` for Go"
    }
}
