//! The Rust SDK of parigot: services and programs that run as guests of a parigot host.
//!
//! A guest is a single-threaded program, compiled to wasm, without imports. It communicates in
//! *turns*: the host calls it with a batch of messages, the guest runs its tasks until none is
//! ready, and returns a batch of messages. Between turns a guest costs only its memory. During a
//! turn its clock stands still.
//!
//! # A service
//!
//! For each service in a `.proto` file the generator writes a trait, a server and a client. A
//! service implements the trait:
//!
//! ```
//! # mod greeting {
//! #     include!("../tests/behaviour/greeting.rs");
//! # }
//! # use greeting::*;
//! use parigot_guest::{Context, Failure};
//!
//! #[derive(Default)]
//! struct Greeter;
//!
//! impl Greeting for Greeter {
//!     async fn fetch_greeting(
//!         &self,
//!         _: &Context,
//!         request: FetchGreetingRequest,
//!     ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
//!         match request.tongue {
//!             1 => Ok(FetchGreetingResponse { greeting: "bonjour".into() }),
//!             _ => Err(GreetErr::UnknownLang.into()),
//!         }
//!     }
//! }
//!
//! parigot_guest::service!(Greeter, exports(GreetingServer));
//! # fn main() {}
//! ```
//!
//! Calls arrive when the service is ready. A type that prepares itself implements [`Ready`]; any
//! other type has a [`Default`], and is ready at once. Handlers run concurrently on one thread:
//! while one awaits, others run. So shared state needs a `Cell` or `RefCell`, never a lock.
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
//! Programs read standard input and write standard output with [`stdio`]. Guests keep state in a
//! [`kv`] store.
//!
//! # Streams
//!
//! The handler of a method that streams takes its requests and responses as parameters:
//! [`Requests`] and [`Responses`]. Its caller gets a [`ResponseStream`], a [`ClientStream`], or a
//! [`RequestSink`] and a [`ResponseStream`]:
//!
//! ```
//! # mod feed {
//! #     include!("../../tests/golden/streams/rust/streams.rs");
//! # }
//! # use feed::*;
//! use parigot_guest::{Context, Failure, Requests, Responses};
//!
//! struct News;
//!
//! impl Feed for News {
//! #     async fn last(&self, _: &Context, request: Item) -> Result<Item, Failure<FeedErr>> {
//! #         Ok(request)
//! #     }
//!     async fn watch(
//!         &self,
//!         cx: &Context,
//!         request: Item,
//!         responses: &mut Responses<Item>,
//!     ) -> Result<(), Failure<FeedErr>> {
//!         for number in 1..=3 {
//!             responses.send(Item { text: format!("{} {number}", request.text) }).await?;
//!         }
//!         Ok(())
//!     }
//!
//!     async fn upload(
//!         &self,
//!         cx: &Context,
//!         requests: &mut Requests<Item>,
//!     ) -> Result<Receipt, Failure<FeedErr>> {
//!         let mut items = 0;
//!         while let Some(item) = requests.next().await? {
//!             items += 1;
//!         }
//!         Ok(Receipt { items })
//!     }
//! #     async fn chat(
//! #         &self,
//! #         _: &Context,
//! #         requests: &mut Requests<Item>,
//! #         responses: &mut Responses<Item>,
//! #     ) -> Result<(), Failure<FeedErr>> {
//! #         while let Some(item) = requests.next().await? {
//! #             responses.send(item).await?;
//! #         }
//! #         Ok(())
//! #     }
//! }
//!
//! async fn client(feed: &FeedClient) -> Result<(), parigot_guest::Error> {
//!     let mut news = feed.watch(Item { text: "news".into() });
//!     while let Some(item) = news.next().await? {
//!         // …
//!     }
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! A sender waits while its receiver is behind. A stream that breaks off ends with an error, never
//! like a complete one: dropping a sink without `finish`, or responses before their end, cancels
//! the call. Hosts do not run such methods yet, and refuse guests that have them.
//!
//! # Futures
//!
//! Operations that take time return a future: [`Call`], [`Launch`], [`Sleep`], [`ExitFuture`]. The
//! operation begins when the future is created, not when it is first polled. So two calls made one
//! after the other run concurrently. You can await a future, or move it into the event loop with
//! handlers for its result: `.success(|response| …)` and `.failure(|error| …)`. The functions in
//! [`future`] wait for several futures. Dropping a future cancels the operation, as far as the
//! type's documentation says.
//!
//! For work that takes longer than a call use a [`job`], for work before the guest exits
//! [`Context::at_exit`].
//!
//! # Errors
//!
//! A call fails with a [`CallError`]. It holds either the service's own error, an enum of the
//! `.proto`, or a [`Status`], which reports an infrastructure failure. [`Error`] holds any error,
//! so that `?` converts all errors to it.
//!
//! A handler fails with a [`Failure`]: an error of the enum or a [`Status`], each with a message
//! for people and details for programs if you add them.
//!
//! # Time and random numbers
//!
//! A [`Context`] has a clock, timers and a random generator. All of them are driven by the host, so
//! that a turn can be replayed. `std::time::Instant::now()`, threads and files trap in wasm guests,
//! because a guest has no imports. The text of the panic names what to use instead. The output of
//! `std::println!` disappears: see [`print`].
//!
//! # Tests
//!
//! The module `testing` of native builds runs a guest in a test of its own crate, with fakes of the
//! services that the guest requires and with a manual clock.
//!
//! # Features
//!
//! - `std` (default): links std. The message of a panic reaches the host through std's panic hook.
//! - `allocator` (default): the global allocator, dlmalloc with free lists for small blocks.
//!   Exhausted memory leaves a message for the host.
//! - `panic-handler`: the panic handler of a guest without std.
//! - `rt`: `allocator` and `panic-handler`, the parts that a `no_std` guest needs.
//! - `getrandom`: a backend for the `getrandom` crate, built with
//!   `--cfg getrandom_backend="custom"`.
//!
//! A guest with a panic handler of its own calls [`turn::leave_panic_text`] there.
#![no_std]
#![deny(
    unsafe_code,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core
)]

