//! Calls of an instance, and the batch of frames that changes them.

use hashbrown::{HashMap, HashSet};
use parigot_abi::control::NEVER;
use parigot_abi::id::CallId;
use parigot_abi::{Frame, FrameBuilder, Frames, Header, Kind};

use super::stream::{Side, Stream, StreamEvent, StreamRecord};
use crate::error::Breach;
use crate::kernel::call_table::Table;
use crate::kernel::index::InstanceIndex;
use crate::log::guest_log::LoggedCall;
use crate::log::trace_id::TraceId;

/// Largest capacity in bytes that a batch keeps for the next turn.
const BATCH_BYTES_KEPT: usize = 1 << 20;

/// Call that an instance serves.
#[derive(Clone, Copy)]
pub(crate) struct Inbound {
    /// The caller; `None` once the call was cancelled.
    pub(crate) caller: Option<InstanceIndex>,
    /// The caller's number of the call.
    pub(crate) number: u64,
    pub(crate) id: CallId,
}

/// Call that an instance waits for.
#[derive(Clone, Copy)]
pub(crate) struct Outbound {
    pub(crate) callee: InstanceIndex,
    /// The callee's number of the call.
    pub(crate) inbound: u64,
    pub(crate) origin: Origin,
    pub(crate) id: CallId,
    /// Deadline on the host's clock. For an overdue call, the end of the wait for its fate.
    pub(crate) deadline_ns: u64,
    /// Set once the deadline has passed: the callee was asked for the fate of the call.
    pub(crate) is_overdue: bool,
    /// Set if the call streams: [`Calls::made_streams`] has its stream.
    pub(crate) is_stream: bool,
}

/// Facts about a call that only the chain of its callers needs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Origin {
    /// The caller's number of the inbound call on whose behalf the call is made; 0: none, or a call
    /// of another process.
    pub(crate) parent: u64,
    /// Index of the service among the callee's exports, and of the method.
    pub(crate) service: u32,
    pub(crate) method: u32,
}

impl Origin {
    /// Creates the origin of a call from the headers that the caller has sent and that the callee
    /// gets.
    #[inline(always)]
    pub(crate) fn new(is_of_proxy: bool, sent: &Header, given: &Header) -> Self {
        // The header of a call from another process has the call's id in place of the number.
        let (_, number) = sent.id;
        Origin {
            parent: if is_of_proxy { 0 } else { number },
            service: given.service,
            method: given.method,
        }
    }
}

/// Facts about an inbound call that most calls lack.
#[derive(Default)]
pub(crate) struct CallExtras {
    /// The headers of the response were sent.
    is_opened: bool,
    trace: Option<TraceId>,
    /// The stream of a call whose method streams.
    pub(super) stream: Option<Box<Stream>>,
}

/// Call by its number at one side. A later generation reuses numbers but not ids, so both are
/// compared.
#[derive(Clone, Copy)]
pub(super) struct CallName {
    pub(super) number: u64,
    pub(super) id: CallId,
}

/// Calls of an instance. The worker that runs the instance owns them, so they need no lock.
pub(crate) struct Calls {
    /// Calls that the instance waits for, by its own numbers.
    pub(crate) outbound: Table<Outbound>,
    /// Earliest deadline of the outbound calls, or an earlier moment.
    ///
    /// The end of a call does not update the field: a turn too early is cheaper than a search for
    /// the next deadline after each call.
    pub(crate) next_deadline_ns: u64,
    /// Calls that the instance serves, by its own numbers.
    pub(crate) inbound: Table<Inbound>,
    /// Facts about inbound calls that most calls lack. Kept apart from [`Inbound`]: without them, a
    /// reply only tests for an empty map.
    pub(crate) extras: HashMap<u64, CallExtras>,
    /// Inbound calls past their deadline that await the decision about their fate, with their
    /// numbers: see [`crate::kernel::expiry`].
    pub(crate) overdue: Vec<(u64, Inbound)>,
    /// Streams of outbound calls. Kept apart from [`Outbound`], as the streams of inbound calls are
    /// kept in `extras`: calls that do not stream never look here.
    pub(crate) made_streams: HashMap<u64, Stream>,
    /// Streams that have received items while credit waited for space: see
    /// [`Stream::pass_credit`].
    pub(crate) withheld: Vec<(Side, u64)>,
    /// Number of the last call that came with a handoff.
    last_number: u64,
}

