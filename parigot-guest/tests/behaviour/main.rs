//! Behaviour of a guest as the host sees it: each test writes inboxes and compares the trace of
//! frames in the outbox, which is the contract.

mod binding;
mod call;
mod cancel;
mod context;
mod deadline;
mod exit;
mod failure;
mod fast_path;
mod future;
#[path = "../../../tests/golden/streams/rust/mod.rs"]
mod generated;
#[expect(unreachable_pub, reason = "written like the generator's output")]
mod greeting;
mod handlers;
mod harness;
mod job;
mod kv;
mod launch;
mod log;
mod metadata;
mod retry;
mod serve;
mod stream;
mod testing;
mod time;
mod trace_context;
mod turn;

use generated::streams as feed;
