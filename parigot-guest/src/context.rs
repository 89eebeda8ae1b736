//! The context: everything that a guest can do and see.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;
use core::time::Duration;

use parigot_abi::Frame;
use parigot_abi::control::NO_CALL;
use parigot_abi::frame::{Level, NO_DEADLINE};
use parigot_abi::id::{CallId, InstanceId};

use crate::at_exit;
use crate::clock::{Instant, Sleep};
use crate::detached::YieldNow;
use crate::exit::{Exit, ExitFuture};
use crate::launch::Launch;
use crate::log;
use crate::metadata::{Entries, encode_base64};
use crate::metadata_key::may_set;
use crate::random::Random;
use crate::runtime::guest::Guest;
use crate::runtime::lifecycle::Startup;
use crate::runtime::response_metadata::Part;
use crate::runtime::scope::Scope;
use crate::runtime::stream::table::Side;
use crate::runtime::trace_context::{self, Trace};

/// Everything that a guest can do and see. Cheap to clone.
///
/// The context of a handler knows its call: id, deadline and metadata. Log lines and tasks made
/// through it belong to the call. Other contexts know no call.
#[derive(Clone)]
pub struct Context {
    pub(crate) guest: Rc<Guest>,
    pub(crate) scope: Scope,
    /// Id of the call, in its wire form.
    id: (u64, u64),
    /// Metadata of the call, in its wire form.
    metadata: Option<Rc<[u8]>>,
}

impl Context {
    /// Creates a context without a call.
    pub(crate) fn new(guest: Rc<Guest>) -> Self {
        Context {
            guest,
            scope: Scope::NONE,
            id: (0, 0),
            metadata: None,
        }
    }

    /// Creates the context of the call in this frame.
    pub(crate) fn of_call(guest: Rc<Guest>, frame: &Frame<'_>) -> Self {
        let metadata = (!frame.metadata.is_empty()).then(|| Rc::from(frame.metadata));
        Context {
            guest,
            scope: Scope::of_call(&frame.header),
            id: frame.header.id,
            metadata,
        }
    }

    /// Returns a context without the call, for work that outlives the call: tasks spawned through
    /// it inherit no deadline.
    ///
    /// ```no_run
    /// # fn example(cx: &parigot_guest::Context) {
    /// let background = cx.background();
    /// cx.background().spawn(async move {
    ///     background.sleep(std::time::Duration::from_secs(60)).await;
    ///     parigot_guest::info!(background, "a minute later");
    /// });
    /// # }
    /// ```
    pub fn background(&self) -> Context {
        Context::new(Rc::clone(&self.guest))
    }
}

/// Lifecycle and tasks.
impl Context {
    /// Requests the launch of the guest. Completes once every required service is ready. A service
    /// is launched before any of its code runs.
    ///
    /// Dropping the future has no effect: the launch goes on.
    ///
    /// # Errors
    ///
    /// A status, if a required service has failed permanently.
    pub fn launch(&self) -> Launch {
        Launch::new(&self.guest)
    }

    /// Makes the guest exit. The running task continues until it awaits. Then no task is polled any
    /// more, except work registered with [`Context::at_exit`].
    ///
    /// The returned future never completes; its success handlers run just before the guest exits.
    /// The first call determines the exit status. Calls that are unanswered at the exit end with an
    /// error at their callers.
    ///
    /// ```no_run
    /// # async fn example(cx: &parigot_guest::Context) {
    /// match cx.exit(3).await {}
    /// # }
    /// ```
    pub fn exit(&self, exit: impl Into<Exit>) -> ExitFuture {
        ExitFuture::new(self.guest.exit(exit.into(), String::new()))
    }

