//! Host of one native guest: plays the other side of each turn, on the thread of the test.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::time::Duration;

use parigot_abi::control::NEVER;
use parigot_abi::frame::{LAUNCH_NUMBER, NO_DEADLINE, flags, push_pair};
use parigot_abi::{Cause, Code, Detail, Frame, FrameBuilder, Frames, Header, Kind, Prologue};

use super::answer::{FakeOutcome, FakeReply};
use super::call::CallReply;
use super::call_stream::CallStream;
use super::fake_stream::FakeStream;
use super::reply::{call_id, fail, failure};
use super::target::Target;
use crate::runtime::current;
use crate::runtime::guest::Guest;
use crate::service_info::MethodInfo;

/// Duration of a call whose caller and method set none.
const DEADLINE_DEFAULT: Duration = Duration::from_secs(3);

/// Number of turns without a step of the clock, after which a guest counts as stuck.
const TURNS_MAX: u32 = 1_000_000;

/// Host of one guest. Time stands still except in [`Host::advance`] and [`Host::wait_until`].
pub(super) struct Host {
    pub(super) guest: Rc<Guest>,
    /// Destinations of the guest's calls, by handle.
    targets: Vec<Target>,
    clock: Prologue,
    /// Frames for the next turn.
    inbox: Vec<u8>,
    /// Calls of the test that the guest has not answered.
    inbound: BTreeMap<u64, Rc<RefCell<CallReply>>>,
    /// Streams of calls of the test, and the stream of the call that is about to be made.
    pub(super) streams: BTreeMap<u64, Rc<RefCell<CallStream>>>,
    pub(super) next_stream: Option<Rc<RefCell<CallStream>>>,
    /// Numbers of the guest's calls that are not answered.
    outbound: BTreeSet<u64>,
    /// Streams of the guest's calls.
    pub(super) fake_streams: BTreeMap<u64, FakeStream>,
    /// Events to come, by their time in ns and their order within that time.
    agenda: BTreeMap<(u64, u64), Event>,
    /// Number of events so far.
    events: u64,
    pub(super) log: Vec<String>,
    /// Outcome of the launch: the guest is ready, or the reason why it is not.
    pub(super) launch: Option<Result<(), String>>,
    pub(super) exit_status: Option<u8>,
}

enum Event {
    /// The answer of a fake to a call of the guest.
    Answer(u64, FakeReply),
    /// The deadline of a call of the guest.
    OutboundDeadline(u64),
    /// The deadline for the first frame of a fake in a call of the guest that streams.
    OutboundFirstFrame(u64),
    /// The deadline of a call of the test.
    InboundDeadline(u64),
    /// The deadline for the first frame of the guest in a call of the test that streams.
    FirstFrame(u64),
}

impl Host {
    pub(super) fn new(guest: Rc<Guest>, targets: Vec<Target>, wall_ns: u64) -> Self {
        Host {
            guest,
            targets,
            clock: Prologue {
                monotonic_ns: 0,
                wall_ns,
            },
            inbox: Vec::new(),
            inbound: BTreeMap::new(),
            streams: BTreeMap::new(),
            next_stream: None,
            outbound: BTreeSet::new(),
            fake_streams: BTreeMap::new(),
            agenda: BTreeMap::new(),
            events: 0,
            log: Vec::new(),
            launch: None,
            exit_status: None,
        }
    }

    /// Adds a frame to the next inbox.
    pub(super) fn send(
        &mut self,
        header: Header,
        build: impl FnOnce(FrameBuilder<'_>) -> FrameBuilder<'_>,
    ) {
        build(FrameBuilder::new(&mut self.inbox, header))
            .finish()
            .expect("a frame of a test must be shorter than 4 GiB");
    }

    /// Returns the inbox, for the frame of the start.
    pub(super) fn inbox(&mut self) -> &mut Vec<u8> {
        &mut self.inbox
    }

    fn at(&mut self, at_ns: u64, event: Event) {
        self.events += 1;
        self.agenda.insert((at_ns, self.events), event);
    }

    fn after(&self, duration: Duration) -> u64 {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(NEVER);
        self.clock.monotonic_ns.saturating_add(ns)
    }
}

/// Time.
impl Host {
    /// Runs the guest until it waits.
    pub(super) fn run_until_idle(&mut self) {
        for _ in 0..TURNS_MAX {
            self.fire_due();
            if self.exit_status.is_some() || self.inbox.is_empty() && !self.has_work() {
                return;
            }
            self.turn();
        }
        panic!("the guest is still busy after {TURNS_MAX} turns");
    }

