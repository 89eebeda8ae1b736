//! The state of one guest, and what a turn does with it.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};
use core::convert::Infallible;
use core::num::NonZeroU64;
use core::ops::Range;
use core::pin::Pin;
use core::task::Waker;

use parigot_abi::control::NEVER;
use parigot_abi::frame::{HEADER_BYTES, LAUNCH_NUMBER, TooLong};
use parigot_abi::start::PROLOGUE_BYTES;
use parigot_abi::{
    Cause, Code, Control, Detail, Frame, Frames, Header, Kind, MESSAGE_BYTES_MAX, Malformed,
    Manifest, Outline, Prologue, Start,
};

use crate::at_exit::AtExit;
use crate::clock::{Instant, Timers};
use crate::context::Context;
use crate::detached::Detached;
use crate::launch::Launching;
use crate::program::Exit;
use crate::random::Generator;
use crate::runtime::definition::{Body, Definition};
use crate::runtime::executor::{self, Executor, TaskId, Waiter};
use crate::runtime::inbound::Inbound;
use crate::runtime::outbound::{InFlight, Reply, went_well};
use crate::runtime::outbox::Outbox;
use crate::runtime::panic::PanicText;
use crate::runtime::scope::Scope;
use crate::runtime::trace_context::{Trace, Traced};
use crate::serve::Incoming;
use crate::service::Service;
use crate::status::Status;

/// One guest. The control block comes first: its address is the guest's.
#[repr(C)]
pub(crate) struct Guest {
    control: Control,
    panic_text: PanicText,
    inbox: RefCell<Vec<u8>>,
    /// Whether the frame that is being read is the inbox's last.
    at_last_frame: Cell<bool>,
    outbox: Outbox,
    exports: Vec<&'static Service>,
    pub(crate) requires: &'static [&'static Service],
    body: Box<dyn Body>,

    pub(crate) startup: OnceCell<Startup>,
    /// The largest payload, in bytes, that the host lets through.
    pub(crate) message_bytes_max: Cell<u32>,
    clock: Cell<Prologue>,
    pub(crate) generator: RefCell<Generator>,
    pub(crate) launching: Launching,

    executor: Executor,
    /// How many tasks were polled in this turn.
    polls: Cell<u32>,
    /// How many may be.
    polls_max: Cell<u32>,
    /// The deadline of whom the task that is being polled works for. The rest of that stands in the control block.
    deadline_ns: Cell<u64>,
    pub(crate) timers: Timers,
    pub(crate) in_flight: InFlight,
    /// What calls pass on that the running task makes.
    pub(crate) trace: RefCell<Option<Trace>>,
    /// The calls that arrived and were not answered.
    inbound: RefCell<Inbound>,
    presence: Cell<Presence>,
    farewell: RefCell<Option<Farewell>>,
    pub(crate) at_exit: AtExit,
    /// Where a line of the log is written before its length is known.
    pub(crate) log_text: RefCell<String>,
}

/// What the host said at the start.
pub(crate) struct Startup {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) instance: (u64, u64),
}

/// Whether the guest is there to stay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Staying,
    /// It leaves once every inbound call is answered.
    Stopping,
    /// It leaves before another task is polled.
    Leaving,
    /// It does what is to be done before.
    AtExit,
    Gone,
}

/// How the guest leaves.
struct Farewell {
    /// Whom the task worked for that asked for it.
    scope: Scope,
    exit: Exit,
    reason: String,
    /// Completes just before the exit.
    last_words: Detached<(), Infallible>,
}

impl Guest {
    pub(crate) fn new(definition: Definition) -> Rc<Self> {
        let guest = Rc::new(Guest {
            control: Control::new(),
            panic_text: PanicText::default(),
            inbox: RefCell::default(),
            at_last_frame: Cell::new(false),
            outbox: Outbox::default(),
            exports: definition.body.exports(),
            requires: definition.requires,
            body: definition.body,
            startup: OnceCell::new(),
            message_bytes_max: Cell::new(MESSAGE_BYTES_MAX),
            clock: Cell::new(Prologue {
                monotonic_ns: 0,
                wall_ns: 0,
            }),
            generator: RefCell::default(),
            launching: Launching::default(),
            executor: Executor::default(),
            polls: Cell::new(0),
            polls_max: Cell::new(0),
            deadline_ns: Cell::new(Scope::NOBODY.deadline_ns),
            trace: RefCell::default(),
            timers: Timers::default(),
            in_flight: InFlight::default(),
            inbound: RefCell::default(),
            presence: Cell::new(Presence::Staying),
            farewell: RefCell::default(),
            at_exit: AtExit::default(),
            log_text: RefCell::default(),
        });
        guest.panic_text.announce(&guest.control);
        guest
    }

