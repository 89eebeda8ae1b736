//! The host's log: one stream of `tracing` events for the guests' lines and the host's own.

pub(crate) mod attributes;
pub(crate) mod dispatch;
pub(crate) mod events;
pub(crate) mod guest_log;
pub(crate) mod rate_limit;
pub(crate) mod trace_id;
