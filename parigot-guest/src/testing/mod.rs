//! Tests of a guest in its own crate: natively, in the process of `cargo test`, without a host.
//!
//! | type | use |
//! |---|---|
//! | [`TestGuest`] | choose the guest, its fakes, arguments and environment |
//! | [`GuestRun`] | call the guest, run code with its context, advance the clock, read its log |
//! | [`TestCall`], [`PendingCall`] | calls with metadata and a deadline, and their outcomes |
//! | [`PendingStream`] | calls of methods that stream |
//! | [`Fake`], [`Answer`] | replace the services that the guest requires by closures |
//! | [`FakeStdio`] | give input to a program, and check its output |
//!
//! The guest runs on the executor of this crate, and the test plays its host: time stands still
//! until the test advances it, and random numbers come from a seed. So each run of a test is the
//! same. There are no limits on time, memory or calls. To run several guests together, as wasm and
//! with limits, use `TestHost` of the crate `parigot-host`, which takes the same fakes.
//!
//! The module exists in native builds with the feature `std`, and never in a wasm guest.

mod answer;
mod call;
mod call_stream;
mod fake;
mod fake_stream;
mod guest;
mod host;
mod kv;
mod reply;
mod run;
mod stdio;
mod stream;
mod target;

pub use answer::{Answer, FakeOutcome, FakeReply};
pub use call::{CallReply, PendingCall, TestCall};
pub use call_stream::CallStream;
pub use fake::Fake;
pub use fake_stream::FakeStream;
pub use guest::TestGuest;
pub use kv::FakeKv;
pub use run::GuestRun;
pub use stdio::FakeStdio;
pub use stream::PendingStream;
