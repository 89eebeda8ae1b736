//! A deployment that a test runs, step by step.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::{FrameBuilder, Header, Kind, Manifest};
use parigot_guest::prost::Message;
use parigot_guest::{CallError, Method};
use parking_lot::Mutex;

use super::caller::{PendingCall, Replies};
use super::fault::Fault;
use super::frame::Frame;
use super::interceptor::Interceptor;
use super::stepper::Stepper;
use crate::clock::{Clock, ManualClock};
use crate::guest::stack;
use crate::kernel::instance::Instance;
use crate::log::events;

/// How long a wait may take on the host's clock.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// So many of the last frames are shown when a test fails.
const FRAMES_SHOWN: usize = 200;

/// A deployment that a test runs: see [`TestHost`](super::TestHost).
///
/// Nothing happens but in the methods that take `&mut self`, and then on one thread, instance by instance. When it is dropped because the
/// test fails, it prints the frames that were sent last.
pub struct TestRun {
    pub(super) stepper: Stepper,
    pub(super) clock: Arc<ManualClock>,
    pub(super) interceptor: Arc<Mutex<Interceptor>>,
    pub(super) replies: Replies,
    /// What the test itself requires, which is all that is exported.
    pub(super) manifest: Manifest,
    pub(super) shutdown_deadline: Duration,
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
    /// Runs guests until none has anything to do. The clock stands.
    ///
    /// # Panics
    ///
    /// If they do not come to rest within a million turns.
    pub fn run_until_idle(&mut self) {
        self.run(|_| false);
    }

    /// Lets time pass, from alarm to alarm: guests sleep, deadlines pass and services are restarted at their time exactly.
    pub fn advance(&mut self, by: Duration) {
        let until_ns = self.clock.monotonic_ns() + by.as_nanos() as u64;
        self.run_until(until_ns, |_| false);
        self.clock
            .advance(Duration::from_nanos(until_ns - self.clock.monotonic_ns()));
        self.run_until_idle();
    }

