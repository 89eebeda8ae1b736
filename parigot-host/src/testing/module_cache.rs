//! Modules for tests: compiled once for all hosts of the process.

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

/// By where they keep their code.
static MODULE_CACHES: Mutex<BTreeMap<Option<PathBuf>, ModuleCache>> = Mutex::new(BTreeMap::new());

/// A compiler, and what it has made.
struct ModuleCache {
    compiler: Compiler,
    modules: HashMap<Stamp, GuestModule>,
}

/// A file as it was.
#[derive(PartialEq, Eq, Hash)]
struct Stamp {
    path: PathBuf,
    bytes: u64,
    modified: SystemTime,
}

impl Stamp {
    fn of(spec: &GuestSpec) -> Option<Self> {
        let metadata = spec.wasm.metadata().ok()?;
        Some(Stamp {
            path: spec.wasm.clone(),
            bytes: metadata.len(),
            modified: metadata.modified().ok()?,
        })
    }
}

/// What guests are made from, and what ticks for them.
pub(super) struct Compiled {
    pub(super) modules: Vec<Result<GuestModule, StartProblem>>,
    pub(super) ticks: Box<dyn Fn() + Send>,
}

/// Compiles what these guests run, unless that was done before.
pub(super) fn compile(guests: &[GuestSpec], settings: &Settings) -> Compiled {
    let mut caches = MODULE_CACHES.lock();
    let ModuleCache {
        compiler,
        modules: known,
    } = caches
        .entry(settings.code_cache.clone())
        .or_insert_with(|| ModuleCache {
            compiler: Compiler::new(settings),
            modules: HashMap::new(),
        });
    let stamps: Vec<_> = guests.iter().map(Stamp::of).collect();
    let kept: Vec<_> = stamps
        .iter()
        .map(|stamp| known.get(stamp.as_ref()?).cloned())
        .collect();
    let new = guests
        .iter()
        .zip(&kept)
        .filter(|(_, kept)| kept.is_none())
        .map(|(guest, _)| guest.clone());
    let mut new = modules::modules(&new.collect::<Vec<_>>(), compiler, settings).into_iter();
    let modules = stamps.into_iter().zip(kept).map(|(stamp, kept)| {
        let module = kept.map_or_else(|| new.next().expect("each that is new was compiled"), Ok);
        if let (Ok(module), Some(stamp)) = (&module, stamp) {
            known.insert(stamp, module.clone());
        }
        module
    });
    Compiled {
        modules: modules.collect(),
        ticks: Box::new(compiler.ticks()),
    }
}
