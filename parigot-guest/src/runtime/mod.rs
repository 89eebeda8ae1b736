//! The state of one guest and the event loop that runs it. Nothing here is part of the public API.

#[cfg(any(
    all(feature = "allocator", target_family = "wasm"),
    all(test, feature = "std")
))]
#[expect(unsafe_code, reason = "the trait of a global allocator is unsafe")]
mod allocator;
pub(crate) mod definition;
pub(crate) mod executor;
mod exports;
#[cfg(all(feature = "getrandom", target_family = "wasm"))]
#[expect(
    unsafe_code,
    reason = "getrandom calls a bare symbol and passes an address"
)]
mod getrandom;
pub(crate) mod guest;
pub(crate) mod inbound;
pub(crate) mod outbound;
pub(crate) mod outbox;
pub(crate) mod panic;
pub(crate) mod scope;
pub(crate) mod trace_context;
