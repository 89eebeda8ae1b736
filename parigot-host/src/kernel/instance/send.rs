//! Messages to an instance: calls, replies, cancellations, and the frames of its lifecycle.

use std::sync::atomic::Ordering;

use parigot_abi::control::NEVER;
use parigot_abi::id::CallId;
use parigot_abi::{Frame, FrameBuilder, Header, Kind};

use super::calls::{Batch, CallName, Inbound, push};
use super::state::Delivery;
use super::stream::{Stream, StreamEvent, StreamRecord};
use super::{Instance, Wake};
use crate::error::{Failure, GuestFault, Unavailable};
use crate::limits::{CALLS_MAX, MAILBOX_BYTES_MAX};

/// Share of the time until the deadline that a call needs to run: one part of so many. A call that
/// would begin later is refused at once.
const MARGIN: u64 = 8;

/// # Fast path
///
/// `send_call` and `send_reply` hand an idle instance off with the frame: one atomic operation
/// takes the state, and the frame goes straight into the worker's batch. This saves the locks of
/// the mailbox and the queue, and a second copy. Two such handoffs make a call: benches/README.md
/// lists 170 instructions for taking and returning an instance with one atomic each. The tests
/// `a_handoff_needs_an_idle_instance` and `an_expired_call_gets_no_second_end` compare both paths.
impl Instance {
    /// Sends a call, made at `now_ns`, and returns its number at this instance.
    ///
    /// If the worker passes its empty `batch` and this instance is idle, the state goes to the
    /// worker and the frame into `batch`. Otherwise the call goes to the mailbox. The function is
    /// inlined into the router, which knows most of the header at compile time.
    ///
    /// # Errors
    ///
    /// Fails if the instance takes no calls, or has no room for the call.
    #[inline(always)]
    pub(crate) fn send_call(
        &self,
        call: Inbound,
        header: Header,
        frame: &Frame<'_>,
        now_ns: u64,
        batch: Option<&mut Box<Batch>>,
    ) -> Result<(u64, Delivery), Failure> {
        // The limits come first: an instance that is taken cannot refuse. A slow path repeats the
        // comparisons, and names the limit.
        if let Some(batch) = batch
            && self.calls() < CALLS_MAX
            && frame.content_bytes() <= MAILBOX_BYTES_MAX
            && let Some(mut state) = self.slot.take_idle()
        {
            let number = state.calls.next_number();
            state.calls.inbound.insert(number, call);
            if !frame.metadata.is_empty() {
                state.calls.trace(number, frame.metadata);
            }
            self.publish_counts(&state.calls);
            batch.push_call(number, &call, header, frame);
            return Ok((number, Delivery::HandedOff(state)));
        }
        self.enqueue_call(call, header, frame, now_ns, None)
            .map(|(number, wake)| (number, Delivery::Enqueued(wake)))
    }

    /// Sends the reply of `callee` to a call that this instance made, as [`Instance::send_call`]
    /// sends a call. A `detail` replaces the detail of the reply.
    #[inline(always)]
    pub(crate) fn send_reply(
        &self,
        call: &Inbound,
        reply: &Frame<'_>,
        detail: Option<&[u8]>,
        callee: &Instance,
        batch: Option<&mut Box<Batch>>,
    ) -> Delivery {
        if let Some(batch) = batch
            && reply.content_bytes() <= MAILBOX_BYTES_MAX
            && let Some(mut state) = self.slot.take_idle()
        {
            // Else the call has ended already, and the turn finds an empty batch.
            if state.calls.end(call.number, call.id) {
                batch.push_reply(call, reply, detail);
            }
            return Delivery::HandedOff(state);
        }
        Delivery::Enqueued(self.enqueue_reply(call, reply, detail, callee))
    }
}

