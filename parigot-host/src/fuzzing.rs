//! Readers of bytes from outside, for the fuzz targets in `fuzz/`. Not part of the API.
//!
//! Each function takes any bytes, and panics if an invariant of the host does not hold.

pub use crate::compile::code_cache::fuzzed::cache_entry;
pub use crate::guest::fuzzed::control_block;
pub use crate::guest::wasi::fuzzed::wasi;
pub use crate::network::nats_message;
pub use crate::start::fuzzed::manifests;
pub use crate::testing::fuzzed::frames;
