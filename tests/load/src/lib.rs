//! Counts calls from outside: each ends in exactly one class at its caller, and runs at most once
//! at its callee.
//!
//! A [`Trial`] is a deployment of callers and callees that log each call (`caller`, `worker` and
//! others in `tests/guests`), in one process or in several that a NATS server connects. A control
//! pair of guests that is not part of the trial runs beside them. The [`Ledger`] reads the log of
//! all processes, and makes a [`Report`] of it.
//!
//! The tests of this package inject faults into guests, processes and the network. In each, every
//! call is accounted for, and no call of the control pair fails.

mod ledger;
mod report;
mod soak;
mod trial;

pub use ledger::{Entry, Ledger};
pub use report::Report;
pub use soak::{Soak, Soaked, memory_kib};
pub use trial::{COMPILE_TIME_MAX, Callee, EACH, Ended, Running, Trial};
