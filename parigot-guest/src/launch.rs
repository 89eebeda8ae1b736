//! Launching: waiting until all that the guest requires is ready.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{OnceCell, RefCell};
use core::pin::Pin;
use core::task::{self, Poll, Waker};

use crate::detached::detach;
use crate::runtime::guest::Guest;
use crate::status::Status;

/// How far the launch is.
#[derive(Default)]
pub(crate) struct Launching {
    state: RefCell<State>,
    /// A handle for each required service.
    handles: OnceCell<Vec<u32>>,
    /// The methods of services that are required by name, each behind its service's name.
    methods: OnceCell<Vec<(String, String)>>,
}

#[derive(Default)]
enum State {
    #[default]
    Unasked,
    Asked(Vec<Waker>),
    Ended(Result<(), Status>),
}

impl Launching {
    /// Tells the host that the guest waits, the first time.
    pub(crate) fn ask(&self, guest: &Guest) {
        let unasked = matches!(*self.state.borrow(), State::Unasked);
        if unasked {
            *self.state.borrow_mut() = State::Asked(Vec::new());
            guest.launch();
        }
    }

    pub(crate) fn introduce(&self, handles: Vec<u32>, methods: Vec<(String, String)>) {
        self.handles.get_or_init(|| handles);
        self.methods.get_or_init(|| methods);
    }

    /// The methods of a service that is required by name, in the order in which calls name them.
    pub(crate) fn methods_of(&self, service: &str) -> impl Iterator<Item = &str> {
        let all = self.methods.get().map(Vec::as_slice).unwrap_or_default();
        all.iter()
            .filter(move |(of, _)| of == service)
            .map(|(_, method)| method.as_str())
    }

    /// The handle of the required service at that place, once the guest is launched.
    pub(crate) fn handle(&self, place: usize) -> Option<u32> {
        self.handles.get()?.get(place).copied()
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.state.borrow(), State::Ended(_))
    }

    /// Says how the launch ended.
    pub(crate) fn end(&self, result: Result<(), Status>) {
        let before = self.state.replace(State::Ended(result));
        if let State::Asked(wakers) = before {
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn poll(&self, waker: &Waker) -> Poll<Result<(), Status>> {
        match &mut *self.state.borrow_mut() {
            State::Unasked => unreachable!("whoever waits has asked"),
            State::Asked(wakers) => {
                if !wakers.iter().any(|known| known.will_wake(waker)) {
                    wakers.push(waker.clone());
                }
                Poll::Pending
            }
            State::Ended(result) => Poll::Ready(result.clone()),
        }
    }
}

/// Completes once all that the guest requires is ready: see [`Context::launch`](crate::Context::launch).
///
/// Dropping it has no effect: the launch goes on.
#[must_use = "the guest is launched once this completes"]
pub struct Launch {
    guest: Rc<Guest>,
}

impl Launch {
    pub(crate) fn new(guest: &Rc<Guest>) -> Self {
        guest.launching.ask(guest);
        Launch {
            guest: Rc::clone(guest),
        }
    }
}

detach! {
    impl [] Launch { type Response = (); type Error = Status; }
    guest: |launch| &launch.guest;
    outcome: |result| result;
}

impl Future for Launch {
    type Output = Result<(), Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.guest.launching.poll(cx.waker())
    }
}
