//! Fuzz target: frames that a guest may send, routed by the kernel.

use std::sync::Arc;
use std::time::Duration;

use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::manifest::{Method, MethodFlags, Service};
use parigot_abi::{Frame, Header, Kind, Manifest};
use parking_lot::Mutex;

use super::builder::TestHost;
use crate::deployment::GuestSpec;
use crate::error::GuestFault;
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};

const ECHO: &str = "fuzz.Echo";
const HOSTILE: &str = "fuzz.Hostile";

/// Turns of the hostile guest. Later turns send nothing.
const TURNS_MAX: usize = 8;

/// Runs a guest that sends parts of `data` as its frames, between a service that answers and a
/// program that calls the guest. The first bytes are the lengths of the parts.
///
/// # Panics
///
/// If a call of the program does not end.
pub fn frames(data: &[u8]) {
    let (lengths, mut rest) = data.split_at(data.len().min(TURNS_MAX));
    let parts = lengths.iter().map(|length| {
        let end = usize::from(*length).min(rest.len());
        rest.split_off(..end).expect("the part is inside").to_vec()
    });
    // The last part has the rest.
    let mut parts: Vec<_> = parts.collect();
    parts.push(rest.to_vec());
    parts.reverse();
    let ended = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&ended);
    let host = TestHost::new()
        .factory(GuestSpec::service("echo", ""), BuiltInFactory(|| Echo))
        .factory(
            GuestSpec::service("hostile", ""),
            BuiltInFactory(move || Hostile {
                parts: parts.clone(),
            }),
        )
        .factory(
            GuestSpec::worker("caller", ""),
            BuiltInFactory(move || Caller {
                ended: Arc::clone(&counted),
            }),
        );
    let Ok(mut run) = host.try_start() else {
        return;
    };
    run.run_until_idle();
    run.advance(Duration::from_secs(60));
    run.stop();
    let calls = run
        .frames()
        .iter()
        .filter(|frame| frame.kind == Kind::Call && frame.from == "caller")
        .count();
    assert_eq!(
        calls,
        *ended.lock(),
        "each call of the program must end once"
    );
}

fn service(name: &str) -> Service {
    Service {
        name: name.into(),
        schema: 1,
        methods: vec![Method {
            name: "Do".into(),
            budget_ns: 0,
            deadline_ns: 0,
            flags: MethodFlags::default(),
        }],
    }
}

/// Service that answers each call with its payload.
struct Echo;

impl BuiltIn for Echo {
    fn manifest(&self) -> Manifest {
        Manifest {
            exports: vec![service(ECHO)],
            ..Manifest::default()
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
            Some(Kind::Call) => {
                let header = Header {
                    number: frame.header.number,
                    ..Header::new(Kind::Reply)
                };
                outbox.build(header, |reply| {
                    reply.metadata_bytes(frame.metadata).payload(frame.payload)
                });
            }
            Some(Kind::Stop) => outbox.exit(),
            _ => {}
        }
        Ok(())
    }
}

/// Guest that sends one part in each turn.
struct Hostile {
    /// Parts in reverse order.
    parts: Vec<Vec<u8>>,
}

impl BuiltIn for Hostile {
    fn manifest(&self) -> Manifest {
        Manifest {
            exports: vec![service(HOSTILE)],
            requires: vec![service(ECHO).into()],
            descriptors: Vec::new(),
        }
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        _now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        if frame.kind() == Some(Kind::Launched) {
            outbox.ready(NO_DEADLINE);
        }
        Ok(())
    }

    fn end_turn(&mut self, now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        match self.parts.pop() {
            Some(part) => {
                outbox.pass_on(&part);
                Ok(now_ns + 1_000_000_000)
            }
            None => Ok(u64::MAX),
        }
    }
}

/// Program that calls the hostile guest.
struct Caller {
    /// Number of replies.
    ended: Arc<Mutex<usize>>,
}

impl BuiltIn for Caller {
    fn manifest(&self) -> Manifest {
        Manifest {
            requires: vec![service(HOSTILE).into()],
            ..Manifest::default()
        }
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        match frame.kind() {
            Some(Kind::Launched) => {
                for number in 1..=3 {
                    let header = Header {
                        number,
                        deadline_ns: now_ns + number * 1_500_000_000,
                        id: (number, 7),
                        ..Header::new(Kind::Call)
                    };
                    outbox.send(header, b"request");
                }
            }
            Some(Kind::Reply) => *self.ended.lock() += 1,
            Some(Kind::Stop) => outbox.exit(),
            _ => {}
        }
        Ok(())
    }
}
