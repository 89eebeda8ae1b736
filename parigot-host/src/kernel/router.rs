//! Routing of the frames that a guest sends: calls, replies, cancellations, log lines, its launch
//! and its exit.

use parigot_abi::frame::{LAUNCH_NUMBER, NO_DEADLINE, flags};
use parigot_abi::id::CallId;
use parigot_abi::manifest::MethodFlags;
use parigot_abi::status::Detail;
use parigot_abi::{Cause, Code as StatusCode, Fate, Frame, Frames, Header, Kind};
use rand::Rng;

use crate::error::{Breach, Ending, Failure, GuestFault};
use crate::kernel::callees::{Callee, Pool, Route};
use crate::kernel::instance::{Calls, Delivery, Inbound, Instance, Origin, Outbound};
use crate::kernel::lifecycle::{FAILED, Launched};
use crate::kernel::metadata;
use crate::kernel::observer::Observer;
use crate::kernel::scheduler::{HandoffSlot, Sender, Worker};
use crate::limits::{CALLS_MAX, REASON_BYTES_MAX};
use crate::log::events;
use crate::start::graph::Target;

/// Call that is about to leave its caller.
pub(super) struct OutgoingCall<'a> {
    pub(super) from: &'a Instance,
    pub(super) frame: &'a Frame<'a>,
    pub(super) id: CallId,
}

impl OutgoingCall<'_> {
    /// Returns the entry for the callee's table.
    #[inline(always)]
    pub(super) fn at_callee(&self) -> Inbound {
        Inbound {
            caller: Some(self.from.index),
            number: self.frame.header.number,
            id: self.id,
        }
    }
}