impl Calls {
    pub(super) fn new() -> Self {
        Calls {
            outbound: Table::new(),
            next_deadline_ns: NEVER,
            inbound: Table::new(),
            extras: HashMap::new(),
            overdue: Vec::new(),
            made_streams: HashMap::new(),
            withheld: Vec::new(),
            last_number: 0,
        }
    }

    /// Returns a number for a call that comes with a handoff: see
    /// `FIRST_NUMBER_IN_MAILBOX`.
    #[inline]
    pub(super) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Removes an outbound call that has ended. Returns whether the instance was waiting for it.
    ///
    /// Always inlined, as the table's functions are: each reply passes here.
    #[inline(always)]
    pub(super) fn end(&mut self, number: u64, id: CallId) -> bool {
        let is_waiting = self
            .outbound
            .get_mut(number)
            .is_some_and(|call| call.id.key() == id.key());
        let ended = if is_waiting {
            self.outbound.remove(number)
        } else {
            None
        };
        if ended.is_some_and(|call| call.is_stream) {
            self.forget_stream(number);
        }
        is_waiting
    }

    /// Records the headers of an inbound call.
    ///
    /// # Errors
    ///
    /// If they were sent before, or if they come after an item.
    #[cold]
    pub(crate) fn open(&mut self, number: u64) -> Result<(), Breach> {
        let extras = self.extras.entry(number).or_default();
        if std::mem::replace(&mut extras.is_opened, true) {
            return Err(Breach::OpenedTwice { number });
        }
        if let Some(stream) = &mut extras.stream {
            stream.has_begun = true;
            if stream.has_sent() {
                return Err(Breach::OpenedLate { number });
            }
        }
        Ok(())
    }

    /// Notes that a frame of the callee has arrived, which may end the deadline of a stream.
    /// Returns false if the call has ended.
    pub(super) fn note_frame_of_callee(&mut self, number: u64, id: CallId) -> bool {
        let Some(call) = self.outbound.get_mut(number) else {
            return false;
        };
        if call.id.key() != id.key() {
            return false;
        }
        if call.is_stream
            && let Some(stream) = self.made_streams.get_mut(&number)
            && !std::mem::replace(&mut stream.has_begun, true)
            && stream.covers_first_frame
            && !call.is_overdue
        {
            call.deadline_ns = NEVER;
        }
        true
    }

    /// Records the trace id in the metadata of an inbound call.
    #[cold]
    pub(super) fn trace(&mut self, number: u64, metadata: &[u8]) {
        if let Some(trace) = TraceId::of(metadata) {
            self.extras.entry(number).or_default().trace = Some(trace);
        }
    }

    /// Returns an inbound call as the log names it.
    pub(crate) fn logged(&mut self, number: u64) -> Option<LoggedCall> {
        let id = self.inbound.get_mut(number)?.id;
        let trace = self.extras.get(&number).and_then(|extras| extras.trace);
        Some(LoggedCall { id, trace })
    }

    /// Forgets the extras of a call that was answered. Returns true if its caller has seen a frame
    /// of a stream before the answer.
    #[cold]
    pub(crate) fn close(&mut self, number: u64) -> bool {
        let extras = self.extras.remove(&number);
        extras.is_some_and(|extras| extras.stream.is_some_and(|stream| stream.has_begun))
    }

