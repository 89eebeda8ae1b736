//! Configuration of the engine.

use wasmtime::{Config, Engine};

use crate::limits::GUEST_STACK_BYTES;

/// Returns the engine of a host. Compiled code fits each engine with the same configuration.
pub(crate) fn engine() -> Engine {
    let mut config = Config::new();
    // On demand, not pooled: a pool reserves address space for a fixed number of instances, and
    // instances are created one by one.
    config.allocation_strategy(wasmtime::InstanceAllocationStrategy::OnDemand);
    config.max_wasm_stack(GUEST_STACK_BYTES);
    // The memory limiter limits one memory, so a second one must be impossible.
    config.wasm_multi_memory(false).wasm_memory64(false);
    // At each epoch tick a long turn checks its budget: see `crate::guest::budget`.
    config.epoch_interruption(true);
    Engine::new(&config).expect("Cranelift must support this machine")
}
