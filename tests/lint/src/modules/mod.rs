//! Modules of a Rust crate, and the imports between its files.

mod imports;
mod scan;
mod tree;

pub(crate) use imports::{Import, imports};
pub(crate) use tree::crates;
