//! Guests of these tests: a service whose methods end in all ways, and one through which a test calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parigot_abi::control::{NEVER, NO_CALL};
use parigot_abi::frame::{LAUNCH_NUMBER, Level, flags};
use parigot_abi::id::CallId;
use parigot_abi::manifest::{Method, Service};
use parigot_abi::{Cause, Code as StatusCode, Detail, Frame, FrameBuilder, Frames, Header, Kind, Manifest, Prologue};
use parking_lot::{Condvar, Mutex};

use crate::code::{Code, Mould, Turn};
use crate::error::{Culprit, Fault, ModuleError};
use crate::wasm::Surroundings;

/// The methods of the service, by their places.
pub(super) const METHODS: [&str; 6] = ["Echo", "Refuse", "Deny", "Never", "Slow", "Crash"];
pub(super) const ECHO: u32 = 0;
/// Ends with the service's own error 7.
pub(super) const REFUSE: u32 = 1;
/// Ends with a status.
pub(super) const DENY: u32 = 2;
/// Is not answered but when it is cancelled.
pub(super) const NEVER_ENDS: u32 = 3;
/// Is answered after [`SLOW`].
pub(super) const SLOWLY: u32 = 4;
pub(super) const CRASH: u32 = 5;
pub(super) const SLOW: Duration = Duration::from_millis(50);

/// How long a test waits for what is to happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whatever a guest writes down, for the test to wait for.
pub(super) struct Diary<T> {
    state: Mutex<T>,
    changed: Condvar,
}

impl<T: Default> Diary<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Diary { state: Mutex::default(), changed: Condvar::new() })
    }

    fn note<R>(&self, note: impl FnOnce(&mut T) -> R) -> R {
        let noted = note(&mut self.state.lock());
        self.changed.notify_all();
        noted
    }

    /// Waits until `find` finds something.
    pub(super) fn wait_for<R>(&self, mut find: impl FnMut(&mut T) -> Option<R>) -> R {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state.lock();
        loop {
            if let Some(found) = find(&mut state) {
                return found;
            }
            assert!(!self.changed.wait_until(&mut state, until).timed_out(), "waited in vain");
        }
    }
}

/// What the service was given.
#[derive(Default)]
pub(super) struct Given {
    pub(super) calls: Vec<GivenCall>,
    /// How many calls were cancelled.
    pub(super) cancelled: usize,
}

#[derive(Clone, Debug)]
pub(super) struct GivenCall {
    pub(super) id: CallId,
    pub(super) metadata: Vec<(String, String)>,
    /// How long it may take from when it came.
    pub(super) left: Duration,
}

pub(super) type Ledger = Diary<Given>;

impl Ledger {
    /// The call that came as the nth, from 0.
    pub(super) fn call(&self, nth: usize) -> GivenCall {
        self.wait_for(|given| given.calls.get(nth).cloned())
    }
}

/// A service of that name.
pub(super) fn service(name: &str, methods: &[&str]) -> Service {
    let method = |name: &&str| Method { name: (*name).to_owned(), budget_ns: 0, deadline_ns: 0 };
    Service { name: name.into(), schema: 1, methods: methods.iter().map(method).collect(), descriptors: Vec::new() }
}

/// Makes a service that exports one service and has these methods.
pub(super) struct ServiceMould {
    pub(super) exports: Service,
    pub(super) requires: Vec<Service>,
    pub(super) ledger: Arc<Ledger>,
}

impl Mould for ServiceMould {
    fn instantiate(
        &self,
        _: Surroundings,
        _: &mut dyn FnMut(Level, &str),
    ) -> Result<Result<Box<dyn Code>, Fault>, ModuleError> {
        let manifest = Manifest { exports: vec![self.exports.clone()], requires: self.requires.clone() };
        let ledger = Arc::clone(&self.ledger);
        let guest = ServiceGuest { manifest, ledger, slow: Vec::new(), stopped: false, culprit: None, outbox: vec![] };
        Ok(Ok(Box::new(guest)))
    }
}

struct ServiceGuest {
    manifest: Manifest,
    ledger: Arc<Ledger>,
    /// Calls that are answered later: when, and their numbers.
    slow: Vec<(u64, u64)>,
    stopped: bool,
    culprit: Option<u64>,
    outbox: Vec<u8>,
}

