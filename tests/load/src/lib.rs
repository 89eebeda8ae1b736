//! Counts calls from outside: each ends in exactly one class at its caller, and runs at most once at its callee.
//!
//! A [`Trial`] is a deployment with callers and callees that write down what they do (`caller`, `worker` and their like in
//! `tests/guests`), in one process or in several that a nats-server joins, and beside them a pair that has nothing to do with it. The [`Ledger`] reads what
//! they write, wherever it comes from, and makes a [`Report`] of it. The tests of this package are those of faults: whatever befalls a guest, a process or
//! the network, every call is accounted for, and the pair has not one that failed.

mod ledger;
mod report;
mod soak;
mod trial;

pub use ledger::{Entry, Ledger};
pub use report::Report;
pub use soak::{Soak, Soaked, memory_kib};
pub use trial::{Callee, EACH, Ended, Running, Trial};