    /// Advances the clock, from event to event.
    pub(super) fn advance(&mut self, duration: Duration) {
        let until_ns = self.after(duration);
        self.run_until_idle();
        while self.next_event_ns() <= until_ns {
            self.step_to(self.next_event_ns());
        }
        self.set_clock(until_ns);
    }

    /// Advances the clock until `is_so` holds.
    ///
    /// # Panics
    ///
    /// If that takes longer than an hour on the clock.
    pub(super) fn wait_until(&mut self, what: &str, is_so: impl Fn(&Host) -> bool) {
        let until_ns = self.after(Duration::from_secs(3_600));
        self.run_until_idle();
        while !is_so(self) {
            let next_ns = self.next_event_ns();
            assert!(
                next_ns <= until_ns,
                "the guest waits, and an hour does not bring about the {what}"
            );
            self.step_to(next_ns);
        }
    }

    fn step_to(&mut self, at_ns: u64) {
        self.set_clock(at_ns);
        self.run_until_idle();
    }

    fn set_clock(&mut self, at_ns: u64) {
        let step_ns = at_ns.saturating_sub(self.clock.monotonic_ns);
        self.clock.monotonic_ns += step_ns;
        self.clock.wall_ns = self.clock.wall_ns.saturating_add(step_ns);
    }

    /// Returns the time of the next event, or [`NEVER`].
    fn next_event_ns(&self) -> u64 {
        let agenda_ns = self.agenda.keys().next().map_or(NEVER, |(at_ns, _)| *at_ns);
        match self.exit_status {
            Some(_) => agenda_ns,
            None => agenda_ns.min(self.guest.timers.wake_at_ns()),
        }
    }

    fn has_work(&self) -> bool {
        self.guest.tasks.executor.has_ready()
            || self.guest.timers.wake_at_ns() <= self.clock.monotonic_ns
    }

    fn fire_due(&mut self) {
        while let Some(event) = self.agenda.first_entry()
            && event.key().0 <= self.clock.monotonic_ns
        {
            match event.remove() {
                Event::Answer(number, reply) => self.answer(number, reply),
                Event::OutboundFirstFrame(number) if self.has_fake_begun(number) => {}
                Event::OutboundDeadline(number) | Event::OutboundFirstFrame(number) => {
                    let text = "no reply within the deadline";
                    self.fail_outbound(number, Code::DeadlineExceeded, Cause::TimedOut, text);
                }
                Event::FirstFrame(number) if !self.is_silent(number) => {}
                Event::InboundDeadline(number) | Event::FirstFrame(number) => self.expire(number),
            }
        }
    }

