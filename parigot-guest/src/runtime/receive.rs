//! A turn: reads the frames that have arrived, then polls the tasks that are ready.

use alloc::rc::Rc;
use alloc::string::String;
use core::num::NonZeroU64;
use core::ops::Range;
use core::task::Waker;

use parigot_abi::control::NEVER;
use parigot_abi::frame::{HEADER_BYTES, LAUNCH_NUMBER};
use parigot_abi::start::PROLOGUE_BYTES;
use parigot_abi::{Cause, Code, Frame, Frames, Kind, Malformed, Prologue, Start};

use crate::runtime::generator::Generator;
use crate::runtime::guest::Guest;
use crate::runtime::lifecycle::Startup;
use crate::runtime::outbound::{Reply, has_response};
use crate::status::Status;

impl Guest {
    /// Reads the inbox and polls ready tasks, at most `polls_max` of them.
    pub(crate) fn turn(
        self: &Rc<Self>,
        inbox_bytes: usize,
        polls_max: u32,
    ) -> Result<(), Malformed> {
        self.io.clear_outbox();
        self.tasks.begin_turn(polls_max);
        let inbox = self.io.inbox();
        let shorter = Malformed {
            offset: inbox.len(),
            expected: "an inbox as long as announced",
        };
        self.read_frames(inbox.get(..inbox_bytes).ok_or(shorter)?)?;
        let more = self.tasks.executor.has_ready() && self.poll_ready();
        self.calls.outbound.keep_unread(&inbox);

        let exited = self.lifecycle.has_exited();
        let wake_at_ns = if exited {
            NEVER
        } else {
            self.timers.wake_at_ns()
        };
        self.io
            .end_turn(!exited && more, wake_at_ns, self.tasks.polls());
        Ok(())
    }

    /// Polls ready tasks. Returns true if the turn ended with tasks that are ready.
    // Out of line: in most turns every ready task is polled where its frame is read.
    #[inline(never)]
    fn poll_ready(&self) -> bool {
        while self.tasks.executor.has_ready() {
            if !self.may_poll() {
                return true;
            }
            let begin = |scope| self.io.enter_scope(scope);
            if self.tasks.executor.poll_next(begin) {
                self.end_poll();
                self.exit_if_due();
            }
        }
        false
    }

    /// Returns the reply to a call if it has arrived. Otherwise `waker` is woken when it arrives.
    pub(crate) fn poll_call(&self, number: NonZeroU64, waker: &Waker) -> Option<Reply> {
        self.calls
            .outbound
            .poll(number, waker, &self.tasks.executor)
    }
}

/// Frames.
impl Guest {
    fn read_frames(self: &Rc<Self>, inbox: &[u8]) -> Result<(), Malformed> {
        let (now, rest) = Prologue::split(inbox)?;
        self.io.set_clock(now);
        // Before any task is polled: a timer that a task starts now does not end in this turn.
        self.timers.fire(self.io.now_ns());
        let mut frames = Frames::new(rest);
        let mut at = PROLOGUE_BYTES;
        while let Some(frame) = frames.next() {
            self.io.is_last_frame.set(frames.offset() == rest.len());
            let frame = frame.map_err(|malformed| Malformed {
                offset: malformed.offset + PROLOGUE_BYTES,
                ..malformed
            })?;
            self.take_frame(frame, at).map_err(|expected| Malformed {
                offset: at,
                expected,
            })?;
            at = PROLOGUE_BYTES + frames.offset();
        }
        self.exit_if_due();
        Ok(())
    }

