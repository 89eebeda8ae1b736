//! Rust samples of the user guide. `docs/src` includes the parts between anchors.
//!
//! The samples compile with the workspace, so the guide shows no code that does not compile. Their
//! services are the ones of `tests/golden`.

pub mod bindings;
pub mod calling;
pub mod errors;
pub mod futures;
pub mod ids;
pub mod jobs;
pub mod metadata;
pub mod program;
pub mod service;
pub mod storage;
pub mod streams;
