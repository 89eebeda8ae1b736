//! Routing of calls that stream: their beginning, their headers, items and credit.
//!
//! A call that streams takes the same way as every other call, except that all its frames go
//! through mailboxes, which keep their order. [`Stream`] has the rules for guests.

use parigot_abi::frame::{NO_DEADLINE, flags};
use parigot_abi::{Frame, Header, Kind, StreamContent, StreamFrame};

use crate::error::{Breach, Ending, Failure, GuestFault};
use crate::kernel::callees::Callee;
use crate::kernel::instance::{
    Calls, Instance, Origin, Outbound, Side, Stream, StreamEvent, Wake, Window,
};
use crate::kernel::observer::Observer;
use crate::kernel::router::OutgoingCall;
use crate::kernel::scheduler::{Sender, Worker};
use crate::start::graph::Target;

/// Deadline of a call that streams, on the host's clock.
struct Deadline {
    at_ns: u64,
    /// Deadline in the frame of the call.
    in_frame_ns: u64,
    flags: u16,
    covers_first_frame: bool,
}

impl<O: Observer> Worker<'_, O> {
    /// Sends a call that streams to the callee and records it at the caller, as
    /// [`Worker::offer`](Worker) does with other calls.
    ///
    /// # Errors
    ///
    /// Fails if the callee refuses the call, or if a side has no room for the window of its items.
    #[cold]
    #[inline(never)]
    pub(super) fn offer_stream(
        &mut self,
        call: &OutgoingCall<'_>,
        callee: &Callee,
        target: Target,
        calls: &mut Calls,
    ) -> Result<(), Failure> {
        let caller = call.from;
        let instance = &self.kernel.instances[callee.index];
        let of_requests = window_at(instance, target.streams.streams_requests())?;
        let of_responses = window_at(caller, target.streams.streams_responses())?;
        let now_ns = self.now_ns();
        let deadline = self.deadline_of(call, callee, target);
        let inbound = call.at_callee();
        let header = Header {
            flags: deadline.flags,
            service: callee.service,
            method: target.method,
            deadline_ns: instance.guest_time_ns(deadline.in_frame_ns),
            ..Header::new(Kind::Call)
        };
        let stream = Stream::new(Side::Callee, target.streams, of_requests);
        let (inbound_number, wake) =
            instance.enqueue_call(inbound, header, call.frame, now_ns, Some(Box::new(stream)))?;
        self.wake(instance, wake);
        let outbound = Outbound {
            callee: callee.index,
            inbound: inbound_number,
            origin: Origin::new(caller.is_proxy, &call.frame.header, &header),
            id: call.id,
            deadline_ns: deadline.at_ns,
            is_overdue: false,
            is_stream: true,
        };
        let mut stream = Stream::new(Side::Caller, target.streams, of_responses);
        stream.covers_first_frame = deadline.covers_first_frame;
        calls.made_streams.insert(inbound.number, stream);
        calls.keep(inbound.number, outbound);
        self.observer
            .call_sent(caller.index, inbound.number, &outbound);
        Ok(())
    }

    /// Returns the deadline of a call that streams. The default of the deployment covers the time
    /// until the first frame of the callee, because a stream may take as long as its sides want. It
    /// is not in the frame of the call, since the handler's own calls would inherit it.
    fn deadline_of(&self, call: &OutgoingCall<'_>, callee: &Callee, target: Target) -> Deadline {
        let instance = &self.kernel.instances[callee.index];
        let is_default = call.frame.header.deadline_ns == NO_DEADLINE;
        let covers_first_frame = is_default && target.deadline_ns == 0;
        let at_ns = if is_default {
            let after_ns = target.deadline_ns(instance);
            self.now_ns().saturating_add(after_ns)
        } else {
            call.from.host_time_ns(call.frame.header.deadline_ns)
        };
        Deadline {
            at_ns,
            in_frame_ns: if covers_first_frame {
                NO_DEADLINE
            } else {
                at_ns
            },
            flags: if is_default && !covers_first_frame {
                flags::DEFAULT_DEADLINE
            } else if call.from.is_proxy {
                // As for other calls: the flag was set by another host.
                call.frame.header.flags & flags::DEFAULT_DEADLINE
            } else {
                0
            },
            covers_first_frame,
        }
    }

    /// Routes the response headers of a call that the guest serves.
    ///
    /// Always through the mailbox: the reply follows at once or later, and a mailbox keeps the
    /// order.
    #[cold]
    pub(super) fn route_open(
        &mut self,
        from: &mut Sender<'_>,
        frame: &Frame<'_>,
    ) -> Result<(), Ending> {
        let number = frame.header.number;
        let call = from
            .calls
            .inbound
            .get_mut(number)
            .ok_or(Breach::NoSuchCall { number })?;
        let inbound = *call;
        from.calls.open(number)?;
        // Cancelled calls have no caller.
        let Some(caller) = inbound.caller else {
            return Ok(());
        };
        let caller = &self.kernel.instances[caller];
        let bytes = frame.content_bytes();
        let bytes_max = self.kernel.message_bytes_max;
        let failure = if bytes > bytes_max {
            Failure::response_too_large(bytes, bytes_max)
        } else {
            match caller.enqueue_open(&inbound, frame) {
                Ok(wake) => {
                    self.wake(caller, wake);
                    return Ok(());
                }
                Err(bytes) => Failure::no_room_for_answer(&caller.name, bytes),
            }
        };
        self.lose_answer(from, number, failure);
        Ok(())
    }

    /// Ends a call that the guest serves and whose answer has lost a part. The reply has no caller.
    #[cold]
    fn lose_answer(&mut self, from: &mut Sender<'_>, number: u64, failure: Failure) {
        let Some(call) = from.calls.inbound.get_mut(number) else {
            return;
        };
        let inbound = *call;
        call.caller = None;
        self.fail_call(&inbound, failure.at(from.instance.id_in_failure()));
        // A handler that waits for credit would wait forever.
        if from.calls.served_stream(number).is_some() {
            let wake = from.instance.enqueue_cancel(number, inbound.id);
            self.wake(from.instance, wake);
        }
    }

    /// Routes an item, a credit or the end of the requests.
    ///
    /// # Errors
    ///
    /// Fails if the guest may not send the frame.
    pub(super) fn route_stream_frame(
        &mut self,
        from: &mut Sender<'_>,
        frame: &Frame<'_>,
    ) -> Result<(), Ending> {
        let kind = frame.kind().unwrap_or(Kind::Item);
        let frame = StreamFrame::read(frame).map_err(GuestFault::Malformed)?;
        let number = frame.number;
        let side = if frame.is_to_callee {
            Side::Caller
        } else {
            Side::Callee
        };
        if !from.calls.is_pending(side, number) {
            return match side {
                // The reply to the call may be in the guest's mailbox.
                Side::Caller => Ok(()),
                Side::Callee => Err(Breach::NotPending { kind, number }.into()),
            };
        }
        let bytes_max = self.kernel.message_bytes_max;
        let Some(event) = check(from.calls, side, &frame, bytes_max)? else {
            return Ok(());
        };
        let Some((receiver, record)) = from.calls.record_at_other_side(side, number, event) else {
            return Ok(());
        };
        let item = match frame.content {
            StreamContent::Item(item) => item,
            StreamContent::Credit(_) | StreamContent::End => &[],
        };
        let receiver = &self.kernel.instances[receiver];
        match receiver.enqueue_stream_frame(record, item) {
            Ok(wake) => self.wake(receiver, wake),
            Err(bytes) => {
                let failure = Failure::no_room_for_item(&receiver.name, bytes);
                match side {
                    Side::Caller => self.lose_request(from, number, failure),
                    Side::Callee => self.lose_answer(from, number, failure),
                }
            }
        }
        Ok(())
    }

    /// Ends a call that the guest has made and whose requests have lost an item.
    #[cold]
    fn lose_request(&mut self, from: &mut Sender<'_>, number: u64, failure: Failure) {
        if let Some(stream) = from.calls.stream(Side::Caller, number) {
            stream.is_broken = true;
        }
        if let Some(call) = from.calls.outbound.get_mut(number).copied() {
            self.cancel_at_callee(&call);
            let callee = &self.kernel.instances[call.callee];
            let failure = failure.at(callee.id_in_failure());
            let wake = from.instance.enqueue_failure(number, call.id, &failure);
            self.wake(from.instance, wake);
        }
    }

    /// Passes on the credit that waited for space, after items have entered the instance.
    #[cold]
    pub(super) fn pass_withheld_credit(&mut self, calls: &mut Calls) {
        for (side, number) in std::mem::take(&mut calls.withheld) {
            let Some(credit) = calls.stream(side, number).and_then(Stream::pass_credit) else {
                continue;
            };
            let event = StreamEvent::Credit(credit);
            if let Some((receiver, record)) = calls.record_at_other_side(side, number, event) {
                let receiver = &self.kernel.instances[receiver];
                // Only items can lack room.
                let wake = receiver.enqueue_stream_frame(record, &[]);
                self.wake(receiver, wake.unwrap_or(Wake::AlreadyAwake));
            }
        }
    }
}

