//! The state of streams: items that have arrived, and credit in both directions.
//!
//! | module | responsibility |
//! |---|---|
//! | `item_queue` | items that wait to be taken, and the credit of their sender |
//! | `send_credit` | credit for the items that this guest sends |
//! | `table` | the streams of a guest, by call |
//! | `take` | frames of streams that arrive |
//! | `waiter_slot` | place for the task that waits for one half of a stream |
//!
//! Streams have tables of their own, beside those of calls, so that calls of other methods cost the
//! same with and without them.

mod item_queue;
mod send_credit;
pub(crate) mod table;
mod take;
mod waiter_slot;
