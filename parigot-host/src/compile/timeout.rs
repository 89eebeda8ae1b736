//! Compiling within bounds, for what Cranelift does with a module is up to who wrote it.
//!
//! Eight kilobytes of wasm, a thousand loops one in the other, keep it busy for twelve seconds, four times as many for hours, and
//! nothing inside it can be interrupted. So
//! a module is compiled on threads of its own, and when they have not finished in time they are left to themselves: the start
//! is refused and the process ends, or goes on without them. What they take of memory until then is not bounded.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::available_parallelism;
use std::time::Duration;

use wasmtime::{Engine, Module};

use crate::error::ModuleError;

/// Cranelift goes down into nested blocks by recursion.
const STACK_BYTES: usize = 16 << 20;

/// Compiles a module, for at most `time_max`.
pub(crate) fn compile(
    engine: &Engine,
    bytes: &[u8],
    time_max: Duration,
) -> Result<Module, ModuleError> {
    let threads = available_parallelism().map_or(1, usize::from);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK_BYTES)
        .thread_name(|_| "parigot compile".into())
        // Else a panic of Cranelift's would end the process.
        .panic_handler(|_| {})
        .build()
        .expect("a process may have a few more threads");
    let (sender, module) = channel();
    let (engine, bytes) = (engine.clone(), bytes.to_vec());
    // Nobody may be there any more to hear of it.
    pool.spawn(move || _ = sender.send(Module::from_binary(&engine, &bytes)));
    match module.recv_timeout(time_max) {
        Ok(module) => module.map_err(ModuleError::Compile),
        Err(RecvTimeoutError::Timeout) => Err(ModuleError::CompileTime { time_max }),
        Err(RecvTimeoutError::Disconnected) => Err(ModuleError::Compile(wasmtime::Error::msg(
            "the compiler panicked",
        ))),
    }
}
