//! The binary interface between a parigot host and its guests, byte by byte.
//!
//! A guest is a state machine without imports. The host writes a batch of frames into the guest's
//! *inbox*, enters the guest for one *turn*, and reads a batch of frames from the guest's
//! *outbox*. This crate is the only specification of that layout. The Go SDK follows the same text
//! and passes the same test vectors (`tests/abi/`).
//!
//! | module | layout |
//! |---|---|
//! | [`control`] | the control block: addresses of the boxes, wake time, running call |
//! | [`frame`] | the header of every message, and the sequence of frames |
//! | [`start`] | the payload of a guest's first incoming frame, and the prologue of every inbox |
//! | [`manifest`] | the payload of a guest's first outgoing frame |
//! | [`stream`] | items of a call, and credit |
//! | [`status`] | the end of a call |
//! | [`id`] | 128-bit typed ids and their text form |
//!
//! All numbers are little-endian. A *string* is a `u32` count of bytes and then that many bytes of
//! UTF-8, without padding. *Bytes* are a `u32` count and then that many bytes.
//!
//! # Compatibility
//!
//! A host runs guests of the same major version and of the same or an older minor version: see
//! [`Version::runs`]. So a minor version may only add parts that an older guest need not know, and
//! each part has a rule for readers:
//!
//! | part | a reader that does not know it |
//! |---|---|
//! | kind of a frame, in a guest | skips the frame by its length |
//! | kind of a frame, in a host | ends the guest |
//! | flag of a frame | rejects the frame as malformed |
//! | setting of a [`Start`] | skips the entry |
//! | flag of a method in the [`Manifest`] | ignores the bit |
//! | [`Code`] | reads [`Code::Unknown`] |
//! | [`Cause`] | reads [`Cause::Unspecified`], whose fate is unknown |
//! | reserved bytes of the [`control`] block | ignores the bytes; the writer leaves zeros |
//!
//! # Exports of a guest
//!
//! Addresses and sizes are `usize`: `i32` in wasm32, 64 bits in a native library.
//!
//! | export | meaning |
//! |---|---|
//! | `parigot_abi() -> u32` | the guest's [`Version`], packed; may be called before all others |
//! | `parigot_open() -> usize` | creates a guest; returns the address of its control block |
//! | `parigot_inbox(control: usize, bytes: usize)` | grows the inbox to at least that size |
//! | `parigot_turn(control: usize, inbox_bytes: usize, max_polls: u32) -> u32` | runs one turn |
//! | `parigot_close(control: usize)` | frees the guest; native guests only |
//!
//! The address of the control block is also the handle of the guest. The host calls `parigot_inbox`
//! only if the inbox must grow. `parigot_turn` returns [`TURN_OK`] or [`TURN_MALFORMED_INBOX`].
//!
//! # Guests in Go
//!
//! A guest in Go has the same exports, and `_initialize`, which the host calls before all others.
//! Go's runtime imports functions of `wasi_snapshot_preview1`, which the host serves or refuses.
//! Two nonblocking descriptors are open from the start:
//!
//! - A read of [`GO_IDLE_FD`] succeeds when no goroutine can run any more, which is the end of a
//!   turn. The host then knows from the runtime when the next timer is due, so the guest does not
//!   set `wake_at_ns`.
//! - A read of [`GO_PARKED_FD`] never ends. A goroutine in such a read keeps the runtime from
//!   reporting a deadlock while the guest waits for its host.
//!
//! A third descriptor takes the log lines of a guest that has not sent its manifest, which is its
//! first frame: each write to [`GO_LOG_FD`] is one frame of the kind [`Kind::Log`]. The host reads
//! such lines also if the guest ends before its first turn does.
#![no_std]

extern crate alloc;

pub mod control;
mod cursor;
pub mod frame;
pub mod id;
pub mod manifest;
pub mod start;
pub mod status;
pub mod stream;
mod version;

pub use control::Control;
pub use cursor::Malformed;
pub use frame::{Frame, FrameBuilder, Frames, Header, Kind, Outline};
pub use manifest::Manifest;
pub use start::{Prologue, Start};
pub use status::{Cause, Code, Detail, ErrorDetail, Fate};
pub use stream::{Credit, StreamContent, StreamFrame};
pub use version::{VERSION, Version};

/// The result of `parigot_turn` after a successful turn.
pub const TURN_OK: u32 = 0;
/// The result of `parigot_turn` if the inbox was malformed; the panic text is the reason.
pub const TURN_MALFORMED_INBOX: u32 = 1;

/// The descriptor that Go guests read at the end of a turn.
pub const GO_IDLE_FD: u32 = 3;
/// The descriptor of a read that never ends, in one goroutine of each Go guest.
pub const GO_PARKED_FD: u32 = 4;
/// The descriptor to which Go guests write log lines before their manifest.
pub const GO_LOG_FD: u32 = 5;

/// Default limit on metadata, detail and payload of a message together, in bytes: 16 MiB.
pub const MESSAGE_BYTES_MAX: u32 = 16 << 20;
