//! Streams among the calls of an instance.

use parigot_abi::{Frame, Kind};

use super::calls::{Batch, Calls, retain_frames};
use super::stream::{Side, Stream, StreamEvent, StreamRecord};
use crate::kernel::index::InstanceIndex;

impl Calls {
    /// Returns the stream of a call that the instance serves.
    pub(crate) fn served_stream(&mut self, number: u64) -> Option<&mut Stream> {
        self.extras.get_mut(&number)?.stream.as_deref_mut()
    }

    /// Returns the stream of a call at a side of the instance.
    pub(crate) fn stream(&mut self, side: Side, number: u64) -> Option<&mut Stream> {
        match side {
            Side::Caller => self.made_streams.get_mut(&number),
            Side::Callee => self.served_stream(number),
        }
    }

    /// Returns true if the call has not ended at a side of the instance.
    pub(crate) fn is_pending(&self, side: Side, number: u64) -> bool {
        match side {
            Side::Caller => self.outbound.contains(number),
            Side::Callee => self.inbound.contains(number),
        }
    }

    /// Returns the other side of a call, and the record of a frame to that side. Returns `None` if
    /// the call has ended there.
    pub(crate) fn record_at_other_side(
        &mut self,
        side: Side,
        number: u64,
        event: StreamEvent,
    ) -> Option<(InstanceIndex, StreamRecord)> {
        match side {
            Side::Caller => {
                let call = self.outbound.get_mut(number)?;
                let record = StreamRecord {
                    side: Side::Callee,
                    number: call.inbound,
                    id: call.id,
                    event,
                };
                Some((call.callee, record))
            }
            Side::Callee => {
                let call = self.inbound.get_mut(number)?;
                let record = StreamRecord {
                    side: Side::Caller,
                    number: call.number,
                    id: call.id,
                    event,
                };
                Some((call.caller?, record))
            }
        }
    }

    /// Returns true if the instance has sent a frame of a stream that it serves. Then the call has
    /// begun for its caller, too, and cannot be refused any more.
    #[cold]
    pub(crate) fn has_sent_frame(&mut self, number: u64) -> bool {
        self.served_stream(number)
            .is_some_and(|stream| stream.has_begun)
    }

    /// Forgets the stream of a call that the instance has made and that has ended.
    #[cold]
    pub(crate) fn forget_stream(&mut self, number: u64) {
        self.made_streams.remove(&number);
    }

    /// Applies the records of the stream frames of a batch, in their order, and removes the frames
    /// whose call has ended.
    #[cold]
    pub(super) fn receive_stream_frames(&mut self, batch: &mut Batch) {
        let mut unwanted = Vec::new();
        for (index, record) in batch.stream_frames.drain(..).enumerate() {
            if !self.receive_stream_frame(&record) {
                unwanted.push(index);
            }
        }
        if unwanted.is_empty() {
            return;
        }
        // The records are in the order of the frames. Numbers alone would not do, because a batch
        // may have frames of an older generation, whose numbers were used again.
        let mut index = 0;
        retain_frames(&mut batch.frames, |frame| {
            let is_unwanted = is_of_stream(frame) && {
                index += 1;
                unwanted.binary_search(&(index - 1)).is_ok()
            };
            !is_unwanted
        });
    }

    /// Applies a record. Returns false if the call has ended.
    fn receive_stream_frame(&mut self, record: &StreamRecord) -> bool {
        let StreamRecord {
            side,
            number,
            id,
            event,
        } = *record;
        let is_open = match side {
            Side::Caller => self.note_frame_of_callee(number, id),
            Side::Callee => self
                .inbound
                .get_mut(number)
                .is_some_and(|call| call.id.key() == id.key() && call.caller.is_some()),
        };
        let Some(stream) = self.stream(side, number).filter(|_| is_open) else {
            return false;
        };
        match event {
            StreamEvent::Item(payload_bytes) => {
                if stream.receive(payload_bytes) && self.withheld.last() != Some(&(side, number)) {
                    self.withheld.push((side, number));
                }
            }
            StreamEvent::Credit(credit) => stream.extend(credit),
            StreamEvent::End => {}
        }
        true
    }
}

fn is_of_stream(frame: &Frame<'_>) -> bool {
    matches!(frame.kind(), Some(Kind::Item | Kind::Credit | Kind::End))
}
