//! What is known of the frames of a run, and of the calls that they are about.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::frame::flags;
use parigot_abi::id::CallId;
use parigot_abi::{Frame as AbiFrame, Header, Kind};

use super::frame::{Effect, Frame, HOST};
use crate::clock::{Clock, ManualClock};
use crate::kernel::instance::{Instance, Outbound};
use crate::kernel::lifecycle::FAILED;

/// All frames of a run, in the order in which they were sent.
pub(super) struct Record {
    clock: Arc<ManualClock>,
    pub(super) frames: Vec<Frame>,
    calls: Vec<Call>,
    /// Places of calls, by the interceptor form of their ids.
    by_id: HashMap<(u64, u64), CallPlace>,
    /// Calls of the turn that is going on, by their callers' numbers: the kernel has not seen them yet.
    unrouted: Vec<(u64, CallPlace)>,
    /// How many frames there were when it began.
    turn_start: usize,
}

/// The place of a call among all.
pub(super) type CallPlace = usize;

/// A call between two guests.
pub(super) struct Call {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) service: String,
    pub(super) method: String,
    id: CallId,
    /// The place of its frame among all.
    frame: usize,
    /// The places of frames that were noted before its id was known.
    unnamed: Vec<usize>,
    /// The callee's answer is on its way to the caller.
    is_answered: bool,
    /// Nobody waits for it any more.
    pub(super) is_cancelled: bool,
}

