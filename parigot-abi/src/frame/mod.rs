//! Frames: a header of 64 bytes, then metadata, detail and payload, padded with zeros to a
//! multiple of 8 bytes.
//!
//! | offset | type | field |
//! |---:|---|---|
//! | 0 | u16 | `kind`: see [`Kind`] |
//! | 2 | u16 | `flags`: see [`flags`]; a reader rejects unknown flags |
//! | 4 | u32 | `frame_bytes`: size of the whole frame, so that a reader can skip unknown kinds |
//! | 8 | u64 | `number`: number of the call; see below |
//! | 16 | u32 | `service`: outgoing calls: a handle; incoming calls: index among the exports |
//! | 20 | u32 | `method`: index of the method in the service, as the *receiver* counts |
//! | 24 | u32 | `status`: code, error number, level or exit status; see [`Kind`] |
//! | 28 | u32 | `metadata_bytes` |
//! | 32 | u32 | `detail_bytes` |
//! | 36 | u32 | `payload_bytes` |
//! | 40 | u64 | `deadline_ns` on the guest's monotonic clock, or [`NO_DEADLINE`] |
//! | 48 | u64 | `id_high` |
//! | 56 | u64 | `id_low`: with `id_high` an id in wire form, (0, 0) if unset; see [`Kind::Call`] |
//! | 64 | | metadata: strings, alternately a key and its value |
//! | | | detail: see [`crate::status::Detail`] |
//! | | | payload |
//! | | | padding: zeros, to the next multiple of 8 |
//!
//! `frame_bytes` includes the header and the padding. The index of an export is its index in the
//! manifest.
//!
//! # Fields by kind
//!
//! Fields that a kind does not use are 0, and `deadline_ns` is [`NO_DEADLINE`]. "In" is from the
//! host to the guest, "out" from the guest to the host. The last column has the parts that may be
//! longer than 0: M metadata, D detail, P payload. [`Kind`] and [`flags`] explain the meaning.
//!
//! | no. | kind | direction | flags | fields | parts |
//! |---:|---|---|---|---|---|
//! | 1 | `Start` | in | `DESCRIPTORS` | id of the instance | M P |
//! | 2 | `Launched` | in | | | M P |
//! | 3 | `Call` | in | `DEFAULT_DEADLINE` | number, service, method, deadline, id | M P |
//! | 3 | `Call` | out | | number, service, method, deadline, `id_low` | M P |
//! | 4 | `Reply` | in | `SERVICE_ERROR` | number, status, id of the call | M D P |
//! | 4 | `Reply` | out | `SERVICE_ERROR` | number, status | M D P |
//! | 5 | `Cancel` | in, out | | number | |
//! | 6 | `Stop` | in | | deadline | |
//! | 7 | `Manifest` | out | | | P |
//! | 8 | `Launch` | out | | | |
//! | 9 | `Log` | out | | number, status | M P |
//! | 10 | `Exit` | out | | status | P |
//! | 11 | `Item` | in, out | `TO_CALLEE` | number | P |
//! | 12 | `Credit` | in, out | `TO_CALLEE` | number | P of 16 bytes |
//! | 13 | `End` | in, out | `TO_CALLEE`, always | number | |
//! | 14 | `Open` | in | | number, id of the call | M |
//! | 14 | `Open` | out | | number | M |
//!
//! A response has a payload and no detail, a failure has a detail and no payload. The detail of a
//! service error may be absent. The host limits the parts of a call, of an open, of an item and of
//! a reply together, to the number in [`Start`](crate::Start).
//!
//! # Call numbers
//!
//! The guest numbers its outgoing calls, and the host numbers the guest's incoming calls. The two
//! number spaces are separate, and each number is used once. Number 0 is not used for calls.
//!
//! A frame of a call carries its number in the receiver's or the sender's number space, depending
//! on the direction: a [`Kind::Call`] or [`Kind::Cancel`] travels to the callee, a [`Kind::Open`]
//! or [`Kind::Reply`] to the caller, and the other kinds name their direction by
//! [`flags::TO_CALLEE`]. So a guest that receives a frame to the callee serves the call, and a
//! guest that receives a frame to the caller has made it.
//!
//! The host uses two number spaces for incoming calls: numbers below 2^63, and numbers from 2^63.
//! Within each, later calls have higher numbers. See [`Control`](crate::control) for their use.
//!
//! - A guest answers every incoming call with exactly one [`Kind::Reply`] of the same number, even
//!   after a [`Kind::Cancel`]. One [`Kind::Open`] of that number may precede the reply. The host
//!   ends a guest that sends a second one, or one of a number that is not being served.
//! - The host answers every outgoing call with one reply, or with none after the guest has
//!   cancelled the call. A reply already in transit at that time still arrives, and the guest
//!   ignores it.
//!
//! # Metadata
//!
//! Keys and values are UTF-8. A key may occur several times; its values are in order. A key that
//! ends with `-bin` has values in base64 (RFC 4648, section 4), with or without padding. Only the
//! host sets keys that begin with `parigot-` (see [`is_reserved_key`]): it removes such entries
//! from frames of guests.

mod header;
mod kind;
mod read;
mod write;

pub use header::{FRAME_ALIGN, HEADER_BYTES, Header, LAUNCH_NUMBER, NO_DEADLINE};
pub use kind::{Kind, Level, flags};
pub use read::{Frame, Frames, Pairs};
pub use write::{FrameBuilder, Outline, TooLong, is_reserved_key, push_pair};
