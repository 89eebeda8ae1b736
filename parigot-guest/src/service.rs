//! Services: their static tables, and the guest that exports them.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use parigot_abi::frame::LAUNCH_NUMBER;
use parigot_abi::{Cause, Code, manifest};

use crate::context::Context;
use crate::definition::Body;
use crate::error::NotReady;
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
}

/// One method of a [`Service`].
#[derive(Debug)]
pub struct MethodInfo {
    name: &'static str,
}

impl MethodInfo {
    /// The method of that name, as in the `.proto`: `FetchGreeting`.
    pub const fn new(name: &'static str) -> Self {
        MethodInfo { name }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl Service {
    /// What the manifest says of it.
    pub(crate) fn describe(&self) -> manifest::Service {
        let describe =
            |method: &MethodInfo| manifest::Method { name: method.name.into(), budget_ns: 0, deadline_ns: 0 };
        manifest::Service {
            name: self.name.into(),
            schema: self.schema,
            methods: self.methods.iter().map(describe).collect(),
            descriptors: Vec::new(),
        }
    }
}

/// How a service comes to be: called once, just after launch and before the first call.
///
/// A type that has a `Default` is ready with that; any other type says here what it needs.
///
/// ```
/// # use parigot_guest::{Channel, Context, LocateError, NotReady, Ready, Service};
/// # static SERVICE: Service = Service { name: "greeting.v1.Greeting", schema: 0, methods: &[] };
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
    dispatch: fn(&Rc<S>, Incoming),
}

impl<S> Export<S> {
    /// The service that `T` hooks into the event loop.
    pub const fn new<T: Server<S>>() -> Self {
        Export { service: T::SERVICE, dispatch: T::dispatch }
    }
}

/// The guest that exports what an `S` implements.
pub(crate) struct ServiceBody<S: 'static> {
    exports: &'static [Export<S>],
    /// There once it is ready.
    service: Rc<RefCell<Option<Rc<S>>>>,
}

impl<S: Ready> ServiceBody<S> {
    pub(crate) fn new(exports: &'static [Export<S>]) -> Self {
        ServiceBody { exports, service: Rc::default() }
    }
}

impl<S: Ready> Body for ServiceBody<S> {
    fn exports(&self) -> Vec<&'static Service> {
        self.exports.iter().map(|export| export.service).collect()
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
                    cx.guest.reply_failure(LAUNCH_NUMBER, Code::FailedPrecondition, Cause::Unspecified, &why);
                }
            }
        });
    }

    fn dispatch(&self, call: Incoming) {
        match (&*self.service.borrow(), self.exports.get(call.service() as usize)) {
            (Some(service), Some(export)) => (export.dispatch)(service, call),
            (Some(_), None) => call.unimplemented(),
            (None, _) => call.refuse(Code::Unavailable, Cause::Unreachable, "the service is not ready yet"),
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
