//! The launch: waiting until every required service is ready.

use alloc::rc::Rc;
use core::pin::Pin;
use core::task::{self, Poll};

use crate::detached::detach;
use crate::runtime::guest::Guest;
use crate::status::Status;

/// Completes once every required service is ready: see [`Context::launch`](crate::Context::launch).
///
/// Dropping it has no effect: the launch goes on.
#[must_use = "the guest is launched once this completes"]
pub struct Launch {
    guest: Rc<Guest>,
}

impl Launch {
    pub(crate) fn new(guest: &Rc<Guest>) -> Self {
        guest.request_launch();
        Launch {
            guest: Rc::clone(guest),
        }
    }
}

detach! {
    impl [] Launch {
        type Response = ();
        type Error = Status;
    }
    guest: |launch| &launch.guest;
    outcome: |result| result;
}

impl Future for Launch {
    type Output = Result<(), Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.guest.lifecycle.launching.poll(cx.waker())
    }
}
