//! Services that are made of closures.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::control::NEVER;
use parigot_abi::frame::{NO_DEADLINE, flags};
use parigot_abi::{Cause, Code as StatusCode, Detail, Frame, Header, Kind, Manifest};
use parigot_guest::prost::Message;
use parigot_guest::{Client, Method, Service, ServiceError};
use parking_lot::Mutex;

use crate::error::GuestFault;
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};
use crate::guest::code::InstanceFactory;

/// A service whose methods are closures of the test. Its clones are the same service.
///
/// ```no_run
/// # use parigot_host::testing::{Fake, TestHost};
/// # fn test<FetchGreeting: parigot_guest::Method>(response: FetchGreeting::Response) {
/// let fake = Fake::new("greeting");
/// fake.on::<FetchGreeting>(|request| Ok(FetchGreeting::Response::default()));
/// let host = TestHost::new().fake(&fake).start();
/// # }
/// ```
///
/// It exports the services of the methods that it was given before it was started, and those of [`Fake::exports`]; methods of theirs that
/// it was not given fail with UNIMPLEMENTED. To the host it is a guest like any other.
#[derive(Clone)]
pub struct Fake {
    name: String,
    state: Arc<Mutex<FakeState>>,
}

#[derive(Default)]
struct FakeState {
    exports: Vec<&'static Service>,
    handlers: HashMap<Address, Handler>,
    requests: Vec<(Address, Vec<u8>)>,
}

