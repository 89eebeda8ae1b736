//! Descriptors of the guests' `.proto` files: where a guest carries them, and how they are merged.
//!
//! | file | responsibility |
//! |---|---|
//! | `section.rs` | the custom section of a wasm module |
//! | `pool.rs` | the files of a guest, each once |

pub(crate) mod pool;
pub(crate) mod section;
