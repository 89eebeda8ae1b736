//! One isolated guest, and its limits.
//!
//! | file | responsibility |
//! |---|---|
//! | `code.rs` | interface between the scheduler and a guest: factories, instances, turns |
//! | `wasm.rs` | guests that are wasm modules |
//! | `wasi/` | imports of guests compiled by Go |
//! | `fault.rs` | an engine's error as a fault, in the words of the guest |
//! | `trap.rs` | words for the traps of an engine |
//! | `backtrace/` | functions and lines of a guest's source at a fault |
//! | `sections.rs` | sections of a module |
//! | `builtin.rs` | guests that are part of the host |
//! | `builtin_test.rs` | such a guest in a test, without a kernel |
//! | `budget.rs`, `epoch_ticker.rs` | limit on the CPU time of a turn |
//! | `memory_limiter.rs` | limit on the memory of an instance |
//! | `memory_range.rs` | checked parts of a guest's memory |
//! | `stack_pointer.rs` | access to the pointer to the stack in a guest's memory |
//! | `stack.rs` | limit on the depth of calls |

pub(crate) mod backtrace;
pub(crate) mod budget;
pub(crate) mod builtin;
#[cfg(test)]
pub(crate) mod builtin_test;
pub(crate) mod code;
pub(crate) mod epoch_ticker;
pub(crate) mod fault;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzed;
pub(crate) mod memory_limiter;
mod memory_range;
pub(crate) mod sections;
pub(crate) mod stack;
pub(crate) mod stack_pointer;
mod trap;
pub(crate) mod wasi;
pub(crate) mod wasm;