/// Slow path: every message that goes to the mailbox. The message is stored before the
/// notification, so the next turn finds it.
impl Instance {
    /// Stores a call, made at `now_ns`, with its stream if the method streams. Returns the number
    /// of the call at this instance.
    ///
    /// # Errors
    ///
    /// As for [`Instance::send_call`].
    pub(crate) fn enqueue_call(
        &self,
        call: Inbound,
        header: Header,
        frame: &Frame<'_>,
        now_ns: u64,
        stream: Option<Box<Stream>>,
    ) -> Result<(u64, Wake), Failure> {
        let mut mailbox = self.mailbox.lock();
        if let Some(unavailable_reason) = &mailbox.unavailable_reason {
            let failure = Failure::absent(&self.name, unavailable_reason, now_ns);
            return Err(failure.at(self.id_in_failure()));
        }
        if self.calls() >= CALLS_MAX {
            return Err(Failure::too_many_inbound(&self.name).at(self.id_in_failure()));
        }
        let bytes = mailbox.batch.frames.len();
        if bytes + frame.content_bytes() > MAILBOX_BYTES_MAX {
            return Err(Failure::mailbox_full(&self.name, bytes).at(self.id_in_failure()));
        }
        let wait_ns = self.backlog.wait_ns(mailbox.last_number, self.calls());
        if wait_ns > 0 {
            let left_ns = self.host_time_ns(header.deadline_ns).saturating_sub(now_ns);
            if wait_ns > left_ns - left_ns / MARGIN {
                let failure = Failure::would_expire(&self.name, wait_ns, left_ns);
                return Err(failure.at(self.id_in_failure()));
            }
        }
        let number = mailbox.push_call(call, header, frame);
        if let Some(stream) = stream {
            mailbox.batch.streams.push((number, stream));
        }
        self.publish_mailbox_count(&mailbox);
        Ok((number, self.slot.notify()))
    }

    fn enqueue_reply(
        &self,
        call: &Inbound,
        reply: &Frame<'_>,
        detail: Option<&[u8]>,
        callee: &Instance,
    ) -> Wake {
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended {
            return Wake::AlreadyAwake;
        }
        let bytes = mailbox.batch.frames.len();
        if bytes + reply.content_bytes() > MAILBOX_BYTES_MAX {
            // The failure is short, so it is stored beyond the limit: the caller must not wait
            // until its deadline.
            let failure = Failure::no_room_for_answer(&self.name, bytes);
            mailbox.push_failure(call.number, call.id, &failure.at(callee.id_in_failure()));
        } else {
            mailbox.push_reply(call, reply, detail);
        }
        self.slot.notify()
    }

    /// Sends the headers of a call that this instance made.
    ///
    /// # Errors
    ///
    /// Fails if the mailbox has no room for the headers, with the number of its bytes.
    pub(crate) fn enqueue_open(&self, call: &Inbound, open: &Frame<'_>) -> Result<Wake, usize> {
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended {
            return Ok(Wake::AlreadyAwake);
        }
        let bytes = mailbox.batch.frames.len();
        if bytes + open.content_bytes() > MAILBOX_BYTES_MAX {
            return Err(bytes);
        }
        mailbox.batch.push_open(call, open);
        Ok(self.slot.notify())
    }

    /// Sends a frame of a stream; `item` is the payload of an item, else empty.
    ///
    /// # Errors
    ///
    /// Fails if the mailbox has no room for an item, with the number of its bytes. A credit and an
    /// end are short, and credit comes with items, so they are stored beyond the limit.
    pub(crate) fn enqueue_stream_frame(
        &self,
        record: StreamRecord,
        item: &[u8],
    ) -> Result<Wake, usize> {
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended {
            return Ok(Wake::AlreadyAwake);
        }
        let bytes = mailbox.batch.frames.len();
        let is_item = matches!(record.event, StreamEvent::Item(_));
        if is_item && bytes + item.len() > MAILBOX_BYTES_MAX {
            return Err(bytes);
        }
        mailbox.batch.push_stream_frame(record, item);
        Ok(self.slot.notify())
    }