    fn turn(&mut self) {
        let inbox = [&self.clock.to_bytes()[..], &self.inbox].concat();
        self.inbox.clear();
        self.guest.io.fill_inbox(&inbox);
        let entered = current::enter(&self.guest);
        self.guest
            .turn(inbox.len(), u32::MAX)
            .expect("a host of tests must send well-formed frames");
        drop(entered);
        for frame in Frames::new(&self.guest.io.sent()) {
            self.route(&frame.expect("a guest must send well-formed frames"));
        }
    }
}

/// Frames of the guest.
impl Host {
    fn route(&mut self, frame: &Frame<'_>) {
        let number = frame.header.number;
        match frame.kind() {
            Some(Kind::Launch) => self.launch(),
            Some(Kind::Call) => self.route_call(frame),
            Some(Kind::Cancel) => {
                self.outbound.remove(&number);
                self.fake_streams.remove(&number);
            }
            Some(Kind::Item | Kind::Credit | Kind::End) => self.route_stream(frame),
            Some(Kind::Open) => {
                self.route_open(number);
                if let Some(reply) = self.inbound.get(&number) {
                    reply.borrow_mut().headers = frame.metadata.into();
                }
            }
            Some(Kind::Reply) if number == LAUNCH_NUMBER => {
                self.launch = Some(match frame.header.status {
                    0 => Ok(()),
                    _ => Err(Detail::read(frame.detail).message.into_owned()),
                });
            }
            Some(Kind::Reply) => {
                if let Some(reply) = self.inbound.remove(&number) {
                    let header = Header {
                        id: call_id(number),
                        ..frame.header
                    };
                    frame.pass_on(header, &mut reply.borrow_mut().frame);
                }
            }
            Some(Kind::Log) => self.log.push(text(frame.payload)),
            Some(Kind::Exit) => self.exit(frame.header.status as u8, text(frame.payload)),
            _ => {}
        }
    }

    /// Launches the guest. All fakes are ready at all times.
    fn launch(&mut self) {
        let mut metadata = Vec::new();
        let mut handles = Vec::new();
        for (handle, target) in self.targets.iter().enumerate() {
            handles.extend((handle as u32).to_le_bytes());
            if target.is_by_name {
                for method in target.service.methods {
                    let value = format!("{}{}", method.name(), method.flags().name_suffix());
                    push_pair(&mut metadata, &handle.to_string(), &value);
                }
            }
        }
        self.send(Header::new(Kind::Launched), |frame| {
            frame.metadata_bytes(&metadata).payload(&handles)
        });
    }

    fn route_call(&mut self, frame: &Frame<'_>) {
        let number = frame.header.number;
        self.outbound.insert(number);
        let target = &self.targets[frame.header.service as usize];
        let Some(method) = target.methods[frame.header.method as usize] else {
            let text = "the fake exports no such method";
            return self.fail_outbound(number, Code::Unimplemented, Cause::NoSuchMethod, text);
        };
        let info = &target.service.methods[method];
        let deadline_ns = match frame.header.deadline_ns {
            NO_DEADLINE => self.after(deadline_of(info)),
            deadline_ns => deadline_ns,
        };
        let is_default = frame.header.deadline_ns == NO_DEADLINE && info.deadline().is_zero();
        let deadline = if info.streams() && is_default {
            Event::OutboundFirstFrame(number)
        } else {
            Event::OutboundDeadline(number)
        };
        if info.streams() {
            let stream = FakeStream::new(&target.fake, target.service, method as u32, frame);
            self.fake_streams.insert(number, stream);
            self.send_of_fake(number);
        } else {
            target.fake.set_now_ns(self.clock.monotonic_ns);
            let reply = target.fake.serve(target.service, method as u32, frame);
            self.answer_later(number, reply);
        }
        self.at(deadline_ns, deadline);
    }

    /// Sends the answer of a fake when its time has come.
    pub(super) fn answer_later(&mut self, number: u64, reply: FakeReply) {
        if !matches!(reply.outcome, FakeOutcome::Never) {
            self.at(self.after(reply.delay), Event::Answer(number, reply));
        }
    }

    /// Sends the answer of a fake, unless the call has ended.
    fn answer(&mut self, number: u64, reply: FakeReply) {
        let FakeReply {
            outcome,
            headers,
            trailers,
            ..
        } = reply;
        if !self.outbound.contains(&number) {
            return;
        }
        if !headers.is_empty() {
            let header = Header {
                number,
                ..Header::new(Kind::Open)
            };
            self.send(header, |frame| frame.metadata_bytes(&headers));
        }
        let mut header = Header {
            number,
            id: call_id(number),
            ..Header::new(Kind::Reply)
        };
        match outcome {
            FakeOutcome::Response(payload) => self.send(header, |frame| {
                frame.metadata_bytes(&trailers).payload(&payload)
            }),
            FakeOutcome::Failure {
                flags,
                status,
                detail,
            } => {
                header.flags = flags;
                header.status = status;
                self.send(header, |frame| {
                    frame.metadata_bytes(&trailers).detail_bytes(&detail)
                });
            }
            FakeOutcome::Crash(text) => {
                return self.fail_outbound(number, Code::Internal, Cause::CalleeTrapped, &text);
            }
            FakeOutcome::Never => unreachable!("`route_call` must give these calls no answer"),
        }
        self.outbound.remove(&number);
    }