impl<O: Observer> Worker<'_, O> {
    /// Carries out the frames of a guest in their order, up to its end.
    ///
    /// Only the receiver of the last frame may be handed off. If an earlier frame were handed off,
    /// a later frame to the same receiver would need another turn.
    ///
    /// # Errors
    ///
    /// Fails if the guest exits or breaks the protocol. All earlier frames were carried out.
    pub(crate) fn route(
        &mut self,
        mut from: Sender<'_>,
        outbox: &[u8],
        handoff: &mut HandoffSlot,
    ) -> Result<(), Ending> {
        self.route_frames(&mut from, outbox, Some(handoff))
    }

    /// As [`Worker::route`]. Hands off no receiver without a `handoff`.
    fn route_frames(
        &mut self,
        from: &mut Sender<'_>,
        outbox: &[u8],
        mut handoff: Option<&mut HandoffSlot>,
    ) -> Result<(), Ending> {
        let mut frames = Frames::new(outbox);
        while let Some(frame) = frames.next() {
            let frame = frame.map_err(GuestFault::Malformed)?;
            let is_last = frames.offset() == outbox.len();
            let handoff = if is_last {
                handoff.as_deref_mut()
            } else {
                None
            };
            // Few frames have metadata. Proxies pass on metadata that another host has checked.
            if !frame.metadata.is_empty()
                && !from.instance.is_proxy
                && let Some(copy) = metadata::without_reserved_keys(&frame)
            {
                self.route_copy(from, &copy)?;
                continue;
            }
            match frame.kind() {
                Some(Kind::Call) => self.route_call(from, &frame, handoff)?,
                Some(Kind::Reply) if frame.header.number == LAUNCH_NUMBER => {
                    self.route_ready(from.instance, &frame)?
                }
                Some(Kind::Reply) => self.route_reply(from, &frame, handoff)?,
                Some(Kind::Open) => self.route_open(from, &frame)?,
                Some(Kind::Item | Kind::Credit | Kind::End) => {
                    self.route_stream_frame(from, &frame)?;
                }
                Some(Kind::Cancel) => self.route_cancel(frame.header.number, from.calls),
                Some(Kind::Log) => self.route_log(from, &frame),
                Some(Kind::Launch) => self.route_launch(from.instance)?,
                Some(Kind::Exit) => return Err(read_exit(&frame)),
                Some(kind) => return Err(Breach::Kind(kind).into()),
                None => return Err(Breach::UnknownKind(frame.header.kind).into()),
            }
        }
        Ok(())
    }

    /// Routes the copy of a frame without the metadata that only the host may set. The copy has no
    /// such metadata, so that the recursion ends.
    ///
    /// Out of line, so that the usual frame, which has no metadata, is neither copied nor moved.
    #[cold]
    #[inline(never)]
    fn route_copy(&mut self, from: &mut Sender<'_>, copy: &[u8]) -> Result<(), Ending> {
        self.route_frames(from, copy, None)
    }

    /// Routes a call to its target. The only place where a call leaves its caller.
    fn route_call(
        &mut self,
        from: &mut Sender<'_>,
        frame: &Frame<'_>,
        handoff: Option<&mut HandoffSlot>,
    ) -> Result<(), Ending> {
        let Header {
            number,
            service,
            method,
            ..
        } = frame.header;
        let caller = from.instance;
        let route = from
            .routes
            .get(service as usize)
            .ok_or(Breach::Handle { handle: service })?;
        if method as usize >= route.methods() {
            return Err(Breach::Method {
                method,
                handle: service,
            }
            .into());
        }
        let id = if caller.is_proxy {
            id_of(frame)
        } else {
            CallId::from_random(self.random.random())
        };
        if from.calls.outbound.contains(number) {
            return Err(Breach::CalledTwice { number }.into());
        }
        let call = OutgoingCall {
            from: caller,
            frame,
            id,
        };
        let offered = match self.check_limits(&call, from.calls) {
            Err(failure) => Err(failure),
            Ok(()) => match route {
                Route::One(callee) => self.offer(&call, callee, from.calls, handoff),
                Route::Many(pool) => self.offer_to_one_of(&call, pool, from.calls, handoff),
            },
        };
        if let Err(failure) = offered {
            let wake = caller.enqueue_frames(|frames| failure.push(number, id, frames));
            self.wake(caller, wake);
        }
        Ok(())
    }

    /// Checks a call against the limits that do not depend on the callee.
    #[inline]
    fn check_limits(&self, call: &OutgoingCall<'_>, calls: &Calls) -> Result<(), Failure> {
        if calls.outbound.len() >= CALLS_MAX {
            return Err(Failure::too_many_outbound(&call.from.name));
        }
        let bytes = call.frame.content_bytes();
        let bytes_max = self.kernel.message_bytes_max;
        if bytes > bytes_max {
            return Err(Failure::request_too_large(bytes, bytes_max));
        }
        let deadline_ns = call.frame.header.deadline_ns;
        if deadline_ns != NO_DEADLINE && call.from.host_time_ns(deadline_ns) <= self.now_ns() {
            return Err(Failure::expired());
        }
        Ok(())
    }

    /// Offers a call to the least busy of several callees, then to each of them.
    ///
    /// Never inlined: most routes have one callee, and their path stays short.
    #[inline(never)]
    fn offer_to_one_of(
        &mut self,
        call: &OutgoingCall<'_>,
        pool: &Pool,
        calls: &mut Calls,
        handoff: Option<&mut HandoffSlot>,
    ) -> Result<(), Failure> {
        let mut handoff = handoff;
        let instances = &self.kernel.instances;
        let method = call.frame.header.method as usize;
        if let Some(callee) = pool.least_busy(method, |index| instances[index].load())
            && self
                .offer(call, callee, calls, handoff.as_deref_mut())
                .is_ok()
        {
            return Ok(());
        }
        // The chosen callee has just ended, or has no room: any other callee will do.
        let mut failures = Vec::new();
        for callee in &pool.callees {
            match self.offer(call, callee, calls, handoff.as_deref_mut()) {
                Ok(()) => return Ok(()),
                Err(failure) => failures.push(failure),
            }
        }
        Err(Failure::of_all(failures))
    }

    /// Sends a call to the callee and records it at the caller.
    ///
    /// Always inlined, because most routes have one callee.
    ///
    /// # Errors
    ///
    /// Fails if the callee lacks the method or refuses the call.
    #[inline(always)]
    fn offer(
        &mut self,
        call: &OutgoingCall<'_>,
        callee: &Callee,
        calls: &mut Calls,
        handoff: Option<&mut HandoffSlot>,
    ) -> Result<(), Failure> {
        let caller = call.from;
        let header = &call.frame.header;
        let instance = &self.kernel.instances[callee.index];
        let Some(target) = callee.methods[header.method as usize] else {
            return Err(unimplemented(instance));
        };
        if target.streams != MethodFlags::UNARY {
            return self.offer_stream(call, callee, target, calls);
        }
        let now_ns = self.now_ns();
        let (deadline_ns, flags) = match header.deadline_ns {
            NO_DEADLINE => (
                now_ns.saturating_add(target.deadline_ns(instance)),
                flags::DEFAULT_DEADLINE,
            ),
            // A proxy passes on the flag, which another host has set.
            guest_ns if caller.is_proxy => (
                caller.host_time_ns(guest_ns),
                header.flags & flags::DEFAULT_DEADLINE,
            ),
            guest_ns => (caller.host_time_ns(guest_ns), 0),
        };
        let inbound_header = Header {
            flags,
            service: callee.service,
            method: target.method,
            deadline_ns: instance.guest_time_ns(deadline_ns),
            ..Header::new(Kind::Call)
        };
        let batch = self.batch_for(handoff.as_deref());
        let (inbound_number, delivery) =
            instance.send_call(call.at_callee(), inbound_header, call.frame, now_ns, batch)?;
        self.finish_delivery(instance, delivery, handoff);
        let outbound = Outbound {
            callee: callee.index,
            inbound: inbound_number,
            origin: Origin::new(caller.is_proxy, header, &inbound_header),
            id: call.id,
            deadline_ns,
            is_overdue: false,
            is_stream: false,
        };
        // The reply cannot be missed: only this worker has the caller's table, and a reply that
        // arrives now waits in the mailbox until the end of this turn.
        calls.next_deadline_ns = deadline_ns.min(calls.next_deadline_ns);
        calls.outbound.insert(header.number, outbound);
        self.observer
            .call_sent(caller.index, header.number, &outbound);
        Ok(())
    }

    /// Routes the reply to a call that the guest serves.
    fn route_reply(
        &mut self,
        from: &mut Sender<'_>,
        frame: &Frame<'_>,
        handoff: Option<&mut HandoffSlot>,
    ) -> Result<(), Ending> {
        let callee = from.instance;
        let number = frame.header.number;
        let call = from
            .calls
            .inbound
            .remove(number)
            .ok_or(Breach::NoSuchCall { number })?;
        let has_sent_frame = !from.calls.extras.is_empty() && from.calls.close(number);
        // The counts must be current before the reply is sent, because the caller may read them or
        // send the next call at once.
        callee.publish_counts(from.calls);
        let Some(caller) = call.caller else {
            return Ok(());
        };
        let caller = &self.kernel.instances[caller];
        let bytes = frame.content_bytes();
        let bytes_max = self.kernel.message_bytes_max;
        let delivery = if bytes > bytes_max {
            let failure = Failure::response_too_large(bytes, bytes_max).at(callee.id_in_failure());
            Delivery::Enqueued(caller.enqueue_failure(call.number, call.id, &failure))
        } else {
            // The detail of another process already has the id of its instance.
            let is_complete = callee.is_proxy && !has_sent_frame;
            let detail = (has_detail(frame) && !is_complete)
                .then(|| detail_of(frame, callee, has_sent_frame));
            let batch = self.batch_for(handoff.as_deref());
            caller.send_reply(&call, frame, detail.as_deref(), callee, batch)
        };
        self.finish_delivery(caller, delivery, handoff);
        Ok(())
    }

    /// Routes the cancellation of a call that the guest has made.
    fn route_cancel(&mut self, number: u64, calls: &mut Calls) {
        // A call that is not in the table has ended: its reply is in the mailbox already.
        if let Some(call) = calls.outbound.remove(number) {
            if call.is_stream {
                calls.forget_stream(number);
            }
            self.cancel_at_callee(&call);
        }
    }

    /// Notifies a callee that its caller no longer waits.
    pub(crate) fn cancel_at_callee(&mut self, call: &Outbound) {
        let callee = &self.kernel.instances[call.callee];
        let wake = callee.enqueue_cancel(call.inbound, call.id);
        self.wake(callee, wake);
    }

    /// Logs a line of the guest, with the call that it is about.
    fn route_log(&mut self, from: &mut Sender<'_>, frame: &Frame<'_>) {
        let call = from.calls.logged(frame.header.number);
        let log = from.instance.guest_log();
        let report_at_ns = events::guest_line(&log, self.now_ns(), frame, call);
        self.kernel.set_log_timer(from.instance, report_at_ns);
    }

    /// Handles the request of a guest to be launched.
    fn route_launch(&mut self, from: &Instance) -> Result<(), Ending> {
        let launched = self.kernel.lifecycle.request_launch(from.index);
        self.send_launched(launched.ok_or(Breach::LaunchedTwice)?);
        self.report_start();
        Ok(())
    }

    /// Handles the report of a service: the service is ready, or could not become ready and ends.
    fn route_ready(&mut self, from: &Instance, frame: &Frame<'_>) -> Result<(), Ending> {
        if frame.header.status != StatusCode::Ok.number() {
            let Detail { message, .. } = Detail::read(frame.detail);
            let message = &message[..message.floor_char_boundary(REASON_BYTES_MAX)];
            return Err(not_ready(format!("not ready: {message}")));
        }
        if from.is_proxy {
            from.set_deadline(frame.header.deadline_ns);
        }
        let launched = self.kernel.lifecycle.ready(from.index);
        let launched = launched.ok_or(Breach::ReadyTwice)?;
        // The service must accept calls before its requirers are launched, because a requirer may
        // call at once.
        from.accept_calls();
        self.send_launched(launched);
        self.wake_proxies_of(from);
        self.report_start();
        Ok(())
    }

    /// Reports the start of services and workers once it is complete.
    fn report_start(&self) {
        if self.kernel.lifecycle.has_become_complete() {
            events::complete_start();
        }
    }

    /// Wakes the proxies for the callers of a service that has become ready, or that waits for its
    /// restart.
    pub(crate) fn wake_proxies_of(&mut self, service: &Instance) {
        for proxy in self.kernel.lifecycle.proxies_of(service.index) {
            let proxy = &self.kernel.instances[proxy];
            self.wake(proxy, proxy.notify());
        }
    }

    /// Notifies guests that they are launched.
    fn send_launched(&mut self, launched: Vec<Launched>) {
        for Launched { guest, generation } in launched {
            let instance = &self.kernel.instances[guest];
            tracing::debug!(
                service = %instance.name,
                instance = %instance.id().short(),
                "launched"
            );
            let wake = instance.enqueue_launched(generation);
            self.wake(instance, wake);
        }
    }
}

