//! Test host: a deployment inside `cargo test` with a frozen clock, fakes and injected faults.
//!
//! ```no_run
//! # use parigot_host::testing::{Fake, TestHost};
//! # use parigot_host::deployment::GuestSpec;
//! # use std::time::Duration;
//! # fn test<Take: parigot_guest::Method, Order: parigot_guest::Method>(order: Order::Request) {
//! let pantry = Fake::new("pantry");
//! pantry.on::<Take>(|request| Ok(Take::Response::default()));
//! let mut run = TestHost::new()
//!     .guest(GuestSpec::service("kitchen", "build/kitchen.wasm"))
//!     .fake(&pantry)
//!     .start();
//! let ordered = run.call::<Order>(order);
//! assert!(ordered.is_ok());
//! run.advance(Duration::from_secs(60));
//! # }
//! ```
//!
//! | type | use |
//! |---|---|
//! | [`TestHost`] | choose the guests and settings of the deployment |
//! | [`TestRun`] | run the deployment: call services, advance the clock, crash guests |
//! | [`PendingStream`] | calls of methods that stream |
//! | [`Fake`], [`Answer`] | replace a service by closures |
//! | [`FakeKv`] | replace a key-value store |
//! | [`FakeStdio`] | give input to programs, and check their output |
//! | [`Fault`] | lose or delay calls and replies, crash services |
//! | [`Frame`] | inspect the frames between guests and host |
//!
//! # Determinism
//!
//! A run depends only on its guests and its seed. The clock stands still until the test advances
//! it, and all random numbers come from the seed. So each run of a test is the same, frame by
//! frame.
//!
//! Budgets are the exception, because they count CPU time. A guest that exceeds its budget is asked
//! to yield, and is killed when it has used a second budget. With a `budget` of 5 ms, a kill takes
//! 10 ms.
//!
//! [`TestHost::interleavings`] runs a test once for each of many seeds. The seed then decides which
//! guest runs next, whether a due timer fires first, and how much of its work a guest does before
//! it yields.

mod builder;
mod caller;
mod clock;
mod fake;
mod fault;
mod frame;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzed;
mod intercepted;
mod interceptor;
mod interleavings;
mod module_cache;
mod native;
mod panic_text;
mod record;
mod run;
mod start;
mod stepper;
mod stream;

pub use parigot_abi::Kind;
pub use parigot_guest::testing::{Answer, Fake, FakeKv, FakeStdio};

pub use self::builder::TestHost;
pub use self::caller::{PendingCall, PendingStream};
pub use self::fault::Fault;
pub use self::frame::{Effect, Frame};
pub use self::run::TestRun;
