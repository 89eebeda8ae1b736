//! Tests of generated Rust, compiled as users compile it.

mod behaviours;
mod ids;
mod merged;
mod served;
