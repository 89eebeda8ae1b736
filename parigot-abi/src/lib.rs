//! What a parigot host and its guests say to each other, byte by byte.
//!
//! A guest is a state machine that imports nothing. The host writes a batch of frames into the guest's *inbox*, enters it
//! for one *turn*, and reads a batch of frames back from its *outbox*. This crate is the only place where that layout is
//! written down; the Go runtime follows the same text and passes the same test vectors (`tests/abi/`).
//!
//! | module | what it lays out |
//! |---|---|
//! | [`control`] | the control block: where inbox and outbox are, when to wake, what is being run |
//! | [`frame`] | the header that every message bears, and how frames follow each other |
//! | [`start`] | the payload of the first frame that a guest gets, and the prologue of every inbox |
//! | [`manifest`] | the payload of the first frame that a guest sends |
//! | [`status`] | how a call ends |
//! | [`id`] | 128-bit typed ids and their text form |
//!
//! All numbers are little-endian. A *string* is a `u32` count of bytes and then that many bytes of UTF-8, not padded.
//!
//! # Exports of a guest
//!
//! Addresses and sizes are `usize`: `i32` in wasm32, 64 bits in a native library.
//!
//! | export | meaning |
//! |---|---|
//! | `parigot_abi() -> u32` | the guest's [`Version`], packed; may be called before anything else |
//! | `parigot_open() -> usize` | makes a guest; the address of its control block, which is also its handle |
//! | `parigot_inbox(control: usize, bytes: usize)` | makes the inbox at least that big; called only when it must grow |
//! | `parigot_turn(control: usize, inbox_bytes: usize, max_polls: u32) -> u32` | one turn; see [`TURN_OK`] |
//! | `parigot_close(control: usize)` | frees the guest; native guests only |
//!
//! # Guests in Go
//!
//! They have the same exports, and `_initialize`, which comes before all others. Go's runtime imports functions of
//! `wasi_snapshot_preview1`, which the host serves or refuses. Two descriptors are open from the start, nonblocking: a read of
//! [`GO_IDLE_FD`] succeeds once no goroutine can run any more, which is when a turn shall end; the host then knows from the
//! runtime when its next timer is due, and the guest leaves `wake_at_ns` alone. A read of [`GO_PARKED_FD`] never ends; a goroutine
//! that is in one keeps the runtime from taking a guest that waits for its host for a deadlock.
#![no_std]

extern crate alloc;

pub mod control;
mod cursor;
pub mod frame;
pub mod id;
pub mod manifest;
pub mod start;
pub mod status;
mod version;

pub use control::Control;
pub use cursor::Malformed;
pub use frame::{Frame, FrameBuilder, Frames, Header, Kind, Outline};
pub use manifest::Manifest;
pub use start::{Prologue, Start};
pub use status::{Cause, Code, Detail, Fate};
pub use version::{VERSION, Version};

/// What `parigot_turn` returns after a turn that went well.
pub const TURN_OK: u32 = 0;
/// What `parigot_turn` returns when the inbox could not be read; the panic text says why.
pub const TURN_MALFORMED_INBOX: u32 = 1;

/// The descriptor that Go guests read at the end of a turn.
pub const GO_IDLE_FD: u32 = 3;
/// The descriptor that one goroutine of each Go guest reads for ever.
pub const GO_PARKED_FD: u32 = 4;

/// The largest message, in bytes of payload, that a host lets through unless it is told otherwise: 16 MiB.
pub const MESSAGE_BYTES_MAX: u32 = 16 << 20;