    /// Applies the records of a batch from the mailbox, and changes the frames of the batch
    /// accordingly: headers and replies of calls that have ended already are removed, as are calls
    /// that were withdrawn, and cancellations of calls that are still served are added.
    pub(super) fn receive(&mut self, batch: &mut Batch) {
        if !batch.withdrawn.is_empty() {
            batch.remove_withdrawn();
        }
        for (number, call) in batch.arrivals.drain(..) {
            self.inbound.insert(number, call);
        }
        for (number, trace) in batch.traces.drain(..) {
            // Else the call was withdrawn.
            if self.inbound.contains(number) {
                self.extras.entry(number).or_default().trace = Some(trace);
            }
        }
        for (number, stream) in batch.streams.drain(..) {
            if self.inbound.contains(number) {
                self.extras.entry(number).or_default().stream = Some(stream);
            }
        }
        // A call ends once. Its deadline may have passed before the reply arrived, for example.
        let mut unwanted = HashSet::new();
        // Before the replies, which end the calls that the headers belong to.
        for call in batch.opens.drain(..) {
            if !self.note_frame_of_callee(call.number, call.id) {
                unwanted.insert(call.id.to_wire());
            }
        }
        if !batch.stream_frames.is_empty() {
            self.receive_stream_frames(batch);
        }
        for call in batch.answered.drain(..) {
            if !self.end(call.number, call.id) {
                unwanted.insert(call.id.to_wire());
            }
        }
        if !unwanted.is_empty() {
            retain_frames(&mut batch.frames, |frame| {
                let is_of_callee = matches!(frame.kind(), Some(Kind::Open | Kind::Reply));
                !(is_of_callee && unwanted.contains(&frame.header.id))
            });
        }
        for call in batch.cancelled.drain(..) {
            self.cancel(&call, &mut batch.frames);
        }
        for call in batch.overdue.drain(..) {
            if let Some(inbound) = self.cancel(&call, &mut batch.frames) {
                self.overdue.push((call.number, inbound));
            }
        }
    }

    /// Cancels an inbound call and returns the call as it was. Returns `None` if the call has ended
    /// with a reply, so that the cancellation is too late.
    fn cancel(&mut self, call: &CallName, frames: &mut Vec<u8>) -> Option<Inbound> {
        let inbound = self
            .inbound
            .get_mut(call.number)
            .filter(|inbound| inbound.id.key() == call.id.key())?;
        let before = *inbound;
        inbound.caller = None;
        let header = Header {
            number: call.number,
            ..Header::new(Kind::Cancel)
        };
        push(FrameBuilder::new(frames, header));
        Some(before)
    }

    /// Keeps an outbound call that [`Calls::expire`] has removed until its new deadline.
    pub(crate) fn keep(&mut self, number: u64, call: Outbound) {
        self.next_deadline_ns = call.deadline_ns.min(self.next_deadline_ns);
        self.outbound.insert(number, call);
    }

    /// Removes the outbound calls whose deadline has passed, and returns them with their numbers.
    pub(crate) fn expire(&mut self, now_ns: u64) -> Vec<(u64, Outbound)> {
        let expired = self.outbound.take_if(|call| call.deadline_ns <= now_ns);
        self.next_deadline_ns = self
            .outbound
            .values()
            .map(|call| call.deadline_ns)
            .min()
            .unwrap_or(NEVER);
        expired
    }
}

/// Frames for one turn, with the changes of calls that come with them.
///
/// The mailbox and the worker swap their batches, so the memory is used again.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) frames: Vec<u8>,
    /// Calls that arrive in these frames, by their numbers.
    pub(super) arrivals: Vec<(u64, Inbound)>,
    /// Trace ids of arrivals, by their numbers.
    pub(super) traces: Vec<(u64, TraceId)>,
    /// Calls that end in these frames.
    pub(super) answered: Vec<CallName>,
    /// Calls whose headers arrive in these frames.
    pub(super) opens: Vec<CallName>,
    /// Streams of arrivals, by their numbers.
    pub(super) streams: Vec<(u64, Box<Stream>)>,
    /// Frames of streams, in their order.
    pub(super) stream_frames: Vec<StreamRecord>,
    /// Inbound calls that were cancelled.
    pub(super) cancelled: Vec<CallName>,
    /// Inbound calls whose deadline has passed. They are cancelled, and their callers wait for the
    /// fate.
    pub(super) overdue: Vec<CallName>,
    /// Numbers of arrivals whose deadline has passed: the instance does not receive them.
    pub(super) withdrawn: Vec<u64>,
}

