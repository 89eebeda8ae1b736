//! Messages, services and clients of `proto/`, written to `src/generated` by `make generate`.

#[rustfmt::skip]
mod generated;

pub use generated::*;
