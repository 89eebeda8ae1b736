//! Configuration of the engine.

use std::num::NonZeroUsize;

use wasmtime::{Config, Engine, Inlining, OptLevel};

use crate::limits::GUEST_STACK_BYTES;

/// Functions on the stack of a failed guest that its backtrace may have.
const BACKTRACE_FRAMES_MAX: Option<NonZeroUsize> = NonZeroUsize::new(64);

/// Returns the engine of a host. Compiled code fits each engine with the same configuration.
///
/// With `debug`, guests are compiled for a native debugger, which finds their source lines and
/// variables.
pub(crate) fn engine(debug: bool) -> Engine {
    let mut config = Config::new();
    // On demand, not pooled: a pool reserves address space for a fixed number of instances, and
    // instances are created one by one.
    config.allocation_strategy(wasmtime::InstanceAllocationStrategy::OnDemand);
    config.max_wasm_stack(GUEST_STACK_BYTES);
    // The memory limiter limits one memory, so a second one must be impossible.
    config.wasm_multi_memory(false).wasm_memory64(false);
    // Only a fault pays for the frames.
    config.wasm_backtrace_max_frames(BACKTRACE_FRAMES_MAX);
    // At each epoch tick a long turn checks its budget: see `crate::guest::budget`.
    config.epoch_interruption(true);
    if debug {
        config.debug_info(true);
        // An optimised variable has no address for most of its life.
        config.cranelift_opt_level(OptLevel::None);
        config.compiler_inlining(Inlining::No);
    }
    Engine::new(&config).expect("Cranelift must support this machine")
}