    /// Ends a call of the guest with a failure, unless the call has ended.
    fn fail_outbound(&mut self, number: u64, code: Code, cause: Cause, text: &str) {
        self.fake_streams.remove(&number);
        if self.outbound.remove(&number) {
            let header = failure(number, code);
            self.send(header, |frame| frame.detail(&Detail::new(cause, text)));
        }
    }

    fn exit(&mut self, status: u8, reason: String) {
        self.exit_status = Some(status);
        if self.launch.is_none() {
            let text = format!("the guest exited with status {status}: {reason}");
            self.launch = Some(Err(text));
        }
        if !reason.is_empty() {
            self.log.push(reason);
        }
        let text = format!("the guest exited with status {status} before it replied");
        for (number, reply) in core::mem::take(&mut self.inbound) {
            fail(
                &reply,
                number,
                Code::Unavailable,
                Cause::CalleeExited,
                &text,
            );
        }
    }
}

/// Calls of the test.
impl Host {
    /// Sends a call to the guest.
    pub(super) fn call(
        &mut self,
        header: Header,
        method: &MethodInfo,
        reply: &Rc<RefCell<CallReply>>,
        build: impl FnOnce(FrameBuilder<'_>) -> FrameBuilder<'_>,
    ) {
        let number = header.number;
        if self.exit_status.is_some() {
            let text = "the guest has exited";
            return fail(reply, number, Code::Unavailable, Cause::Unreachable, text);
        }
        self.inbound.insert(number, Rc::clone(reply));
        let stream = self.next_stream.take();
        let is_stream = stream.is_some();
        self.streams.extend(stream.map(|stream| (number, stream)));
        let mut header = Header {
            id: call_id(number),
            ..header
        };
        if header.deadline_ns == NO_DEADLINE && is_stream && method.deadline().is_zero() {
            self.at(self.after(DEADLINE_DEFAULT), Event::FirstFrame(number));
        } else {
            if header.deadline_ns == NO_DEADLINE {
                header.deadline_ns = self.after(deadline_of(method));
                header.flags |= flags::DEFAULT_DEADLINE;
            }
            self.at(header.deadline_ns, Event::InboundDeadline(number));
        }
        self.send(header, build);
    }

    /// Returns the time on the clock of the guest after `duration`, in ns.
    pub(super) fn deadline_ns(&self, duration: Duration) -> u64 {
        self.after(duration)
    }

    /// Cancels a call of the test, unless the call has ended.
    pub(super) fn cancel(&mut self, number: u64) {
        if let Some(reply) = self.inbound.remove(&number) {
            let text = "the test cancelled the call";
            fail(&reply, number, Code::Cancelled, Cause::Cancelled, text);
            self.send_cancel(number);
        }
    }

    fn expire(&mut self, number: u64) {
        if let Some(reply) = self.inbound.remove(&number) {
            let text = "no reply within the deadline";
            fail(
                &reply,
                number,
                Code::DeadlineExceeded,
                Cause::TimedOut,
                text,
            );
            self.send_cancel(number);
        }
    }

    fn send_cancel(&mut self, number: u64) {
        let header = Header {
            number,
            ..Header::new(Kind::Cancel)
        };
        self.send(header, |frame| frame);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The guest is leaked: the panic may be its own, and have left it in any state.
            std::eprintln!("log of the guest:");
            self.log.iter().for_each(|line| std::eprintln!("{line}"));
        } else {
            self.guest.close();
        }
    }
}

fn deadline_of(method: &MethodInfo) -> Duration {
    match method.deadline() {
        Duration::ZERO => DEADLINE_DEFAULT,
        deadline => deadline,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
