//! The messages, services and clients of `proto/`, as `make generate` writes them into `src/generated`.

#[rustfmt::skip]
mod generated;

pub use generated::*;
