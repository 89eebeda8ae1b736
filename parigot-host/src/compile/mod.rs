//! From a `.wasm` file to checked machine code.
//!
//! | file | responsibility |
//! |---|---|
//! | `modules.rs` | compiles the distinct files of a deployment, in parallel |
//! | `compiler.rs` | compiles one module, and checks its imports and exports |
//! | `timeout.rs` | limits the time of one compilation |
//! | `code_cache.rs` | keeps compiled code on disk, and decides which entries are trusted |

pub(crate) mod code_cache;
pub(crate) mod compiler;
pub(crate) mod modules;
pub(crate) mod timeout;
