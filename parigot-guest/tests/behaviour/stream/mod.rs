//! Methods that stream, at handlers and at callers.

mod call;
mod credit;
mod desk;
mod pair;
mod peer;
mod serve;
mod sink;
mod testing;