/// A service's name, and a method's place in it.
type Address = (&'static str, u32);
type Handler = Box<dyn FnMut(&[u8]) -> Reply + Send>;

/// What a method of a [`Fake`] answers.
#[must_use = "an answer is what the closure returns"]
pub struct Answer<M: Method> {
    reply: Reply,
    method: PhantomData<fn() -> M>,
}

/// An answer in its interceptor form.
struct Reply {
    after: Duration,
    what: What,
}

enum What {
    Response(Vec<u8>),
    Error(i32),
    Failure {
        code: StatusCode,
        cause: Cause,
        message: String,
    },
    Never,
    Crash(String),
}

impl What {
    fn failure(code: StatusCode, cause: Cause, message: impl Into<String>) -> Self {
        What::Failure {
            code,
            cause,
            message: message.into(),
        }
    }
}

impl<M: Method> Answer<M> {
    fn new(what: What) -> Self {
        Answer {
            reply: what.into(),
            method: PhantomData,
        }
    }

    /// The response.
    pub fn ok(response: M::Response) -> Self {
        Answer::new(What::Response(response.encode_to_vec()))
    }

    /// The service's own error.
    ///
    /// # Panics
    ///
    /// If it is the one with number 0, which is no error.
    pub fn error(error: M::Error) -> Self {
        assert_ne!(error.number(), 0, "`{error}` is no error");
        Answer::new(match error.as_status() {
            Some(status) => What::failure(status.code(), Cause::Answered, status.message()),
            None => What::Error(error.number()),
        })
    }

    /// A status, as though the host or the service's SDK had failed the call: its code, what happened, and a text for people.
    pub fn status(code: StatusCode, cause: Cause, message: impl Into<String>) -> Self {
        Answer::new(What::failure(code, cause, message))
    }

    /// None: the call ends at its deadline, or is cancelled.
    pub fn never() -> Self {
        Answer::new(What::Never)
    }

    /// None, for the service crashes and says this.
    pub fn crash(text: impl Into<String>) -> Self {
        Answer::new(What::Crash(text.into()))
    }

    /// The same, that much later on the host's clock.
    pub fn after(self, delay: Duration) -> Self {
        Answer {
            reply: Reply {
                after: delay,
                ..self.reply
            },
            ..self
        }
    }
}

impl<M: Method> fmt::Debug for Answer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("method", &M::info().name())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Fake {
    /// A service that exports nothing yet, with its name in the deployment.
    pub fn new(name: impl Into<String>) -> Self {
        Fake {
            name: name.into(),
            state: Arc::default(),
        }
    }

    /// Its name in the deployment.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Exports the service of that client, which matters where no method of it is given before the start.
    pub fn exports<C: Client>(&self) -> &Self {
        self.state.lock().export(C::SERVICE);
        self
    }

    /// Lets a closure serve a method, in place of what served it before.
    ///
    /// A panic in it, an assertion that fails say, ends the test.
    pub fn on<M: Method>(
        &self,
        mut serve: impl FnMut(M::Request) -> Result<M::Response, M::Error> + Send + 'static,
    ) -> &Self {
        self.answer::<M>(move |request| serve(request).map_or_else(Answer::error, Answer::ok))
    }

    /// The same for a closure that can answer in each way in which a call may end.
    pub fn answer<M: Method>(
        &self,
        mut serve: impl FnMut(M::Request) -> Answer<M> + Send + 'static,
    ) -> &Self {
        let handler = move |payload: &[u8]| match M::Request::decode(payload) {
            Ok(request) => serve(request).reply,
            Err(error) => {
                let message = format!(
                    "the request of {} cannot be decoded: {error}",
                    M::info().name()
                );
                What::failure(StatusCode::InvalidArgument, Cause::Undecodable, message).into()
            }
        };
        let mut state = self.state.lock();
        state.export(M::SERVICE);
        state.handlers.insert(address::<M>(), Box::new(handler));
        drop(state);
        self
    }

    /// The requests that have arrived for a method, in their order, since it was started.
    pub fn requests<M: Method>(&self) -> Vec<M::Request> {
        let state = self.state.lock();
        let of_method = state
            .requests
            .iter()
            .filter(|(of, _)| *of == address::<M>());
        of_method
            .filter_map(|(_, payload)| M::Request::decode(&payload[..]).ok())
            .collect()
    }
}

fn address<M: Method>() -> Address {
    (M::SERVICE.name, M::INDEX)
}

impl FakeState {
    fn export(&mut self, service: &'static Service) {
        if self.exports.iter().all(|known| known.name != service.name) {
            self.exports.push(service);
        }
    }
}

impl From<What> for Reply {
    fn from(what: What) -> Self {
        Reply {
            after: Duration::ZERO,
            what,
        }
    }
}

impl Fake {
    /// What it runs as.
    pub(super) fn as_factory(&self) -> impl InstanceFactory + use<> {
        let state = Arc::clone(&self.state);
        BuiltInFactory(move || {
            let exports = state.lock().exports.clone();
            FakeGuest {
                state: Arc::clone(&state),
                exports,
                waiting: Vec::new(),
                active_call: None,
            }
        })
    }
}

/// A running fake.
struct FakeGuest {
    state: Arc<Mutex<FakeState>>,
    exports: Vec<&'static Service>,
    /// Calls that are not answered yet, in the order in which they came.
    waiting: Vec<Waiting>,
    /// The call that has made it crash.
    active_call: Option<u64>,
}

struct Waiting {
    number: u64,
    /// When it is answered, on the guest's clock.
    at_ns: u64,
    what: What,
}

impl FakeGuest {
    fn serve(&mut self, frame: &Frame<'_>) -> Reply {
        let service = self.exports[frame.header.service as usize];
        let address = (service.name, frame.header.method);
        let mut state = self.state.lock();
        state.requests.push((address, frame.payload.into()));
        // It may ask the fake itself.
        let Some(mut handler) = state.handlers.remove(&address) else {
            let method = service.methods[address.1 as usize].name();
            let message = format!("the fake was not told what {}/{method} does", service.name);
            return What::failure(StatusCode::Unimplemented, Cause::NoSuchMethod, message).into();
        };
        drop(state);
        let reply = handler(frame.payload);
        self.state.lock().handlers.entry(address).or_insert(handler);
        reply
    }

    /// Answers what is to be answered by now.
    fn answer(&mut self, now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<(), GuestFault> {
        let is_due =
            |waiting: &mut Waiting| waiting.at_ns <= now_ns && !matches!(waiting.what, What::Never);
        let mut due: Vec<_> = self.waiting.extract_if(.., is_due).collect();
        due.sort_by_key(|waiting| waiting.at_ns);
        due.into_iter()
            .try_for_each(|Waiting { number, what, .. }| self.reply(number, what, outbox))
    }

    fn reply(
        &mut self,
        number: u64,
        what: What,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        let reply = Header {
            number,
            ..Header::new(Kind::Reply)
        };
        match what {
            What::Response(payload) => outbox.send(reply, &payload),
            What::Error(error) => {
                let (flags, status) = (flags::SERVICE_ERROR, error.cast_unsigned());
                outbox.send(
                    Header {
                        flags,
                        status,
                        ..reply
                    },
                    &[],
                );
            }
            What::Failure {
                code,
                cause,
                message,
            } => {
                let header = Header {
                    status: code.number(),
                    ..reply
                };
                outbox.build(header, |frame| frame.detail(&Detail::new(cause, &message)));
            }
            What::Never => unreachable!("it is never due"),
            What::Crash(text) => {
                self.active_call = Some(number);
                return Err(GuestFault::Panic { text });
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
            .map(|service| service.describe(true))
            .collect();
        Manifest {
            exports,
            requires: Vec::new(),
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
                let Reply { after, what } = self.serve(frame);
                self.waiting.push(Waiting {
                    number,
                    at_ns: now_ns.saturating_add(after.as_nanos() as u64),
                    what,
                });
            }
            Some(Kind::Cancel) => {
                for waiting in self
                    .waiting
                    .iter_mut()
                    .filter(|waiting| waiting.number == number)
                {
                    waiting.at_ns = now_ns;
                    waiting.what = What::failure(StatusCode::Cancelled, Cause::Cancelled, "");
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
            .filter(|waiting| !matches!(waiting.what, What::Never));
        Ok(to_come.map(|waiting| waiting.at_ns).min().unwrap_or(NEVER))
    }

    fn active_call(&self) -> Option<u64> {
        self.active_call
    }
}
