//! Services whose methods are closures of a test.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use parigot_abi::{Cause, Code, Frame};
use prost::Message;

use super::answer::{Answer, FakeOutcome, FakeReply};
use crate::call::Client;
use crate::metadata::Entries;
use crate::method::Method;
use crate::service_info::Service;

/// Guest whose methods are closures of the test. A clone is the same guest.
///
/// ```no_run
/// # use parigot_guest::testing::{Fake, TestGuest};
/// # fn test<FetchGreeting: parigot_guest::Method>(response: FetchGreeting::Response) {
/// let fake = Fake::new("greeting");
/// fake.on::<FetchGreeting>(|request| Ok(FetchGreeting::Response::default()));
/// let guest = TestGuest::client().fake(&fake).start();
/// # }
/// ```
///
/// A fake exports the services of the methods that were added before the start, and the services of
/// [`Fake::exports`]. Calls of other methods of these services fail with `UNIMPLEMENTED`. Closures
/// may be added and replaced at any time. `TestHost` of the crate `parigot-host` takes fakes, too,
/// and treats a fake like any other guest.
#[derive(Clone)]
pub struct Fake {
    name: String,
    state: Arc<Mutex<FakeState>>,
    /// Time of the host at the last call.
    now_ns: Arc<AtomicU64>,
}

#[derive(Default)]
struct FakeState {
    exports: Vec<&'static Service>,
    handlers: HashMap<Address, Handler>,
    /// Calls in the order of arrival.
    calls: Vec<FakeCall>,
}

/// Call of a fake.
struct FakeCall {
    of: Address,
    /// In the encoding of a frame, like the metadata. One, unless requests stream.
    requests: Vec<Vec<u8>>,
    metadata: Vec<u8>,
}

/// Name of a service, and index of a method in the service.
type Address = (&'static str, u32);
type Handler = Box<dyn FnMut(&[Vec<u8>]) -> FakeReply + Send>;

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
            now_ns: Arc::default(),
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
        self.lock().export(C::SERVICE);
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
    /// If the method streams. A panic in the closure, such as a failed assertion, fails the test.
    pub fn answer<M: Method>(
        &self,
        mut serve: impl FnMut(M::Request) -> Answer<M> + Send + 'static,
    ) -> &Self {
        let info = M::info();
        assert!(!info.streams(), "{} streams: use `stream`", info.name());
        self.handle::<M>(move |mut requests| {
            serve(requests.pop().expect("a call has one request")).reply
        })
    }

    /// Serves method `M`, which streams, with a closure, in place of an earlier one.
    ///
    /// The closure gets the requests when all of them have arrived: one if they do not stream. It
    /// returns [`Answer::stream`], or the response if responses do not stream.
    ///
    /// ```no_run
    /// # use parigot_guest::testing::{Answer, Fake};
    /// # fn test<Watch: parigot_guest::Method>(feed: Fake) {
    /// feed.stream::<Watch>(|_| Answer::stream([Watch::Response::default()]));
    /// // The stream breaks off behind one response.
    /// let responses = || [Watch::Response::default()];
    /// feed.stream::<Watch>(move |_| Answer::crash("on fire").after_responses(responses()));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the method does not stream. A panic in the closure fails the test.
    pub fn stream<M: Method>(
        &self,
        mut serve: impl FnMut(Vec<M::Request>) -> Answer<M> + Send + 'static,
    ) -> &Self {
        let info = M::info();
        assert!(
            info.streams(),
            "{} does not stream: use `answer`",
            info.name()
        );
        self.handle::<M>(move |requests| serve(requests).reply)
    }

    fn handle<M: Method>(
        &self,
        mut serve: impl FnMut(Vec<M::Request>) -> FakeReply + Send + 'static,
    ) -> &Self {
        let handler = move |requests: &[Vec<u8>]| {
            let decoded = requests
                .iter()
                .map(|request| M::Request::decode(&**request));
            match decoded.collect() {
                Ok(requests) => serve(requests),
                Err(error) => {
                    let message = format!(
                        "the request of {} cannot be decoded: {error}",
                        M::info().name()
                    );
                    FakeOutcome::failure(Code::InvalidArgument, Cause::Undecodable, message).into()
                }
            }
        };
        let mut state = self.lock();
        state.export(M::SERVICE);
        state.handlers.insert(address::<M>(), Box::new(handler));
        drop(state);
        self
    }

    /// Returns the requests of method `M` so far, in the order of arrival.
    ///
    /// Requests that cannot be decoded are omitted.
    pub fn requests<M: Method>(&self) -> Vec<M::Request> {
        let state = self.lock();
        let of_method = state.calls.iter().filter(|call| call.of == address::<M>());
        of_method
            .flat_map(|call| &call.requests)
            .filter_map(|request| M::Request::decode(&**request).ok())
            .collect()
    }

    /// Returns the metadata of the calls of method `M` so far, in the order of arrival: keys and
    /// values.
    pub fn metadata<M: Method>(&self) -> Vec<Vec<(String, String)>> {
        let state = self.lock();
        let of_method = state.calls.iter().filter(|call| call.of == address::<M>());
        let entries = |call: &FakeCall| {
            let pairs = Entries::new(&call.metadata);
            let owned = pairs.iter().map(|(key, value)| (key.into(), value.into()));
            owned.collect()
        };
        of_method.map(entries).collect()
    }

    fn lock(&self) -> MutexGuard<'_, FakeState> {
        // A closure that panics holds no lock. A panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For hosts of tests.
#[doc(hidden)]
impl Fake {
    /// Returns the services that the fake exports so far.
    pub fn services(&self) -> Vec<&'static Service> {
        self.lock().exports.clone()
    }

    /// Tells the fake the time on the clock of the host.
    pub fn set_now_ns(&self, now_ns: u64) {
        self.now_ns.store(now_ns, Ordering::SeqCst);
    }

    /// Returns the clock that [`set_now_ns`](Fake::set_now_ns) sets.
    pub(super) fn clock(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.now_ns)
    }

    /// Runs the closure of a method for a call that does not stream.
    pub fn serve(&self, service: &Service, method: u32, call: &Frame<'_>) -> FakeReply {
        self.serve_stream(service, method, vec![call.payload.into()], call.metadata)
    }

    /// Runs the closure of a method for a call with these requests.
    pub fn serve_stream(
        &self,
        service: &Service,
        method: u32,
        requests: Vec<Vec<u8>>,
        metadata: &[u8],
    ) -> FakeReply {
        let address = (service.name, method);
        let mut state = self.lock();
        state.calls.push(FakeCall {
            of: address,
            requests: requests.clone(),
            metadata: metadata.into(),
        });
        // The handler is taken out and the lock released, because a closure may use its own fake,
        // for example `requests`, and may even replace itself.
        let Some(mut handler) = state.handlers.remove(&address) else {
            let method = service.methods[method as usize].name();
            let message = format!("the fake has no closure for {}/{method}", service.name);
            return FakeOutcome::failure(Code::Unimplemented, Cause::NoSuchMethod, message).into();
        };
        drop(state);
        let reply = handler(&requests);
        self.lock().handlers.entry(address).or_insert(handler);
        reply
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