impl Batch {
    /// Appends the frame of a call, under the callee's number.
    #[inline]
    pub(super) fn push_call(
        &mut self,
        number: u64,
        call: &Inbound,
        header: Header,
        frame: &Frame<'_>,
    ) {
        frame.pass_on(
            Header {
                number,
                id: call.id.to_wire(),
                ..header
            },
            &mut self.frames,
        );
    }

    /// Appends the reply to a call, under the caller's number. A `detail` replaces the detail of
    /// the reply.
    #[inline]
    pub(super) fn push_reply(&mut self, call: &Inbound, reply: &Frame<'_>, detail: Option<&[u8]>) {
        let Header { flags, status, .. } = reply.header;
        let header = Header {
            flags,
            number: call.number,
            status,
            id: call.id.to_wire(),
            ..Header::new(Kind::Reply)
        };
        match detail {
            None => reply.pass_on(header, &mut self.frames),
            Some(detail) => {
                let frame =
                    FrameBuilder::new(&mut self.frames, header).metadata_bytes(reply.metadata);
                push(frame.detail_bytes(detail).payload(reply.payload));
            }
        }
    }

    /// Appends the headers of a call, under the caller's number.
    pub(super) fn push_open(&mut self, call: &Inbound, open: &Frame<'_>) {
        let header = Header {
            number: call.number,
            id: call.id.to_wire(),
            ..Header::new(Kind::Open)
        };
        // Only the metadata: a frame of headers has no other part.
        push(FrameBuilder::new(&mut self.frames, header).metadata_bytes(open.metadata));
        self.opens.push(CallName {
            number: call.number,
            id: call.id,
        });
    }

    /// Appends a frame of a stream, under the receiver's number.
    pub(super) fn push_stream_frame(&mut self, record: StreamRecord, item: &[u8]) {
        let frame = FrameBuilder::new(&mut self.frames, record.header());
        push(match record.event {
            StreamEvent::Credit(credit) => frame.payload(&credit.to_bytes()),
            StreamEvent::Item(_) | StreamEvent::End => frame.payload(item),
        });
        self.stream_frames.push(record);
    }

    /// Removes an arrival, if the call is among them. Its frame is removed with the others in
    /// [`Calls::receive`], in one pass over the frames.
    pub(super) fn withdraw(&mut self, call: &CallName) -> bool {
        // The mailbox numbers its calls up, so the arrivals are sorted.
        let found = self
            .arrivals
            .binary_search_by_key(&call.number, |(number, _)| *number);
        let is_here = found.is_ok_and(|at| self.arrivals[at].1.id.key() == call.id.key());
        if is_here {
            self.withdrawn.push(call.number);
        }
        is_here
    }

    #[cold]
    pub(super) fn remove_withdrawn(&mut self) {
        let withdrawn: HashSet<u64> = self.withdrawn.drain(..).collect();
        self.arrivals
            .retain(|(number, _)| !withdrawn.contains(number));
        retain_frames(&mut self.frames, |frame| {
            !(frame.kind() == Some(Kind::Call) && withdrawn.contains(&frame.header.number))
        });
    }

    /// Empties the batch for the next turn.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
        // One large message must not hold memory for the rest of the run.
        if self.frames.capacity() > BATCH_BYTES_KEPT {
            self.frames = Vec::new();
        }
    }
}

/// Finishes a frame whose parts come from frames or mailboxes, which are shorter than 4 GiB.
pub(super) fn push(frame: FrameBuilder<'_>) {
    frame
        .finish()
        .expect("a mailbox must be shorter than 4 GiB");
}

/// Removes the frames for which `is_kept` does not hold.
#[cold]
pub(super) fn retain_frames(frames: &mut Vec<u8>, mut is_kept: impl FnMut(&Frame<'_>) -> bool) {
    let kept: Vec<_> = Frames::new(frames)
        .flatten()
        .filter(|frame| is_kept(frame))
        .map(|frame| frame.bytes)
        .collect();
    *frames = kept.concat();
}