    /// Makes the inbox at least that big.
    pub(crate) fn grow_inbox(&self, bytes: usize) {
        let mut inbox = self.inbox.borrow_mut();
        if inbox.len() < bytes {
            // Not `resize`, which would copy what nobody reads any more.
            *inbox = alloc::vec![0; bytes];
        }
        self.control.set_inbox(
            inbox.as_mut_ptr().expose_provenance() as u64,
            inbox.len() as u64,
        );
    }

    /// Reads the inbox and polls ready tasks, at most `max_polls` of them.
    pub(crate) fn turn(
        self: &Rc<Self>,
        inbox_bytes: usize,
        max_polls: u32,
    ) -> Result<(), Malformed> {
        self.outbox.clear(&self.control);
        self.polls.set(0);
        self.polls_max.set(max_polls);
        let inbox = self.inbox.borrow();
        let shorter = Malformed {
            offset: inbox.len(),
            expected: "an inbox as long as announced",
        };
        self.take_in(inbox.get(..inbox_bytes).ok_or(shorter)?)?;
        let more = self.executor.has_ready() && self.poll_ready();
        self.in_flight.keep_unread(&inbox);

        let gone = self.presence.get() == Presence::Gone;
        let wake_at_ns = if gone {
            NEVER
        } else {
            self.timers.wake_at_ns()
        };
        self.control
            .set_turn(!gone && more, wake_at_ns, self.polls.get().into());
        Ok(())
    }

    /// Leaves a text for the host, which reads it if the guest breaks.
    pub(crate) fn leave_panic_text(&self, text: core::fmt::Arguments<'_>) {
        self.panic_text.write(&self.control, text);
    }

    /// Drops whatever refers to the guest itself.
    pub(crate) fn close(&self) {
        self.outbox.close();
        self.executor.clear();
        self.body.close();
        self.timers.clear();
        self.farewell.take();
        self.at_exit.clear();
    }
}

/// What arrives.
impl Guest {
    fn take_in(self: &Rc<Self>, inbox: &[u8]) -> Result<(), Malformed> {
        let (now, rest) = Prologue::split(inbox)?;
        self.clock.set(now);
        // Before any task is polled: a timer that one sets now does not end in this turn.
        self.timers.end(self.now());
        let mut frames = Frames::new(rest);
        let mut at = PROLOGUE_BYTES;
        while let Some(frame) = frames.next() {
            self.at_last_frame.set(frames.offset() == rest.len());
            let shifted = |malformed: Malformed| Malformed {
                offset: malformed.offset + PROLOGUE_BYTES,
                ..malformed
            };
            self.take_frame(frame.map_err(shifted)?, at)
                .map_err(|expected| Malformed {
                    offset: at,
                    expected,
                })?;
            at = PROLOGUE_BYTES + frames.offset();
        }
        self.leave_if_asked();
        Ok(())
    }

