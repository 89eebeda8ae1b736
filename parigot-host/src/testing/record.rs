//! Record of a run: the frames that were sent, and the calls that the frames belong to.

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
use crate::log::guest_log::GuestLine;

/// Frames of a run in the order in which they were sent, and the calls of the run.
///
/// A guest's call is recorded before the kernel routes the call, so its callee and its id are not
/// known yet: see [`Record::record_routes`].
pub(super) struct Record {
    clock: Arc<ManualClock>,
    pub(super) frames: Vec<Frame>,
    calls: Vec<RecordedCall>,
    /// Calls by the two halves of their ids.
    by_id: HashMap<(u64, u64), CallIndex>,
    /// Calls that the guest made in the current turn, by the guest's numbers. The kernel routes
    /// them at the end of the turn.
    unrouted: Vec<(u64, CallIndex)>,
    /// Length of `frames` at the start of the current turn.
    turn_start: usize,
}

/// Index of a call in [`Record`].
pub(super) type CallIndex = usize;

/// Call from one guest to another.
pub(super) struct RecordedCall {
    pub(super) from: String,
    /// Name of the callee; [`HOST`] before the call is routed, and for a call that was refused.
    pub(super) to: String,
    pub(super) service: String,
    pub(super) method: String,
    /// Id of the call, empty before the call is routed.
    id: CallId,
    /// Index of the call's frame.
    frame: usize,
    /// Indices of the frames that were recorded before the id was known.
    unnamed: Vec<usize>,
    /// Set if the callee's reply was sent and no fault holds the reply back.
    is_answered: bool,
    /// Set if the caller no longer waits for the call.
    pub(super) is_cancelled: bool,
}

