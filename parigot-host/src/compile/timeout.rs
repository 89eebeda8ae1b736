//! Time limit of one compilation.
//!
//! The author of a module decides how long Cranelift takes for it. A module of 8 KiB with a
//! thousand nested loops takes twelve seconds, and one with four times as many loops takes hours.
//! Cranelift cannot be interrupted. Therefore a module is compiled on threads of its own, and after
//! the limit these threads are abandoned: the start fails, and the process ends or goes on without
//! them. The memory that they use until then is not limited.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::available_parallelism;
use std::time::Duration;

use wasmtime::{Engine, Module};

use crate::error::{ModuleError, ThreadError};

/// Name of a compiling thread.
const NAME: &str = "parigot compile";

/// Stack of a compiling thread in bytes: Cranelift handles nested blocks by recursion.
const STACK_BYTES: usize = 16 << 20;

/// Time after which a compilation counts as slow.
pub(crate) const SLOW: Duration = Duration::from_secs(5);

/// Compiles a module, for at most `time_max`. `on_slow` is called once the compilation is slow.
///
/// # Errors
///
/// If the module is invalid, if the compiler panics, if the time is over, or if the system does not
/// start the threads.
pub(crate) fn compile(
    engine: &Engine,
    bytes: Vec<u8>,
    time_max: Duration,
    on_slow: impl FnOnce(),
) -> Result<Module, ModuleError> {
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
    let (sender, module) = channel();
    let engine = engine.clone();
    // The receiver is gone if the time is over; the result is then dropped.
    pool.spawn(move || _ = sender.send(Module::from_binary(&engine, &bytes)));
    match receive(&module, SLOW, time_max, on_slow) {
        Ok(module) => module.map_err(ModuleError::Compile),
        Err(RecvTimeoutError::Timeout) => Err(ModuleError::CompileTime { time_max }),
        // The panic dropped the sender.
        Err(RecvTimeoutError::Disconnected) => Err(ModuleError::Compile(wasmtime::Error::msg(
            "the compiler panicked",
        ))),
    }
}

/// Waits for at most `time_max`. Calls `on_slow` after `slow`, if that is earlier.
fn receive<T>(
    result: &Receiver<T>,
    slow: Duration,
    time_max: Duration,
    on_slow: impl FnOnce(),
) -> Result<T, RecvTimeoutError> {
    match (
        result.recv_timeout(slow.min(time_max)),
        time_max.checked_sub(slow),
    ) {
        (Err(RecvTimeoutError::Timeout), Some(rest)) => {
            on_slow();
            result.recv_timeout(rest)
        }
        (received, _) => received,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_compilation_is_reported_once() {
        const LONG: Duration = Duration::from_secs(60);
        let (sender, result) = channel();
        let received = receive(&result, Duration::ZERO, LONG, || {
            sender.send(7).expect("the receiver must be alive");
        });
        assert_eq!(received, Ok(7));
        sender.send(8).expect("the receiver must be alive");
        let not_slow = || panic!("the result was there at once");
        assert_eq!(receive(&result, LONG, LONG, not_slow), Ok(8));
        let over = receive(&result, LONG, Duration::ZERO, not_slow);
        assert_eq!(over, Err(RecvTimeoutError::Timeout));
    }
}