fn unimplemented(callee: &Instance) -> Failure {
    Failure::unimplemented(&callee.name).at(callee.id_in_failure())
}

/// Returns the id of a call that was made in another process. In the frames of other guests the
/// same fields hold the number of the inbound call on whose behalf the call is made.
fn id_of(frame: &Frame<'_>) -> CallId {
    let (high, low) = frame.header.id;
    CallId::from_wire(high, low).expect("a proxy must send calls with an id")
}

/// Returns whether a reply has a detail: each status has one, and an error of the service may have
/// one. Responses have none.
fn has_detail(reply: &Frame<'_>) -> bool {
    let Header { status, flags, .. } = reply.header;
    status != StatusCode::Ok.number()
        && (flags & flags::SERVICE_ERROR == 0 || !reply.detail.is_empty())
}

/// Returns the detail of a reply. The detail of a local guest gets the id of the guest's instance.
/// A call whose caller `has_seen_frame` of a stream was not refused, whatever the guest says.
#[cold]
fn detail_of(reply: &Frame<'_>, callee: &Instance, has_seen_frame: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut detail = Detail::read(reply.detail);
    if !callee.is_proxy {
        detail.instance = callee.id().to_wire();
    }
    if has_seen_frame && detail.cause.fate() == Fate::Refused {
        detail.cause = Cause::AnswerLost;
    }
    detail.write(&mut bytes);
    bytes
}

impl Target {
    /// Returns the deadline in ns of calls without a deadline of their own.
    pub(super) fn deadline_ns(self, callee: &Instance) -> u64 {
        if self.deadline_ns == 0 {
            callee.deadline_ns()
        } else {
            self.deadline_ns
        }
    }
}

/// Returns the end of a guest that could not become ready, which counts as a failure.
fn not_ready(reason: String) -> Ending {
    Ending::Exit {
        status: FAILED,
        reason,
    }
}

/// Reads the status and the reason of an exit.
fn read_exit(frame: &Frame<'_>) -> Ending {
    match u8::try_from(frame.header.status) {
        Ok(status) => {
            let reason = &frame.payload[..frame.payload.len().min(REASON_BYTES_MAX)];
            Ending::Exit {
                status,
                reason: String::from_utf8_lossy(reason).into_owned(),
            }
        }
        Err(_) => Breach::Status {
            status: frame.header.status,
        }
        .into(),
    }
}
