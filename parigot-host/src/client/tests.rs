//! Calls from outside, to a service that is built into the host.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use parigot_abi::frame::{NO_DEADLINE, flags};
use parigot_abi::manifest::{Method, MethodFlags, Service};
use parigot_abi::{Cause, Code, Detail, Frame, Header, Kind, Manifest};

use super::{FailureKind, Reply, Request, ServiceClient};
use crate::compile::modules::CompiledGuests;
use crate::deployment::Deployment;
use crate::error::{GuestFault, StartError};
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};
use crate::guest::epoch_ticker::EpochTicker;
use crate::host::{Running, run};
use crate::network::Peers;
use crate::settings::Settings;

/// Longest time that a test waits for an event.
const DEADLINE: Duration = Duration::from_secs(60);

const METHODS: [&str; 3] = ["Echo", "Refuse", "Never"];

/// Events that the service has seen.
#[derive(Default)]
struct Seen {
    /// Calls of the method that never ends.
    calls: AtomicUsize,
    cancellations: AtomicUsize,
}

/// Service whose methods end in every way.
struct Echo {
    seen: Arc<Seen>,
}

impl Echo {
    fn call(&self, frame: &Frame<'_>, outbox: &mut BuiltinOutbox) {
        let number = frame.header.number;
        let reply = Header {
            number,
            ..Header::new(Kind::Reply)
        };
        match METHODS[frame.header.method as usize] {
            "Echo" => {
                let open = Header {
                    number,
                    ..Header::new(Kind::Open)
                };
                outbox.build(open, |open| open.metadata_bytes(frame.metadata));
                outbox.build(reply, |reply| {
                    reply.metadata("trailer", "1").payload(frame.payload)
                });
            }
            "Refuse" => {
                let header = Header {
                    status: 7,
                    flags: flags::SERVICE_ERROR,
                    ..reply
                };
                let detail = Detail::new(Cause::Answered, "too late");
                outbox.build(header, |reply| reply.detail(&detail));
            }
            _ => _ = self.seen.calls.fetch_add(1, Ordering::SeqCst),
        }
    }
}

impl BuiltIn for Echo {
    fn manifest(&self) -> Manifest {
        let method = |name: &&str| Method {
            name: (*name).to_owned(),
            budget_ns: 0,
            deadline_ns: 0,
            flags: MethodFlags::default(),
        };
        let service = Service {
            name: "x.Echo".into(),
            schema: 1,
            methods: METHODS.iter().map(method).collect(),
        };
        Manifest {
            exports: vec![service],
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
            Some(Kind::Call) => self.call(frame, outbox),
            Some(Kind::Cancel) => {
                self.seen.cancellations.fetch_add(1, Ordering::SeqCst);
                let header = Header {
                    number: frame.header.number,
                    status: Code::Cancelled.number(),
                    ..Header::new(Kind::Reply)
                };
                outbox.send(header, &[]);
            }
            Some(Kind::Stop) => outbox.exit(),
            _ => {}
        }
        Ok(())
    }
}

/// Running host with an edge in its deployment.
struct Host {
    running: Running,
    echo: ServiceClient,
    seen: Arc<Seen>,
}

fn try_start(services: &str) -> Result<(Running, Arc<Seen>), StartError> {
    let text = format!(
        "manifest_version = 1\nshutdown_deadline = '1h'\n[service.echo]\nwasm = 'echo.wasm'\n\
         [edge.public]\nlisten = '127.0.0.1:0'\nservices = [{services}]"
    );
    let deployment = Deployment::parse(&text, "app.toml".as_ref()).expect("a valid file");
    let seen = Arc::new(Seen::default());
    let of_echo = Arc::clone(&seen);
    let factory = BuiltInFactory(move || Echo {
        seen: Arc::clone(&of_echo),
    });
    let settings = Settings {
        workers: 2,
        ..Settings::default()
    };
    let peers = Peers::of(&deployment, &settings)?;
    let guests = CompiledGuests {
        of_guests: vec![Ok(Arc::new(factory))],
        epoch_ticker: EpochTicker::start(|| {})?,
    };
    let running = run(&deployment, |_, _| Ok(guests), peers, settings)?;
    Ok((running, seen))
}

impl Host {
    /// Starts the host, and waits until the service is available.
    fn start() -> Self {
        let (running, seen) = try_start("'x.Echo'").expect("the host must start");
        let echo = running.client("x.Echo").expect("the edge lists it").clone();
        block_on(echo.availability_changed(false));
        Host {
            running,
            echo,
            seen,
        }
    }