impl Record {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        Record {
            clock,
            frames: Vec::new(),
            calls: Vec::new(),
            by_id: HashMap::new(),
            unrouted: Vec::new(),
            turn_start: 0,
        }
    }

    pub(super) fn call(&self, call: CallIndex) -> &RecordedCall {
        &self.calls[call]
    }

    /// Marks the start of a turn.
    pub(super) fn begin_turn(&mut self) {
        self.turn_start = self.frames.len();
    }

    /// Records a frame that belongs to no call.
    pub(super) fn note(&mut self, from: &str, to: &str, kind: Kind, frame: &AbiFrame<'_>) {
        let frame = self.frame(from, to, kind, frame);
        self.frames.push(frame);
    }

    /// Records a line that the guest wrote outside of its outbox, in the form of a log frame.
    pub(super) fn note_line(&mut self, from: &str, line: &GuestLine<'_>) {
        let header = Header {
            status: line.level as u32,
            ..Header::new(Kind::Log)
        };
        let frame = AbiFrame {
            header,
            metadata: line.fields,
            detail: &[],
            payload: line.text.as_bytes(),
            bytes: &[],
        };
        self.note(from, HOST, Kind::Log, &frame);
    }

    /// Records the end of a guest that sent no exit frame, in the form of an exit frame.
    pub(super) fn note_end(&mut self, guest: &str, why: &str) {
        let header = Header {
            status: FAILED.into(),
            ..Header::new(Kind::Exit)
        };
        let frame = AbiFrame {
            header,
            metadata: &[],
            detail: &[],
            payload: why.as_bytes(),
            bytes: &[],
        };
        self.note(guest, HOST, Kind::Exit, &frame);
    }

    /// Records the end of a guest in the current turn, unless the record has an exit frame of the
    /// turn already.
    pub(super) fn ensure_end(&mut self, guest: &str) {
        let is_end = |frame: &Frame| frame.kind == Kind::Exit && frame.from == guest;
        if !self.frames[self.turn_start..].iter().any(is_end) {
            self.note_end(guest, "ended by the host; the host's log has the reason");
        }
    }

    /// Records the effect of a fault on a frame.
    pub(super) fn note_effect(&mut self, frame: usize, effect: Effect) {
        self.frames[frame].effect = Some(effect);
    }

    /// Records a call that a guest makes.
    pub(super) fn begin(
        &mut self,
        from: &str,
        (service, method): (&str, &str),
        frame: &AbiFrame<'_>,
    ) -> CallIndex {
        let call = self.calls.len();
        self.calls.push(RecordedCall {
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

    /// Adds callee and id to the calls of the last turn.
    ///
    /// `given` are the calls that the kernel passed to a callee. The kernel refused the others.
    pub(super) fn record_routes(&mut self, given: &[(u64, Outbound)], instances: &[Instance]) {
        let mut unrouted = std::mem::take(&mut self.unrouted);
        for (number, Outbound { callee, id, .. }) in given {
            // The first match is right: the kernel routes calls in the order of their frames.
            let Some(made) = unrouted.iter().position(|(made, _)| made == number) else {
                continue;
            };
            self.record_route(unrouted.remove(made).1, &instances[*callee].name, *id);
        }
    }

    fn record_route(&mut self, call: CallIndex, to: &str, id: CallId) {
        self.by_id.insert(id.to_wire(), call);
        let call = &mut self.calls[call];
        call.to = to.into();
        call.id = id;
        for frame in call.unnamed.drain(..) {
            self.frames[frame].to = to.into();
            self.frames[frame].call = id;
        }
    }

    /// Returns the indices of a call that reaches its callee, and of the call's frame.
    pub(super) fn arrive(&mut self, frame: &AbiFrame<'_>) -> Option<(CallIndex, usize)> {
        let call = *self.by_id.get(&id_of(frame).to_wire())?;
        Some((call, self.calls[call].frame))
    }

    /// Records the callee's reply, and returns the index of its frame.
    pub(super) fn answer(&mut self, call: CallIndex, frame: &AbiFrame<'_>) -> usize {
        let RecordedCall {
            from,
            to,
            is_cancelled,
            ..
        } = &self.calls[call];
        let callee = to.clone();
        // The host discards the reply to a cancelled call.
        let receiver = if *is_cancelled {
            HOST.into()
        } else {
            from.clone()
        };
        self.note_of(call, &callee, &receiver, Kind::Reply, frame)
    }

    /// Notes that the callee's reply is on its way to the caller, and that no fault holds it back.
    pub(super) fn release(&mut self, call: CallIndex) {
        let call = &mut self.calls[call];
        // The host discards the reply to a cancelled call.
        call.is_answered = !call.is_cancelled;
    }

    /// Records the end of a call, seen by its caller.
    ///
    /// The frame is the host's own reply unless the callee has answered and the call had not ended
    /// before.
    pub(super) fn end(&mut self, call: CallIndex, frame: &AbiFrame<'_>) {
        if self.calls[call].id.is_empty() {
            // The kernel refused the call, so `record_routes` did not see it.
            self.record_route(call, HOST, id_of(frame));
        }
        // The callee's reply is in the record already: it was recorded when the callee sent it.
        let is_noted = std::mem::take(&mut self.calls[call].is_answered);
        if !is_noted {
            let to = self.calls[call].from.clone();
            self.note_of(call, HOST, &to, Kind::Reply, frame);
        }
    }

    /// Records a frame between the first and the last one of a call.
    pub(super) fn pass(
        &mut self,
        call: CallIndex,
        is_to_callee: bool,
        kind: Kind,
        frame: &AbiFrame<'_>,
    ) {
        let RecordedCall { from, to, .. } = &self.calls[call];
        let (from, to) = if is_to_callee { (from, to) } else { (to, from) };
        let (from, to) = (from.clone(), to.clone());
        self.note_of(call, &from, &to, kind, frame);
    }

    /// Records that a caller cancels its call.
    pub(super) fn cancel(&mut self, call: CallIndex, frame: &AbiFrame<'_>) {
        self.calls[call].is_cancelled = true;
        let from = self.calls[call].from.clone();
        let to = self.calls[call].to.clone();
        self.note_of(call, &from, &to, Kind::Cancel, frame);
    }

    /// Records a cancellation that reaches the callee.
    ///
    /// The frame is the host's own, for example at the deadline, unless the caller has cancelled
    /// the call; then the record has the frame already.
    pub(super) fn cancel_at_callee(&mut self, call: CallIndex, frame: &AbiFrame<'_>) {
        if !std::mem::replace(&mut self.calls[call].is_cancelled, true) {
            let to = self.calls[call].to.clone();
            self.note_of(call, HOST, &to, Kind::Cancel, frame);
        }
    }

    /// Records a frame of a call, and returns the index of the frame.
    fn note_of(
        &mut self,
        call: CallIndex,
        from: &str,
        to: &str,
        kind: Kind,
        frame: &AbiFrame<'_>,
    ) -> usize {
        let frame = self.frame(from, to, kind, frame);
        let index = self.frames.len();
        let call = &mut self.calls[call];
        if call.id.is_empty() {
            call.unnamed.push(index);
        }
        self.frames.push(Frame {
            service: call.service.clone(),
            method: call.method.clone(),
            call: call.id,
            ..frame
        });
        index
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
            payload: content_of(kind, frame),
            effect: None,
        }
    }
}

/// Returns the payload; of a log frame with the fields, as the log shows them.
fn content_of(kind: Kind, frame: &AbiFrame<'_>) -> Vec<u8> {
    let mut content = frame.payload.to_vec();
    if kind == Kind::Log {
        for (name, value) in frame.metadata_pairs().flatten() {
            content.extend_from_slice(format!(" {name}={value}").as_bytes());
        }
    }
    content
}

fn id_of(frame: &AbiFrame<'_>) -> CallId {
    let (high, low) = frame.header.id;
    CallId::from_wire(high, low).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use parigot_abi::frame::{Level, push_pair};

    use super::*;

    #[test]
    fn a_recorded_line_has_its_attributes() {
        let mut fields = Vec::new();
        push_pair(&mut fields, "loaves", "3");
        push_pair(&mut fields, "kind", "\"rye bread\"");
        let mut record = Record::new(Arc::new(ManualClock::new(Duration::ZERO)));
        record.note_line(
            "oven",
            &GuestLine {
                level: Level::Warn,
                text: "baked",
                fields: &fields,
            },
        );
        let [line] = &record.frames[..] else {
            panic!("{:?}", record.frames)
        };
        assert_eq!(line.text(), "baked loaves=3 kind=\"rye bread\"");
        assert_eq!(line.status, Level::Warn as u32);
    }
}
