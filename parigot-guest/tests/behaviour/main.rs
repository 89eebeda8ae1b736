//! What a guest does, seen from the host: inboxes go in, and the trace of frames that come out is the contract.

mod call;
mod cancel;
mod context;
mod deadline;
mod exit;
mod fast_path;
mod future;
#[expect(unreachable_pub, reason = "as the generator would write it")]
mod greeting;
mod handlers;
mod harness;
mod job;
mod launch;

mod log;
mod serve;
mod time;
mod trace_context;
mod turn;
