//! What becomes of the frames that a guest sends: calls, answers, cancellations, lines of the log, its launch and its end.

use parigot_abi::frame::{LAUNCH_NUMBER, NO_DEADLINE, flags};
use parigot_abi::id::{CallId, InstanceId};
use parigot_abi::status::Detail;
use parigot_abi::{Code as StatusCode, Frame, Frames, Header, Kind};
use rand::Rng;

use crate::error::{Breach, Ending, Failure, GuestFault};
use crate::kernel::instance::{Calls, Handoff, Inbound, Instance, InstanceState, Outbound};
use crate::kernel::lifecycle::Launched;
use crate::kernel::route::{Callee, Pool, Route};
use crate::kernel::scheduler::Worker;
use crate::limits::{CALLS_MAX, REASON_BYTES_MAX};
use crate::log::events;
use crate::start::graph::Target;

/// A call that is about to leave its caller.
struct OutgoingCall<'a> {
    from: &'a Instance,
    frame: &'a Frame<'a>,
    id: CallId,
}

impl Worker<'_> {
    /// Carries out a guest's frames in their order, up to its end.
    pub(crate) fn route(
        &mut self,
        from: &Instance,
        outbox: &[u8],
        routes: &[Route],
        calls: &mut Calls,
    ) -> Result<(), Ending> {
        let mut frames = Frames::new(outbox);
        while let Some(frame) = frames.next() {
            let frame = frame.map_err(GuestFault::Malformed)?;
            self.is_last_frame = frames.offset() == outbox.len();
            match frame.kind() {
                Some(Kind::Call) => self.route_call(from, &frame, routes, calls)?,
                Some(Kind::Reply) if frame.header.number == LAUNCH_NUMBER => {
                    self.route_ready(from, &frame)?
                }
                Some(Kind::Reply) => self.route_reply(from, &frame, calls)?,
                Some(Kind::Cancel) => self.route_cancel(frame.header.number, calls),
                Some(Kind::Log) => {
                    let call = calls
                        .inbound
                        .get_mut(frame.header.number)
                        .map(|call| call.id);
                    let settle_ns =
                        events::guest_line(&from.guest_log(), self.now_ns, &frame, call);
                    self.kernel.settle_log_at(from, settle_ns);
                }
                Some(Kind::Launch) => self.route_launch(from)?,
                Some(Kind::Exit) => return Err(read_exit(&frame)),
                Some(kind) => return Err(Breach::Kind(kind).into()),
                None => return Err(Breach::UnknownKind(frame.header.kind).into()),
            }
        }
        Ok(())
    }

    /// The one place where a call leaves for its target.
    fn route_call(
        &mut self,
        from: &Instance,
        frame: &Frame<'_>,
        routes: &[Route],
        calls: &mut Calls,
    ) -> Result<(), Ending> {
        let Header {
            number,
            service,
            method,
            ..
        } = frame.header;
        let link = routes
            .get(service as usize)
            .ok_or(Breach::Handle { handle: service })?;
        if method as usize >= link.methods() {
            return Err(Breach::Method {
                method,
                handle: service,
            }
            .into());
        }
        let id = if from.is_proxy {
            id_of(frame)
        } else {
            CallId::from_random(self.random.random())
        };
        let is_one_too_many = calls.outbound.len() >= CALLS_MAX;
        if calls.outbound.contains(number) {
            return Err(Breach::CalledTwice { number }.into());
        }
        let bytes = frame.content_bytes();
        let departure = OutgoingCall { from, frame, id };
        let offered = if is_one_too_many {
            Err(Failure::too_many_outbound(&from.name))
        } else if bytes > self.kernel.message_bytes_max {
            Err(Failure::request_too_large(
                bytes,
                self.kernel.message_bytes_max,
            ))
        } else {
            match link {
                Route::One(callee) => self.offer(&departure, callee, calls),
                Route::Many(pool) => self.offer_to_one_of(&departure, pool, calls),
            }
        };
        if let Err(failure) = offered {
            let wake = from.enqueue_call_refused(number, id, &failure);
            self.wake(from, wake);
        }
        Ok(())
    }

    /// Gives a call to the least busy of several callees, or says why none of them takes it.
    #[inline(never)]
    fn offer_to_one_of(
        &mut self,
        call: &OutgoingCall<'_>,
        pool: &Pool,
        calls: &mut Calls,
    ) -> Result<(), Failure> {
        let instances = &self.kernel.instances;
        let mut offer = |callee| self.offer(call, callee, calls);
        let chosen = pool.least_busy(call.frame.header.method as usize, |index| {
            instances[index].load()
        });
        if let Some(Ok(())) = chosen.map(&mut offer) {
            return Ok(());
        }
        // It has just ended, or has no room: anybody will do who takes it.
        let mut failures = Vec::new();
        for callee in &pool.callees {
            match offer(callee) {
                Ok(()) => return Ok(()),
                Err(failure) => failures.push(failure),
            }
        }
        Err(Failure::of_all(failures))
    }

    /// Gives a call to that callee, and lets its caller wait for it, or says why it cannot be given. Always inlined: a link has one callee most
    /// often.
    #[inline(always)]
    fn offer(
        &mut self,
        OutgoingCall { from, frame, id }: &OutgoingCall<'_>,
        Callee {
            index,
            service,
            methods,
        }: &Callee,
        calls: &mut Calls,
    ) -> Result<(), Failure> {
        let (callee, number, id) = (&self.kernel.instances[*index], frame.header.number, *id);
        let Some(target) = methods[frame.header.method as usize] else {
            return Err(unimplemented(callee));
        };
        let deadline_ns = match frame.header.deadline_ns {
            NO_DEADLINE => self.now_ns.saturating_add(target.deadline_ns(callee)),
            own_ns => from.host_time_ns(own_ns),
        };
        let call = Inbound {
            caller: Some(from.index),
            number,
            id,
        };
        let header = Header {
            service: *service,
            method: target.method,
            deadline_ns: callee.own_time_ns(deadline_ns),
            ..Header::new(Kind::Call)
        };
        let (inbound, handoff) = callee.send_call(call, header, frame, self.now_ns, self.slot())?;
        self.follow_up(callee, handoff);
        let call = Outbound {
            callee: *index,
            inbound,
            id,
            deadline_ns,
        };
        calls.deadlines_ns = deadline_ns.min(calls.deadlines_ns);
        calls.outbound.insert(number, call);
        #[cfg(feature = "testing")]
        self.given.push((number, call));
        Ok(())
    }

    fn route_reply(
        &mut self,
        from: &Instance,
        frame: &Frame<'_>,
        calls: &mut Calls,
    ) -> Result<(), Ending> {
        let number = frame.header.number;
        let call = calls
            .inbound
            .remove(number)
            .ok_or(Breach::NoSuchCall { number })?;
        from.show_calls(calls);
        let Some(caller) = call.caller else {
            return Ok(());
        };
        let caller = &self.kernel.instances[caller];
        let (bytes, most) = (frame.content_bytes(), self.kernel.message_bytes_max);
        let handoff = if bytes > most {
            let failure = Failure::response_too_large(bytes, most).at(from.id_in_failure());
            Handoff::Wake(caller.enqueue_failure(call.number, call.id, &failure))
        } else {
            let comes_from_here = is_status(&frame.header) && !from.is_proxy;
            let detail = comes_from_here.then(|| detail_of(frame, from.id()));
            caller.send_reply(&call, frame, detail.as_deref(), from, self.slot())
        };
        self.follow_up(caller, handoff);
        Ok(())
    }

    fn route_cancel(&mut self, number: u64, calls: &mut Calls) {
        // The answer may have been on its way: then there is nothing to cancel.
        if let Some(call) = calls.outbound.remove(number) {
            self.cancel_at_callee(&call);
        }
    }

    /// Tells a callee that nobody waits any more.
    pub(crate) fn cancel_at_callee(&mut self, call: &Outbound) {
        let callee = &self.kernel.instances[call.callee];
        let wake = callee.enqueue_cancel(call.inbound, call.id);
        self.wake(callee, wake);
    }

    fn route_launch(&mut self, from: &Instance) -> Result<(), Ending> {
        let launched = self.kernel.lifecycle.ask(from.index);
        self.tell_launched(launched.ok_or(Breach::LaunchedTwice)?);
        Ok(())
    }

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
        from.welcome_calls();
        self.tell_launched(launched);
        Ok(())
    }

    fn tell_launched(&mut self, launched: Vec<Launched>) {
        for Launched { guest, generation } in launched {
            let instance = &self.kernel.instances[guest];
            tracing::debug!(service = %instance.name, instance = %instance.id().short(), "launched");
            let wake = instance.enqueue_launched(generation);
            self.wake(instance, wake);
        }
    }

    /// Takes an instance down: its callers are told, its callees too, its memory is freed. What follows is for the [`crate::kernel::supervisor`].
    #[cold]
    pub(crate) fn end(&mut self, instance: &Instance, body: InstanceState, ending: Ending) {
        let InstanceState {
            code,
            routes,
            calls:
                Calls {
                    mut outbound,
                    mut inbound,
                    ..
                },
            ..
        } = body;
        let restart_decision = self.restart_decision(instance, &ending);
        let never_given = instance.close(restart_decision.unavailable_reason(self.now_ns));
        let (active_call, method) = code
            .active_call()
            .map(|active_call| (active_call.call, active_call.method))
            .unzip();
        let culprit_id = active_call
            .and_then(|number| inbound.get_mut(number))
            .map(|call| call.id);
        let is_news = self.kernel.lifecycle.is_to_stay(instance.index);
        events::ending(
            &instance.guest_log(),
            &ending,
            events::EndContext {
                is_news,
                call: culprit_id,
                method: method.flatten(),
            },
        );
        for (number, call) in inbound.take_if(|_| true) {
            let failure =
                Failure::callee_ended(&instance.name, &ending, active_call == Some(number));
            self.fail_call(&call, failure.at(instance.id_in_failure()));
        }
        for (_, call) in never_given {
            self.fail_call(
                &call,
                Failure::never_given(&instance.name, &ending).at(instance.id_in_failure()),
            );
        }
        for (_, call) in outbound.take_if(|_| true) {
            self.cancel_at_callee(&call);
        }
        drop(code);
        self.follow(instance, restart_decision, routes, &ending);
    }

    /// Tells whoever waits for a call that it has failed.
    fn fail_call(&mut self, call: &Inbound, failure: Failure) {
        let Some(caller) = call.caller else { return };
        let caller = &self.kernel.instances[caller];
        let wake = caller.enqueue_failure(call.number, call.id, &failure);
        self.wake(caller, wake);
    }
}

