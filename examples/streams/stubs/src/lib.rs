//! Messages, services and clients of `proto/`, generated into `src/generated` by `make generate`.

#[rustfmt::skip]
mod generated;

pub use generated::*;