    /// Registers work for the exit of the guest: when `main` returns, on [`Context::exit`], or when
    /// the host stops the guest. After a panic, or when the host kills the guest, nothing runs.
    ///
    /// Work registered last runs first. It may await and make calls. Other tasks are not polled any
    /// more, and inbound calls are refused. Work that takes longer than
    /// [`AT_EXIT_MAX`](crate::AT_EXIT_MAX) is dropped, and the log names the place where it was
    /// registered.
    ///
    /// ```no_run
    /// # use parigot_guest::Context;
    /// # struct Till;
    /// # impl Till { async fn close(&self) {} }
    /// # fn example(cx: &Context, till: Till) {
    /// cx.at_exit(async move || till.close().await);
    /// # }
    /// ```
    #[track_caller]
    pub fn at_exit(&self, work: impl AsyncFnOnce() + 'static) {
        let place = Location::caller();
        at_exit::register(&self.guest, place, Box::pin(async move { work().await }));
    }

    /// Runs `future` as a task in the event loop, concurrently with the running task.
    ///
    /// The task belongs to the call of this context: its calls inherit the deadline and the trace
    /// context. It is not cancelled with the call. For work that outlives the call see
    /// [`Context::background`].
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.guest.spawn_in(self.scope, self.trace(), future);
    }

    /// Lets every other ready task run first.
    ///
    /// Await this every few milliseconds in a long computation. Then the host can end the turn in
    /// time, instead of killing the guest for holding its thread.
    pub fn yield_now(&self) -> YieldNow {
        YieldNow::new()
    }
}

/// Time and random numbers.
impl Context {
    /// Returns the time on the guest's clock, which stands still during a turn.
    pub fn now(&self) -> Instant {
        Instant::from_ns(self.guest.io.now_ns())
    }

    /// Returns the time since 1970-01-01 00:00 UTC. It stands still during a turn.
    pub fn wall(&self) -> Duration {
        Duration::from_nanos(self.guest.io.wall_ns())
    }

    /// Completes after `duration` on the guest's clock.
    ///
    /// Dropping the future removes the timer. `Duration::ZERO` completes in the next turn, never in
    /// this one.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(&self.guest, duration)
    }

    /// Returns the guest's random generator, which the host has seeded.
    ///
    /// ```no_run
    /// # fn example(cx: &parigot_guest::Context) {
    /// use parigot_guest::rand_core::RngCore;
    ///
    /// let dice = cx.random().next_u32() % 6 + 1;
    /// # }
    /// ```
    pub fn random(&self) -> Random {
        Random::new(&self.guest)
    }
}

/// Content of the start frame.
impl Context {
    /// Returns the arguments.
    pub fn args(&self) -> &[String] {
        &self.startup().args
    }

    /// Returns the value of an environment variable; of two with the same name, the first.
    pub fn env(&self, key: &str) -> Option<&str> {
        self.envs()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    /// Returns all environment variables, in the host's order.
    pub fn envs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.startup()
            .env
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Returns the id of this instance of the guest.
    pub fn instance_id(&self) -> InstanceId {
        let (high, low) = self.startup().instance;
        InstanceId::from_wire(high, low).unwrap_or_default()
    }

    fn startup(&self) -> &Startup {
        self.guest
            .lifecycle
            .startup
            .get()
            .expect("contexts must be created after the start")
    }
}

/// The call of a handler.
impl Context {
    /// Returns the id of the call, as in the log; `None` outside of a handler.
    pub fn call_id(&self) -> Option<CallId> {
        let (high, low) = self.id;
        self.has_call()
            .then(|| CallId::from_wire(high, low).unwrap_or_default())
    }

    /// Returns the moment at which the caller stops waiting; `None` without a deadline, and outside
    /// of a handler.
    pub fn deadline(&self) -> Option<Instant> {
        (self.scope.deadline_ns != NO_DEADLINE).then(|| Instant::from_ns(self.scope.deadline_ns))
    }

    /// Returns true if the caller has stopped waiting. [`NO_DEADLINE`] is later than any moment.
    pub(crate) fn is_too_late(&self) -> bool {
        self.guest.io.now_ns() >= self.scope.deadline_ns
    }

    /// Returns the value of a metadata key; of two with the same key, the first. `None` outside of
    /// a handler.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata_pairs()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    /// Returns the bytes of a metadata key that ends with `-bin`; of two with the same key, the
    /// first. `None` if the key is absent or its value is not base64, and outside of a handler.
    pub fn metadata_bin(&self, key: &str) -> Option<Vec<u8>> {
        Entries::new(self.metadata.as_deref().unwrap_or_default()).get_bin(key)
    }

