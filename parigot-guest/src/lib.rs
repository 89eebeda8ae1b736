//! The Rust SDK of parigot: services and programs that run as guests of a parigot host.
//!
//! A guest is a small single-threaded program, compiled to wasm, that imports nothing. All that it sees of the world comes
//! in *turns*: the host enters it with a batch of messages, its tasks run until none is ready, and a batch of messages goes
//! back. Between turns it costs nothing but its memory; during a turn time stands still.
//!
//! # A service
//!
//! The generator makes a trait, a server and a client of each service in a `.proto` file. A service implements the trait:
//!
//! ```
//! # mod greeting {
//! #     include!("../tests/behaviour/greeting.rs");
//! # }
//! # use greeting::*;
//! use parigot_guest::Context;
//!
//! #[derive(Default)]
//! struct Greeter;
//!
//! impl Greeting for Greeter {
//!     async fn fetch_greeting(
//!         &self,
//!         _: &Context,
//!         request: FetchGreetingRequest,
//!     ) -> Result<FetchGreetingResponse, GreetErr> {
//!         match request.tongue {
//!             1 => Ok(FetchGreetingResponse { greeting: "bonjour".into() }),
//!             _ => Err(GreetErr::UnknownLang),
//!         }
//!     }
//! }
//!
//! parigot_guest::service!(Greeter, exports(GreetingServer));
//! # fn main() {}
//! ```
//!
//! Calls arrive once the service is ready: at once if it has a [`Default`], else when its [`Ready`] has made it. Handlers
//! run concurrently, on one thread: where one awaits, others run, so state needs a `Cell` or `RefCell` and never a lock.
//!
//! # A program
//!
//! ```
//! # mod greeting {
//! #     include!("../tests/behaviour/greeting.rs");
//! # }
//! # mod hello {
//! # use super::greeting::*;
//! use parigot_guest::{Context, Exit};
//!
//! #[parigot_guest::program(requires(GreetingClient))]
//! async fn main(cx: Context) -> Result<Exit, parigot_guest::Error> {
//!     cx.launch().await?;
//!     let greeting = GreetingClient::locate(&cx)?;
//!     let reply = greeting.fetch_greeting(FetchGreetingRequest { tongue: 1 }).await?;
//!     parigot_guest::info!(cx, "{}, world", reply.greeting);
//!     Ok(Exit::SUCCESS)
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! # Futures
//!
//! Whatever takes time is a future of this crate: [`Call`], [`Launch`], [`Sleep`], [`ExitFuture`]. It begins when it is
//! made, not when it is first polled, so two calls that are made one after the other run side by side. It can be awaited,
//! or moved into the event loop with handlers for its end: `.success(|response| …)` and `.failure(|error| …)`. Several are awaited
//! together by the functions in [`future`]. Dropping a future cancels what it stands for, as far as the type says.
//!
//! What goes on for longer than a call is kept by a [`job`], and what is to be done before the guest leaves by [`Context::at_exit`].
//!
//! # Errors
//!
//! A call fails with a [`CallError`]: either the service's own error, an enum of the `.proto`, or a [`Status`] that says
//! why there was no answer. The two are never mixed. [`Error`] holds any error, so that `?` takes all of them.
//!
//! # Time and chance
//!
//! `std::time::Instant::now()` traps in wasm guests, and so do threads and files: there is nobody to ask. A [`Context`]
//! has a clock, timers and a random generator; all of them come from the host, so that a turn can be replayed.
//!
//! # Features
//!
//! | feature | meaning |
//! |---|---|
//! | `std` (default) | links std; a panic's text reaches the host through std's panic hook |
//! | `allocator` (default) | the global allocator: dlmalloc, with shelves for small blocks; out of memory leaves a text too |
//! | `panic-handler` | the panic handler of a guest without std |
//! | `rt` | `allocator` and `panic-handler`: what a `no_std` guest must have besides |
//! | `getrandom` | a backend for the `getrandom` crate, built with `--cfg getrandom_backend="custom"` |
//!
//! A guest that brings its own panic handler calls [`turn::leave_panic_text`] there.
#![no_std]
#![deny(
    unsafe_code,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core
)]

pub extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod at_exit;
mod call;
mod clock;
mod context;
mod detached;
mod dynamic;
mod error;
mod exit;
pub mod future;
pub mod job;
mod launch;
mod log;
mod method;
mod program;
pub mod prost;
pub mod proto;
mod random;
mod runtime;
mod serve;
mod service;
mod service_info;
mod status;
#[expect(unsafe_code, reason = "the host names a guest by its address")]
pub mod turn;

pub use futures_lite;
pub use parigot_abi::frame::Level;
pub use parigot_abi::{Cause, Code, Fate, id};
pub use parigot_guest_macros::{program, service};
pub use prost_types;
pub use rand_chacha::rand_core;

pub use at_exit::AT_EXIT_MAX;
pub use call::{Call, Channel, Client};
pub use clock::{Instant, Sleep};
pub use context::Context;
pub use detached::{Detached, YieldNow};
pub use dynamic::{DynamicCall, DynamicClient, ErrorNumber};
pub use error::{CallError, Error, LocateError, NotReady};
pub use exit::{Exit, ExitFuture};
pub use launch::Launch;
pub use method::Method;
pub use random::Random;
pub use runtime::definition::Definition;
pub use serve::{Incoming, Serve, Server};
pub use service::{Export, Exports, Ready};
pub use service_info::{MethodInfo, Service};
pub use status::{ServiceError, Status};

/// Named by generated code: if it is missing, generator and SDK are of versions that do not understand each other.
pub const ABI_V1: () = ();