impl Record {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        let (frames, calls, by_id, unrouted) = Default::default();
        Record {
            clock,
            frames,
            calls,
            by_id,
            unrouted,
            turn_start: 0,
        }
    }

    pub(super) fn call(&self, call: CallPlace) -> &Call {
        &self.calls[call]
    }

    /// Notes a frame without a call.
    pub(super) fn note(&mut self, from: &str, to: &str, kind: Kind, frame: &AbiFrame<'_>) {
        let frame = self.frame(from, to, kind, frame);
        self.frames.push(frame);
    }

    /// Notes a line that did not come in a frame, as if it had.
    pub(super) fn note_line(&mut self, from: &str, level: u32, text: &str) {
        self.note_text(from, Kind::Log, level, text);
    }

    /// Notes that a guest has ended otherwise than by leaving.
    pub(super) fn note_end(&mut self, guest: &str, why: &str) {
        self.note_text(guest, Kind::Exit, FAILED.into(), why);
    }

    /// Notes that a guest has ended in the turn that is going on, unless it said so itself.
    pub(super) fn ensure_end(&mut self, guest: &str) {
        let is_end = |frame: &Frame| frame.kind == Kind::Exit && frame.from == guest;
        if !self.frames[self.turn_start..].iter().any(is_end) {
            self.note_end(guest, "the host has ended it, and says why in its log");
        }
    }

    /// A turn begins.
    pub(super) fn begin_turn(&mut self) {
        self.turn_start = self.frames.len();
    }

    fn note_text(&mut self, from: &str, kind: Kind, status: u32, text: &str) {
        let header = Header {
            status,
            ..Header::new(kind)
        };
        self.note(
            from,
            HOST,
            kind,
            &AbiFrame {
                header,
                metadata: &[],
                detail: &[],
                payload: text.as_bytes(),
                bytes: &[],
            },
        );
    }

    /// Notes a frame about a call, and returns its place among all.
    fn note_of(
        &mut self,
        call: CallPlace,
        from: &str,
        to: &str,
        kind: Kind,
        frame: &AbiFrame<'_>,
    ) -> usize {
        let frame = self.frame(from, to, kind, frame);
        let (call, place) = (&mut self.calls[call], self.frames.len());
        if call.id.is_empty() {
            call.unnamed.push(place);
        }
        self.frames.push(Frame {
            service: call.service.clone(),
            method: call.method.clone(),
            call: call.id,
            ..frame
        });
        place
    }

    fn frame(&self, from: &str, to: &str, kind: Kind, frame: &AbiFrame<'_>) -> Frame {
        Frame {
            at: Duration::from_nanos(self.clock.monotonic_ns()),
            from: from.into(),
            to: to.into(),
            kind,
            service: String::new(),
            method: String::new(),
            call: CallId::EMPTY,
            status: frame.header.status,
            is_service_error: frame.header.flags & flags::SERVICE_ERROR != 0,
            detail: frame.detail.into(),
            payload: frame.payload.into(),
            effect: None,
        }
    }

    /// Notes what has happened to a frame.
    pub(super) fn note_effect(&mut self, frame: usize, effect: Effect) {
        self.frames[frame].effect = Some(effect);
    }

    /// A guest makes a call of a service's method. Whom it goes to is not known yet.
    pub(super) fn begin(
        &mut self,
        from: &str,
        (service, method): (&str, &str),
        frame: &AbiFrame<'_>,
    ) -> CallPlace {
        let call = self.calls.len();
        self.calls.push(Call {
            from: from.into(),
            to: HOST.into(),
            service: service.into(),
            method: method.into(),
            id: CallId::EMPTY,
            frame: self.frames.len(),
            unnamed: Vec::new(),
            is_answered: false,
            is_cancelled: false,
        });
        self.note_of(call, from, HOST, Kind::Call, frame);
        self.unrouted.push((frame.header.number, call));
        call
    }

    /// Learns where the calls have gone that were made in the last turn. Those that were not given to a callee were refused.
    pub(super) fn learn_routes(&mut self, given: &[(u64, Outbound)], instances: &[Instance]) {
        let mut unrouted = std::mem::take(&mut self.unrouted);
        for (number, Outbound { callee, id, .. }) in given {
            // The kernel goes through them in the same order.
            let Some(made) = unrouted.iter().position(|(made, _)| made == number) else {
                continue;
            };
            self.learn_route(unrouted.remove(made).1, &instances[*callee].name, *id);
        }
    }

    fn learn_route(&mut self, call: CallPlace, to: &str, id: CallId) {
        self.by_id.insert(id.to_wire(), call);
        let call = &mut self.calls[call];
        (call.to, call.id) = (to.into(), id);
        for frame in call.unnamed.drain(..) {
            (self.frames[frame].to, self.frames[frame].call) = (to.into(), id);
        }
    }

    /// A call arrives at its callee. Returns its place and that of its frame.
    pub(super) fn arrive(&mut self, frame: &AbiFrame<'_>) -> Option<(CallPlace, usize)> {
        let call = *self.by_id.get(&id_of(frame).to_wire())?;
        Some((call, self.calls[call].frame))
    }

    /// A guest answers a call. Returns the place of the frame.
    pub(super) fn answer(&mut self, call: CallPlace, frame: &AbiFrame<'_>) -> usize {
        let Call {
            from,
            to,
            is_cancelled,
            ..
        } = &self.calls[call];
        let (from, to) = (
            to.clone(),
            if *is_cancelled {
                HOST.into()
            } else {
                from.clone()
            },
        );
        self.note_of(call, &from, &to, Kind::Reply, frame)
    }

    /// That answer is on its way, and nothing keeps it.
    pub(super) fn release(&mut self, call: CallPlace) {
        self.calls[call].is_answered = true;
    }

    /// The end of a call arrives at its caller. It is the host's word unless the callee has answered, and that was not the end before.
    pub(super) fn end(&mut self, call: CallPlace, frame: &AbiFrame<'_>) {
        if self.calls[call].id.is_empty() {
            // It was refused, and came to nobody.
            self.learn_route(call, HOST, id_of(frame));
        }
        // The answer was noted when it was sent.
        let is_noted = std::mem::take(&mut self.calls[call].is_answered);
        if !is_noted {
            let to = self.calls[call].from.clone();
            self.note_of(call, HOST, &to, Kind::Reply, frame);
        }
    }

    /// A caller no longer waits.
    pub(super) fn cancel(&mut self, call: CallPlace, frame: &AbiFrame<'_>) {
        self.calls[call].is_cancelled = true;
        let Call { from, to, .. } = &self.calls[call];
        let (from, to) = (from.clone(), to.clone());
        self.note_of(call, &from, &to, Kind::Cancel, frame);
    }

    /// A callee is told that nobody waits, which is the host's word unless the caller has said so.
    pub(super) fn cancel_at_callee(&mut self, call: CallPlace, frame: &AbiFrame<'_>) {
        if !std::mem::replace(&mut self.calls[call].is_cancelled, true) {
            let to = self.calls[call].to.clone();
            self.note_of(call, HOST, &to, Kind::Cancel, frame);
        }
    }
}

fn id_of(frame: &AbiFrame<'_>) -> CallId {
    let (high, low) = frame.header.id;
    CallId::from_wire(high, low).unwrap_or_default()
}