    /// Sends the failure of a call that this instance made.
    pub(crate) fn enqueue_failure(&self, number: u64, id: CallId, failure: &Failure) -> Wake {
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended {
            return Wake::AlreadyAwake;
        }
        mailbox.push_failure(number, id, failure);
        self.slot.notify()
    }

    /// Appends frames that `write` writes, without a record of a call.
    ///
    /// During a turn, the worker of this instance appends the failures of refused calls; tests
    /// append their own frames. The function does not check if the instance has ended, because a
    /// worker calls the function only for its running instance.
    pub(crate) fn enqueue_frames(&self, write: impl FnOnce(&mut Vec<u8>)) -> Wake {
        write(&mut self.mailbox.lock().batch.frames);
        self.slot.notify()
    }

    /// Sends the cancellation of a call. An instance that serves the call still replies, but the
    /// host drops the reply.
    pub(crate) fn enqueue_cancel(&self, number: u64, id: CallId) -> Wake {
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended {
            return Wake::AlreadyAwake;
        }
        mailbox.batch.cancelled.push(CallName { number, id });
        self.slot.notify()
    }

    /// Ends a call to this instance whose deadline has passed. Returns true if the instance has not
    /// received the call and never will. Else the next turn of the instance decides the fate. A
    /// proxy is not asked: another process decides, whose reply is under way.
    pub(crate) fn expire(&self, number: u64, id: CallId) -> (bool, Wake) {
        let mut mailbox = self.mailbox.lock();
        let call = CallName { number, id };
        if mailbox.batch.withdraw(&call) {
            return (true, Wake::AlreadyAwake);
        }
        // After the end, the failure of the call is in the caller's mailbox already.
        if mailbox.has_ended || self.is_proxy {
            return (false, Wake::AlreadyAwake);
        }
        mailbox.batch.overdue.push(call);
        (false, self.slot.notify())
    }

    /// Sends the frame of the launch to one generation. A slow worker may deliver the frame after a
    /// restart. The next generation has not requested the launch, so the next generation does not
    /// receive the frame.
    pub(crate) fn enqueue_launched(&self, generation: u32) -> Wake {
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended || generation != self.generation.load(Ordering::Relaxed) {
            return Wake::AlreadyAwake;
        }
        mailbox.batch.frames.extend_from_slice(&self.launched_frame);
        self.slot.notify()
    }

    /// Asks the instance to finish its calls and to exit by `deadline_ns` on the host's clock. The
    /// instance takes no more calls.
    pub(crate) fn enqueue_stop(&self, deadline_ns: u64) -> Wake {
        let deadline_ns = self.guest_time_ns(deadline_ns);
        let mut mailbox = self.mailbox.lock();
        if mailbox.has_ended {
            return Wake::AlreadyAwake;
        }
        mailbox.unavailable_reason = Some(Unavailable::Stopping);
        push(FrameBuilder::new(
            &mut mailbox.batch.frames,
            Header {
                deadline_ns,
                ..Header::new(Kind::Stop)
            },
        ));
        // The slot is closed under the lock, so that `accept_calls` does not open the slot again.
        self.slot.close()
    }

    /// Ends the instance with a fault before its next turn.
    pub(crate) fn kill(&self, fault: GuestFault) -> Wake {
        let mut mailbox = self.mailbox.lock();
        mailbox.kill_reason = Some(Box::new(fault));
        self.slot.notify()
    }

    /// Gives a proxy a turn, in which it reads its queue of remote events.
    pub(crate) fn notify(&self) -> Wake {
        self.slot.notify()
    }

    /// Gives the instance the turn for which its timer was set to `at_ns`.
    pub(crate) fn fire(&self, at_ns: u64) -> Wake {
        // Fails if a worker has set the timer again meanwhile: then the new moment stays.
        let _ =
            self.wake_at_ns
                .compare_exchange(at_ns, NEVER, Ordering::Relaxed, Ordering::Relaxed);
        self.slot.notify()
    }
}
