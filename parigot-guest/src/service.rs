//! Services: their static tables, and the guest that exports them.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::marker::PhantomData;
use core::time::Duration;

use parigot_abi::frame::LAUNCH_NUMBER;
use parigot_abi::{Cause, Code, manifest};

use crate::context::Context;
use crate::error::NotReady;
use crate::runtime::definition::Body;
use crate::serve::{Incoming, Server};

/// A service's static table: what guest and host must agree on.
#[derive(Debug)]
pub struct Service {
    /// The full name, `greeting.v1.Greeting`.
    pub name: &'static str,
    /// A hash of the schema, made by the generator.
    pub schema: u64,
    /// The methods; calls name them by their place.
    pub methods: &'static [MethodInfo],
    /// What the methods exchange, for those who have no generated code: a serialized `FileDescriptorSet`, or nothing.
    pub descriptors: &'static [u8],
}

/// One method of a [`Service`].
#[derive(Debug)]
pub struct MethodInfo {
    name: &'static str,
    budget: Duration,
    deadline: Duration,
    idempotent: bool,
}

impl MethodInfo {
    /// The method of that name, as in the `.proto`: `FetchGreeting`.
    pub const fn new(name: &'static str) -> Self {
        MethodInfo {
            name,
            budget: Duration::ZERO,
            deadline: Duration::ZERO,
            idempotent: false,
        }
    }

    /// The same method, which may hold its thread for that much CPU time between two awaits.
    pub const fn with_budget(self, budget: Duration) -> Self {
        MethodInfo { budget, ..self }
    }

    /// The same method, whose calls may take that long if their caller does not say.
    pub const fn with_deadline(self, deadline: Duration) -> Self {
        MethodInfo { deadline, ..self }
    }

    /// The same method, of which it is known that doing it twice is the same as doing it once.
    pub const fn idempotent(self) -> Self {
        MethodInfo {
            idempotent: true,
            ..self
        }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How long it may hold its thread; zero is what the host says.
    pub const fn budget(&self) -> Duration {
        self.budget
    }

    /// How long a call may take whose caller does not say; zero is what the host says.
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Whether doing it twice is the same as doing it once.
    pub const fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    fn describe(&self) -> manifest::Method {
        let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        manifest::Method {
            name: self.name.into(),
            budget_ns: ns(self.budget),
            deadline_ns: ns(self.deadline),
        }
    }
}

impl Service {
    /// A service of which nothing but its full name is known, to be called by a [`DynamicClient`](crate::DynamicClient). What
    /// `requires("greeting.v1.Greeting")` stands for.
    pub const fn named(name: &'static str) -> Self {
        Service {
            name,
            schema: 0,
            methods: &[],
            descriptors: &[],
        }
    }

    /// Whether nothing but its name is known.
    pub(crate) fn is_by_name(&self) -> bool {
        self.schema == 0 && self.methods.is_empty()
    }

    /// What the manifest says of it, with its descriptors if the host has asked for them.
    pub fn describe(&self, descriptors: bool) -> manifest::Service {
        manifest::Service {
            name: self.name.into(),
            schema: self.schema,
            methods: self.methods.iter().map(MethodInfo::describe).collect(),
            descriptors: if descriptors {
                self.descriptors.into()
            } else {
                Vec::new()
            },
        }
    }
}

/// How a service comes to be: called once, just after launch and before the first call.
///
/// A type that has a `Default` is ready with that; any other type says here what it needs.
///
/// ```
/// # use parigot_guest::{Channel, Context, LocateError, NotReady, Ready, Service};
/// # static SERVICE: Service = Service { name: "greeting.v1.Greeting", schema: 0, methods: &[], descriptors: &[] };
/// # struct GreetingClient(Channel);
/// # impl GreetingClient {
/// #     fn locate(cx: &Context) -> Result<Self, LocateError> { Channel::locate(cx, &SERVICE).map(GreetingClient) }
/// # }
/// struct Kitchen {
///     greeting: GreetingClient,
/// }
///
/// impl Ready for Kitchen {
///     async fn ready(cx: &Context) -> Result<Self, NotReady> {
///         Ok(Kitchen { greeting: GreetingClient::locate(cx)? })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "nobody knows how `{Self}` comes to be when its guest launches",
    note = "derive `Default` for it, or implement `parigot_guest::Ready`"
)]
pub trait Ready: Sized + 'static {
    /// Makes the service. All that the guest requires is ready by then and can be called.
    ///
    /// # Errors
    ///
    /// Whatever keeps the service from serving; the host counts the launch as failed.
    fn ready(cx: &Context) -> impl Future<Output = Result<Self, NotReady>>;
}

impl<S: Default + 'static> Ready for S {
    async fn ready(_: &Context) -> Result<Self, NotReady> {
        Ok(S::default())
    }
}

/// One of the services that an `S` implements.
pub struct Export<S> {
    service: &'static Service,
    dispatch: fn(&Rc<S>, Incoming<'_>),
}

impl<S> Export<S> {
    /// The service that `T` hooks into the event loop.
    pub const fn new<T: Server<S>>() -> Self {
        Export {
            service: T::SERVICE,
            dispatch: T::dispatch,
        }
    }
}

/// All that a guest exports. A constant, so that a call to the only service of a guest needs no look into a table.
pub trait Exports<S: 'static> {
    /// The services, all of them implemented by an `S`.
    const ALL: &'static [Export<S>];
}

/// The guest that exports what an `S` implements.
pub(crate) struct ServiceBody<S: 'static, E> {
    /// There once it is ready.
    service: Rc<RefCell<Option<Rc<S>>>>,
    exports: PhantomData<E>,
}

impl<S: Ready, E: Exports<S>> ServiceBody<S, E> {
    pub(crate) fn new() -> Self {
        ServiceBody {
            service: Rc::default(),
            exports: PhantomData,
        }
    }
}

impl<S: Ready, E: Exports<S>> Body for ServiceBody<S, E> {
    fn exports(&self) -> Vec<&'static Service> {
        E::ALL.iter().map(|export| export.service).collect()
    }

    fn start(&self, cx: &Context) {
        cx.guest.launching.ask(&cx.guest);
    }

    fn launched(&self, cx: &Context) {
        let (place, cx) = (Rc::clone(&self.service), cx.clone());
        cx.clone().spawn(async move {
            match S::ready(&cx).await {
                Ok(service) => {
                    place.replace(Some(Rc::new(service)));
                    cx.guest.confirm_launch();
                }
                Err(why) => {
                    let why = format!("{why:#}");
                    cx.guest.reply_failure(
                        LAUNCH_NUMBER,
                        Code::FailedPrecondition,
                        Cause::Unspecified,
                        &why,
                    );
                }
            }
        });
    }

    fn dispatch(&self, call: Incoming<'_>) {
        match (&*self.service.borrow(), E::ALL.get(call.service() as usize)) {
            (Some(service), Some(export)) => (export.dispatch)(service, call),
            (Some(_), None) => call.unimplemented(),
            (None, _) => call.refuse(
                Code::Unavailable,
                Cause::Unreachable,
                "the service is not ready yet",
            ),
        }
    }

    fn stop(&self, cx: &Context) {
        cx.guest.stop();
    }

    fn close(&self) {
        let service = self.service.take();
        drop(service);
    }
}
