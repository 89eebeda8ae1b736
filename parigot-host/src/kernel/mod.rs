//! Scheduling, calls and supervision.

mod call_chain;
pub(crate) mod call_table;
pub(crate) mod callees;
pub(crate) mod debugger;
mod ending;
mod expiry;
pub(crate) mod index;
pub(crate) mod init_turn;
pub(crate) mod instance;
pub(crate) mod lifecycle;
mod metadata;
pub(crate) mod observer;
pub(crate) mod proxy_waker;
mod queue;
pub(crate) mod restart;
mod restart_window;
pub(crate) mod router;
pub(crate) mod scheduler;
pub(crate) mod shutdown;
pub(crate) mod slot;
pub(crate) mod startup;
mod stream_router;
pub(crate) mod supervisor;
pub(crate) mod thread_names;
pub(crate) mod timer;
mod turn_clock;
