//! Running guest of a test.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use core::time::Duration;

use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::{Header, Kind};
use prost::Message;

use super::call::{PendingCall, TestCall};
use super::host::Host;
use crate::context::Context;
use crate::error::CallError;
use crate::method::Method;
use crate::runtime::scope::Scope;

/// Running guest of a test, created by [`TestGuest::start`](super::TestGuest::start).
///
/// The guest runs only inside the methods that take `&mut self`. The clock stands still except in
/// [`advance`](GuestRun::advance) and in the methods that wait: [`call`](GuestRun::call),
/// [`wait`](GuestRun::wait), [`run`](GuestRun::run), [`wait_for_exit`](GuestRun::wait_for_exit) and
/// [`stop`](GuestRun::stop). These move the clock from timer to timer, so waiting takes no real
/// time.
///
/// A panic of the guest is a panic of the test. A failing test prints the log of the guest.
pub struct GuestRun {
    pub(super) host: Host,
    /// Number of calls that the test has made, which is also the number of the last call.
    calls: u64,
}

impl fmt::Debug for GuestRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestRun")
            .field("exit_status", &self.host.exit_status)
            .finish_non_exhaustive()
    }
}

impl GuestRun {
    pub(super) fn new(host: Host) -> Self {
        GuestRun { host, calls: 0 }
    }

    /// Calls the guest, and advances the clock until the call has ended.
    ///
    /// # Errors
    ///
    /// The service's error, or the status of a call that failed.
    ///
    /// # Panics
    ///
    /// If the guest does not export the method.
    pub fn call<M: Method>(
        &mut self,
        request: M::Request,
    ) -> Result<M::Response, CallError<M::Error>> {
        let call = self.begin(TestCall::<M>::new(request));
        self.wait(&call)
    }

    /// Makes a call, and runs the guest until it waits. The clock does not advance.
    ///
    /// # Panics
    ///
    /// If the guest does not export the method, or if the method streams.
    pub fn begin<M: Method>(&mut self, call: TestCall<M>) -> PendingCall<M> {
        let info = M::info();
        assert!(!info.streams(), "{} streams: use `open`", info.name());
        self.begin_call(call)
    }

    pub(super) fn begin_call<M: Method>(&mut self, call: TestCall<M>) -> PendingCall<M> {
        let mut exports = self.host.guest.exports().iter();
        let service = exports
            .position(|service| service.name == M::SERVICE.name)
            .unwrap_or_else(|| panic!("the guest does not export {}", M::SERVICE.name));
        self.calls += 1;
        let pending = PendingCall::new(self.calls);
        let header = Header {
            number: pending.number,
            service: service as u32,
            method: M::INDEX,
            deadline_ns: call
                .deadline
                .map_or(NO_DEADLINE, |deadline| self.host.deadline_ns(deadline)),
            ..Header::new(Kind::Call)
        };
        let payload = match &call.request {
            Some(request) => request.encode_to_vec(),
            None => Vec::new(),
        };
        self.host.call(header, M::info(), &pending.reply, |frame| {
            frame.metadata_bytes(&call.metadata).payload(&payload)
        });
        self.host.run_until_idle();
        pending
    }

    /// Advances the clock until a call has ended.
    ///
    /// # Errors
    ///
    /// The service's error, or the status of a call that failed.
    pub fn wait<M: Method>(
        &mut self,
        call: &PendingCall<M>,
    ) -> Result<M::Response, CallError<M::Error>> {
        self.host
            .wait_until("end of the call", |_| call.has_ended());
        call.outcome().expect("an ended call must have an outcome")
    }

    /// Cancels a call that has not ended, and runs the guest until it waits.
    pub fn cancel<M: Method>(&mut self, call: &PendingCall<M>) {
        self.host.cancel(call.number);
        self.host.run_until_idle();
    }

    /// Runs a function as a task of the guest, and advances the clock until it has returned. The
    /// function gets a context without a call.
    ///
    /// # Panics
    ///
    /// If the function does not return within an hour on the clock, or if the guest exits before.
    pub fn run<T: 'static>(&mut self, work: impl AsyncFnOnce(Context) -> T + 'static) -> T {
        let result = Rc::new(RefCell::new(None));
        let place = Rc::clone(&result);
        let cx = Context::new(Rc::clone(&self.host.guest));
        self.host.guest.spawn(Scope::NONE, async move {
            let value = work(cx).await;
            place.replace(Some(value));
        });
        self.host.wait_until("result of the function", |host| {
            result.borrow().is_some() || host.exit_status.is_some()
        });
        result
            .take()
            .expect("the function must return before the guest exits")
    }

    /// Advances the clock by `duration`. Timers of the guest, answers of fakes and deadlines fire
    /// at their times.
    pub fn advance(&mut self, duration: Duration) {
        self.host.advance(duration);
    }

    /// Returns the lines that the guest has logged so far. The reason of an exit is the last line.
    pub fn log(&self) -> Vec<String> {
        self.host.log.clone()
    }

    /// Returns the exit status; `None` while the guest runs.
    pub fn exit_status(&self) -> Option<u8> {
        self.host.exit_status
    }

    /// Advances the clock until the guest has exited, and returns the exit status.
    ///
    /// # Panics
    ///
    /// If the guest does not exit within an hour on the clock.
    pub fn wait_for_exit(&mut self) -> u8 {
        let has_exited = |host: &Host| host.exit_status.is_some();
        self.host.wait_until("exit of the guest", has_exited);
        self.host.exit_status.expect("the guest must have exited")
    }

    /// Asks the guest to exit, as a host does, and returns the exit status.
    ///
    /// # Panics
    ///
    /// If the guest does not exit within an hour on the clock.
    pub fn stop(&mut self) -> u8 {
        self.host.send(Header::new(Kind::Stop), |frame| frame);
        self.wait_for_exit()
    }
}
