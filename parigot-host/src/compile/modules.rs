//! Compiles the wasm files of a deployment: each file once, even if several guests run it, and
//! several files at a time.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::compile::compiler::Compiler;
use crate::compile::debug_build::{Debuggable, file_for_debugger};
use crate::deployment::{Deployment, GuestSpec};
use crate::error::{ModuleError, StartProblem, ThreadError};
use crate::guest::code::InstanceFactory;
use crate::guest::epoch_ticker::EpochTicker;
use crate::guest::memory_limiter::MemoryPool;
use crate::guest::wasm::GuestModule;
use crate::limits::MODULE_BYTES_MAX;
use crate::log::dispatch;
use crate::regular_file;
use crate::settings::{OnCompiling, Settings};

/// Time after which a compilation counts as slow.
const SLOW: Duration = Duration::from_secs(5);

/// Factories of a deployment's guests.
pub(crate) struct CompiledGuests {
    /// One factory or problem per guest, in the order of the deployment.
    pub(crate) of_guests: Vec<Result<Arc<dyn InstanceFactory>, StartProblem>>,
    /// Ticker that watches the budgets of the instances.
    pub(crate) epoch_ticker: EpochTicker,
}

/// Compiles the files of a deployment, and starts the ticker of their engine.
///
/// # Errors
///
/// If the ticker cannot be started.
pub(crate) fn compile_all(
    deployment: &Deployment,
    settings: &Settings,
) -> Result<CompiledGuests, ThreadError> {
    let compiler = Compiler::new(settings);
    let epoch_ticker = EpochTicker::start(compiler.tick_function())?;
    let modules = modules(&deployment.guests, &compiler, settings);
    let memory = MemoryPool::new(deployment.memory_bytes_max);
    let factory = |module: GuestModule| Arc::new(module.with_memory(memory.clone())) as _;
    Ok(CompiledGuests {
        of_guests: modules
            .into_iter()
            .map(|module| module.map(factory))
            .collect(),
        epoch_ticker,
    })
}

/// Returns the module of each guest, in the order of the guests.
pub(crate) fn modules(
    guests: &[GuestSpec],
    compiler: &Compiler,
    settings: &Settings,
) -> Vec<Result<GuestModule, StartProblem>> {
    let progress = CompileProgress {
        tell: settings.on_compiling.as_deref(),
        guests: Mutex::default(),
    };
    let (files, file_of) = distinct(guests, settings.debug);
    for_each_in_parallel(&files, |file| file.compile(compiler, &progress));
    // After all compilations and in order, so that each start of a deployment logs the same lines.
    let modules: Vec<&Result<GuestModule, CompileFailure>> = files
        .iter()
        .map(|file| file.log_result(progress.tell.is_some()))
        .collect();
    guests
        .iter()
        .zip(file_of)
        .map(|(spec, file)| {
            modules[file]
                .clone()
                .map_err(|failure| failure.problem_of(&spec.name, files[file].path()))
        })
        .collect()
}

/// Returns the distinct files, and for each guest the index of its file. With `debug`, these are
/// the files for a debugger.
fn distinct(guests: &[GuestSpec], debug: bool) -> (Vec<WasmFile<'_>>, Vec<usize>) {
    let mut files = Vec::new();
    let mut indices: HashMap<&Path, usize> = HashMap::new();
    let mut file_of = Vec::new();
    for GuestSpec { name, wasm, .. } in guests {
        let index = *indices.entry(wasm).or_insert_with(|| {
            files.push(WasmFile {
                wasm,
                for_debugger: debug.then(|| file_for_debugger(wasm)),
                guest: name,
                result: OnceLock::new(),
            });
            files.len() - 1
        });
        file_of.push(index);
    }
    (files, file_of)
}

/// A wasm file, and the result of its compilation.
struct WasmFile<'a> {
    /// Path in the deployment.
    wasm: &'a Path,
    /// File that a debugger needs, if guests are compiled for one.
    for_debugger: Option<PathBuf>,
    /// First guest of the deployment that runs the file.
    guest: &'a str,
    /// Set by the one thread that compiles the file.
    result: OnceLock<CompileResult>,
}

