//! Running deployment of a test.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::{FrameBuilder, Header, Kind, Manifest};
use parigot_guest::prost::Message;
use parigot_guest::{CallError, Method};
use parking_lot::Mutex;

use super::caller::{PendingCall, Replies, Streams};
use super::fault::Fault;
use super::frame::Frame;
use super::interceptor::Interceptor;
use super::stepper::{Stepper, on_test_thread};
use crate::clock::{Clock, ManualClock};
use crate::kernel::instance::Instance;
use crate::log::events;

/// Number of frames that a failing test prints.
const FRAMES_SHOWN: usize = 200;

/// Running deployment of a test, created by [`TestHost::start`](super::TestHost::start).
///
/// Guests run only inside the methods that take `&mut self`, and one at a time. When a `TestRun` is
/// dropped by a failing test, it prints the last 200 frames to stderr.
///
/// The clock stands still except in [`advance`](TestRun::advance) and in the methods that wait:
/// [`call`](TestRun::call), [`wait`](TestRun::wait), [`wait_for_exit`](TestRun::wait_for_exit) and
/// [`stop`](TestRun::stop). These move the clock from timer to timer, so waiting takes no real
/// time.
///
/// ```no_run
/// # use std::time::Duration;
/// # use parigot_host::testing::{Fault, TestHost};
/// # fn test<Place: parigot_guest::Method>(order: Place::Request) {
/// let mut run = TestHost::deployment("shop.toml").start();
/// run.inject(Fault::lose_reply().of::<Place>());
/// let call = run.begin_within::<Place>(Duration::from_secs(3), order);
/// run.advance(Duration::from_secs(3));
/// let error = call.outcome().expect("the deadline has passed").err();
/// # }
/// ```
pub struct TestRun {
    pub(super) stepper: Stepper,
    pub(super) clock: Arc<ManualClock>,
    pub(super) interceptor: Arc<Mutex<Interceptor>>,
    pub(super) replies: Replies,
    pub(super) streams: Streams,
    /// Requirements of the test's guest: all exported services, in the guest's numbering.
    pub(super) manifest: Manifest,
    pub(super) shutdown_deadline: Duration,
    /// Number of calls that the test has made, which is also the number of the last call.
    pub(super) calls: u64,
}

