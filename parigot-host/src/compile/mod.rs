//! From a `.wasm` file to checked machine code.
//!
//! | file | responsibility |
//! |---|---|
//! | `modules.rs` | compiles the distinct files of a deployment, in parallel |
//! | `compiler.rs` | compiles one module, and checks its imports and exports |
//! | `debug_build.rs` | finds the wasm files for a debugger |
//! | `engine.rs` | configures the engine |
//! | `child.rs` | compiles one module in a child process, within a limit of time and memory |
//! | `timeout.rs` | compiles one module in this process, within a limit of time |
//! | `code_cache.rs` | keeps compiled code on disk, and decides which entries are trusted |

pub(crate) mod child;
pub(crate) mod code_cache;
pub(crate) mod compiler;
mod debug_build;
pub(crate) mod engine;
pub(crate) mod modules;
pub(crate) mod timeout;
