//! Cache of compiled modules, shared by all test hosts of the process.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::SystemTime;

use parking_lot::Mutex;

use crate::compile::compiler::Compiler;
use crate::compile::modules;
use crate::deployment::GuestSpec;
use crate::error::StartProblem;
use crate::guest::wasm::GuestModule;
use crate::settings::Settings;

/// Caches by the folder in which they store machine code, and by [`Settings::debug`].
static MODULE_CACHES: Mutex<BTreeMap<(Option<PathBuf>, bool), ModuleCache>> =
    Mutex::new(BTreeMap::new());

/// Compiler with the modules that it has compiled.
struct ModuleCache {
    compiler: Compiler,
    modules: HashMap<Stamp, GuestModule>,
}

/// Path, size and modification time of a wasm file. A rebuilt file has another stamp.
#[derive(PartialEq, Eq, Hash)]
struct Stamp {
    path: PathBuf,
    bytes: u64,
    modified: SystemTime,
}

impl Stamp {
    /// Returns the stamp of a guest's wasm file, `None` if the file cannot be inspected.
    fn of(spec: &GuestSpec) -> Option<Self> {
        let metadata = spec.wasm.metadata().ok()?;
        Some(Stamp {
            path: spec.wasm.clone(),
            bytes: metadata.len(),
            modified: metadata.modified().ok()?,
        })
    }
}

/// Compiled modules, with the epoch ticks of their engine.
pub(super) struct Compiled {
    /// Modules in the order of the guests.
    pub(super) modules: Vec<Result<GuestModule, StartProblem>>,
    /// Ends the current epoch of the engine at each call.
    pub(super) ticks: Box<dyn Fn() + Send>,
}

/// Compiles the modules of guests, except for modules in the cache.
pub(super) fn compile(guests: &[GuestSpec], settings: &Settings) -> Compiled {
    // The lock is held while compiling, so that tests on several threads compile a module once.
    let mut caches = MODULE_CACHES.lock();
    let ModuleCache {
        compiler,
        modules: known,
    } = caches
        .entry((settings.code_cache.clone(), settings.debug))
        .or_insert_with(|| ModuleCache {
            compiler: Compiler::new(settings),
            modules: HashMap::new(),
        });
    let stamps: Vec<_> = guests.iter().map(Stamp::of).collect();
    let cached: Vec<_> = stamps
        .iter()
        .map(|stamp| known.get(stamp.as_ref()?).cloned())
        .collect();
    let missing: Vec<_> = guests
        .iter()
        .zip(&cached)
        .filter(|(_, cached)| cached.is_none())
        .map(|(guest, _)| guest.clone())
        .collect();
    let mut compiled = modules::modules(&missing, compiler, settings).into_iter();
    let modules = stamps.into_iter().zip(cached).map(|(stamp, cached)| {
        let module = cached.map_or_else(
            || {
                compiled
                    .next()
                    .expect("each missing module must be compiled")
            },
            Ok,
        );
        if let (Ok(module), Some(stamp)) = (&module, stamp) {
            known.insert(stamp, module.clone());
        }
        module
    });
    Compiled {
        modules: modules.collect(),
        ticks: Box::new(compiler.tick_function()),
    }
}
