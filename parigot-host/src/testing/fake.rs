//! Guest instances of a [`Fake`], whose methods are closures of a test.

use parigot_abi::control::NEVER;
use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::{Cause, Code, Frame, Header, Kind, Manifest};
use parigot_guest::Service;
use parigot_guest::testing::{Fake, FakeOutcome, FakeReply};

use crate::error::GuestFault;
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};
use crate::guest::code::InstanceFactory;

/// Returns the factory of a fake's instances. All of them share the fake's closures.
pub(super) fn factory(fake: &Fake) -> impl InstanceFactory + use<> {
    let fake = fake.clone();
    BuiltInFactory(move || FakeGuest {
        exports: fake.services(),
        fake: fake.clone(),
        waiting: Vec::new(),
        active_call: None,
    })
}

/// Instance of a [`Fake`].
struct FakeGuest {
    fake: Fake,
    /// Exports at the instantiation; the host's numbers of services are indices into this list.
    exports: Vec<&'static Service>,
    /// Calls that are not answered yet, in the order of arrival.
    waiting: Vec<Waiting>,
    /// Number of the call that crashed the guest.
    active_call: Option<u64>,
}

/// Call that is not answered yet.
struct Waiting {
    number: u64,
    /// Time of the answer on the guest's clock; without effect for [`FakeOutcome::Never`].
    at_ns: u64,
    reply: FakeReply,
}

impl FakeGuest {
    /// Sends the answers that are due.
    fn answer(&mut self, now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<(), GuestFault> {
        let mut due: Vec<_> = self
            .waiting
            .extract_if(.., |waiting| {
                waiting.at_ns <= now_ns && !matches!(waiting.reply.outcome, FakeOutcome::Never)
            })
            .collect();
        // A stable sort: answers of the same time keep the order of their calls.
        due.sort_by_key(|waiting| waiting.at_ns);
        due.into_iter()
            .try_for_each(|waiting| self.reply(waiting.number, waiting.reply, outbox))
    }

    fn reply(
        &mut self,
        number: u64,
        reply: FakeReply,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        let FakeReply {
            outcome,
            headers,
            trailers,
            ..
        } = reply;
        let header = |kind| Header {
            number,
            ..Header::new(kind)
        };
        if !headers.is_empty() {
            outbox.build(header(Kind::Open), |frame| frame.metadata_bytes(&headers));
        }
        match outcome {
            FakeOutcome::Response(payload) => outbox.build(header(Kind::Reply), |frame| {
                frame.metadata_bytes(&trailers).payload(&payload)
            }),
            FakeOutcome::Failure {
                flags,
                status,
                detail,
            } => {
                let header = Header {
                    flags,
                    status,
                    ..header(Kind::Reply)
                };
                outbox.build(header, |frame| {
                    frame.metadata_bytes(&trailers).detail_bytes(&detail)
                });
            }
            FakeOutcome::Never => unreachable!("`answer` must keep these calls waiting"),
            FakeOutcome::Crash(text) => {
                self.active_call = Some(number);
                return Err(GuestFault::of_trap(text, String::new(), String::new()));
            }
        }
        Ok(())
    }
}

impl BuiltIn for FakeGuest {
    fn manifest(&self) -> Manifest {
        let exports = self
            .exports
            .iter()
            .map(|service| service.describe())
            .collect();
        Manifest {
            exports,
            requires: Vec::new(),
            // `TestHost` compares no schemas.
            descriptors: Vec::new(),
        }
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        let number = frame.header.number;
        match frame.kind() {
            Some(Kind::Launched) => outbox.ready(NO_DEADLINE),
            Some(Kind::Call) => {
                let service = self.exports[frame.header.service as usize];
                let reply = self.fake.serve(service, frame.header.method, frame);
                self.waiting.push(Waiting {
                    number,
                    at_ns: now_ns.saturating_add(reply.delay.as_nanos() as u64),
                    reply,
                });
            }
            Some(Kind::Cancel) => {
                for waiting in self
                    .waiting
                    .iter_mut()
                    .filter(|waiting| waiting.number == number)
                {
                    waiting.at_ns = now_ns;
                    waiting.reply =
                        FakeOutcome::failure(Code::Cancelled, Cause::Cancelled, "").into();
                }
            }
            Some(Kind::Stop) => outbox.exit(),
            _ => {}
        }
        Ok(())
    }

    fn end_turn(&mut self, now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        self.answer(now_ns, outbox)?;
        let to_come = self
            .waiting
            .iter()
            .filter(|waiting| !matches!(waiting.reply.outcome, FakeOutcome::Never));
        Ok(to_come.map(|waiting| waiting.at_ns).min().unwrap_or(NEVER))
    }

    fn active_call(&self) -> Option<u64> {
        self.active_call
    }
}