    /// Takes in the frame that begins at byte `at` of the inbox, or says what was expected there.
    #[inline]
    fn take_frame(self: &Rc<Self>, frame: Frame<'_>, at: usize) -> Result<(), &'static str> {
        match frame.kind() {
            _ if self.startup.get().is_none() => self.take_rare(frame),
            Some(Kind::Call) => {
                self.take_call(frame);
                Ok(())
            }
            Some(Kind::Reply) if frame.header.number != LAUNCH_NUMBER => {
                self.take_reply(&frame, at);
                Ok(())
            }
            _ => self.take_rare(frame),
        }
    }

    /// Takes in a frame that is neither a call nor the reply to one. Out of line, and the frame by value, so that the frames
    /// of calls stay in registers.
    #[cold]
    fn take_rare(self: &Rc<Self>, frame: Frame<'_>) -> Result<(), &'static str> {
        let kind = frame.kind();
        if self.startup.get().is_none() && kind != Some(Kind::Start) {
            return Err("a start before all else");
        }
        match kind {
            Some(Kind::Start) => self.take_start(&frame)?,
            Some(Kind::Launched) => self.take_launched(&frame)?,
            Some(Kind::Reply) => self.launching.end(Err(Status::of_reply(&frame))),
            Some(Kind::Cancel) => self.take_cancel(frame.header.number),
            Some(Kind::Stop) if self.presence.get() == Presence::Staying => {
                self.body.stop(&self.context())
            }
            // A newer host's; and what only guests send.
            _ => {}
        }
        Ok(())
    }

    fn take_start(self: &Rc<Self>, frame: &Frame<'_>) -> Result<(), &'static str> {
        let start = Start::read(frame).map_err(|malformed| malformed.expected)?;
        self.message_bytes_max.set(start.message_bytes_max);
        *self.generator.borrow_mut() = Generator::new(start.seed);
        let descriptors = start.descriptors;
        let startup = Startup {
            args: start.args.into_iter().map(String::from).collect(),
            env: start
                .env
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
            instance: start.instance,
        };
        self.startup
            .set(startup)
            .map_err(|_| "one start, not two")?;
        self.send_manifest(descriptors);
        self.body.start(&self.context());
        Ok(())
    }

    fn take_launched(self: &Rc<Self>, frame: &Frame<'_>) -> Result<(), &'static str> {
        let (handles, rest) = frame.payload.as_chunks::<4>();
        if handles.len() != self.requires.len() || !rest.is_empty() {
            return Err("a handle for each required service");
        }
        if self.launching.has_ended() {
            return Err("one answer to the launch, not two");
        }
        let methods = frame
            .metadata_pairs()
            .map(|pair| pair.map(|(service, method)| (service.into(), method.into())));
        let methods = methods
            .collect::<Result<_, _>>()
            .map_err(|malformed| malformed.expected)?;
        self.launching.introduce(
            handles
                .iter()
                .map(|bytes| u32::from_le_bytes(*bytes))
                .collect(),
            methods,
        );
        self.launching.end(Ok(()));
        self.body.launched(&self.context());
        Ok(())
    }

    fn take_call(self: &Rc<Self>, frame: Frame<'_>) {
        let call = Incoming::new(self, frame);
        match self.presence.get() {
            Presence::Staying => self.body.dispatch(call),
            _ => call.refuse(
                Code::Unavailable,
                Cause::Unreachable,
                "the service is stopping",
            ),
        }
    }

    #[inline]
    fn take_reply(&self, frame: &Frame<'_>, at: usize) {
        if !went_well(frame) {
            return self.take_failure(frame.header.number, frame.bytes);
        }
        let reply = Reply::Here {
            at,
            response: payload_range(frame, at),
        };
        self.tell(self.in_flight.arrive(frame.header.number, reply));
    }

    #[cold]
    fn take_failure(&self, number: u64, frame: &[u8]) {
        self.tell(self.in_flight.arrive(number, Reply::Kept(frame.into())));
    }

    /// Tells who waits that there is a reply.
    #[inline]
    fn tell(&self, waiter: Option<Waiter>) {
        match waiter {
            // What would happen when the inbox has been read, without a queue.
            Some(Waiter::Task(task)) if self.is_nothing_ahead() => self.poll_now(task),
            Some(waiter) => self.executor.wake(waiter),
            None => {}
        }
    }

    fn poll_now(&self, task: TaskId) {
        if self.executor.poll_now(task, |scope| self.work_for(scope)) {
            self.end_poll();
        }
    }

    /// Hands over the reply to a call if it has come; else `waker` is woken when it comes.
    pub(crate) fn poll_call(&self, number: NonZeroU64, waker: &Waker) -> Option<Reply> {
        self.in_flight.poll(number, waker, &self.executor)
    }

    /// Drops the handler of that call, unless it has answered.
    fn take_cancel(&self, number: u64) {
        let task = self.inbound.borrow_mut().remove(number);
        if let Some(task) = task {
            self.executor.cancel(task);
            self.reply_failure(
                number,
                Code::Cancelled,
                Cause::Cancelled,
                "the caller cancelled the call",
            );
        }
    }

    /// Reads those bytes of this turn's inbox.
    pub(crate) fn read_inbox<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        read(&self.inbox.borrow())
    }

    fn context(self: &Rc<Self>) -> Context {
        Context::new(Rc::clone(self))
    }
}

/// Where the payload stands of the frame that begins at byte `at` of the inbox.
fn payload_range(frame: &Frame<'_>, at: usize) -> Range<usize> {
    let start = at + HEADER_BYTES + frame.metadata.len() + frame.detail.len();
    start..start + frame.payload.len()
}

/// What runs.
impl Guest {
    pub(crate) fn spawn(&self, scope: Scope, future: impl Future<Output = ()> + 'static) -> TaskId {
        self.executor.spawn(scope, Box::pin(future))
    }

    /// Makes a task that works for whom the running one works for.
    pub(crate) fn spawn_here(self: &Rc<Self>, future: impl Future<Output = ()> + 'static) {
        let trace = self.trace.borrow().clone();
        self.executor
            .spawn(self.current(), Traced::wrap(self, trace, Box::pin(future)));
    }

    /// Makes a task that works for the call of that context.
    pub(crate) fn spawn_for(
        self: &Rc<Self>,
        cx: &Context,
        future: impl Future<Output = ()> + 'static,
    ) {
        self.executor
            .spawn(cx.scope, Traced::wrap(self, cx.trace(), Box::pin(future)));
    }

    /// Runs what answers an inbound call: at once if nothing is ahead of it, else as a task of its own after the others. A frame
    /// that follows may cancel the call, which then never runs.
    #[inline]
    pub(crate) fn run_handler(
        &self,
        scope: Scope,
        handler: Pin<Box<impl Future<Output = ()> + 'static>>,
    ) {
        let task = if self.is_nothing_ahead() {
            self.work_for(scope);
            let task = self.executor.start(scope, handler);
            self.end_poll();
            task
        } else {
            Some(self.executor.spawn(scope, handler))
        };
        if let Some(task) = task {
            self.inbound.borrow_mut().insert(scope.number, task);
        }
        self.leave_if_asked();
    }

    /// The same for a call that bears a trace context.
    #[inline(never)]
    pub(crate) fn run_traced(
        self: &Rc<Self>,
        scope: Scope,
        trace: Trace,
        handler: executor::Future,
    ) {
        self.run_handler(scope, Box::pin(Traced::new(self, trace, handler)));
    }

    /// Whether a task that becomes ready by the frame that is being read would be polled before anything else happens.
    fn is_nothing_ahead(&self) -> bool {
        self.at_last_frame.get() && self.may_poll() && !self.executor.has_ready()
    }

    pub(crate) fn cancel(&self, task: TaskId) {
        self.executor.cancel(task);
    }

    /// Says whether tasks are left that are ready.
    // Out of line: in most turns all that is ready is polled where its frame is read.
    #[inline(never)]
    fn poll_ready(&self) -> bool {
        while self.executor.has_ready() {
            if !self.may_poll() {
                return true;
            }
            if self.executor.poll_next(|scope| self.work_for(scope)) {
                self.end_poll();
                self.leave_if_asked();
            }
        }
        false
    }

    /// Whether another task may be polled in this turn.
    fn may_poll(&self) -> bool {
        self.polls.get() < self.polls_max.get() && self.presence.get() != Presence::Gone
    }

    fn end_poll(&self) {
        self.polls.update(|polls| polls + 1);
        if self.control.yield_now() {
            self.polls_max.set(0);
        }
        self.work_for(Scope::NOBODY);
    }

    fn work_for(&self, scope: Scope) {
        scope.show(&self.control);
        self.deadline_ns.set(scope.deadline_ns);
    }

    /// Whom the task that is being polled works for.
    pub(crate) fn current(&self) -> Scope {
        Scope::shown(&self.control, self.deadline_ns.get())
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_ns(self.clock.get().monotonic_ns)
    }

    pub(crate) fn wall_ns(&self) -> u64 {
        self.clock.get().wall_ns
    }
}

/// What leaves.
impl Guest {
    /// Sends a frame with a message, which `encode` appends to what it is given.
    #[inline]
    pub(crate) fn send(
        &self,
        outline: Outline<'_>,
        encode: impl FnOnce(&mut &mut [u8]),
    ) -> Result<(), TooLong> {
        self.outbox.append(&self.control, outline, |mut payload| {
            encode(&mut payload);
            assert!(payload.is_empty(), "a message is as long as it says");
        })
    }

    /// Sends a frame with that detail, if one is given, and that payload. Not for messages: it is known that the frame is
    /// shorter than 4 GiB. Out of line, since frames of calls leave through [`Guest::send`].
    #[inline(never)]
    pub(crate) fn send_short(&self, header: Header, detail: Option<Detail<'_>>, payload: &[u8]) {
        let mut detail_bytes = Vec::new();
        if let Some(detail) = &detail {
            detail_bytes.reserve(detail.bytes());
            detail.write(&mut detail_bytes);
        }
        let outline = Outline {
            header,
            metadata: &[],
            detail: &detail_bytes,
            payload_bytes: payload.len(),
        };
        let sent = self.outbox.append(&self.control, outline, |place| {
            place.copy_from_slice(payload)
        });
        sent.expect("a frame without a user's message is shorter than 4 GiB");
    }

    /// Sends a frame that is a header alone.
    #[cold]
    pub(crate) fn send_bare(&self, header: Header) {
        self.send_short(header, None, &[]);
    }

    fn send_manifest(&self, descriptors: bool) {
        let describe = |services: &[&'static Service]| {
            services
                .iter()
                .map(|service| service.describe(descriptors))
                .collect()
        };
        let mut payload = Vec::new();
        Manifest {
            exports: describe(&self.exports),
            requires: describe(self.requires),
        }
        .write(&mut payload);
        self.send_short(Header::new(Kind::Manifest), None, &payload);
    }

    /// Sends that the guest waits for what it requires.
    pub(crate) fn launch(&self) {
        self.send_bare(Header::new(Kind::Launch));
    }

    /// Sends that the guest can serve.
    pub(crate) fn confirm_launch(&self) {
        self.send_bare(Header {
            number: LAUNCH_NUMBER,
            ..Header::new(Kind::Reply)
        });
    }

    /// Ends an inbound call, whose answer the caller of this function sends.
    pub(crate) fn end_inbound(&self, number: u64) {
        self.inbound.borrow_mut().remove(number);
    }

    /// Answers a call, or the launch, with a failure. Out of line, as is all that makes failures: handlers stay small.
    #[cold]
    pub(crate) fn reply_failure(&self, number: u64, code: Code, cause: Cause, message: &str) {
        let header = Header {
            number,
            status: code.number(),
            ..Header::new(Kind::Reply)
        };
        self.send_short(header, Some(Detail::new(cause, self.cut(message))), &[]);
    }

    /// As much of a text as the host lets through.
    pub(crate) fn cut<'a>(&self, text: &'a str) -> &'a str {
        &text[..text.floor_char_boundary(self.message_bytes_max.get() as usize)]
    }
}

/// How it ends.
impl Guest {
    /// Lets the guest leave once every inbound call is answered.
    pub(crate) fn stop(&self) {
        if self.presence.get() == Presence::Staying {
            self.presence.set(Presence::Stopping);
        }
    }

