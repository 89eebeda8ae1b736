//! Time limit of one compilation.
//!
//! The author of a module decides how long Cranelift takes for it. A module of 8 KiB with a
//! thousand nested loops takes twelve seconds, and one with four times as many loops takes hours.
//! Cranelift cannot be interrupted. Therefore a module is compiled on threads of its own, and after
//! the limit these threads are abandoned: the start fails, and the process ends or goes on without
//! them. The memory that they use until then is not limited: see [`crate::compile::child`].

use std::io;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::available_parallelism;
use std::time::Duration;

use wasmtime::Engine;

use crate::error::{ModuleError, ThreadError};

/// Name of a compiling thread.
const NAME: &str = "parigot compile";

/// Stack of a compiling thread in bytes: Cranelift handles nested blocks by recursion.
const STACK_BYTES: usize = 16 << 20;

/// Compiles a module, for at most `time_max`, and returns its code for `Module::deserialize`.
///
/// # Errors
///
/// If the module is invalid, if the compiler panics, if the time is over, or if the system does not
/// start the threads.
pub(crate) fn compile(
    engine: &Engine,
    bytes: Vec<u8>,
    time_max: Duration,
) -> Result<Vec<u8>, ModuleError> {
    let threads = available_parallelism().map_or(1, usize::from);
    // Wasmtime compiles the functions of a module in parallel, on the pool that calls it.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK_BYTES)
        .thread_name(|_| NAME.into())
        // Without a handler, a panic of Cranelift would end the process.
        .panic_handler(|_| {})
        .build()
        .map_err(|error| ThreadError::new(NAME, &io::Error::other(error)))?;
    let (sender, code) = channel();
    let engine = engine.clone();
    // The receiver is gone if the time is over; the result is then dropped.
    pool.spawn(move || _ = sender.send(engine.precompile_module(&bytes)));
    match code.recv_timeout(time_max) {
        Ok(code) => code.map_err(ModuleError::Compile),
        Err(RecvTimeoutError::Timeout) => Err(ModuleError::CompileTime { time_max }),
        // The panic dropped the sender.
        Err(RecvTimeoutError::Disconnected) => Err(ModuleError::Compile(wasmtime::Error::msg(
            "the compiler panicked",
        ))),
    }
}
