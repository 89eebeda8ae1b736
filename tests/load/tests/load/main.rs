//! Tests of faults, in which every call is accounted for. One binary, so that the host is linked
//! once.
//!
//! The tests of a binary run in parallel in one process. Tests that measure memory or latency are
//! in `tests/measured`, where they run one after the other.

mod abi_violations;
mod behaviours;
mod faults;
mod kill_matrix;
mod network;