fn send(outbox: &mut Vec<u8>, header: Header, payload: &[u8]) {
    FrameBuilder::new(outbox, header).payload(payload).finish().expect("it is short");
}

fn declare(outbox: &mut Vec<u8>, manifest: &Manifest) {
    let mut payload = Vec::new();
    manifest.write(&mut payload);
    send(outbox, Header::new(Kind::Manifest), &payload);
    send(outbox, Header::new(Kind::Launch), &[]);
}

impl ServiceGuest {
    fn serve(&mut self, frame: &Frame<'_>, now_ns: u64) -> Result<(), Fault> {
        let Header { number, method, deadline_ns, id: (high, low), .. } = frame.header;
        let pairs = frame.metadata_pairs().map(|pair| pair.expect("they are whole"));
        let call = GivenCall {
            id: CallId::from_wire(high, low).expect("the id of a call"),
            metadata: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            left: Duration::from_nanos(deadline_ns.saturating_sub(now_ns)),
        };
        self.ledger.note(|given| given.calls.push(call));
        send(&mut self.outbox, Header { number, status: Level::Info as u32, ..Header::new(Kind::Log) }, b"served");
        let reply = Header { number, ..Header::new(Kind::Reply) };
        match method {
            ECHO => {
                let echo = FrameBuilder::new(&mut self.outbox, reply).metadata_bytes(frame.metadata);
                echo.payload(frame.payload).finish().expect("it is short");
            }
            REFUSE => send(&mut self.outbox, Header { flags: flags::SERVICE_ERROR, status: 7, ..reply }, &[]),
            DENY => self.fail(reply, StatusCode::PermissionDenied, &Detail::new(Cause::Answered, "not you")),
            SLOWLY => self.slow.push((now_ns + SLOW.as_nanos() as u64, number)),
            CRASH => {
                self.culprit = Some(number);
                return Err(Fault::Panic { text: "it broke".into() });
            }
            _ => {}
        }
        Ok(())
    }

    fn fail(&mut self, reply: Header, code: StatusCode, detail: &Detail<'_>) {
        let header = Header { status: code.number(), ..reply };
        FrameBuilder::new(&mut self.outbox, header).detail(detail).finish().expect("it is short");
    }

    fn take(&mut self, frame: &Frame<'_>, now_ns: u64) -> Result<(), Fault> {
        let number = frame.header.number;
        match frame.kind() {
            Some(Kind::Start) => declare(&mut self.outbox, &self.manifest.clone()),
            Some(Kind::Launched) => {
                send(&mut self.outbox, Header { number: LAUNCH_NUMBER, ..Header::new(Kind::Reply) }, &[]);
            }
            Some(Kind::Call) => self.serve(frame, now_ns)?,
            Some(Kind::Cancel) => {
                self.slow.retain(|(_, slow)| *slow != number);
                let reply = Header { number, ..Header::new(Kind::Reply) };
                self.fail(reply, StatusCode::Cancelled, &Detail::new(Cause::Cancelled, ""));
                self.ledger.note(|given| given.cancelled += 1);
            }
            Some(Kind::Stop) => self.stopped = true,
            _ => {}
        }
        Ok(())
    }
}

impl Code for ServiceGuest {
    fn turn(&mut self, prologue: Prologue, frames: &[u8], _max_polls: u32) -> Result<Turn, Fault> {
        self.outbox.clear();
        let now_ns = prologue.monotonic_ns;
        for frame in Frames::new(frames) {
            self.take(&frame.expect("the host writes frames"), now_ns)?;
        }
        let due = self.slow.extract_if(.., |(at_ns, _)| *at_ns <= now_ns).collect::<Vec<_>>();
        for (_, number) in due {
            send(&mut self.outbox, Header { number, ..Header::new(Kind::Reply) }, b"at last");
        }
        if self.stopped && self.slow.is_empty() {
            send(&mut self.outbox, Header::new(Kind::Exit), &[]);
        }
        let wake_at_ns = self.slow.iter().map(|(at_ns, _)| *at_ns).min().unwrap_or(NEVER);
        Ok(Turn { more: false, wake_at_ns })
    }

    fn learn(&mut self, _: &Manifest) {}

