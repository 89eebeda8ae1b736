//! Settings of a host.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::compile::child::CompilerCommand;
use crate::limits::COMPILE_TIME_MAX_DEFAULT;
use crate::provider::Provider;

/// Settings of a host.
///
/// # Examples
///
/// ```
/// use parigot_host::Settings;
///
/// let settings = Settings { workers: 2, ..Settings::default() };
/// ```
#[derive(Clone)]
pub struct Settings {
    /// Number of threads that run guests, at least 1. Default: the number of cores.
    pub workers: usize,
    /// Source of time. Default: the machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// Seed of all randomness, ids included. Default: from the operating system.
    ///
    /// Each process of a deployment mixes its name into the seed. Do not set a seed for a process
    /// that runs more than once at the same time: the other processes could not tell the two apart.
    pub seed: Option<[u8; 32]>,
    /// Largest payload of a message in bytes. Default: 16 MiB.
    pub message_bytes_max: u32,
    /// Time limit for compiling one module. Default: 2 minutes.
    pub compile_time_max: Duration,
    /// Command that compiles a module in a process of its own, with a limit of its memory. Default:
    /// none; modules are compiled in this process, and their compilation may take any memory.
    pub compiler: Option<CompilerCommand>,
    /// Folder of the code cache, which saves the next start the compilation. Default: no cache.
    ///
    /// The folder is created if necessary. Its content is executed, so the folder is used only if
    /// it belongs to the user of this process and no other user can write to it. Entries are
    /// removed after 30 days without use, or when the cache exceeds 1 GiB.
    pub code_cache: Option<PathBuf>,
    /// Asks a guest to end its turn at the first epoch tick, after some milliseconds, so that other
    /// guests get their share of the thread. Default: `true`.
    ///
    /// With `false`, a guest is asked when its budget is spent, and killed after a second budget: a
    /// reproducible run must not depend on the speed of the machine.
    pub yields_on_first_tick: bool,
    /// Compiles guests for a native debugger, such as gdb. Default: `false`.
    ///
    /// In place of the wasm file `build/x.wasm`, the file `build/debug/x.wasm` is run if it exists.
    /// It is meant to be the same guest, built without optimisation: a debugger cannot show the
    /// variables of an optimised guest. Budgets are larger, because unoptimised code is slow.
    pub debug: bool,
    /// Asks guests for the descriptors of their exports and requirements. Default: `false`.
    ///
    /// [`Running::exports`](crate::Running::exports) returns the descriptors of exports. A process
    /// of several always asks, because the others compare schemas.
    pub descriptors: bool,
    /// Standard input of programs, which read it by the service `parigot.stdio.v1.Stdio`. Default:
    /// that of this process.
    ///
    /// The host reads only if a program asks for input. A read that is under way when the
    /// deployment ends goes on, because nothing interrupts the read: its bytes are lost.
    pub stdin: Option<Arc<File>>,
    /// Standard output of programs. Default: that of this process.
    pub stdout: Option<Arc<File>>,
    /// Kinds of providers that a deployment may have. Default: none.
    pub providers: Vec<Arc<dyn Provider>>,
    /// Callback with the guests that are being compiled, after each change; empty at the end.
    pub on_compiling: Option<Arc<OnCompiling>>,
    /// Callback when the start begins and ends waiting for other processes or the server; no guest
    /// runs during that time.
    pub on_waiting: Option<Arc<OnWaiting>>,
}

/// Callback that takes names of guests.
pub type OnCompiling = dyn Fn(&[&str]) + Send + Sync;

/// Callback that takes whether the start is waiting.
pub type OnWaiting = dyn Fn(bool) + Send + Sync;

impl Default for Settings {
    fn default() -> Self {
        Settings {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            clock: Arc::new(SystemClock::new()),
            seed: None,
            message_bytes_max: parigot_abi::MESSAGE_BYTES_MAX,
            compile_time_max: COMPILE_TIME_MAX_DEFAULT,
            compiler: None,
            code_cache: None,
            yields_on_first_tick: true,
            debug: false,
            descriptors: false,
            stdin: None,
            stdout: None,
            providers: Vec::new(),
            on_compiling: None,
            on_waiting: None,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}
