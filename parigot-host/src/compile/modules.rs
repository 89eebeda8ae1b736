//! From wasm files to modules that may be run: each file once, however many guests run it, and several at a time.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::compile::compiler::Compiler;
use crate::deployment::{Deployment, GuestSpec};
use crate::error::{ModuleError, StartProblem};
use crate::guest::code::InstanceFactory;
use crate::guest::epoch_ticker::EpochTicker;
use crate::guest::wasm::GuestModule;
use crate::limits::MODULE_BYTES_MAX;
use crate::log::dispatch;
use crate::settings::{OnCompiling, Settings};

/// What the guests of a deployment are made from.
pub(crate) struct CompiledGuests {
    /// In the order of the guests.
    pub(crate) of_guests: Vec<Result<Arc<dyn InstanceFactory>, StartProblem>>,
    /// What the budgets of their instances are watched by.
    pub(crate) epoch_ticker: EpochTicker,
}

/// Compiles what the guests of a deployment run.
pub(crate) fn compile_all(deployment: &Deployment, settings: &Settings) -> CompiledGuests {
    let compiler = Compiler::new(settings);
    let modules = modules(&deployment.guests, &compiler, settings);
    let of_guests = modules
        .into_iter()
        .map(|module| module.map(|module| Arc::new(module) as _));
    CompiledGuests {
        of_guests: of_guests.collect(),
        epoch_ticker: EpochTicker::start(compiler.ticks()),
    }
}

/// Each guest's module, in the order of the guests.
pub(crate) fn modules(
    guests: &[GuestSpec],
    compiler: &Compiler,
    settings: &Settings,
) -> Vec<Result<GuestModule, StartProblem>> {
    let progress = CompileProgress {
        tell: settings.on_compiling.as_deref(),
        guests: Mutex::default(),
    };
    let (sources, source_of) = distinct(guests);
    for_each_in_parallel(&sources, |source| source.compile(compiler, &progress));
    // Only now, in order: two starts of one deployment log the same.
    let modules: Vec<&Result<GuestModule, CompileFailure>> =
        sources.iter().map(Source::log_end).collect();
    let guests = guests.iter().zip(source_of);
    guests
        .map(|(spec, source)| {
            modules[source]
                .clone()
                .map_err(|failure| failure.problem_of(spec))
        })
        .collect()
}

/// The files that guests run, and for each guest the place of its file among them.
fn distinct(guests: &[GuestSpec]) -> (Vec<Source<'_>>, Vec<usize>) {
    let mut sources = Vec::new();
    let mut places: HashMap<&Path, usize> = HashMap::new();
    let source_of = guests.iter().map(|GuestSpec { name, wasm, .. }| {
        *places.entry(wasm).or_insert_with(|| {
            sources.push(Source {
                path: wasm,
                guest: name,
                end: OnceLock::new(),
            });
            sources.len() - 1
        })
    });
    let source_of = source_of.collect();
    (sources, source_of)
}

/// A wasm file, and once it was worked on, what has become of it.
struct Source<'a> {
    path: &'a Path,
    /// The first guest that runs it.
    guest: &'a str,
    end: OnceLock<End>,
}

struct End {
    module: Result<GuestModule, CompileFailure>,
    was_compiled: bool,
    took: Duration,
}

/// Why there is no module, which each guest that runs the file is told.
#[derive(Clone)]
enum CompileFailure {
    Unreadable(Arc<io::Error>),
    Module(Arc<ModuleError>),
}

impl<'a> Source<'a> {
    fn compile(&self, compiler: &Compiler, progress: &CompileProgress<'a>) {
        let (begin, mut was_compiled) = (Instant::now(), false);
        let compiling = || {
            was_compiled = true;
            progress.change(|guests| guests.insert(self.guest));
        };
        let module = read(self.path).and_then(|bytes| {
            compiler
                .compile(&bytes, compiling)
                .map_err(|error| CompileFailure::Module(Arc::new(error)))
        });
        if was_compiled {
            progress.change(|guests| guests.remove(self.guest));
        }
        let end = End {
            module,
            was_compiled,
            took: begin.elapsed(),
        };
        assert!(self.end.set(end).is_ok(), "each file is compiled once");
    }

    fn log_end(&self) -> &Result<GuestModule, CompileFailure> {
        let End {
            module,
            was_compiled,
            took,
        } = self.end.get().expect("all files were worked on");
        if module.is_ok() {
            let what = if *was_compiled {
                "compiled"
            } else {
                "compiled before, taken from the cache"
            };
            tracing::debug!(service = self.guest, ms = took.as_millis() as u64, "{what}");
        }
        module
    }
}

/// Reads a module, but not more than one may have, whatever the file is.
fn read(path: &Path) -> Result<Vec<u8>, CompileFailure> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(MODULE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > MODULE_BYTES_MAX => {
            Err(CompileFailure::Module(Arc::new(ModuleError::TooLarge)))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(CompileFailure::Unreadable(Arc::new(error))),
    }
}

impl CompileFailure {
    fn problem_of(self, spec: &GuestSpec) -> StartProblem {
        match self {
            CompileFailure::Unreadable(error) => StartProblem::unreadable(spec, error),
            CompileFailure::Module(error) => StartProblem::module(spec, error),
        }
    }
}

/// Who is being compiled.
struct CompileProgress<'a> {
    tell: Option<&'a OnCompiling>,
    guests: Mutex<BTreeSet<&'a str>>,
}

impl<'a> CompileProgress<'a> {
    fn change(&self, change: impl FnOnce(&mut BTreeSet<&'a str>) -> bool) {
        if let Some(tell) = self.tell {
            // Held while it is told, so that the last to be told is the last to have changed.
            let mut guests = self.guests.lock();
            change(&mut guests);
            tell(&guests.iter().copied().collect::<Vec<_>>());
        }
    }
}

/// Runs `work` on each item, on as many threads as the machine has cores.
fn for_each_in_parallel<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let work_on_rest = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item);
        }
    };
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(items.len());
    thread::scope(|scope| {
        for _ in 0..threads {
            let thread = thread::Builder::new().name("parigot compile".into());
            thread
                .spawn_scoped(scope, dispatch::as_here(work_on_rest))
                .expect("a process may have a few more threads");
        }
    });
}
