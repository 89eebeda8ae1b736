//! Guest instances: wasm modules and built-in guests, with their limits.

pub(crate) mod budget;
#[cfg(any(feature = "nats", feature = "testing"))]
pub(crate) mod builtin;
pub(crate) mod code;
pub(crate) mod epoch_ticker;
pub(crate) mod memory_limiter;
pub(crate) mod stack;
pub(crate) mod wasi;
pub(crate) mod wasm;