pub extern crate alloc;
// Generated code names the SDK by its crate, also the code in `stdio`.
extern crate self as parigot_guest;
#[cfg(feature = "std")]
extern crate std;

mod answer;
mod at_exit;
mod call;
mod clock;
mod context;
#[doc(hidden)]
pub mod creation;
mod detached;
mod dynamic;
mod error;
mod error_number;
mod exit;
mod extras;
mod failure;
pub mod future;
pub mod job;
pub mod kv;
mod launch;
mod log;
mod metadata;
mod metadata_key;
mod method;
mod pending;
pub mod print;
mod program;
pub mod prost;
pub mod proto;
mod random;
mod ready;
mod retry;
mod runtime;
mod serve;
mod service;
mod service_info;
mod status;
pub mod stdio;
mod stream;
#[cfg(all(feature = "std", not(target_family = "wasm")))]
pub mod testing;
#[expect(unsafe_code, reason = "the host names a guest by its address")]
pub mod turn;

pub use futures_lite;
pub use parigot_abi::frame::Level;
pub use parigot_abi::manifest::Idempotency;
pub use parigot_abi::{Cause, Code, Fate, id};
pub use parigot_guest_macros::{program, service};
pub use prost_types;
pub use rand_chacha::rand_core;

pub use answer::HandlerError;
pub use at_exit::AT_EXIT_MAX;
pub use call::{Call, CallWithMetadata, Channel, Client};
pub use clock::{Instant, Sleep};
pub use context::Context;
pub use detached::{Detached, YieldNow};
pub use dynamic::{DynamicCall, DynamicCallWithMetadata, DynamicClient};
pub use error::{CallError, Error, LocateError, NotReady};
pub use error_number::ErrorNumber;
pub use exit::{Exit, ExitFuture};
pub use extras::Extras;
pub use failure::{ErrorEnum, Failure};
pub use launch::Launch;
pub use metadata::{Entries, Metadata};
pub use method::Method;
pub use random::Random;
pub use ready::Ready;
pub use retry::{Attempt, RetryPolicy, retry};
pub use runtime::definition::Definition;
pub use serve::{Incoming, Serve, Server};
pub use service::{Export, Exports};
pub use service_info::{Descriptors, MethodInfo, Requirement, Service};
pub use status::{ServiceError, Status};
pub use stream::client_stream::ClientStream;
pub use stream::closed::{Closed, TrySendError};
pub use stream::dynamic::{DynamicRequests, DynamicResponses};
pub use stream::request_sink::RequestSink;
pub use stream::requests::Requests;
pub use stream::response_stream::ResponseStream;
pub use stream::responses::Responses;
pub use stream::serve::{ServeBidiStream, ServeClientStream, ServeServerStream};

/// Version marker that generated code refers to. If it is missing, the versions of generator and
/// SDK are incompatible.
pub const ABI_V2: () = ();
