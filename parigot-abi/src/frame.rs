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

use alloc::vec::Vec;

use crate::cursor::{Cursor, Malformed, push_bytes};
use crate::status::Detail;

/// Size of a header, in bytes.
pub const HEADER_BYTES: usize = 64;
/// Frames start and end at multiples of this.
pub const FRAME_ALIGN: usize = 8;
/// `deadline_ns` of a call that sets none.
pub const NO_DEADLINE: u64 = u64::MAX;
/// The number under which a guest answers [`Kind::Launched`]; calls that arrive are numbered from 1.
pub const LAUNCH_NUMBER: u64 = 0;

/// The flags of a frame.
pub mod flags {
    /// On a reply: `status` is a number of the service's error enum (an `i32`), not a code.
    pub const SERVICE_ERROR: u16 = 1;
    /// On a start: the manifest shall bear descriptors.
    pub const DESCRIPTORS: u16 = 1 << 1;
    /// All that this version knows.
    pub const KNOWN: u16 = SERVICE_ERROR | DESCRIPTORS;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// What a frame is. "In" is from the host to the guest, "out" the other way.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Kind { $($(#[$doc])* $name = $number,)* }

        impl Kind {
            /// The kind of that number.
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Kind::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// In, the first frame of all: see [`crate::Start`].
    Start = 1;
    /// In: all that the guest requires is ready. The payload is a `u32` handle for each required service, in the manifest's
    /// order. For each service that it requires [by name](crate::manifest::Service::is_by_name) the metadata has the names of the methods: the
    /// service's name is the key, a method's the value, in the order in which calls name them. The guest answers with a reply to [`LAUNCH_NUMBER`] once it can serve calls itself.
    Launched = 2;
    /// In and out: an rpc. `service`, `method`, `deadline_ns` and metadata say which and how, the payload is the request.
    /// The host sets the call's id; a guest leaves it empty.
    Call = 3;
    /// In and out: the end of a call. `status` is a code, 0 for an answer whose payload is the response; or see
    /// [`flags::SERVICE_ERROR`]. The host sets the call's id.
    Reply = 4;
    /// In and out: nobody waits for that call any more.
    Cancel = 5;
    /// In: leave by `deadline_ns`.
    Stop = 6;
    /// Out, the guest's first frame: see [`crate::Manifest`].
    Manifest = 7;
    /// Out: the guest waits for [`Kind::Launched`]. A host that knows that this will never be may send a [`Kind::Reply`] to
    /// [`LAUNCH_NUMBER`] with a failure instead.
    Launch = 8;
    /// Out: a line for the log. `status` is a [`Level`], `number` the inbound call that it is about or
    /// [`crate::control::NO_CALL`], metadata its fields, the payload its text.
    Log = 9;
    /// Out, the guest's last frame: it leaves. `status` is its exit status, 0 to 255; the payload says why, for the log.
    Exit = 10;
    /// Reserved for streams: one message of the call `number`.
    Item = 11;
    /// Reserved for streams: the other side may send `status` more items.
    Credit = 12;
    /// Reserved for streams: no more items come; otherwise as [`Kind::Reply`].
    End = 13;
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something may fail.
    Warn = 2,
    /// What people want to know.
    Info = 3,
    /// What developers want to know.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

impl Level {
    /// The level of that number.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Level::Error),
            2 => Some(Level::Warn),
            3 => Some(Level::Info),
            4 => Some(Level::Debug),
            5 => Some(Level::Trace),
            _ => None,
        }
    }
}

/// What a header says besides lengths. Fields that a kind does not use are 0, the deadline [`NO_DEADLINE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The kind's number; [`Kind::from_number`] tells if this version knows it.
    pub kind: u16,
    /// See [`flags`].
    pub flags: u16,
    /// Which call.
    pub number: u64,
    /// Which service.
    pub service: u32,
    /// Which of its methods.
    pub method: u32,
    /// Code, error number, level or exit status.
    pub status: u32,
    /// On the guest's monotonic clock.
    pub deadline_ns: u64,
    /// The high and the low half of an id.
    pub id: (u64, u64),
}

impl Header {
    /// A header of that kind, everything else unset.
    pub const fn new(kind: Kind) -> Self {
        Header {
            kind: kind as u16,
            flags: 0,
            number: 0,
            service: 0,
            method: 0,
            status: 0,
            deadline_ns: NO_DEADLINE,
            id: (0, 0),
        }
    }

