//! The host's settings, from the options of the command line.

use std::sync::Arc;

use parigot_host::clock::DebuggerClock;
use parigot_host::provider::Provider;
use parigot_host::{CompilerCommand, Settings, ThreadError};

use crate::cli::Compiling;
use crate::stderr::{STDERR, can_be_redrawn};

/// Returns the settings of a host that this command runs.
///
/// With `draws_progress`, a terminal shows which guests are being compiled.
pub(crate) fn settings(compiling: &Compiling, draws_progress: bool) -> Settings {
    let code_cache = if compiling.no_cache {
        None
    } else {
        parigot_host::user_code_cache()
    };
    let mut settings = Settings {
        compile_time_max: *compiling.compile_time,
        compiler: compiler(compiling.compile_memory.bytes),
        code_cache,
        providers: providers(),
        ..Settings::default()
    };
    if draws_progress && can_be_redrawn() {
        settings.on_compiling = Some(Arc::new(|guests| STDERR.compiling(guests)));
    }
    settings
}

/// Returns the settings of a host whose guests a debugger can show, and whose clock stands still
/// while a debugger has stopped the process.
///
/// Guests are compiled in this process: lldb can hang for minutes when two threads of the process
/// that it debugs start children at the same time.
///
/// # Errors
///
/// If the system does not start the clock's thread.
pub(crate) fn for_debugger(settings: Settings) -> Result<Settings, ThreadError> {
    Ok(Settings {
        debug: true,
        clock: DebuggerClock::start()?,
        compiler: None,
        ..settings
    })
}

/// Returns the kinds of providers that this command has.
fn providers() -> Vec<Arc<dyn Provider>> {
    #[cfg(feature = "providers")]
    return parigot_providers::all();
    #[cfg(not(feature = "providers"))]
    Vec::new()
}

/// Returns the command of the compiler, which is this executable; `None` if its path is unknown.
/// Guests are compiled in this process then.
fn compiler(memory_bytes_max: u64) -> Option<CompilerCommand> {
    Some(CompilerCommand {
        program: std::env::current_exe().ok()?,
        args: vec!["compile-stdin".into(), memory_bytes_max.to_string().into()],
        memory_bytes_max,
    })
}
