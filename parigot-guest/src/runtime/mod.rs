//! The state of one guest and the event loop that runs it. Nothing here is part of the public API.
//!
//! | module | responsibility |
//! |---|---|
//! | `guest` | `Guest`, the state of one guest, made of the parts below |
//! | `io`, `outbox`, `panic_text` | memory that guest and host share |
//! | `tasks`, `executor`, `scope`, `timers` | tasks and what wakes them |
//! | `calls`, `inbound`, `outbound`, `response_metadata` | calls in both directions |
//! | `stream` | items and credit of calls that stream |
//! | `lifecycle`, `launching`, `exit_hooks` | from the start to the exit |
//! | `receive`, `fast_path` | a turn: frames in, tasks polled |
//! | `trace_context`, `traced` | W3C trace context |
//! | `generator` | random numbers |
//! | `definition`, `exports` | how a guest is defined and exported |
//! | `current`, `panic`, `allocator`, `getrandom` | hooks that Rust calls without a context |
//!
//! Imports point down: the parts do not know `Guest`, and `Guest` knows neither frames' handling
//! nor anything of the public API that holds an `Rc<Guest>`.

#[cfg(any(
    all(feature = "allocator", target_family = "wasm"),
    all(test, feature = "std")
))]
#[expect(unsafe_code, reason = "the trait of a global allocator is unsafe")]
mod allocator;
pub(crate) mod calls;
#[expect(unsafe_code, reason = "the current guest is a raw pointer")]
pub(crate) mod current;
pub(crate) mod definition;
pub(crate) mod executor;
pub(crate) mod exit_hooks;
mod exports;
mod fast_path;
mod generator;
#[cfg(all(feature = "getrandom", target_family = "wasm"))]
#[expect(
    unsafe_code,
    reason = "getrandom calls a bare symbol and passes an address"
)]
mod getrandom;
pub(crate) mod guest;
mod inbound;
mod io;
mod launching;
pub(crate) mod lifecycle;
pub(crate) mod outbound;
mod outbox;
pub(crate) mod panic;
mod panic_text;
mod receive;
pub(crate) mod response_metadata;
pub(crate) mod scope;
pub(crate) mod stream;
mod tasks;
pub(crate) mod timers;
pub(crate) mod trace_context;
mod traced;