    /// Handles the frame at offset `at` of the inbox. The error names the content that was expected
    /// there.
    #[inline]
    fn take_frame(self: &Rc<Self>, frame: Frame<'_>, at: usize) -> Result<(), &'static str> {
        match frame.kind() {
            _ if self.lifecycle.startup.get().is_none() => self.take_rare(frame),
            Some(Kind::Call) => {
                self.take_call(frame);
                Ok(())
            }
            Some(Kind::Reply) if frame.header.number != LAUNCH_NUMBER => {
                self.take_reply(&frame, at);
                Ok(())
            }
            _ => self.take_rare(frame),
        }
    }

    /// Handles a frame that is neither a call nor the reply to a call.
    ///
    /// The function is out of line and takes the frame by value. A reference would force the fields
    /// of every frame into memory; the fields of a call must stay in registers.
    #[cold]
    fn take_rare(self: &Rc<Self>, frame: Frame<'_>) -> Result<(), &'static str> {
        let kind = frame.kind();
        if self.lifecycle.startup.get().is_none() && kind != Some(Kind::Start) {
            return Err("a start before all else");
        }
        match kind {
            Some(Kind::Start) => self.take_start(&frame)?,
            Some(Kind::Launched) => self.take_launched(&frame)?,
            Some(Kind::Reply) => self.lifecycle.launching.end(Err(Status::of_reply(&frame))),
            Some(Kind::Open) => self
                .calls
                .outbound
                .open(frame.header.number, frame.metadata),
            Some(Kind::Cancel) => self.take_cancel(frame.header.number),
            Some(Kind::Item | Kind::Credit | Kind::End) => self.take_stream_frame(&frame)?,
            Some(Kind::Stop) if self.lifecycle.is_running() => self.role.stop(self),
            // Kinds of a newer host, and kinds that only guests send, are skipped.
            _ => {}
        }
        Ok(())
    }

    fn take_start(self: &Rc<Self>, frame: &Frame<'_>) -> Result<(), &'static str> {
        let start = Start::read(frame).map_err(|malformed| malformed.expected)?;
        self.io.message_bytes_max.set(start.message_bytes_max);
        *self.generator.borrow_mut() = Generator::new(start.seed);
        let startup = Startup {
            args: start.args.into_iter().map(String::from).collect(),
            env: start
                .env
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
            instance: start.instance,
        };
        self.lifecycle
            .startup
            .set(startup)
            .map_err(|_| "one start, not two")?;
        self.send_manifest(start.descriptors);
        self.role.start(self);
        Ok(())
    }

    fn take_launched(self: &Rc<Self>, frame: &Frame<'_>) -> Result<(), &'static str> {
        let (handles, rest) = frame.payload.as_chunks::<4>();
        if handles.len() != self.requires.len() || !rest.is_empty() {
            return Err("a handle for each required service");
        }
        if self.lifecycle.launching.has_ended() {
            return Err("one answer to the launch, not two");
        }
        let methods = frame
            .metadata_pairs()
            .map(|pair| {
                let (index, method) = pair.map_err(|malformed| malformed.expected)?;
                let index = index
                    .parse()
                    .map_err(|_| "the index of a required service as a metadata key")?;
                Ok((index, method.into()))
            })
            .collect::<Result<_, &'static str>>()?;
        let handles = handles
            .iter()
            .map(|bytes| u32::from_le_bytes(*bytes))
            .collect();
        self.lifecycle.launching.bind(handles, methods);
        self.lifecycle.launching.end(Ok(()));
        self.role.launched(self);
        Ok(())
    }

    fn take_call(self: &Rc<Self>, frame: Frame<'_>) {
        if self.lifecycle.is_running() {
            self.role.dispatch(self, &frame);
        } else {
            self.io.reply_failure(
                frame.header.number,
                Code::Unavailable,
                Cause::Unreachable,
                "the service is stopping",
            );
        }
    }

    #[inline]
    fn take_reply(&self, frame: &Frame<'_>, at: usize) {
        if self.calls.streams.has_made() {
            self.close_requests(frame.header.number);
        }
        if !has_response(frame) {
            return self.take_failure(frame.header.number, frame.bytes);
        }
        let reply = Reply::InInbox {
            at,
            response: payload_range(frame, at),
        };
        self.notify(self.calls.outbound.arrive(frame.header.number, reply));
    }

    #[cold]
    fn take_failure(&self, number: u64, frame: &[u8]) {
        let reply = Reply::Copied(frame.into());
        self.notify(self.calls.outbound.arrive(number, reply));
    }

    /// Drops the handler of a call, unless the call has been answered, or the handler waits for
    /// its stream.
    fn take_cancel(&self, number: u64) {
        if self.close_served(number) {
            return;
        }
        let task = self.calls.inbound.borrow_mut().remove(number);
        if let Some(task) = task {
            self.tasks.executor.cancel(task);
            drop(self.calls.take_response_metadata(number));
            self.io.reply_failure(
                number,
                Code::Cancelled,
                Cause::Cancelled,
                "the caller cancelled the call",
            );
        }
    }
}

/// Returns the range of the payload of the frame that begins at offset `at` of the inbox.
fn payload_range(frame: &Frame<'_>, at: usize) -> Range<usize> {
    let start = at + HEADER_BYTES + frame.metadata.len() + frame.detail.len();
    start..start + frame.payload.len()
}
