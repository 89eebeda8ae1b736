//! Messages, services and clients of `proto/`, written to `src/generated` by `make generate`; and
//! the type of order ids, which several guests use.

#[rustfmt::skip]
mod generated;
mod order_id;

pub use generated::*;
pub use order_id::OrderId;
