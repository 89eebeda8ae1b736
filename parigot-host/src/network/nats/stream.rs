//! Stream of one call, at one of its two processes.
//!
//! NATS delivers each message at most once, so the frames of a stream are numbered in each
//! direction. The receiver drops repeated frames, and a gap breaks the stream. Two more messages
//! have the number of frames before them, so that the loss of the last frame is noticed, too: the
//! reply, and the heartbeat of the stream. A process without a heartbeat for [`SILENCE_MAX`] is
//! lost for the stream.
//!
//! A peer is not trusted. [`NatsStream::receive`] passes on only frames that a guest may send,
//! since the kernel ends a proxy that breaks the rules of streams: see `kernel/instance/stream.rs`.

use std::time::Duration;

use bytes::Bytes;
use parigot_abi::Credit;
use parigot_abi::manifest::MethodFlags;

use super::context::NatsContext;
use super::envelope::{PeerMessage, StreamFrame, StreamKind};
use super::peer_registry::SILENCE_MAX;
use super::send_budget::Permit;
use crate::error::Failure;
use crate::network::message::StreamMessage;

/// Part of a process in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Caller,
    Callee,
}

/// Stream of one call, at one of its two processes.
#[derive(Debug)]
pub(super) struct NatsStream {
    peer: Part,
    streams: MethodFlags,
    /// Number of frames that this process has sent.
    sent: u64,
    /// Number of frames that this process has received.
    received: u64,
    /// Items that the peer has sent, and may have sent.
    items: Credit,
    credit: Credit,
    /// Parts of the message of the peer whose other parts have not arrived.
    parts: Option<Parts>,
    /// The peer has sent its headers, or an item, which implies empty headers.
    has_opened: bool,
    /// The peer has sent the end of its items.
    has_ended: bool,
    /// Last time at which the peer has shown that its side is open.
    heard_ns: u64,
}

/// Parts of a message that have arrived.
#[derive(Debug)]
struct Parts {
    kind: StreamKind,
    bytes: Vec<u8>,
    /// Count the bytes of all streams.
    permits: Vec<Permit>,
}

/// Reason why a stream cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A frame of the peer is lost.
    Gap,
    /// The peer has sent a frame that no peer may send.
    Rule(&'static str),
    /// A message of the peer is longer than all messages may be.
    TooLarge(usize),
    /// The parts of messages take too much memory.
    NoRoom,
}

impl Broken {
    /// Returns the failure of the call. Its fate is unknown.
    pub(super) fn failure(self, context: &NatsContext, process: &str) -> Failure {
        match self {
            Broken::Gap => Failure::stream_gap(process),
            Broken::Rule(what) => Failure::stream_rule(process, what),
            Broken::TooLarge(bytes) => {
                Failure::response_too_large(bytes, context.message_bytes_max)
            }
            Broken::NoRoom => Failure::too_many_stream_parts(),
        }
    }
}

impl NatsStream {
    /// Creates the stream of a new call with a peer in this part.
    pub(super) fn new(peer: Part, streams: MethodFlags, now_ns: u64) -> Self {
        NatsStream {
            peer,
            streams,
            sent: 0,
            received: 0,
            items: Credit::default(),
            credit: Credit::INITIAL,
            parts: None,
            has_opened: false,
            has_ended: false,
            heard_ns: now_ns,
        }
    }

    /// Returns the number of frames that this process has sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends a message to the peer, in parts if necessary.
    pub(super) fn send(&mut self, context: &NatsContext, subject: &str, message: StreamMessage) {
        let (kind, mut bytes) = match message {
            StreamMessage::Open(metadata) => (StreamKind::Open, metadata),
            StreamMessage::Item(item) => (StreamKind::Item, item),
            StreamMessage::Credit(credit) => {
                self.credit = self.credit.max(credit);
                (
                    StreamKind::Credit,
                    Bytes::copy_from_slice(&credit.to_bytes()),
                )
            }
            StreamMessage::End => (StreamKind::End, Bytes::new()),
        };
        loop {
            let part = bytes.split_to(bytes.len().min(context.chunk_bytes_max()));
            let has_more = !bytes.is_empty();
            let frame = StreamFrame {
                number: self.sent,
                kind: kind.into(),
                bytes: part,
                has_more,
            };
            self.sent += 1;
            context.send(subject.to_owned(), PeerMessage::Stream(frame));
            if !has_more {
                return;
            }
        }
    }