    fn request(&self, method: &str) -> Request {
        Request {
            id: self.echo.new_call_id(),
            method: method.into(),
            metadata: Vec::new(),
            payload: Vec::new(),
            timeout: None,
        }
    }

    fn call(&self, method: &str) -> Reply {
        block_on(self.echo.call(self.request(method)))
    }

    /// Makes calls until the service has seen an event. Each call gives the service a turn.
    fn wait_until(&self, has_seen: impl Fn(&Seen) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !has_seen(&self.seen) {
            self.call("Echo").result.expect("the call must succeed");
            assert!(Instant::now() < until, "the service must see the event");
        }
    }

    /// Stops the host, which must end without waiting for its shutdown deadline.
    fn stop(self) {
        self.running.stopper().stop();
        let (ended, end) = mpsc::channel();
        let running = self.running;
        thread::spawn(move || ended.send(running.wait()));
        end.recv_timeout(DEADLINE).expect("the host must end");
    }
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let until = Instant::now() + DEADLINE;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        assert!(Instant::now() < until, "the future must end");
        thread::park_timeout(DEADLINE);
    }
}

/// Returns code and cause of a call that failed with a status.
fn failure(reply: Reply) -> (Code, Cause, String) {
    let failure = reply.result.expect_err("the call must fail");
    let FailureKind::Status(code) = failure.kind else {
        panic!("{failure:?}")
    };
    (code, failure.cause, failure.message)
}

#[test]
fn a_reply_has_headers_trailers_and_the_response() {
    let host = Host::start();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let reply = block_on(host.echo.call(Request {
        metadata: vec![pair("a", "1"), pair("parigot-peer", "me")],
        payload: b"hello".to_vec(),
        ..host.request("Echo")
    }));
    let expected = Reply {
        headers: vec![pair("a", "1")],
        trailers: vec![pair("trailer", "1")],
        result: Ok(b"hello".to_vec()),
    };
    // The host removes reserved keys from the frames of the callee, so that the call had both.
    assert_eq!(reply, expected);
    host.stop();
}

#[test]
fn an_error_of_the_service_keeps_its_number() {
    let host = Host::start();
    let failure = host.call("Refuse").result.expect_err("the call must fail");
    assert_eq!(failure.kind, FailureKind::Service(7));
    assert_eq!(
        (failure.cause, &*failure.message),
        (Cause::Answered, "too late")
    );
    host.stop();
}

#[test]
fn a_call_from_outside_ends_at_its_deadline() {
    let host = Host::start();
    let reply = block_on(host.echo.call(Request {
        timeout: Some(Duration::from_millis(10)),
        ..host.request("Never")
    }));
    assert_eq!(failure(reply).0, Code::DeadlineExceeded);
    host.stop();
}

#[test]
fn a_dropped_call_is_cancelled() {
    let host = Host::start();
    let request = Request {
        timeout: Some(Duration::from_secs(3_600)),
        ..host.request("Never")
    };
    let call = host.echo.call(request);
    host.wait_until(|seen| seen.calls.load(Ordering::SeqCst) == 1);
    drop(call);
    host.wait_until(|seen| seen.cancellations.load(Ordering::SeqCst) == 1);
    host.stop();
}

#[test]
fn an_unknown_method_is_refused() {
    let host = Host::start();
    let (code, cause, text) = failure(host.call("Ecko"));
    assert_eq!((code, cause), (Code::Unimplemented, Cause::NoSuchMethod));
    assert!(text.starts_with("x.Echo has no such method"), "{text}");
    host.stop();
}

#[test]
fn calls_after_the_stop_are_refused() {
    let host = Host::start();
    let echo = host.echo.clone();
    let request = host.request("Echo");
    host.stop();
    assert!(!echo.is_available());
    let (code, cause, _) = failure(block_on(echo.call(request)));
    assert_eq!((code, cause), (Code::Unavailable, Cause::Unreachable));
}

#[test]
fn an_edge_with_an_unknown_service_is_refused() {
    let error = try_start("'x.Echo', 'x.Ecko'")
        .map(|_| ())
        .expect_err("x.Ecko is unknown");
    let expected = "the edge `public` lists x.Ecko, which no guest of the deployment exports";
    assert_eq!(error.to_string(), expected);
}
