//! Services whose methods are closures of a test.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::control::NEVER;
use parigot_abi::frame::{NO_DEADLINE, push_pair};
use parigot_abi::{Cause, Code as StatusCode, Detail, Frame, Header, Kind, Manifest};
use parigot_guest::prost::Message;
use parigot_guest::{Client, HandlerError as _, Method, Service, ServiceError};
use parking_lot::Mutex;

use crate::error::GuestFault;
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};
use crate::guest::code::InstanceFactory;

/// Guest whose methods are closures of the test. A clone is the same guest.
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
/// A fake exports the services of the methods that were added before the start, and the services of
/// [`Fake::exports`]. Calls of other methods of these services fail with `UNIMPLEMENTED`. The host
/// treats a fake like any other guest. Closures may be added and replaced at any time.
#[derive(Clone)]
pub struct Fake {
    name: String,
    state: Arc<Mutex<FakeState>>,
}

#[derive(Default)]
struct FakeState {
    exports: Vec<&'static Service>,
    handlers: HashMap<Address, Handler>,
    /// Encoded requests in the order of arrival.
    requests: Vec<(Address, Vec<u8>)>,
}

/// Name of a service, and index of a method in the service.
type Address = (&'static str, u32);
type Handler = Box<dyn FnMut(&[u8]) -> FakeReply + Send>;

/// Answer of a [`Fake`] to one call.
///
/// ```no_run
/// # use std::time::Duration;
/// # use parigot_host::testing::{Answer, Fake};
/// # fn test<Bake: parigot_guest::Method>(oven: Fake) {
/// // The oven takes half an hour, on the host's clock.
/// oven.answer::<Bake>(|request| {
///     Answer::ok(Bake::Response::default()).after(Duration::from_secs(1_800))
/// });
/// // From now on the oven does not answer.
/// oven.answer::<Bake>(|_| Answer::never());
/// # }
/// ```
#[must_use = "an answer has an effect only as the closure's return value"]
pub struct Answer<M: Method> {
    reply: FakeReply,
    method: PhantomData<fn() -> M>,
}

/// Answer without the type of its method.
struct FakeReply {
    delay: Duration,
    outcome: FakeOutcome,
    /// Response headers and trailers in the encoding of a frame.
    headers: Vec<u8>,
    trailers: Vec<u8>,
}

enum FakeOutcome {
    /// Encoded response.
    Response(Vec<u8>),
    Failure {
        /// Flags of the reply frame.
        flags: u16,
        /// Code, or number in the service's error enum.
        status: u32,
        /// Encoded [`Detail`], or empty.
        detail: Vec<u8>,
    },
    Never,
    /// Crash with this panic text.
    Crash(String),
}

impl FakeOutcome {
    fn failure(code: StatusCode, cause: Cause, message: impl Into<String>) -> Self {
        let mut detail = Vec::new();
        Detail::new(cause, &message.into()).write(&mut detail);
        FakeOutcome::Failure {
            flags: 0,
            status: code.number(),
            detail,
        }
    }
}

impl<M: Method> Answer<M> {
    fn new(outcome: FakeOutcome) -> Self {
        Answer {
            reply: outcome.into(),
            method: PhantomData,
        }
    }

    /// Creates an answer with a response.
    pub fn ok(response: M::Response) -> Self {
        Answer::new(FakeOutcome::Response(response.encode_to_vec()))
    }

    /// Creates an answer with an error of the service, or with another failure that a handler may
    /// return: an error with a message and details, or a [`Status`](parigot_guest::Status).
    ///
    /// # Panics
    ///
    /// If the error's number is 0, which stands for success.
    pub fn error(error: impl Into<<M::Error as ServiceError>::Failure>) -> Self {
        let failure = error.into();
        let answer = failure.answer();
        assert!(
            !answer.is_zero(),
            "`{failure}` has the number 0, which is no error"
        );
        let (flags, status, detail) = answer.reply_parts();
        Answer::new(FakeOutcome::Failure {
            flags,
            status,
            detail,
        })
    }

    /// Adds a response header. The caller receives it with the outcome of the call.
    pub fn with_header(mut self, key: &str, value: &str) -> Self {
        push_pair(&mut self.reply.headers, key, value);
        self
    }

    /// Adds a response trailer.
    pub fn with_trailer(mut self, key: &str, value: &str) -> Self {
        push_pair(&mut self.reply.trailers, key, value);
        self
    }

    /// Creates an answer with a status, as if the host or the service's SDK had failed the call.
    ///
    /// `cause` determines the call's fate as its caller sees it. `message` is for people and logs.
    pub fn status(code: StatusCode, cause: Cause, message: impl Into<String>) -> Self {
        Answer::new(FakeOutcome::failure(code, cause, message))
    }

    /// Leaves the call without an answer. The call ends at its deadline or by a cancellation.
    pub fn never() -> Self {
        Answer::new(FakeOutcome::Never)
    }

    /// Crashes the fake, as a guest that panics with `text`.
    pub fn crash(text: impl Into<String>) -> Self {
        Answer::new(FakeOutcome::Crash(text.into()))
    }

    /// Delays the answer or the crash by a time on the host's clock, from the arrival of the call.
    pub fn after(self, delay: Duration) -> Self {
        Answer {
            reply: FakeReply {
                delay,
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
    /// Creates a fake without methods. `name` is the guest's name in the deployment.
    pub fn new(name: impl Into<String>) -> Self {
        Fake {
            name: name.into(),
            state: Arc::default(),
        }
    }

    /// Returns the guest's name in the deployment.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Exports the service of client `C`.
    ///
    /// Only needed for a service without any method at the start: [`on`](Fake::on) and
    /// [`answer`](Fake::answer) export the service of their method.
    pub fn exports<C: Client>(&self) -> &Self {
        self.state.lock().export(C::SERVICE);
        self
    }

    /// Serves method `M` with a closure, in place of an earlier one.
    ///
    /// The closure returns the response or the service's error, and may keep state between calls.
    ///
    /// # Panics
    ///
    /// A panic in the closure, such as a failed assertion, fails the test.
    pub fn on<M: Method>(
        &self,
        mut serve: impl FnMut(M::Request) -> Result<M::Response, M::Error> + Send + 'static,
    ) -> &Self {
        self.answer::<M>(move |request| serve(request).map_or_else(Answer::error, Answer::ok))
    }

    /// Serves method `M` with a closure that returns an [`Answer`], in place of an earlier closure.
    ///
    /// Use [`on`](Fake::on) unless an answer must be late, missing, a status or a crash.
    ///
    /// # Panics
    ///
    /// A panic in the closure, such as a failed assertion, fails the test.
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
                FakeOutcome::failure(StatusCode::InvalidArgument, Cause::Undecodable, message)
                    .into()
            }
        };
        let mut state = self.state.lock();
        state.export(M::SERVICE);
        state.handlers.insert(address::<M>(), Box::new(handler));
        drop(state);
        self
    }

    /// Returns the requests of method `M` so far, in the order of arrival.
    ///
    /// Requests that cannot be decoded are omitted.
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

    /// Returns the factory of the fake's instances. All of them share the fake's closures.
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

impl From<FakeOutcome> for FakeReply {
    fn from(outcome: FakeOutcome) -> Self {
        FakeReply {
            delay: Duration::ZERO,
            outcome,
            headers: Vec::new(),
            trailers: Vec::new(),
        }
    }
}

/// Instance of a [`Fake`].
struct FakeGuest {
    state: Arc<Mutex<FakeState>>,
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
    fn serve(&mut self, frame: &Frame<'_>) -> FakeReply {
        let service = self.exports[frame.header.service as usize];
        let address = (service.name, frame.header.method);
        let mut state = self.state.lock();
        state.requests.push((address, frame.payload.into()));
        // The handler is taken out and the lock released, because a closure may use its own fake,
        // for example `requests`, and may even replace itself.
        let Some(mut handler) = state.handlers.remove(&address) else {
            let method = service.methods[address.1 as usize].name();
            let message = format!("the fake has no closure for {}/{method}", service.name);
            return FakeOutcome::failure(StatusCode::Unimplemented, Cause::NoSuchMethod, message)
                .into();
        };
        drop(state);
        let reply = handler(frame.payload);
        self.state.lock().handlers.entry(address).or_insert(handler);
        reply
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
                return Err(GuestFault::of_trap(text, String::new()));
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
                let reply = self.serve(frame);
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
                        FakeOutcome::failure(StatusCode::Cancelled, Cause::Cancelled, "").into();
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
