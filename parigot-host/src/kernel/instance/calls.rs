//! Calls of an instance, and the batch of frames that changes them.

use hashbrown::{HashMap, HashSet};
use parigot_abi::control::NEVER;
use parigot_abi::id::CallId;
use parigot_abi::{Frame, FrameBuilder, Frames, Header, Kind};

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
    pub(crate) id: CallId,
    /// Deadline on the host's clock. For an overdue call, the end of the wait for its fate.
    pub(crate) deadline_ns: u64,
    /// Set once the deadline has passed: the callee was asked for the fate of the call.
    pub(crate) is_overdue: bool,
}

/// Facts about an inbound call that most calls lack.
#[derive(Default)]
pub(crate) struct CallExtras {
    /// The headers of the response were sent.
    is_opened: bool,
    trace: Option<TraceId>,
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
        is_waiting && self.outbound.remove(number).is_some()
    }

    /// Records the headers of an inbound call. Returns false if they were sent before.
    #[cold]
    pub(crate) fn open(&mut self, number: u64) -> bool {
        let extras = self.extras.entry(number).or_default();
        !std::mem::replace(&mut extras.is_opened, true)
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

    /// Forgets the extras of a call that was answered.
    #[cold]
    pub(crate) fn close(&mut self, number: u64) {
        self.extras.remove(&number);
    }

    /// Returns whether the instance waits for a call.
    fn is_waiting(&mut self, call: &CallName) -> bool {
        self.outbound
            .get_mut(call.number)
            .is_some_and(|known| known.id.key() == call.id.key())
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
        // A call ends once. Its deadline may have passed before the reply arrived, for example.
        let mut unwanted = HashSet::new();
        // Before the replies, which end the calls that the headers belong to.
        for call in batch.opens.drain(..) {
            if !self.is_waiting(&call) {
                unwanted.insert(call.id.to_wire());
            }
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
fn retain_frames(frames: &mut Vec<u8>, is_kept: impl Fn(&Frame<'_>) -> bool) {
    let kept: Vec<_> = Frames::new(frames)
        .flatten()
        .filter(|frame| is_kept(frame))
        .map(|frame| frame.bytes)
        .collect();
    *frames = kept.concat();
}
