//! Guests that export services.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::marker::PhantomData;

use parigot_abi::frame::LAUNCH_NUMBER;
use parigot_abi::{Cause, Code, Frame};

use crate::context::Context;
use crate::creation::Create;
use crate::runtime::definition::Definition;
use crate::runtime::guest::{Guest, Role};
use crate::serve::{Incoming, Server};
use crate::service_info::{Requirement, Service};

/// One of the services that an `S` implements.
pub struct Export<S> {
    service: &'static Service,
    dispatch: fn(&Rc<S>, Incoming<'_>),
}

impl<S> Export<S> {
    /// Creates the export of the service whose generated server is `T`.
    pub const fn new<T: Server<S>>() -> Self {
        Export {
            service: T::SERVICE,
            dispatch: T::dispatch,
        }
    }
}

/// All services that a guest exports. A constant rather than a function, so that the compiler can
/// call the dispatch function of a single service directly.
pub trait Exports<S: 'static> {
    /// The services, all of them implemented by an `S`.
    const ALL: &'static [Export<S>];
}

impl Definition {
    /// Defines a guest that exports services, all of them implemented by `S`. The type of the last
    /// argument decides how the value is created.
    pub fn service<S, E, Way>(requires: &'static [Requirement], _: Way) -> Self
    where
        S: Create<Way>,
        E: Exports<S> + 'static,
        Way: 'static,
    {
        Definition {
            requires,
            role: Box::new(ServiceRole::<S, E, Way>::new()),
        }
    }
}

/// Role of a guest that exports services.
struct ServiceRole<S: 'static, E, Way> {
    /// `None` until the service is ready.
    service: Rc<RefCell<Option<Rc<S>>>>,
    types: PhantomData<(E, Way)>,
}

impl<S: Create<Way>, E: Exports<S>, Way> ServiceRole<S, E, Way> {
    fn new() -> Self {
        ServiceRole {
            service: Rc::default(),
            types: PhantomData,
        }
    }
}

impl<S: Create<Way>, E: Exports<S>, Way> Role for ServiceRole<S, E, Way> {
    fn exports(&self) -> Vec<&'static Service> {
        E::ALL.iter().map(|export| export.service).collect()
    }

    fn start(&self, guest: &Rc<Guest>) {
        guest.request_launch();
    }

    fn launched(&self, guest: &Rc<Guest>) {
        let place = Rc::clone(&self.service);
        let cx = Context::new(Rc::clone(guest));
        cx.clone().spawn(async move {
            match S::create(&cx).await {
                Ok(service) => {
                    place.replace(Some(Rc::new(service)));
                    cx.guest.io.confirm_launch();
                }
                Err(reason) => {
                    let reason = format!("{reason:#}");
                    cx.guest.io.reply_failure(
                        LAUNCH_NUMBER,
                        Code::FailedPrecondition,
                        Cause::Unspecified,
                        &reason,
                    );
                }
            }
        });
    }

    fn dispatch(&self, guest: &Rc<Guest>, frame: &Frame<'_>) {
        let call = Incoming::new(guest, frame);
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

    fn stop(&self, guest: &Rc<Guest>) {
        guest.lifecycle.stop();
    }

    fn close(&self) {
        let service = self.service.take();
        // Dropped after the borrow: the destructor is the user's code.
        drop(service);
    }
}
