//! Proxy: the built-in guest that exports a provider's service to one guest.

use std::collections::HashMap;
use std::sync::Arc;

use parigot_abi::control::NEVER;
use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::manifest::Idempotency;
use parigot_abi::{Frame, Header, Kind, Manifest};
use parigot_guest::Service;

use super::answer::Answer;
use super::call::{Answers, Call};
pub(crate) use super::queue::CallQueue;
use crate::deployment::{Access, Grant};
use crate::error::{Failure, GuestFault};
use crate::guest::builtin::{BuiltIn, BuiltinOutbox};
use crate::kernel::proxy_waker::ProxyWaker;

/// Proxy of one grant.
pub(crate) struct ProviderProxy {
    service: &'static Service,
    provider: String,
    /// Name of the guest that has the grant.
    guest: Arc<str>,
    access: Access,
    queue: Arc<CallQueue>,
    answers: Arc<Answers>,
    /// Calls without an answer, by number.
    calls: HashMap<u64, PendingCall>,
    is_stopping: bool,
}

/// Call without an answer.
struct PendingCall {
    ticket: u64,
    deadline_ns: u64,
}

impl ProviderProxy {
    /// Creates the proxy of a grant to a guest. `waker` wakes the proxy.
    pub(crate) fn new(
        service: &'static Service,
        guest: &str,
        grant: &Grant,
        queue: &Arc<CallQueue>,
        waker: &Arc<ProxyWaker>,
    ) -> Self {
        queue.join();
        let waker = Arc::clone(waker);
        let answers = Answers::new(move || waker.wake());
        ProviderProxy {
            service,
            provider: grant.provider.clone(),
            guest: guest.into(),
            access: grant.access,
            queue: Arc::clone(queue),
            answers: Arc::new(answers),
            calls: HashMap::new(),
            is_stopping: false,
        }
    }

    fn call(&mut self, frame: &Frame<'_>, outbox: &mut BuiltinOutbox) {
        let Header {
            number,
            method,
            deadline_ns,
            ..
        } = frame.header;
        if let Some(answer) = self.refusal(method) {
            return reply(number, &answer, outbox);
        }
        let call = Call {
            method,
            payload: frame.payload.to_vec(),
            guest: Arc::clone(&self.guest),
            deadline_ns,
            number: Some(number),
            answers: Arc::clone(&self.answers),
        };
        match self.queue.push(call) {
            Ok(ticket) => {
                let pending = PendingCall {
                    ticket,
                    deadline_ns,
                };
                self.calls.insert(number, pending);
            }
            Err(answer) => reply(number, &answer, outbox),
        }
    }

    /// Returns the answer to a call of a method that the guest may not call.
    fn refusal(&self, method: u32) -> Option<Answer> {
        let info = &self.service.methods[method as usize];
        let name = || format!("{}/{}", self.service.name, info.name());
        if info.streams() {
            let message = format!("{} streams, and providers do not stream yet", name());
            return Some(Answer::unimplemented(&message));
        }
        let is_read = info.idempotency() == Idempotency::NoSideEffects;
        (self.access == Access::Read && !is_read).then(|| {
            Answer::denied(&format!(
                "{} writes, and `{}` has read access to `{}`; see `providers` in its table",
                name(),
                self.guest,
                self.provider
            ))
        })
    }

    /// Cancels a call. The kernel requires a reply to each call. A call that the provider has begun
    /// is carried out all the same.
    fn cancel(&mut self, number: u64, outbox: &mut BuiltinOutbox) {
        if let Some(call) = self.calls.remove(&number) {
            self.queue.remove(call.ticket);
            reply(number, &Answer::from(&Failure::cancelled()), outbox);
        }
    }

    /// Ends the calls whose deadline has passed: refused if the provider has not begun them.
    fn expire(&mut self, now_ns: u64, outbox: &mut BuiltinOutbox) {
        let late = self.calls.extract_if(|_, call| call.deadline_ns <= now_ns);
        for (number, call) in late {
            let failure = match self.queue.remove(call.ticket) {
                true => Failure::expired(),
                false => Failure::timed_out(),
            };
            reply(number, &Answer::from(&failure), outbox);
        }
    }
}

fn reply(number: u64, answer: &Answer, outbox: &mut BuiltinOutbox) {
    let header = Header {
        number,
        flags: answer.flags,
        status: answer.status,
        ..Header::new(Kind::Reply)
    };
    outbox.build(header, |frame| {
        frame.detail_bytes(&answer.detail).payload(&answer.payload)
    });
}

impl BuiltIn for ProviderProxy {
    fn manifest(&self) -> Manifest {
        Manifest {
            exports: vec![self.service.describe()],
            requires: Vec::new(),
            descriptors: self.service.descriptors.bytes().to_vec(),
        }
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        _now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        match frame.kind() {
            Some(Kind::Launched) => outbox.ready(NO_DEADLINE),
            Some(Kind::Call) => self.call(frame, outbox),
            Some(Kind::Cancel) => self.cancel(frame.header.number, outbox),
            Some(Kind::Stop) => self.is_stopping = true,
            _ => {}
        }
        Ok(())
    }

    fn end_turn(&mut self, now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        for (number, answer) in self.answers.take() {
            // The call may have been cancelled, or its deadline may have passed.
            if self.calls.remove(&number).is_some() {
                reply(number, &answer, outbox);
            }
        }
        self.expire(now_ns, outbox);
        // Guests stop before the proxies that they use, so no call follows.
        if self.is_stopping && self.calls.is_empty() {
            outbox.exit();
        }
        let deadlines = self.calls.values().map(|call| call.deadline_ns);
        Ok(deadlines.min().unwrap_or(NEVER))
    }
}

impl Drop for ProviderProxy {
    fn drop(&mut self) {
        self.queue.leave();
    }
}