fn unimplemented(callee: &Instance) -> Failure {
    Failure::unimplemented(&callee.name).at(callee.id_in_failure())
}

/// The id of a call that was made in another process.
fn id_of(frame: &Frame<'_>) -> CallId {
    let (high, low) = frame.header.id;
    CallId::from_wire(high, low).expect("a stand-in was given the id of a call")
}

/// Whether that is a reply that there is no answer.
fn is_status(reply: &Header) -> bool {
    reply.status != StatusCode::Ok.number() && reply.flags & flags::SERVICE_ERROR == 0
}

/// The detail of a reply, with the instance that it comes from.
#[cold]
fn detail_of(reply: &Frame<'_>, instance: InstanceId) -> Vec<u8> {
    let mut detail = Vec::new();
    Detail {
        instance: instance.to_wire(),
        ..Detail::read(reply.detail)
    }
    .write(&mut detail);
    detail
}

impl Target {
    /// How long a call may take whose caller does not say.
    fn deadline_ns(self, callee: &Instance) -> u64 {
        if self.deadline_ns == 0 {
            callee.deadline_ns()
        } else {
            self.deadline_ns
        }
    }
}

/// A guest that could not make itself ready leaves with the status of a failure.
fn not_ready(reason: String) -> Ending {
    Ending::Exit {
        status: crate::kernel::lifecycle::FAILED,
        reason,
    }
}

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