    /// Receives a frame of the peer. Returns the message that is complete with the frame.
    ///
    /// # Errors
    ///
    /// If the stream cannot go on.
    pub(super) fn receive(
        &mut self,
        context: &NatsContext,
        frame: StreamFrame,
    ) -> Result<Option<StreamMessage>, Broken> {
        self.heard_ns = context.now_ns();
        if frame.number < self.received {
            return Ok(None); // a repeated frame
        }
        self.check_frames(frame.number)?;
        self.received += 1;
        let kind = frame.kind();
        if self.parts.is_none() {
            self.check(kind)?;
        }
        let Some(bytes) = self.join(context, kind, frame)? else {
            return Ok(None);
        };
        Ok(Some(match kind {
            StreamKind::Open => StreamMessage::Open(bytes),
            StreamKind::Item => {
                self.items = self.items.with_item(bytes.len());
                StreamMessage::Item(bytes)
            }
            StreamKind::Credit => match Credit::read(&bytes) {
                Ok(credit) => StreamMessage::Credit(credit),
                Err(_) => return Err(Broken::Rule("a malformed credit")),
            },
            StreamKind::End => StreamMessage::End,
            StreamKind::Unspecified => return Err(Broken::Rule("a frame without a kind")),
        }))
    }

    /// Adds a frame to the parts of its message. Returns the bytes of a complete message.
    fn join(
        &mut self,
        context: &NatsContext,
        kind: StreamKind,
        frame: StreamFrame,
    ) -> Result<Option<Bytes>, Broken> {
        let parts = self.parts.take();
        if parts.is_none() && !frame.has_more {
            return within(context, frame.bytes.len()).map(|()| Some(frame.bytes));
        }
        let mut parts = parts.unwrap_or_else(|| Parts {
            kind,
            bytes: Vec::new(),
            permits: Vec::new(),
        });
        if parts.kind != kind {
            return Err(Broken::Rule("a frame between the parts of another"));
        }
        within(context, parts.bytes.len() + frame.bytes.len())?;
        parts.bytes.extend_from_slice(&frame.bytes);
        if !frame.has_more {
            return Ok(Some(parts.bytes.into()));
        }
        let permit = context.parts_budget.try_acquire(frame.bytes.len());
        parts.permits.push(permit.ok_or(Broken::NoRoom)?);
        self.parts = Some(parts);
        Ok(None)
    }

    /// Checks that the peer may send a message of a kind.
    fn check(&mut self, kind: StreamKind) -> Result<(), Broken> {
        let rule = |holds: bool, what: &'static str| {
            if holds {
                Ok(())
            } else {
                Err(Broken::Rule(what))
            }
        };
        let is_callee = self.peer == Part::Callee;
        let (sends, receives) = match self.peer {
            Part::Caller => (
                self.streams.streams_requests(),
                self.streams.streams_responses(),
            ),
            Part::Callee => (
                self.streams.streams_responses(),
                self.streams.streams_requests(),
            ),
        };
        match kind {
            StreamKind::Open => {
                rule(is_callee && !self.has_opened, "headers that came too late")?;
                self.has_opened = true;
            }
            StreamKind::Item => {
                rule(sends, "an item in a direction that does not stream")?;
                rule(!self.has_ended, "an item after the end")?;
                rule(self.credit.permits(self.items), "an item without credit")?;
                self.has_opened = true;
            }
            StreamKind::Credit => rule(receives, "a credit for a direction that does not stream")?,
            StreamKind::End => {
                rule(
                    sends && !is_callee,
                    "an end in a direction that does not stream",
                )?;
                rule(!self.has_ended, "a second end")?;
                self.has_ended = true;
            }
            StreamKind::Unspecified => {}
        }
        Ok(())
    }

    /// Checks that all frames of the peer before its message have arrived: `frames` is their
    /// number.
    ///
    /// # Errors
    ///
    /// [`Broken::Gap`] if a frame is missing.
    pub(super) fn check_frames(&self, frames: u64) -> Result<(), Broken> {
        if frames > self.received {
            Err(Broken::Gap)
        } else {
            Ok(())
        }
    }

    /// Notes that the peer has the stream, and has sent `frames` frames.
    ///
    /// # Errors
    ///
    /// As for [`NatsStream::check_frames`].
    pub(super) fn hear(&mut self, frames: u64, now_ns: u64) -> Result<(), Broken> {
        self.reset_silence(now_ns);
        self.check_frames(frames)
    }

    /// Returns true if the peer has been silent for too long.
    pub(super) fn is_silent(&self, now_ns: u64) -> bool {
        Duration::from_nanos(now_ns.saturating_sub(self.heard_ns)) >= SILENCE_MAX
    }

    /// Begins the time of silence again, after a time in which no message could arrive.
    pub(super) fn reset_silence(&mut self, now_ns: u64) {
        self.heard_ns = now_ns;
    }
}

fn within(context: &NatsContext, bytes: usize) -> Result<(), Broken> {
    if bytes > context.message_bytes_max {
        Err(Broken::TooLarge(bytes))
    } else {
        Ok(())
    }
}