    /// How long it has run, on the host's clock.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.monotonic_ns())
    }

    /// Calls a service, and lets time pass until the call has ended, which is at its deadline at the latest.
    ///
    /// # Panics
    ///
    /// If nobody exports the method.
    pub fn call<M: Method>(
        &mut self,
        request: M::Request,
    ) -> Result<M::Response, CallError<M::Error>> {
        let call = self.begin::<M>(request);
        self.wait(&call)
    }

    /// Calls a service. The call leaves when guests run and all services are ready, as it would from a program that requires all of them.
    ///
    /// # Panics
    ///
    /// If nobody exports the method.
    pub fn begin<M: Method>(&mut self, request: M::Request) -> PendingCall<M> {
        self.begin_by::<M>(request, NO_DEADLINE)
    }

    /// The same with that deadline.
    ///
    /// # Panics
    ///
    /// If nobody exports the method.
    pub fn begin_within<M: Method>(
        &mut self,
        deadline: Duration,
        request: M::Request,
    ) -> PendingCall<M> {
        let own_ns = self.caller().own_time_ns(self.clock.monotonic_ns());
        self.begin_by::<M>(request, own_ns.saturating_add(deadline.as_nanos() as u64))
    }

    fn begin_by<M: Method>(&mut self, request: M::Request, deadline_ns: u64) -> PendingCall<M> {
        self.calls += 1;
        let (number, (service, method)) = (self.calls, self.place_of::<M>());
        let header = Header {
            number,
            service,
            method,
            deadline_ns,
            ..Header::new(Kind::Call)
        };
        self.tell_caller(header, &request.encode_to_vec());
        PendingCall::new(number, &self.replies)
    }

    /// The place of a method's service among all that are exported, and of the method in it.
    fn place_of<M: Method>(&self) -> (u32, u32) {
        let (services, method) = (&self.manifest.requires, M::info().name());
        let Some(service) = services
            .iter()
            .position(|service| service.name == M::SERVICE.name)
        else {
            let names: Vec<_> = services.iter().map(|service| &*service.name).collect();
            panic!(
                "no guest exports {}; exported are: {}",
                M::SERVICE.name,
                names.join(", ")
            );
        };
        let Some(method) = services[service]
            .methods
            .iter()
            .position(|offered| offered.name == method)
        else {
            panic!(
                "the guest that exports {} has no {method}: was it built from another `.proto`?",
                M::SERVICE.name
            );
        };
        (service as u32, method as u32)
    }

    /// Lets time pass until a call has ended.
    ///
    /// # Panics
    ///
    /// If it does not end within an hour of the host's clock.
    pub fn wait<M: Method>(
        &mut self,
        call: &PendingCall<M>,
    ) -> Result<M::Response, CallError<M::Error>> {
        self.wait_until(&format!("the end of {call:?}"), |_| call.has_ended());
        call.outcome().expect("it has ended")
    }

    /// Lets time pass until the guest has left or failed, and returns the status of that, 1 for a failure. Of several replicas it waits for the
    /// first.
    ///
    /// # Panics
    ///
    /// If it does not within an hour of the host's clock, or there is no such guest.
    pub fn wait_for_exit(&mut self, guest: &str) -> u8 {
        let index = self.stepper.index(guest);
        self.wait_until(&format!("{guest} to leave"), |stepper| {
            stepper.kernel.instances[index].has_ended()
        });
        self.exit_status(guest).expect("it has left")
    }

    /// Lets time pass until `is_so`.
    ///
    /// # Panics
    ///
    /// If that is not within an hour of the host's clock. `what` is what was waited for.
    fn wait_until(&mut self, what: &str, is_so: impl Fn(&Stepper) -> bool + Sync) {
        let until_ns = self.clock.monotonic_ns() + PATIENCE.as_nanos() as u64;
        assert!(
            self.run_until(until_ns, is_so),
            "waited in vain for {what}: nothing happens any more, or not within an hour"
        );
    }

    /// Gives up a call that has not ended: its callee is told, and no outcome comes.
    pub fn cancel<M: Method>(&mut self, call: PendingCall<M>) {
        if !call.has_ended() {
            self.tell_caller(
                Header {
                    number: call.number,
                    ..Header::new(Kind::Cancel)
                },
                &[],
            );
        }
    }

    fn caller(&self) -> &Instance {
        self.stepper
            .kernel
            .instances
            .last()
            .expect("the test itself is the last of them")
    }

    fn tell_caller(&mut self, header: Header, payload: &[u8]) {
        let caller = self.caller();
        let wake = caller.enqueue_frames(|frames| {
            let frame = FrameBuilder::new(frames, header).payload(payload);
            frame
                .finish()
                .expect("a request must be shorter than 4 GiB");
        });
        self.stepper.kernel.wake(caller, wake);
    }

    /// Lets that go wrong from now on, besides what was injected before.
    pub fn inject(&mut self, fault: Fault) {
        self.interceptor.lock().faults.push(fault);
    }

    /// Lets nothing go wrong any more.
    pub fn heal(&mut self) {
        self.interceptor.lock().faults.clear();
    }

    /// Lets a guest crash, now; of several replicas the first.
    ///
    /// # Panics
    ///
    /// If there is no such guest.
    pub fn crash(&mut self, guest: &str) {
        let index = self.stepper.index(guest);
        stack::on_guest_thread("parigot test", || self.stepper.crash(index));
    }

    /// The status with which a guest has left the last time, 1 if it has failed; `None` if it has not.
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

    /// What was sent so far, in its order. Each frame prints as a line.
    pub fn frames(&self) -> Vec<Frame> {
        self.interceptor.lock().record.frames.clone()
    }

    /// What a guest has logged so far, line by line.
    pub fn log(&self, guest: &str) -> Vec<String> {
        let interceptor = self.interceptor.lock();
        let lines = interceptor
            .record
            .frames
            .iter()
            .filter(|frame| frame.kind == Kind::Log && frame.from == guest);
        lines.map(Frame::text).collect()
    }

    /// Stops the guests in order, those that were launched last first, and returns the exit status that `parigot run` would have. Calls of the
    /// test itself go on meanwhile.
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
            kernel.wake(instance, instance.enqueue_stop(until_ns));
            if !self.run_until(until_ns, |_| instance.has_ended()) {
                events::killed_at_shutdown(&instance.guest_log(), instance.calls(), limit);
            }
        }
        self.run_until_idle();
        kernel.lifecycle.status()
    }

    /// Runs guests until `is_so` or they are at rest. Returns whether it is so.
    fn run(&mut self, is_so: impl Fn(&Stepper) -> bool + Sync) -> bool {
        stack::on_guest_thread("parigot test", || self.stepper.run(&is_so))
    }

    /// The same from alarm to alarm until that moment.
    fn run_until(&mut self, until_ns: u64, is_so: impl Fn(&Stepper) -> bool + Sync) -> bool {
        let TestRun { stepper, clock, .. } = self;
        stack::on_guest_thread("parigot test", || {
            loop {
                if stepper.run(&is_so) {
                    return true;
                }
                match stepper.next_timer_ns() {
                    Some(next_ns) if next_ns <= until_ns => {
                        clock.advance(Duration::from_nanos(
                            next_ns.saturating_sub(clock.monotonic_ns()),
                        ));
                    }
                    _ => return false,
                }
            }
        })
    }
}

impl Drop for TestRun {
    fn drop(&mut self) {
        self.stepper.kernel.close();
        if std::thread::panicking() {
            let interceptor = self.interceptor.lock();
            let hidden = interceptor.record.frames.len().saturating_sub(FRAMES_SHOWN);
            eprintln!("frames that were sent, without the first {hidden}:");
            interceptor.record.frames[hidden..]
                .iter()
                .for_each(|frame| eprintln!("{frame}"));
        }
    }
}