    /// The header in words of 8 bytes. Fields are put together before they are stored, since a processor that copies a word
    /// which was stored in parts waits for each of them.
    #[inline]
    fn to_words(self, lengths: &Lengths) -> [u64; HEADER_BYTES / 8] {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        [
            pair(
                u32::from(self.kind) | u32::from(self.flags) << 16,
                lengths.frame,
            ),
            self.number,
            pair(self.service, self.method),
            pair(self.status, lengths.metadata),
            pair(lengths.detail, lengths.payload),
            self.deadline_ns,
            self.id.0,
            self.id.1,
        ]
    }

    /// Writes the header of a frame that begins where `frame` does.
    #[inline(always)]
    fn write(self, lengths: &Lengths, frame: &mut [u8]) {
        let head = frame
            .first_chunk_mut::<HEADER_BYTES>()
            .expect("a frame has room for its header");
        let (words, _) = head.as_chunks_mut::<8>();
        for (bytes, word) in words.iter_mut().zip(self.to_words(lengths)) {
            *bytes = word.to_le_bytes();
        }
    }
}

struct Lengths {
    frame: u32,
    metadata: u32,
    detail: u32,
    payload: u32,
}

/// A frame in the bytes that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The fixed part.
    pub header: Header,
    /// Keys and values: see [`Frame::metadata_pairs`].
    pub metadata: &'a [u8],
    /// See [`Detail`].
    pub detail: &'a [u8],
    /// The message.
    pub payload: &'a [u8],
    /// All of it, from the header to the padding.
    pub bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Appends the same frame under another header. What stands behind the header is copied in one piece.
    #[inline]
    pub fn pass_on(&self, header: Header, out: &mut Vec<u8>) {
        let [metadata, detail, payload] =
            [self.metadata, self.detail, self.payload].map(|part| part.len() as u32);
        let lengths = Lengths {
            frame: self.bytes.len() as u32,
            metadata,
            detail,
            payload,
        };
        let start = out.len();
        out.extend_from_slice(self.bytes);
        header.write(&lengths, &mut out[start..]);
    }

    /// What it is, if this version knows it.
    #[inline]
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.header.kind)
    }

    /// The keys and values. After an error there is nothing more; offsets count from the start of the frame.
    pub fn metadata_pairs(&self) -> Pairs<'a> {
        Pairs::new(self.metadata)
    }

    /// What stands behind the header, in bytes, without padding: what a limit on messages counts.
    #[inline]
    pub fn content_bytes(&self) -> usize {
        self.metadata.len() + self.detail.len() + self.payload.len()
    }

    /// Where the payload begins, in bytes from the start of the frame.
    pub(crate) fn payload_offset(&self) -> usize {
        HEADER_BYTES + self.metadata.len() + self.detail.len()
    }
}

/// The keys and values of a frame's metadata.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    cursor: Cursor<'a>,
    failed: bool,
}

impl<'a> Pairs<'a> {
    /// Those of metadata in its wire form.
    pub fn new(metadata: &'a [u8]) -> Self {
        Pairs {
            cursor: Cursor::within(metadata, HEADER_BYTES),
            failed: false,
        }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<(&'a str, &'a str), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.cursor.is_at_end() {
            return None;
        }
        let key = self.cursor.string("a metadata key");
        let pair = key.and_then(|key| Ok((key, self.cursor.string("a metadata value")?)));
        self.failed = pair.is_err();
        Some(pair)
    }
}

/// Appends a key and its value to metadata in its wire form.
///
/// # Panics
///
/// If one of them is 4 GiB or longer.
pub fn push_pair(metadata: &mut Vec<u8>, key: &str, value: &str) {
    push_bytes(metadata, key.as_bytes());
    push_bytes(metadata, value.as_bytes());
}