/// Checks a frame of a stream against the rules for guests, and counts the frame. Returns `None` if
/// the other side must not see the frame.
fn check(
    calls: &mut Calls,
    side: Side,
    frame: &StreamFrame<'_>,
    bytes_max: usize,
) -> Result<Option<StreamEvent>, Breach> {
    let number = frame.number;
    let kind = match frame.content {
        StreamContent::Item(_) => Kind::Item,
        StreamContent::Credit(_) => Kind::Credit,
        StreamContent::End => Kind::End,
    };
    let stream = calls.stream(side, number);
    let stream = stream.ok_or(Breach::NoStream { kind, number })?;
    let event = match frame.content {
        StreamContent::Item(item) => {
            let bytes = item.len();
            if bytes > bytes_max {
                return Err(Breach::ItemTooLarge {
                    number,
                    bytes,
                    bytes_max,
                });
            }
            stream.send(number, bytes)?;
            Some(StreamEvent::Item(bytes))
        }
        StreamContent::Credit(credit) => {
            stream.grant(number, credit)?;
            stream.pass_credit().map(StreamEvent::Credit)
        }
        StreamContent::End => {
            stream.end(number)?;
            Some(StreamEvent::End)
        }
    };
    stream.has_begun |= side == Side::Callee && event.is_some();
    Ok(event.filter(|_| !stream.is_broken))
}

/// Reserves the window of a direction that streams.
fn window_at(receiver: &Instance, is_needed: bool) -> Result<Option<Window>, Failure> {
    if !is_needed {
        return Ok(None);
    }
    match receiver.windows.reserve() {
        None => Err(Failure::no_window(&receiver.name)),
        window => Ok(window),
    }
}
