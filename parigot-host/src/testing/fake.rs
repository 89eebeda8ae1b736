//! Guest instances of a [`Fake`], whose methods are closures of a test.

use std::collections::BTreeMap;

use parigot_abi::control::NEVER;
use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::{Cause, Code, Frame, Header, Kind, Manifest, StreamFrame};
use parigot_guest::Service;
use parigot_guest::testing::{Fake, FakeOutcome, FakeReply, FakeStream};

use crate::error::{GuestFault, Stack};
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};
use crate::guest::code::InstanceFactory;

/// Returns the factory of a fake's instances. All of them share the fake's closures.
pub(super) fn factory(fake: &Fake) -> impl InstanceFactory + use<> {
    let fake = fake.clone();
    BuiltInFactory(move || FakeGuest {
        exports: fake.services(),
        fake: fake.clone(),
        waiting: Vec::new(),
        streams: BTreeMap::new(),
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
    /// Streams of calls that are not answered yet, by their numbers.
    streams: BTreeMap<u64, FakeStream>,
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

impl Waiting {
    fn new(number: u64, now_ns: u64, reply: FakeReply) -> Self {
        Waiting {
            number,
            at_ns: now_ns.saturating_add(reply.delay.as_nanos() as u64),
            reply,
        }
    }
}

impl FakeGuest {
    /// Sends the frames of streams that are due. A stream without further frames waits for its
    /// answer as other calls do.
    fn send_streams(&mut self, now_ns: u64, outbox: &mut BuiltinOutbox) {
        let waiting = &mut self.waiting;
        self.streams.retain(|number, stream| {
            let reply = stream.send_due(*number, |header, payload| outbox.send(header, payload));
            let is_open = reply.is_none();
            waiting.extend(reply.map(|reply| Waiting::new(*number, now_ns, reply)));
            is_open
        });
    }

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
                return Err(GuestFault::of_trap(text, String::new(), Stack::Unknown));
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
                self.fake.set_now_ns(now_ns);
                let service = self.exports[frame.header.service as usize];
                let method = frame.header.method;
                if service.methods[method as usize].streams() {
                    let stream = FakeStream::new(&self.fake, service, method, frame);
                    self.streams.insert(number, stream);
                } else {
                    let reply = self.fake.serve(service, method, frame);
                    self.waiting.push(Waiting::new(number, now_ns, reply));
                }
            }
            Some(Kind::Item | Kind::Credit | Kind::End) => {
                let frame = StreamFrame::read(frame).expect("the host must send valid frames");
                if let Some(stream) = self.streams.get_mut(&frame.number) {
                    stream.note(frame.content);
                }
            }
            Some(Kind::Cancel) => {
                if self.streams.remove(&number).is_some() {
                    let reply = FakeOutcome::Never.into();
                    self.waiting.push(Waiting::new(number, now_ns, reply));
                }
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
        self.send_streams(now_ns, outbox);
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
