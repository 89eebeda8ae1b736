//! The prologue of every inbox, and the payload of a guest's first incoming frame.
//!
//! An inbox is a [`Prologue`] of 16 bytes, followed by frames.
//!
//! | offset | type | field |
//! |---:|---|---|
//! | 0 | u64 | `monotonic_ns` since the guest's start; never decreases |
//! | 8 | u64 | `wall_ns` since 1970-01-01 00:00 UTC |
//!
//! A [`Start`] frame has the instance's id in its header, the environment as its metadata, and this
//! payload:
//!
//! | type | field |
//! |---|---|
//! | u32 | the host's [`Version`], packed |
//! | u32 | limit on a message: metadata, detail and payload together, in bytes |
//! | 32 bytes | seed of the guest's random numbers |
//! | u32 | number of settings |
//! | settings | u16: key; bytes: value |
//! | strings | the arguments, to the end of the payload |
//!
//! A guest skips settings with keys that it does not know. This version assigns no key: the list
//! lets later hosts add settings without a change of the layout.

use alloc::vec::Vec;

use crate::cursor::{Cursor, Malformed, push_bytes};
use crate::frame::{Frame, FrameBuilder, Header, Kind};
use crate::version::Version;

/// Size of a [`Prologue`], in bytes.
pub const PROLOGUE_BYTES: usize = 16;

/// The time of a turn. The clock does not advance during a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prologue {
    /// Nanoseconds since the guest's start; never decreases.
    pub monotonic_ns: u64,
    /// Nanoseconds since 1970-01-01 00:00 UTC.
    pub wall_ns: u64,
}

impl Prologue {
    /// Splits an inbox into its prologue and its frames.
    ///
    /// # Errors
    ///
    /// Returns [`Malformed`] if the inbox is shorter than a prologue.
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

    /// Returns the wire form.
    ///
    /// ```
    /// use parigot_abi::Prologue;
    ///
    /// let prologue = Prologue { monotonic_ns: 1, wall_ns: 2 };
    /// let inbox = prologue.to_bytes();
    /// assert_eq!(Prologue::split(&inbox), Ok((prologue, &[][..])));
    /// ```
    #[inline]
    pub fn to_bytes(self) -> [u8; PROLOGUE_BYTES] {
        let mut bytes = [0; PROLOGUE_BYTES];
        bytes[..8].copy_from_slice(&self.monotonic_ns.to_le_bytes());
        bytes[8..].copy_from_slice(&self.wall_ns.to_le_bytes());
        bytes
    }
}

/// The parameters of a guest's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start<'a> {
    /// The host's version of the ABI.
    pub host: Version,
    /// Limit on metadata, detail and payload of a message together, in bytes.
    pub message_bytes_max: u32,
    /// Seed of the guest's random numbers.
    pub seed: [u8; 32],
    /// Id of the instance, in its wire form.
    pub instance: (u64, u64),
    /// True if the manifest must include descriptors.
    pub descriptors: bool,
    /// Settings: keys and values. Keys unknown to this version are kept.
    pub settings: Vec<(u16, &'a [u8])>,
    /// Arguments.
    pub args: Vec<&'a str>,
    /// Environment, in the host's order.
    pub env: Vec<(&'a str, &'a str)>,
}

impl<'a> Start<'a> {
    /// Reads the parameters from their frame.
    ///
    /// # Errors
    ///
    /// Returns [`Malformed`] if the payload or the metadata does not match the layout. The offset
    /// counts from the start of the frame.
    pub fn read(frame: &Frame<'a>) -> Result<Self, Malformed> {
        let mut cursor = Cursor::within(frame.payload, frame.payload_offset());
        let host = Version::from_packed(cursor.u32("the host's version")?);
        let message_bytes_max = cursor.u32("the largest payload")?;
        let seed = cursor.array("a seed of 32 bytes")?;
        let mut settings = Vec::new();
        // The vector grows with the settings in the payload, not with the announced count.
        for _ in 0..cursor.u32("how many settings there are")? {
            let key = cursor.u16("a setting's key")?;
            settings.push((key, cursor.bytes("a setting's value")?));
        }
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
            settings,
            args,
            env: frame.metadata_pairs().collect::<Result<_, _>>()?,
        })
    }

    /// Appends the start frame to `out`.
    ///
    /// # Errors
    ///
    /// Returns [`TooLong`](crate::frame::TooLong) if the frame would be 4 GiB or longer.
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
                let count = u32::try_from(self.settings.len())
                    .expect("a start must have fewer than 2^32 settings");
                out.extend_from_slice(&count.to_le_bytes());
                for (key, value) in &self.settings {
                    out.extend_from_slice(&key.to_le_bytes());
                    push_bytes(out, value);
                }
                self.args
                    .iter()
                    .for_each(|arg| push_bytes(out, arg.as_bytes()))
            })
            .finish()
    }
}