struct CompileResult {
    module: Result<GuestModule, CompileFailure>,
    /// False if the code was in the cache.
    was_compiled: bool,
    took: Duration,
    /// Extent to which a debugger can show the guest, if it is compiled for one.
    debuggable: Option<Debuggable>,
}

/// Failure to compile a file, shared by the problems of all guests that run the file.
#[derive(Clone)]
enum CompileFailure {
    Unreadable(Arc<io::Error>),
    Module(Arc<ModuleError>),
}

impl<'a> WasmFile<'a> {
    /// Returns the file that is run.
    fn path(&self) -> &Path {
        self.for_debugger.as_deref().unwrap_or(self.wasm)
    }

    fn compile(&self, compiler: &Compiler, progress: &CompileProgress<'a>) {
        let begin = Instant::now();
        let mut was_compiled = false;
        let compiling = || {
            was_compiled = true;
            progress.change(|guests| guests.insert(self.guest));
        };
        let mut debuggable = None;
        let module = read(self.path()).and_then(|bytes| {
            if let Some(file) = &self.for_debugger {
                debuggable = Some(Debuggable::of(self.wasm, file, &bytes));
            }
            compiler
                .compile(self.path(), &bytes, compiling)
                .map_err(|error| CompileFailure::Module(Arc::new(error)))
        });
        if was_compiled {
            progress.change(|guests| guests.remove(self.guest));
        }
        let result = CompileResult {
            module,
            was_compiled,
            took: begin.elapsed(),
            debuggable,
        };
        assert!(
            self.result.set(result).is_ok(),
            "each file must be compiled once"
        );
    }

    /// Logs a successful compilation and returns the module. With `shows_progress`, the callback
    /// of the settings has shown a slow one.
    fn log_result(&self, shows_progress: bool) -> &Result<GuestModule, CompileFailure> {
        let CompileResult {
            module,
            was_compiled,
            took,
            debuggable,
        } = self.result.get().expect("all files must be compiled");
        if module.is_ok() {
            let what = if *was_compiled {
                "compiled"
            } else {
                "loaded from the code cache"
            };
            let ms = took.as_millis() as u64;
            tracing::debug!(service = self.guest, ms, "{what}");
            if *was_compiled && *took > SLOW && !shows_progress {
                tracing::info!(
                    service = self.guest,
                    ms,
                    "compiled slowly, once for each version of the guest"
                );
            }
            if let Some(debuggable) = debuggable {
                debuggable.log(self.guest);
            }
        }
        module
    }
}

/// Reads a module up to the size limit.
fn read(path: &Path) -> Result<Vec<u8>, CompileFailure> {
    match regular_file::read(path, MODULE_BYTES_MAX) {
        Ok(bytes) if bytes.len() as u64 > MODULE_BYTES_MAX => {
            Err(CompileFailure::Module(Arc::new(ModuleError::TooLarge)))
        }
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(CompileFailure::Unreadable(Arc::new(error))),
    }
}

impl CompileFailure {
    fn problem_of(self, guest: &str, path: &Path) -> StartProblem {
        match self {
            CompileFailure::Unreadable(error) => StartProblem::unreadable(guest, path, error),
            CompileFailure::Module(error) => StartProblem::module(guest, path, error),
        }
    }
}

/// Guests that are being compiled, for the callback of the settings.
struct CompileProgress<'a> {
    tell: Option<&'a OnCompiling>,
    guests: Mutex<BTreeSet<&'a str>>,
}

impl<'a> CompileProgress<'a> {
    fn change(&self, change: impl FnOnce(&mut BTreeSet<&'a str>) -> bool) {
        if let Some(tell) = self.tell {
            // The lock is held during the callback. The last report is therefore the latest state.
            let mut guests = self.guests.lock();
            change(&mut guests);
            tell(&guests.iter().copied().collect::<Vec<_>>());
        }
    }
}

/// Runs `work` on each item, on as many threads as the machine has cores, the calling thread
/// included.
fn for_each_in_parallel<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    // Each thread takes the next item, so that a long item delays no other.
    let work_on_rest = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item);
        }
    };
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(items.len());
    thread::scope(|scope| {
        for _ in 1..threads {
            let thread = thread::Builder::new().name("parigot compile".into());
            // Without this thread, the others work on its items.
            let _ = thread.spawn_scoped(scope, dispatch::as_here(work_on_rest));
        }
        work_on_rest();
    });
}
