//! Guest that serves a service whose methods end in every way.

use std::sync::Arc;
use std::time::Duration;

use parigot_abi::control::NEVER;
use parigot_abi::frame::{Level, NO_DEADLINE, flags};
use parigot_abi::id::CallId;
use parigot_abi::manifest::{Method, MethodFlags, Service};
use parigot_abi::{Cause, Code as StatusCode, Detail, Frame, Header, Kind, Manifest};

use super::watched::Watched;
use crate::error::{GuestFault, Stack};
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};
use crate::guest::code::InstanceFactory;

/// Methods of the service. The constants below are indices into this list.
pub(super) const METHODS: [&str; 6] = ["Echo", "Refuse", "Deny", "Never", "Slow", "Crash"];
pub(super) const ECHO: u32 = 0;
/// Ends with the service's own error 7.
pub(super) const REFUSE: u32 = 1;
/// Ends with a status.
pub(super) const DENY: u32 = 2;
/// Is answered only after a cancellation.
pub(super) const NEVER_ENDS: u32 = 3;
/// Is answered after [`SLOW`] on the clock of the service's process.
pub(super) const SLOWLY: u32 = 4;
pub(super) const CRASH: u32 = 5;
pub(super) const SLOW: Duration = Duration::from_millis(50);

/// Calls and cancellations that a [`ServiceGuest`] has received.
#[derive(Default)]
pub(super) struct Received {
    pub(super) calls: Vec<ReceivedCall>,
    pub(super) cancellations: usize,
}

#[derive(Clone, Debug)]
pub(super) struct ReceivedCall {
    pub(super) id: CallId,
    pub(super) metadata: Vec<(String, String)>,
    /// Time from the arrival of the call to its deadline.
    pub(super) left: Duration,
}

impl Watched<Received> {
    /// Waits for the call with this index in the order of arrival.
    pub(super) fn call(&self, index: usize) -> ReceivedCall {
        self.wait_for(|received| received.calls.get(index).cloned())
    }

    /// Waits until this number of calls was cancelled.
    pub(super) fn wait_for_cancellations(&self, count: usize) {
        self.wait_for(|received| (received.cancellations == count).then_some(()));
    }
}

/// Returns the declaration of a service.
pub(super) fn service(name: &str, methods: &[&str]) -> Service {
    let method = |name: &&str| Method {
        name: (*name).to_owned(),
        budget_ns: 0,
        deadline_ns: 0,
        flags: MethodFlags::default(),
    };
    Service {
        name: name.into(),
        schema: 1,
        methods: methods.iter().map(method).collect(),
    }
}

/// Creates the factory of a guest that exports one service with the behaviour of [`METHODS`].
pub(super) fn service_factory(
    exports: Service,
    requires: Vec<Service>,
    received: &Arc<Watched<Received>>,
) -> impl InstanceFactory + use<> {
    let manifest = Manifest {
        exports: vec![exports],
        requires: requires.into_iter().map(Into::into).collect(),
        descriptors: Vec::new(),
    };
    let received = Arc::clone(received);
    BuiltInFactory(move || ServiceGuest {
        manifest: manifest.clone(),
        received: Arc::clone(&received),
        slow: Vec::new(),
        stopped: false,
        active_call: None,
    })
}

struct ServiceGuest {
    manifest: Manifest,
    received: Arc<Watched<Received>>,
    /// Calls of [`SLOWLY`]: the times of their answers and their numbers.
    slow: Vec<(u64, u64)>,
    stopped: bool,
    active_call: Option<u64>,
}

impl ServiceGuest {
    fn record(&self, frame: &Frame<'_>, now_ns: u64) {
        let (high, low) = frame.header.id;
        let metadata = frame.metadata_pairs().map(|pair| {
            let (key, value) = pair.expect("metadata must be well-formed");
            (key.to_owned(), value.to_owned())
        });
        let call = ReceivedCall {
            id: CallId::from_wire(high, low).expect("a call must have an id"),
            metadata: metadata.collect(),
            left: Duration::from_nanos(frame.header.deadline_ns.saturating_sub(now_ns)),
        };
        self.received.change(|received| received.calls.push(call));
    }

    fn serve(
        &mut self,
        frame: &Frame<'_>,
        now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        self.record(frame, now_ns);
        let number = frame.header.number;
        let log = Header {
            number,
            status: Level::Info as u32,
            ..Header::new(Kind::Log)
        };
        outbox.send(log, b"served");
        let reply = Header {
            number,
            ..Header::new(Kind::Reply)
        };
        match frame.header.method {
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
            DENY => {
                let detail = Detail::new(Cause::Answered, "not you");
                fail(reply, StatusCode::PermissionDenied, &detail, outbox);
            }
            SLOWLY => self.slow.push((now_ns + SLOW.as_nanos() as u64, number)),
            CRASH => {
                self.active_call = Some(number);
                return Err(GuestFault::of_trap(
                    "it broke".into(),
                    String::new(),
                    Stack::Unknown,
                ));
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
                let detail = Detail::new(Cause::Cancelled, "");
                fail(reply, StatusCode::Cancelled, &detail, outbox);
                self.received.change(|received| received.cancellations += 1);
            }
            Some(Kind::Stop) => self.stopped = true,
            _ => {}
        }
        Ok(())
    }

    fn end_turn(&mut self, now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        let due: Vec<_> = self
            .slow
            .extract_if(.., |(at_ns, _)| *at_ns <= now_ns)
            .collect();
        for (_, number) in due {
            let reply = Header {
                number,
                ..Header::new(Kind::Reply)
            };
            outbox.send(reply, b"at last");
        }
        if self.stopped && self.slow.is_empty() {
            outbox.exit();
        }
        let times = self.slow.iter().map(|(at_ns, _)| *at_ns);
        Ok(times.min().unwrap_or(NEVER))
    }

    fn active_call(&self) -> Option<u64> {
        self.active_call
    }
}
