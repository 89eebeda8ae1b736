//! What a guest can do and see.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::fmt;
use core::panic::Location;
use core::time::Duration;

use parigot_abi::Frame;
use parigot_abi::control::NO_CALL;
use parigot_abi::frame::{Level, NO_DEADLINE};

use crate::clock::{Instant, Sleep};
use crate::detached::YieldNow;
use crate::id::{CallId, InstanceId};
use crate::launch::Launch;
use crate::log;
use crate::program::{Exit, Leaving};
use crate::random::Random;
use crate::runtime::guest::{Guest, Startup};
use crate::runtime::scope::Scope;
use crate::runtime::trace_context::{self, Trace};

/// What a guest can do and see. Cheap to clone.
///
/// A handler's context knows its call: its id, deadline and metadata, and what is logged or spawned through it belongs to
/// that call. Other contexts know no call.
#[derive(Clone)]
pub struct Context {
    pub(crate) guest: Rc<Guest>,
    pub(crate) scope: Scope,
    /// The call's id, in its wire form.
    id: (u64, u64),
    /// The call's metadata, in its wire form.
    metadata: Option<Rc<[u8]>>,
}

impl Context {
    /// A context that knows no call.
    pub(crate) fn new(guest: Rc<Guest>) -> Self {
        Context {
            guest,
            scope: Scope::NOBODY,
            id: (0, 0),
            metadata: None,
        }
    }

    /// The context of the call that arrives with that frame.
    pub(crate) fn of_call(guest: Rc<Guest>, frame: &Frame<'_>) -> Self {
        let metadata = (!frame.metadata.is_empty()).then(|| Rc::from(frame.metadata));
        Context {
            guest,
            scope: Scope::of_call(&frame.header),
            id: frame.header.id,
            metadata,
        }
    }

    /// The same guest without the call, for work that shall outlive it: what is spawned through it inherits no deadline.
    pub fn background(&self) -> Context {
        Context::new(Rc::clone(&self.guest))
    }
}

/// Life.
impl Context {
    /// Completes once all that the guest requires is ready. A service is launched before any code of its runs.
    ///
    /// Dropping it has no effect: the launch goes on.
    ///
    /// # Errors
    ///
    /// It completes with a status if the host knows that this will never be.
    pub fn launch(&self) -> Launch {
        Launch::new(&self.guest)
    }

    /// Makes the guest leave with that exit status. The running task goes on until it awaits; then no task is polled any
    /// more, but for what [`Context::at_exit`] has registered.
    ///
    /// What it returns never completes; success handlers on it run just before the guest leaves. Whoever asks first
    /// says how the guest leaves. Calls that are not answered by then end with an error at their callers.
    pub fn exit(&self, exit: impl Into<Exit>) -> Leaving {
        Leaving::new(self, exit.into())
    }

    /// Registers what to do before the guest leaves: when `main` ends, when somebody asks for the [exit](Context::exit), when the host wants the
    /// guest to leave. After a panic, or whatever else the host ends a guest for, nothing runs.
    ///
    /// What was registered last runs first. It may await, calls included; of the tasks that there were before none is polled any more, and calls that arrive
    /// are refused. What has not ended after [`AT_EXIT_MAX`](crate::AT_EXIT_MAX) is dropped, and the log says where it was registered.
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
        self.guest.at_exit.register(
            &self.guest,
            Location::caller(),
            Box::pin(async move { work().await }),
        );
    }

    /// Runs `future` in the event loop, beside the task that is running.
    ///
    /// It works for the same call as this context: calls that it makes inherit the deadline and the trace. It is not cancelled with
    /// the call: see [`Context::background`] for work that shall outlive it.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.guest.spawn_for(self, future);
    }

    /// Lets all tasks run that are ready by now.
    ///
    /// Whoever computes for long should await this every few milliseconds: the host then gets its turn when it needs one,
    /// instead of killing the guest for holding the thread.
    pub fn yield_now(&self) -> YieldNow {
        YieldNow::new()
    }
}

/// Time and chance.
impl Context {
    /// The guest's clock, which stands still during a turn.
    pub fn now(&self) -> Instant {
        self.guest.now()
    }

    /// The time of day, as the time that has passed since 1970-01-01 00:00 UTC. It stands still during a turn.
    pub fn wall(&self) -> Duration {
        Duration::from_nanos(self.guest.wall_ns())
    }

    /// Completes once `duration` has passed on the guest's clock, which stands still during a turn.
    ///
    /// Dropping it forgets the timer. `Duration::ZERO` completes at the next turn, never at once.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(&self.guest, duration)
    }

    /// The guest's random generator, which the host has seeded.
    pub fn random(&self) -> Random {
        Random::new(&self.guest)
    }
}

/// What the host said at the start.
impl Context {
    /// The arguments.
    pub fn args(&self) -> &[String] {
        &self.startup().args
    }

    /// The value of that variable of the environment; the first, if there are two.
    pub fn env(&self, key: &str) -> Option<&str> {
        self.envs()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    /// All variables of the environment, in the host's order.
    pub fn envs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.startup()
            .env
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The id of this instance of the guest.
    pub fn instance_id(&self) -> InstanceId {
        let (high, low) = self.startup().instance;
        InstanceId::from_wire(high, low).unwrap_or_default()
    }

    fn startup(&self) -> &Startup {
        self.guest
            .startup
            .get()
            .expect("contexts are made after the start")
    }
}

/// The call that is being served.
impl Context {
    /// Its id, as the log shows it; `None` outside of a handler.
    pub fn call_id(&self) -> Option<CallId> {
        let (high, low) = self.id;
        self.has_call()
            .then(|| CallId::from_wire(high, low).unwrap_or_default())
    }

    /// When its caller stops waiting, if it ever does; `None` outside of a handler.
    pub fn deadline(&self) -> Option<Instant> {
        (self.scope.deadline_ns != NO_DEADLINE).then(|| Instant::from_ns(self.scope.deadline_ns))
    }

    /// Whether its caller has stopped waiting. [`NO_DEADLINE`] is later than any time.
    pub(crate) fn is_too_late(&self) -> bool {
        self.guest.now() >= Instant::from_ns(self.scope.deadline_ns)
    }

    /// The value of that key of its metadata; the first, if there are two. `None` outside of a handler.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata_pairs()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    /// All keys and values of its metadata, in the caller's order. None outside of a handler.
    ///
    /// Nothing of it is passed on by itself but the trace context of the W3C, `traceparent` and `tracestate`: calls that are made for this one bear
    /// both, unless their client has a `traceparent` of its own.
    pub fn metadata_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        trace_context::pairs(self.metadata.as_deref().unwrap_or_default())
    }

    /// What its metadata has of a trace context.
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
    /// Adds a line to the log: see [`info!`](crate::info) and its siblings.
    ///
    /// The line is about the context's call, if it has one, else about the call that the running task works for.
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