impl fmt::Debug for TestRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRun")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl TestRun {
    /// Runs guests until all of them are idle, without advancing the clock.
    ///
    /// # Panics
    ///
    /// If guests are still busy after a million turns.
    pub fn run_until_idle(&mut self) {
        self.run(|_| false);
    }

    /// Calls a service, and advances the clock until the call has ended.
    ///
    /// The call has the default deadline of the service.
    ///
    /// # Errors
    ///
    /// The service's error, or the status of a call that failed.
    ///
    /// # Panics
    ///
    /// If no guest exports the method. If the call does not end within an hour on the host's clock.
    pub fn call<M: Method>(
        &mut self,
        request: M::Request,
    ) -> Result<M::Response, CallError<M::Error>> {
        let call = self.begin::<M>(request);
        self.wait(&call)
    }

    /// Starts a call with the default deadline of the service.
    ///
    /// The call is sent when guests run next and all services are ready, as from a program that
    /// requires all of them.
    ///
    /// # Panics
    ///
    /// If no guest exports the method.
    pub fn begin<M: Method>(&mut self, request: M::Request) -> PendingCall<M> {
        self.begin_by::<M>(request, NO_DEADLINE)
    }

    /// Starts a call that ends after `deadline` on the host's clock, counted from now.
    ///
    /// # Panics
    ///
    /// If no guest exports the method.
    pub fn begin_within<M: Method>(
        &mut self,
        deadline: Duration,
        request: M::Request,
    ) -> PendingCall<M> {
        // A deadline in a frame is on the sender's own clock, which starts with its instance.
        let guest_ns = self.test_guest().guest_time_ns(self.clock.monotonic_ns());
        self.begin_by::<M>(request, guest_ns.saturating_add(deadline.as_nanos() as u64))
    }

    fn begin_by<M: Method>(&mut self, request: M::Request, deadline_ns: u64) -> PendingCall<M> {
        let info = M::info();
        assert!(!info.streams(), "{} streams: use `open`", info.name());
        self.begin_encoded(&request.encode_to_vec(), deadline_ns)
    }

    /// Starts a call with this request.
    pub(super) fn begin_encoded<M: Method>(
        &mut self,
        request: &[u8],
        deadline_ns: u64,
    ) -> PendingCall<M> {
        self.calls += 1;
        let number = self.calls;
        let (service, method) = self.indices_of::<M>();
        let header = Header {
            number,
            service,
            method,
            deadline_ns,
            ..Header::new(Kind::Call)
        };
        self.send_to_test_guest(header, request);
        PendingCall::new(number, &self.replies)
    }

    /// Returns the index of a method's service among the exported ones, and the method's index in
    /// the service.
    fn indices_of<M: Method>(&self) -> (u32, u32) {
        let services = &self.manifest.requires;
        let method = M::info().name();
        let Some(service) = services
            .iter()
            .position(|required| required.service.name == M::SERVICE.name)
        else {
            let names: Vec<_> = services
                .iter()
                .map(|required| &*required.service.name)
                .collect();
            panic!(
                "no guest exports {}; exported services: {}",
                M::SERVICE.name,
                names.join(", ")
            );
        };
        let Some(method) = services[service]
            .service
            .methods
            .iter()
            .position(|offered| offered.name == method)
        else {
            panic!(
                "the guest that exports {} has no method {method}: \
                 rebuild the guest and the test from the same `.proto`",
                M::SERVICE.name
            );
        };
        (service as u32, method as u32)
    }

    /// Advances the clock until a call has ended.
    ///
    /// # Errors
    ///
    /// The service's error, or the status of a call that failed.
    ///
    /// # Panics
    ///
    /// If the call does not end within an hour on the host's clock.
    pub fn wait<M: Method>(
        &mut self,
        call: &PendingCall<M>,
    ) -> Result<M::Response, CallError<M::Error>> {
        self.wait_until(&format!("end of {call:?}"), |_| call.has_ended());
        call.outcome().expect("an ended call must have an outcome")
    }

    /// Advances the clock until a guest has exited or failed, and returns its exit status.
    ///
    /// A failure has the status 1. Of several replicas, the first one is meant.
    ///
    /// # Panics
    ///
    /// If there is no such guest, or the guest does not end within an hour on the host's clock.
    pub fn wait_for_exit(&mut self, guest: &str) -> u8 {
        let index = self.stepper.index_of(guest);
        self.wait_until(&format!("exit of {guest}"), |stepper| {
            stepper.kernel.instances[index].has_ended()
        });
        self.exit_status(guest)
            .expect("an ended guest must have an exit status")
    }

    /// Cancels a call that has not ended. The callee is notified when guests run next.
    pub fn cancel<M: Method>(&mut self, call: PendingCall<M>) {
        if !call.has_ended() {
            self.send_to_test_guest(
                Header {
                    number: call.number,
                    ..Header::new(Kind::Cancel)
                },
                &[],
            );
        }
    }

    /// Returns the guest that makes the test's calls.
    fn test_guest(&self) -> &Instance {
        self.stepper
            .kernel
            .instances
            .last()
            .expect("the deployment must have the guest of the test")
    }

    pub(super) fn send_to_test_guest(&mut self, header: Header, payload: &[u8]) {
        let guest = self.test_guest();
        let wake = guest.enqueue_frames(|frames| {
            let frame = FrameBuilder::new(frames, header).payload(payload);
            frame
                .finish()
                .expect("a request must be shorter than 4 GiB");
        });
        self.stepper.kernel.wake(guest, wake);
    }

    /// Injects a fault, in addition to earlier ones.
    pub fn inject(&mut self, fault: Fault) {
        self.interceptor.lock().faults.push(fault);
    }

    /// Removes all faults. Frames that are delayed already stay delayed.
    pub fn heal(&mut self) {
        self.interceptor.lock().faults.clear();
    }

    /// Crashes a guest now, of several replicas the first. A guest that has ended is not affected.
    ///
    /// # Panics
    ///
    /// If there is no such guest.
    pub fn crash(&mut self, guest: &str) {
        let index = self.stepper.index_of(guest);
        on_test_thread(|| self.stepper.crash(index));
    }

    /// Returns the exit status of a guest's last end, 1 for a failure; `None` if it never ended.
    pub fn exit_status(&self, guest: &str) -> Option<u8> {
        let interceptor = self.interceptor.lock();
        let exit = interceptor
            .record
            .frames
            .iter()
            .rev()
            .find(|frame| frame.kind == Kind::Exit && frame.from == guest)?;
        Some(exit.status as u8)
    }

    /// Returns the frames that were sent so far, in order. Each frame prints as one line.
    pub fn frames(&self) -> Vec<Frame> {
        self.interceptor.lock().record.frames.clone()
    }

    /// Returns the lines that a guest has logged so far.
    pub fn log(&self, guest: &str) -> Vec<String> {
        let interceptor = self.interceptor.lock();
        let lines = interceptor
            .record
            .frames
            .iter()
            .filter(|frame| frame.kind == Kind::Log && frame.from == guest);
        lines.map(Frame::text).collect()
    }

    /// Stops the guests, last launched first, and returns the exit status of `parigot run`.
    ///
    /// Each guest is stopped when the one before has exited. Guests that are still there after the
    /// `shutdown_deadline` are logged. Calls of the test continue during the stop.
    pub fn stop(&mut self) -> u8 {
        let kernel = Arc::clone(&self.stepper.kernel);
        kernel.lifecycle.ask_to_stop();
        kernel.lifecycle.wait_until_over();
        let limit = self.shutdown_deadline;
        let until_ns = self.clock.monotonic_ns() + limit.as_nanos() as u64;
        let test = kernel.instances.len() - 1;
        for guest in kernel
            .lifecycle
            .stop_order()
            .into_iter()
            .filter(|guest| *guest != test)
        {
            let instance = &kernel.instances[guest];
            let had_time = self.clock.monotonic_ns() < until_ns;
            kernel.wake(instance, instance.enqueue_stop(until_ns));
            if !self.run_until(until_ns, |_| instance.has_ended()) {
                let log = instance.guest_log();
                events::killed_at_shutdown(&log, instance.calls(), limit, had_time);
            }
        }
        self.run_until_idle();
        kernel.lifecycle.status()
    }

    /// Runs guests until `is_so` holds or all guests are idle. Returns true if `is_so` holds.
    fn run(&mut self, is_so: impl Fn(&Stepper) -> bool + Sync) -> bool {
        on_test_thread(|| self.stepper.run(&is_so))
    }
}

impl Drop for TestRun {
    fn drop(&mut self) {
        self.stepper.kernel.close();
        if std::thread::panicking() {
            let interceptor = self.interceptor.lock();
            let hidden = interceptor.record.frames.len().saturating_sub(FRAMES_SHOWN);
            eprintln!("frames of the run, without the first {hidden}:");
            interceptor.record.frames[hidden..]
                .iter()
                .for_each(|frame| eprintln!("{frame}"));
        }
    }
}