    /// Lets the guest leave before another task is polled; the first to ask says how. Returns what completes just before.
    pub(crate) fn leave(&self, exit: Exit, reason: String) -> Detached<(), Infallible> {
        if matches!(self.presence.get(), Presence::Staying | Presence::Stopping) {
            self.presence.set(Presence::Leaving);
        }
        let farewell = || Farewell {
            scope: self.current(),
            exit,
            reason,
            last_words: Detached::new(),
        };
        self.farewell
            .borrow_mut()
            .get_or_insert_with(farewell)
            .last_words
            .clone()
    }

    #[inline]
    fn leave_if_asked(&self) {
        if self.presence.get() != Presence::Staying {
            self.leave_if_done();
        }
    }

    #[cold]
    fn leave_if_done(&self) {
        match self.presence.get() {
            Presence::Staying | Presence::AtExit | Presence::Gone => {}
            Presence::Stopping if !self.inbound.borrow().is_empty() => {}
            Presence::Stopping => {
                self.leave(Exit::SUCCESS, String::new());
                self.leave_if_done();
            }
            Presence::Leaving => match self.at_exit.take_runner() {
                Some(runner) => {
                    self.presence.set(Presence::AtExit);
                    self.executor.set_aside();
                    self.executor.spawn(Scope::NOBODY, runner);
                }
                None => self.say_farewell(),
            },
        }
    }

    /// What was to be done before the guest leaves is done.
    pub(crate) fn end_at_exit(&self) {
        self.presence.set(Presence::Leaving);
    }

    fn say_farewell(&self) {
        let last_words = self
            .farewell
            .borrow()
            .as_ref()
            .map(|farewell| farewell.last_words.clone());
        if let Some(last_words) = last_words {
            last_words.complete(Ok(()));
        }
        if let Some(Farewell {
            scope,
            exit,
            reason,
            ..
        }) = self.farewell.take()
        {
            // The host names the call that has made the guest leave.
            scope.show(&self.control);
            let header = Header {
                status: exit.status() as u32,
                ..Header::new(Kind::Exit)
            };
            self.send_short(header, None, self.cut(&reason).as_bytes());
        }
        self.presence.set(Presence::Gone);
        self.outbox.close();
    }
}
