//! Compiler of wasm modules, and the checks that a module passes before it runs.

use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::{Engine, ExternType, FuncType, ImportType, Module, ValType};

use crate::compile::child::{self, CompilerCommand};
use crate::compile::code_cache::Cache;
use crate::compile::engine::engine;
use crate::compile::timeout;
use crate::descriptors::section;
use crate::error::{GoBuildError, ModuleError};
use crate::guest::backtrace::{ModuleDigest, Symbols};
use crate::guest::sections::without_custom_sections;
use crate::guest::stack_pointer;
use crate::guest::wasi::go_module;
use crate::guest::wasi::imports::{IMPORTS, MODULE};
use crate::guest::wasm::GuestModule;
use crate::settings::Settings;

/// Compiler of modules, one for the whole host.
#[derive(Clone)]
pub(crate) struct Compiler {
    engine: Engine,
    cache: Option<Cache>,
    time_max: Duration,
    /// `None` compiles in this process.
    command: Option<CompilerCommand>,
    /// Set if guests are compiled for a debugger.
    debug: bool,
    /// Set if the host needs the descriptors of guests.
    reads_descriptors: bool,
}

/// Functions of the ABI: name, number of `i32` parameters, presence of an `i32` result.
const EXPORTS: [(&str, usize, bool); 4] = [
    ("parigot_abi", 0, true),
    ("parigot_open", 0, true),
    ("parigot_inbox", 2, false),
    ("parigot_turn", 3, true),
];

/// Additional export of a library built by Go, which starts the runtime.
const INITIALIZE: (&str, usize, bool) = ("_initialize", 0, false);

/// Module from which a program of Go for JavaScript imports.
const JS_IMPORTS: &str = "gojs";

impl Compiler {
    /// Creates a compiler; a cache folder in `settings` keeps the compiled modules.
    pub(crate) fn new(settings: &Settings) -> Self {
        let engine = engine(settings.debug);
        let cache = settings
            .code_cache
            .as_deref()
            .and_then(|folder| Cache::open(folder, &engine));
        Compiler {
            engine,
            cache,
            time_max: settings.compile_time_max,
            command: settings.compiler.clone(),
            debug: settings.debug,
            reads_descriptors: settings.descriptors,
        }
    }

