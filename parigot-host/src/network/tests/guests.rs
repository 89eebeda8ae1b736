//! Guests of these tests: a service whose methods end in all ways, and one through which a test calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parigot_abi::control::{NEVER, NO_CALL};
use parigot_abi::frame::{Level, NO_DEADLINE, flags};
use parigot_abi::id::CallId;
use parigot_abi::manifest::{Method, Service};
use parigot_abi::{Cause, Code as StatusCode, Detail, Frame, Header, Kind, Manifest};
use parking_lot::{Condvar, Mutex};

use crate::error::GuestFault;
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};
use crate::guest::code::InstanceFactory;

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
        Arc::new(Diary {
            state: Mutex::default(),
            changed: Condvar::new(),
        })
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
            assert!(
                !self.changed.wait_until(&mut state, until).timed_out(),
                "waited in vain"
            );
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
    let method = |name: &&str| Method {
        name: (*name).to_owned(),
        budget_ns: 0,
        deadline_ns: 0,
    };
    Service {
        name: name.into(),
        schema: 1,
        methods: methods.iter().map(method).collect(),
        descriptors: Vec::new(),
    }
}

/// A service that exports one service, whose methods are those above.
pub(super) fn service_mould(
    exports: Service,
    requires: Vec<Service>,
    ledger: &Arc<Ledger>,
) -> impl InstanceFactory + use<> {
    let (manifest, ledger) = (
        Manifest {
            exports: vec![exports],
            requires,
        },
        Arc::clone(ledger),
    );
    BuiltInFactory(move || ServiceGuest {
        manifest: manifest.clone(),
        ledger: Arc::clone(&ledger),
        slow: Vec::new(),
        stopped: false,
        active_call: None,
    })
}

struct ServiceGuest {
    manifest: Manifest,
    ledger: Arc<Ledger>,
    /// Calls that are answered later: when, and their numbers.
    slow: Vec<(u64, u64)>,
    stopped: bool,
    active_call: Option<u64>,
}

impl ServiceGuest {
    fn serve(
        &mut self,
        frame: &Frame<'_>,
        now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        let Header {
            number,
            method,
            deadline_ns,
            id: (high, low),
            ..
        } = frame.header;
        let pairs = frame
            .metadata_pairs()
            .map(|pair| pair.expect("they are whole"));
        let call = GivenCall {
            id: CallId::from_wire(high, low).expect("the id of a call"),
            metadata: pairs
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            left: Duration::from_nanos(deadline_ns.saturating_sub(now_ns)),
        };
        self.ledger.note(|given| given.calls.push(call));
        outbox.send(
            Header {
                number,
                status: Level::Info as u32,
                ..Header::new(Kind::Log)
            },
            b"served",
        );
        let reply = Header {
            number,
            ..Header::new(Kind::Reply)
        };
        match method {
            ECHO => outbox.build(reply, |echo| {
                echo.metadata_bytes(frame.metadata).payload(frame.payload)
            }),
            REFUSE => outbox.send(
                Header {
                    flags: flags::SERVICE_ERROR,
                    status: 7,
                    ..reply
                },
                &[],
            ),
            DENY => fail(
                reply,
                StatusCode::PermissionDenied,
                &Detail::new(Cause::Answered, "not you"),
                outbox,
            ),
            SLOWLY => self.slow.push((now_ns + SLOW.as_nanos() as u64, number)),
            CRASH => {
                self.active_call = Some(number);
                return Err(GuestFault::Panic {
                    text: "it broke".into(),
                });
            }
            _ => {}
        }
        Ok(())
    }
}

fn fail(reply: Header, code: StatusCode, detail: &Detail<'_>, outbox: &mut BuiltinOutbox) {
    outbox.build(
        Header {
            status: code.number(),
            ..reply
        },
        |frame| frame.detail(detail),
    );
}

impl BuiltIn for ServiceGuest {
    fn manifest(&self) -> Manifest {
        self.manifest.clone()
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
            Some(Kind::Call) => self.serve(frame, now_ns, outbox)?,
            Some(Kind::Cancel) => {
                self.slow.retain(|(_, slow)| *slow != number);
                let reply = Header {
                    number,
                    ..Header::new(Kind::Reply)
                };
                fail(
                    reply,
                    StatusCode::Cancelled,
                    &Detail::new(Cause::Cancelled, ""),
                    outbox,
                );
                self.ledger.note(|given| given.cancelled += 1);
            }
            Some(Kind::Stop) => self.stopped = true,
            _ => {}
        }
        Ok(())
    }

    fn end_turn(&mut self, now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        let due = self
            .slow
            .extract_if(.., |(at_ns, _)| *at_ns <= now_ns)
            .collect::<Vec<_>>();
        for (_, number) in due {
            outbox.send(
                Header {
                    number,
                    ..Header::new(Kind::Reply)
                },
                b"at last",
            );
        }
        if self.stopped && self.slow.is_empty() {
            outbox.exit();
        }
        Ok(self
            .slow
            .iter()
            .map(|(at_ns, _)| *at_ns)
            .min()
            .unwrap_or(NEVER))
    }

    fn active_call(&self) -> Option<u64> {
        self.active_call
    }
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
        let Detail {
            cause,
            instance,
            message,
        } = Detail::read(frame.detail);
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

/// A program through which a test calls: calls and cancellations that arrive leave, and with an exit it leaves.
pub(super) fn caller_factory(
    requires: Vec<Service>,
    ends: &Arc<Diary<Ends>>,
) -> impl InstanceFactory + use<> {
    let (manifest, ends) = (
        Manifest {
            exports: Vec::new(),
            requires,
        },
        Arc::clone(ends),
    );
    BuiltInFactory(move || Caller {
        manifest: manifest.clone(),
        ends: Arc::clone(&ends),
    })
}

struct Caller {
    manifest: Manifest,
    ends: Arc<Diary<Ends>>,
}

impl BuiltIn for Caller {
    fn manifest(&self) -> Manifest {
        self.manifest.clone()
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        _now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        match frame.kind() {
            Some(Kind::Launched) => {
                outbox.ready(NO_DEADLINE);
                let methods = frame
                    .metadata_pairs()
                    .map(|pair| pair.expect("they are whole").1.to_owned());
                self.ends
                    .note(|ends| ends.methods = Some(methods.collect()));
            }
            Some(Kind::Call | Kind::Cancel | Kind::Exit) => outbox.pass_on(frame.bytes),
            Some(Kind::Reply) => {
                let number = frame.header.number;
                assert_ne!(number, NO_CALL);
                let before = self
                    .ends
                    .note(|ends| ends.ends.insert(number, End::of(frame)));
                assert!(before.is_none(), "call {number} has ended twice");
            }
            Some(Kind::Stop) => outbox.exit(),
            _ => {}
        }
        Ok(())
    }
}