    fn culprit(&self) -> Option<Culprit> {
        self.culprit.map(|call| Culprit { call, method: None })
    }

    fn outbox(&self) -> &[u8] {
        &self.outbox
    }

    fn take_output(&mut self, _ended: bool, _line: &mut dyn FnMut(Level, &str)) {}
}

/// How a call has ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) id: CallId,
    pub(super) status: u32,
    pub(super) is_service_error: bool,
    pub(super) cause: Cause,
    pub(super) instance: (u64, u64),
    pub(super) message: String,
    pub(super) payload: Vec<u8>,
}

impl End {
    fn of(frame: &Frame<'_>) -> Self {
        let (high, low) = frame.header.id;
        let Detail { cause, instance, message } = Detail::read(frame.detail);
        End {
            id: CallId::from_wire(high, low).expect("the id of a call"),
            status: frame.header.status,
            is_service_error: frame.header.flags & flags::SERVICE_ERROR != 0,
            cause,
            instance,
            message: message.into_owned(),
            payload: frame.payload.to_vec(),
        }
    }

    /// Code, cause and text of one that was not answered.
    pub(super) fn failure(&self) -> (StatusCode, Cause, &str) {
        let code = StatusCode::from_number(self.status).expect("a code");
        assert!(!self.is_service_error && code != StatusCode::Ok, "{self:?}");
        (code, self.cause, &self.message)
    }
}

/// What has come back to the caller.
#[derive(Default)]
pub(super) struct Ends {
    pub(super) ends: HashMap<u64, End>,
    /// The methods that it was told of when it was launched; none before.
    pub(super) methods: Option<Vec<String>>,
}

/// Makes a program through which a test calls: calls and cancellations that arrive leave, and with an exit it leaves.
pub(super) struct CallerMould {
    pub(super) requires: Vec<Service>,
    pub(super) ends: Arc<Diary<Ends>>,
}

impl Mould for CallerMould {
    fn instantiate(
        &self,
        _: Surroundings,
        _: &mut dyn FnMut(Level, &str),
    ) -> Result<Result<Box<dyn Code>, Fault>, ModuleError> {
        let manifest = Manifest { exports: Vec::new(), requires: self.requires.clone() };
        Ok(Ok(Box::new(Caller { manifest, ends: Arc::clone(&self.ends), outbox: Vec::new() })))
    }
}

struct Caller {
    manifest: Manifest,
    ends: Arc<Diary<Ends>>,
    outbox: Vec<u8>,
}

impl Caller {
    fn take(&mut self, frame: &Frame<'_>, bytes: &[u8]) {
        match frame.kind() {
            Some(Kind::Start) => declare(&mut self.outbox, &self.manifest),
            Some(Kind::Launched) => {
                send(&mut self.outbox, Header { number: LAUNCH_NUMBER, ..Header::new(Kind::Reply) }, &[]);
                let methods = frame.metadata_pairs().map(|pair| pair.expect("they are whole").1.to_owned());
                self.ends.note(|ends| ends.methods = Some(methods.collect()));
            }
            Some(Kind::Call | Kind::Cancel | Kind::Exit) => self.outbox.extend_from_slice(bytes),
            Some(Kind::Reply) => {
                let number = frame.header.number;
                assert_ne!(number, NO_CALL);
                let before = self.ends.note(|ends| ends.ends.insert(number, End::of(frame)));
                assert!(before.is_none(), "call {number} has ended twice");
            }
            Some(Kind::Stop) => send(&mut self.outbox, Header::new(Kind::Exit), &[]),
            _ => {}
        }
    }
}

impl Code for Caller {
    fn turn(&mut self, _: Prologue, frames: &[u8], _max_polls: u32) -> Result<Turn, Fault> {
        self.outbox.clear();
        let mut rest = Frames::new(frames);
        loop {
            let start = rest.offset();
            let Some(frame) = rest.next() else { break };
            self.take(&frame.expect("the host writes frames"), &frames[start..rest.offset()]);
        }
        Ok(Turn { more: false, wake_at_ns: NEVER })
    }

    fn learn(&mut self, _: &Manifest) {}

    fn outbox(&self) -> &[u8] {
        &self.outbox
    }

    fn take_output(&mut self, _ended: bool, _line: &mut dyn FnMut(Level, &str)) {}
}
