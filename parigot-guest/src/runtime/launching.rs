//! The state of a guest's launch.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{OnceCell, RefCell};
use core::task::{Poll, Waker};

use parigot_abi::manifest::MethodFlags;

use crate::status::Status;

/// Progress of the launch, and what the host sent with its end.
#[derive(Default)]
pub(crate) struct Launching {
    state: RefCell<LaunchState>,
    /// A handle for each required service.
    handles: OnceCell<Vec<u32>>,
    /// Methods of the services that are required by name, each with the index of the requirement.
    methods: OnceCell<Vec<(usize, String)>>,
}

#[derive(Default)]
enum LaunchState {
    #[default]
    NotRequested,
    Requested(Vec<Waker>),
    Ended(Result<(), Status>),
}

impl Launching {
    /// Marks the launch as requested. Returns true the first time, when the host must be asked.
    pub(crate) fn request(&self) -> bool {
        let is_first = matches!(*self.state.borrow(), LaunchState::NotRequested);
        if is_first {
            *self.state.borrow_mut() = LaunchState::Requested(Vec::new());
        }
        is_first
    }

    /// Stores the handles of the required services, and the methods of those required by name.
    pub(crate) fn bind(&self, handles: Vec<u32>, methods: Vec<(usize, String)>) {
        self.handles.get_or_init(|| handles);
        self.methods.get_or_init(|| methods);
    }

    /// Returns the methods of the requirement at `index`, a service that is required by name, with
    /// the sides that stream. Calls name a method by its index in this order.
    pub(crate) fn methods_of(&self, index: usize) -> impl Iterator<Item = (&str, MethodFlags)> {
        let all = self.methods.get().map(Vec::as_slice).unwrap_or_default();
        all.iter()
            .filter(move |(of, _)| *of == index)
            .map(|(_, method)| MethodFlags::split_name(method))
    }

    /// Returns the handle of the required service at `index`; `None` before the launch.
    pub(crate) fn handle(&self, index: usize) -> Option<u32> {
        self.handles.get()?.get(index).copied()
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.state.borrow(), LaunchState::Ended(_))
    }

    /// Records the result of the launch and wakes the tasks that wait for it.
    pub(crate) fn end(&self, result: Result<(), Status>) {
        let before = self.state.replace(LaunchState::Ended(result));
        if let LaunchState::Requested(wakers) = before {
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Returns the result of the launch. Before its end, `waker` is woken at the end.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Result<(), Status>> {
        match &mut *self.state.borrow_mut() {
            LaunchState::NotRequested => unreachable!("a launch is polled after its request"),
            LaunchState::Requested(wakers) => {
                if !wakers.iter().any(|known| known.will_wake(waker)) {
                    wakers.push(waker.clone());
                }
                Poll::Pending
            }
            LaunchState::Ended(result) => Poll::Ready(result.clone()),
        }
    }
}