    /// Returns the bytes of all values of a metadata key that ends with `-bin`, in order; `None`
    /// for a value that is not base64. Empty outside of a handler.
    pub fn metadata_all_bin(&self, key: &str) -> impl Iterator<Item = Option<Vec<u8>>> {
        Entries::new(self.metadata.as_deref().unwrap_or_default()).get_all_bin(key)
    }

    /// Adds a header to the response of the call. A key may have several values, in order.
    ///
    /// Headers travel before the response, on success and on failure alike. Keys are in lower case
    /// by convention. Only the host sets keys that begin with `parigot-`: such an entry is dropped,
    /// and the log says so. Outside of a handler, and after its end, nothing happens.
    ///
    /// ```no_run
    /// # fn example(cx: &parigot_guest::Context) {
    /// cx.set_header("served-by", cx.instance_id().to_string());
    /// cx.set_trailer_bin("digest-bin", &[0xca, 0xfe]);
    /// # }
    /// ```
    pub fn set_header(&self, key: impl AsRef<str>, value: impl AsRef<str>) {
        self.add_response(Part::Header, key.as_ref(), value.as_ref(), false);
    }

    /// Adds a header with any bytes as value. The key must end with `-bin`; otherwise the entry is
    /// dropped, and the log says so. See [`Context::set_header`].
    pub fn set_header_bin(&self, key: impl AsRef<str>, value: &[u8]) {
        self.add_response(Part::Header, key.as_ref(), &encode_base64(value), true);
    }

    /// Adds a trailer to the response of the call, which travels with the response or the failure.
    /// See [`Context::set_header`].
    pub fn set_trailer(&self, key: impl AsRef<str>, value: impl AsRef<str>) {
        self.add_response(Part::Trailer, key.as_ref(), value.as_ref(), false);
    }

    /// Adds a trailer with any bytes as value. See [`Context::set_header_bin`].
    pub fn set_trailer_bin(&self, key: impl AsRef<str>, value: &[u8]) {
        self.add_response(Part::Trailer, key.as_ref(), &encode_base64(value), true);
    }

    fn add_response(&self, part: Part, key: &str, value: &str, is_binary: bool) {
        let number = self.scope.number;
        // A task may outlive its call; an entry added then would never be removed.
        if self.has_call()
            && may_set(&self.guest, key, is_binary)
            && self.guest.is_unanswered(number)
        {
            let calls = &self.guest.calls;
            let stream = calls.streams.find(Side::Callee, number);
            if part == Part::Header && stream.is_some_and(|stream| stream.is_open.get()) {
                return self.log(
                    Level::Warn,
                    format_args!("header {key:?} dropped: the stream of responses has begun"),
                );
            }
            calls.add_response_metadata(number, part, key, value);
        }
    }

    /// Returns all metadata entries in the caller's order; none outside of a handler.
    ///
    /// Metadata is not passed on to other calls, except the W3C trace context: calls made for this
    /// call carry its `traceparent` and `tracestate`, unless their client sets a `traceparent`.
    pub fn metadata_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        trace_context::pairs(self.metadata.as_deref().unwrap_or_default())
    }

    /// Returns the trace context in the metadata.
    #[inline]
    pub(crate) fn trace(&self) -> Option<Trace> {
        trace_context::of(self.metadata.as_deref()?)
    }

    fn has_call(&self) -> bool {
        self.scope.number != NO_CALL
    }
}

/// The log.
impl Context {
    /// Adds a line to the log. [`info!`](crate::info) and its siblings are shorter to write.
    ///
    /// The line belongs to the context's call, if there is one, otherwise to the call of the
    /// running task.
    pub fn log(&self, level: Level, text: fmt::Arguments<'_>) {
        let call = if self.has_call() {
            self.scope.number
        } else {
            self.guest.current().number
        };
        log::write(&self.guest, level, call, text);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("call_id", &self.call_id())
            .finish_non_exhaustive()
    }
}