    /// Returns the function that an epoch ticker calls at each tick: it increments the epoch, which
    /// interrupts the running guests of this engine.
    pub(crate) fn tick_function(&self) -> impl Fn() + Send + 'static {
        let engine = self.engine.clone();
        move || engine.increment_epoch()
    }

    /// Compiles the binary module of a file, unless the cache has its code, and checks its imports
    /// and exports. `compiling` is called before a compilation.
    ///
    /// # Errors
    ///
    /// If the module cannot be compiled within the limits, or has a forbidden import or export.
    pub(crate) fn compile(
        &self,
        path: &Path,
        bytes: &[u8],
        compiling: impl FnOnce(),
    ) -> Result<GuestModule, ModuleError> {
        if !bytes.starts_with(b"\0asm") {
            return Err(ModuleError::NotWasm);
        }
        let digest: ModuleDigest = Sha256::digest(bytes).into();
        let entry = self.cache.as_ref().map(|cache| cache.entry(&digest));
        let module = match entry.as_ref().and_then(|entry| entry.load(&self.engine)) {
            Some(module) => module,
            None => {
                compiling();
                let compiled = self.compile_anew(path, bytes)?;
                if let (Some(entry), true) = (entry, compiled.is_whole) {
                    entry.store(&compiled.code);
                }
                self.load(&compiled.code)?
            }
        };
        let is_go = go_module::is_go(bytes);
        if is_go {
            check_go_build(&module)?;
        } else {
            check_imports(&module)?;
        }
        check_exports(&module, is_go)?;
        let descriptors = if self.reads_descriptors {
            section::descriptors(bytes)
        } else {
            Vec::new()
        };
        let symbols = Symbols::new(path, digest, is_go);
        Ok(GuestModule::new(module, is_go, descriptors, symbols))
    }

    /// Compiles a module. For a debugger, compiles it without its debug information if it cannot
    /// be compiled otherwise.
    fn compile_anew(&self, path: &Path, bytes: &[u8]) -> Result<Compiled, ModuleError> {
        match self.run_compiler(bytes.to_vec()) {
            // The engine offers no more than best effort for debug information, and a start must
            // not depend on it.
            Err(ModuleError::Compile(error)) if self.debug => {
                let stripped = without_custom_sections(bytes, |name| name.starts_with(".debug_"));
                let code = self.run_compiler(stripped)?;
                tracing::warn!(
                    "the debugger shows no lines of {}: the engine cannot compile its debug \
                     information: {error:#}",
                    path.display()
                );
                Ok(Compiled {
                    code,
                    is_whole: false,
                })
            }
            compiled => Ok(Compiled {
                code: compiled?,
                is_whole: true,
            }),
        }
    }

    /// Compiles a module here or in a child process, and returns its code.
    ///
    /// The code is never taken from a loaded module: the memory of that one has the instructions
    /// with which a debugger stops at a line, and the cache would keep them.
    fn run_compiler(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>, ModuleError> {
        stack_pointer::expose(&mut bytes);
        match &self.command {
            Some(command) => child::compile(command, bytes, self.time_max),
            None => timeout::compile(&self.engine, bytes, self.time_max),
        }
    }

    /// Loads the code that `run_compiler` has returned.
    fn load(&self, code: &[u8]) -> Result<Module, ModuleError> {
        // SAFETY: `code` must be the unchanged result of `Engine::precompile_module`.
        // - This process has compiled it, or a program of the settings, which runs `compile_stdin`
        //   and exits with success only after it has written the whole code.
        // - The bytes of a program came through a pipe that no other process has.
        // - Code of another version of the engine is rejected by `deserialize`.
        unsafe { Module::deserialize(&self.engine, code) }.map_err(ModuleError::Compile)
    }
}

/// Code of a module that was just compiled.
struct Compiled {
    code: Vec<u8>,
    /// Set unless the debug information is missing.
    is_whole: bool,
}

/// Rejects a module of Go's linker that was built in another way than a guest, or without the SDK,
/// and imports that are not those of Go's runtime.
fn check_go_build(module: &Module) -> Result<(), GoBuildError> {
    let exports = |name| module.get_export(name).is_some();
    let is_unknown =
        |import: &ImportType<'_>| !(import.module() == MODULE && IMPORTS.contains(&import.name()));
    if module.imports().any(|import| import.module() == JS_IMPORTS) {
        Err(GoBuildError::Js)
    } else if let Some(import) = module.imports().find(is_unknown) {
        Err(GoBuildError::Import {
            module: import.module().into(),
            name: import.name().into(),
        })
    } else if exports("_start") {
        Err(GoBuildError::Program)
    } else if EXPORTS.iter().all(|(name, ..)| !exports(name)) {
        Err(GoBuildError::NoSdk)
    } else {
        Ok(())
    }
}

/// Rejects imports.
fn check_imports(module: &Module) -> Result<(), ModuleError> {
    match module.imports().next() {
        Some(import) => Err(ModuleError::Import {
            module: import.module().into(),
            name: import.name().into(),
        }),
        None => Ok(()),
    }
}

/// Requires the exports of the ABI, each with its exact type.
fn check_exports(module: &Module, is_go: bool) -> Result<(), ModuleError> {
    if !matches!(module.get_export("memory"), Some(ExternType::Memory(_))) {
        return Err(ModuleError::Export {
            missing: "a memory named `memory`".into(),
        });
    }
    let i32s = |count| std::iter::repeat_n(ValType::I32, count);
    let exports = EXPORTS.into_iter().chain(is_go.then_some(INITIALIZE));
    for (name, params, returns) in exports {
        let expected = FuncType::new(module.engine(), i32s(params), i32s(returns as usize));
        match module.get_export(name) {
            Some(ExternType::Func(found)) if found.matches(&expected) => {}
            _ => {
                return Err(ModuleError::Export {
                    missing: format!("`{name}` of type {expected}"),
                });
            }
        }
    }
    Ok(())
}