/// The frames of an inbox or outbox, one after the other. Nothing is copied; after an error there is nothing more.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    /// The frames that `bytes` consists of.
    pub fn new(bytes: &'a [u8]) -> Self {
        Frames { bytes, at: 0 }
    }

    /// Where the next frame begins, in bytes.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Always inlined: a frame is a dozen fields of which a reader needs a few, and none by way of memory.
    #[inline(always)]
    fn read(&mut self) -> Result<Frame<'a>, Malformed> {
        let malformed = |field: usize, expected| Malformed {
            offset: self.at + field,
            expected,
        };
        let rest = &self.bytes[self.at..];
        let head = rest
            .first_chunk::<HEADER_BYTES>()
            .ok_or(malformed(0, "a header of 64 bytes"))?;
        let word = |at: usize| u32::from_le_bytes(field(head, at));
        let long = |at: usize| u64::from_le_bytes(field(head, at));

        let flags = u16::from_le_bytes(field(head, 2));
        if flags & !flags::KNOWN != 0 {
            return Err(malformed(2, "flags of this version"));
        }
        let frame_bytes = word(4) as usize;
        if frame_bytes > rest.len() {
            return Err(malformed(4, "a frame that ends where the bytes end"));
        }
        let (metadata, detail, payload) = (word(28) as u64, word(32) as u64, word(36) as u64);
        let content = HEADER_BYTES as u64 + metadata + detail + payload;
        if padded(content) != frame_bytes as u64 {
            return Err(malformed(4, "the sum of the frame's parts, padded to 8"));
        }
        // The sum is no larger than `rest`, so each part is a usize and lies inside.
        let bytes = &rest[..frame_bytes];
        let (metadata, rest) = bytes[HEADER_BYTES..].split_at(metadata as usize);
        let (detail, rest) = rest.split_at(detail as usize);
        let payload = &rest[..payload as usize];
        // The padding is the end of the last word, which is one load and no loop.
        let last = u64::from_le_bytes(*bytes.last_chunk().expect("a header is longer"));
        if last.leading_zeros() < 8 * (frame_bytes as u32 - content as u32) {
            return Err(malformed(content as usize, "zeros up to the frame's end"));
        }
        let header = Header {
            kind: u16::from_le_bytes(field(head, 0)),
            flags,
            number: long(8),
            service: word(16),
            method: word(20),
            status: word(24),
            deadline_ns: long(40),
            id: (long(48), long(56)),
        };
        self.at += frame_bytes;
        Ok(Frame {
            header,
            metadata,
            detail,
            payload,
            bytes,
        })
    }
}

/// The next multiple of [`FRAME_ALIGN`].
#[inline]
const fn padded(bytes: u64) -> u64 {
    (bytes + FRAME_ALIGN as u64 - 1) & !(FRAME_ALIGN as u64 - 1)
}

/// `N` bytes of a header. A slice and not byte by byte, so that it becomes one load.
#[inline(always)]
fn field<const N: usize>(head: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    *head[at..]
        .first_chunk()
        .expect("a field lies inside of the header")
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.bytes.len() {
            return None;
        }
        let frame = self.read();
        if frame.is_err() {
            self.at = self.bytes.len();
        }
        Some(frame)
    }
}

/// A frame that is to be written in one go by someone who knows how long its payload will be. Where that is not known,
/// [`FrameBuilder`] measures what it is given.
#[derive(Clone, Copy, Debug)]
pub struct Outline<'a> {
    /// What the header says besides lengths.
    pub header: Header,
    /// Keys and values, in their wire form.
    pub metadata: &'a [u8],
    /// A [`Detail`] in its wire form.
    pub detail: &'a [u8],
    /// How long the payload will be.
    pub payload_bytes: usize,
}

impl Outline<'_> {
    /// How long the frame will be, in bytes.
    ///
    /// # Errors
    ///
    /// If that is 4 GiB or more.
    #[inline]
    pub fn frame_bytes(&self) -> Result<usize, TooLong> {
        let parts = [
            HEADER_BYTES,
            self.metadata.len(),
            self.detail.len(),
            self.payload_bytes,
        ];
        let content = parts
            .iter()
            .fold(0, |sum: u64, bytes| sum.saturating_add(*bytes as u64));
        let frame_bytes = u32::try_from(padded(content))
            .ok()
            .and_then(|bytes| usize::try_from(bytes).ok());
        frame_bytes.ok_or(TooLong {
            bytes: usize::try_from(content).unwrap_or(usize::MAX),
        })
    }

    /// Writes the frame to `frame`, which is as long as [`frame_bytes`](Self::frame_bytes) says; `encode` gets the place of the payload.
    ///
    /// # Panics
    ///
    /// If `frame` is shorter.
    // Always inlined: else the header, mostly constants, travels by way of memory.
    #[inline(always)]
    pub fn write(self, frame: &mut [u8], encode: impl FnOnce(&mut [u8])) {
        let lengths = Lengths {
            frame: frame.len() as u32,
            metadata: self.metadata.len() as u32,
            detail: self.detail.len() as u32,
            payload: self.payload_bytes as u32,
        };
        // The padding is the end of the last word. What else that holds is written over it.
        *frame
            .last_chunk_mut()
            .expect("a frame is longer than a word") = [0; FRAME_ALIGN];
        self.header.write(&lengths, frame);
        let rest = put_part(self.metadata, &mut frame[HEADER_BYTES..]);
        let rest = put_part(self.detail, rest);
        encode(&mut rest[..self.payload_bytes]);
    }
}

