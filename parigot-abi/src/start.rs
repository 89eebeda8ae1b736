//! What a guest is told: the prologue of every inbox, and the payload of its first frame.
//!
//! An inbox begins with a [`Prologue`] of 16 bytes; frames follow.
//!
//! | offset | type | field |
//! |---:|---|---|
//! | 0 | u64 | `monotonic_ns`: never goes back; its zero is the guest's start |
//! | 8 | u64 | `wall_ns` since 1970-01-01 00:00 UTC |
//!
//! A [`Start`] frame bears the instance's id in its header, the environment as its metadata, and this payload:
//!
//! | type | field |
//! |---|---|
//! | u32 | the host's [`Version`], packed |
//! | u32 | the largest payload, in bytes, that the host lets through |
//! | 32 bytes | the seed of the guest's randomness |
//! | strings | the arguments, to the end of the payload |

use alloc::vec::Vec;

use crate::cursor::{Cursor, Malformed, push_bytes};
use crate::frame::{Frame, FrameBuilder, Header, Kind};
use crate::version::Version;

/// Size of a [`Prologue`], in bytes.
pub const PROLOGUE_BYTES: usize = 16;

/// The time during a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prologue {
    /// Since the guest's start; never goes back.
    pub monotonic_ns: u64,
    /// Since 1970-01-01 00:00 UTC.
    pub wall_ns: u64,
}

impl Prologue {
    /// Splits an inbox into its prologue and its frames.
    ///
    /// # Errors
    ///
    /// If the inbox is shorter than a prologue.
    pub fn split(inbox: &[u8]) -> Result<(Prologue, &[u8]), Malformed> {
        let mut cursor = Cursor::new(inbox);
        let monotonic_ns = cursor.u64("a prologue of 16 bytes")?;
        let wall_ns = cursor.u64("a prologue of 16 bytes")?;
        Ok((
            Prologue {
                monotonic_ns,
                wall_ns,
            },
            &inbox[PROLOGUE_BYTES..],
        ))
    }

    /// Its bytes.
    #[inline]
    pub fn to_bytes(self) -> [u8; PROLOGUE_BYTES] {
        let mut bytes = [0; PROLOGUE_BYTES];
        bytes[..8].copy_from_slice(&self.monotonic_ns.to_le_bytes());
        bytes[8..].copy_from_slice(&self.wall_ns.to_le_bytes());
        bytes
    }
}

/// What a guest is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start<'a> {
    /// The host's version of the ABI.
    pub host: Version,
    /// The largest payload, in bytes, that the host lets through.
    pub message_bytes_max: u32,
    /// The seed of the guest's randomness.
    pub seed: [u8; 32],
    /// The id of the instance, in its wire form.
    pub instance: (u64, u64),
    /// Whether the manifest shall bear descriptors.
    pub descriptors: bool,
    /// Arguments.
    pub args: Vec<&'a str>,
    /// Environment, in the host's order.
    pub env: Vec<(&'a str, &'a str)>,
}

impl<'a> Start<'a> {
    /// Reads it out of its frame.
    ///
    /// # Errors
    ///
    /// If the payload or the metadata is not as laid out above; the offset counts from the start of the frame.
    pub fn read(frame: &Frame<'a>) -> Result<Self, Malformed> {
        let mut cursor = Cursor::within(frame.payload, frame.payload_offset());
        let host = Version::from_packed(cursor.u32("the host's version")?);
        let message_bytes_max = cursor.u32("the largest payload")?;
        let seed = cursor.array("a seed of 32 bytes")?;
        let mut args = Vec::new();
        while !cursor.is_at_end() {
            args.push(cursor.string("an argument")?);
        }
        Ok(Start {
            host,
            message_bytes_max,
            seed,
            instance: frame.header.id,
            descriptors: frame.header.flags & crate::frame::flags::DESCRIPTORS != 0,
            args,
            env: frame.metadata_pairs().collect::<Result<_, _>>()?,
        })
    }

    /// Appends its frame to `out`.
    ///
    /// # Errors
    ///
    /// If arguments and environment make a frame of 4 GiB or more.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), crate::frame::TooLong> {
        let flags = if self.descriptors {
            crate::frame::flags::DESCRIPTORS
        } else {
            0
        };
        let header = Header {
            flags,
            id: self.instance,
            ..Header::new(Kind::Start)
        };
        let mut frame = FrameBuilder::new(out, header);
        for (key, value) in &self.env {
            frame = frame.metadata(key, value);
        }
        frame
            .payload(&self.host.packed().to_le_bytes())
            .payload(&self.message_bytes_max.to_le_bytes())
            .payload(&self.seed)
            .payload_with(|out| {
                self.args
                    .iter()
                    .for_each(|arg| push_bytes(out, arg.as_bytes()))
            })
            .finish()
    }
}
