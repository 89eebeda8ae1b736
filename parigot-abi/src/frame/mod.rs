//! Frames: a header of 64 bytes, then metadata, detail and payload, padded with zeros to a multiple of 8.
//!
//! | offset | type | field |
//! |---:|---|---|
//! | 0 | u16 | `kind`: see [`Kind`] |
//! | 2 | u16 | `flags`: see [`flags`]; a flag that is not known is refused |
//! | 4 | u32 | `frame_bytes`: the whole frame with header and padding, so that an unknown kind can be skipped |
//! | 8 | u64 | `number`: which call; see below |
//! | 16 | u32 | `service`: a handle in calls that leave, the place among the manifest's exports in calls that arrive |
//! | 20 | u32 | `method`: the method's place in the service, as the *receiver of the header* counts |
//! | 24 | u32 | `status`: code, error number, level or exit status; see [`Kind`] |
//! | 28 | u32 | `metadata_bytes` |
//! | 32 | u32 | `detail_bytes` |
//! | 36 | u32 | `payload_bytes` |
//! | 40 | u64 | `deadline_ns` on the guest's monotonic clock, or [`NO_DEADLINE`] |
//! | 48 | u64 | `id_high` |
//! | 56 | u64 | `id_low`: with `id_high` an id in its wire form; empty (0, 0) where none is set |
//! | 64 | | metadata: strings, a key and a value each time |
//! | | | detail: see [`crate::status::Detail`] |
//! | | | payload |
//! | | | padding: zeros, to the next multiple of 8 |
//!
//! A call that leaves is numbered by the guest that makes it, a call that arrives is numbered by the host: two spaces, in
//! each of which a number is used once. Every call that arrives is answered by exactly one [`Kind::Reply`] with its number,
//! also after a [`Kind::Cancel`]. Every call that leaves gets one reply, or none once the guest has cancelled it; a reply
//! that was on its way by then still comes, and is to be ignored.

mod header;
mod kind;
mod read;
mod write;

pub use header::{FRAME_ALIGN, HEADER_BYTES, Header, LAUNCH_NUMBER, NO_DEADLINE};
pub use kind::{Kind, Level, flags};
pub use read::{Frame, Frames, Pairs};
pub use write::{FrameBuilder, Outline, TooLong, push_pair};