/// Writes a part to the front of `rest`, and returns what follows it. Most are empty, and copying nothing takes a while in wasm.
#[inline(always)]
fn put_part<'a>(part: &[u8], rest: &'a mut [u8]) -> &'a mut [u8] {
    if part.is_empty() {
        return rest;
    }
    let (place, rest) = rest.split_at_mut(part.len());
    place.copy_from_slice(part);
    rest
}

/// A frame that would be 4 GiB or longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// How long, in bytes.
    pub bytes: usize,
}

impl core::fmt::Display for TooLong {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "a frame of {} bytes, and its length is a u32",
            self.bytes
        )
    }
}

impl core::error::Error for TooLong {}

/// Appends one frame to a buffer: metadata, detail and payload in this order, then [`FrameBuilder::finish`].
///
/// Dropped before that, it leaves a part of a frame behind: the caller truncates. A part that comes too late makes a frame
/// of something else; debug builds panic.
#[derive(Debug)]
#[must_use = "a frame is written by `finish`"]
pub struct FrameBuilder<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    header: Header,
    metadata_end: usize,
    detail_end: usize,
}

impl<'a> FrameBuilder<'a> {
    /// Begins a frame at the end of `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, header: Header) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; HEADER_BYTES]);
        let end = out.len();
        FrameBuilder {
            out,
            start,
            header,
            metadata_end: end,
            detail_end: end,
        }
    }

    /// Adds a key and its value.
    pub fn metadata(self, key: &str, value: &str) -> Self {
        self.assert_no_later_part();
        push_pair(self.out, key, value);
        self.after_metadata()
    }

    /// Adds metadata that is in its wire form already.
    #[inline]
    pub fn metadata_bytes(self, bytes: &[u8]) -> Self {
        self.assert_no_later_part();
        if bytes.is_empty() {
            return self;
        }
        self.out.extend_from_slice(bytes);
        self.after_metadata()
    }

    fn assert_no_later_part(&self) {
        debug_assert_eq!(
            self.out.len(),
            self.metadata_end,
            "a part of a frame comes after the one that follows it"
        );
    }

    #[inline]
    fn after_metadata(mut self) -> Self {
        self.metadata_end = self.out.len();
        self.detail_end = self.out.len();
        self
    }

    /// Sets the detail of a failure.
    pub fn detail(mut self, detail: &Detail<'_>) -> Self {
        self.assert_no_later_part();
        detail.write(self.out);
        self.detail_end = self.out.len();
        self
    }

    /// Sets a detail that is in its wire form already.
    #[inline]
    pub fn detail_bytes(mut self, bytes: &[u8]) -> Self {
        self.assert_no_later_part();
        if bytes.is_empty() {
            return self;
        }
        self.out.extend_from_slice(bytes);
        self.detail_end = self.out.len();
        self
    }

    /// Adds to the payload.
    #[inline]
    pub fn payload(self, bytes: &[u8]) -> Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Adds to the payload what `encode` appends.
    #[inline]
    pub fn payload_with(self, encode: impl FnOnce(&mut Vec<u8>)) -> Self {
        encode(self.out);
        self
    }

    /// Pads the frame and writes its header.
    ///
    /// # Errors
    ///
    /// If it would be 4 GiB or longer; then `out` is as it was before.
    // Always inlined: else the header, mostly constants, travels by way of memory.
    #[inline(always)]
    pub fn finish(self) -> Result<(), TooLong> {
        let content = self.out.len() - self.start;
        let Ok(frame) = u32::try_from(padded(content as u64)) else {
            self.out.truncate(self.start);
            return Err(TooLong { bytes: content });
        };
        let lengths = Lengths {
            frame,
            metadata: (self.metadata_end - self.start - HEADER_BYTES) as u32,
            detail: (self.detail_end - self.metadata_end) as u32,
            payload: (self.out.len() - self.detail_end) as u32,
        };
        // Not `resize`: a fill of a length that is not known is a call out of wasm.
        self.out.extend_from_slice(&[0; FRAME_ALIGN]);
        self.out.truncate(self.start + frame as usize);
        self.header.write(&lengths, &mut self.out[self.start..]);
        Ok(())
    }
}
