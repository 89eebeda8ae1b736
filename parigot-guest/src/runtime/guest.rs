//! The state of one guest.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::convert::Infallible;

use parigot_abi::{Frame, Header, Kind, Manifest, manifest};

use crate::detached::Detached;
use crate::error::{LocateError, LocateProblem};
use crate::exit::Exit;
use crate::runtime::calls::Calls;
use crate::runtime::executor::{TaskFuture, TaskId};
use crate::runtime::generator::Generator;
use crate::runtime::io::Io;
use crate::runtime::lifecycle::{ExitStep, Lifecycle, PendingExit};
use crate::runtime::scope::Scope;
use crate::runtime::tasks::Tasks;
use crate::runtime::timers::Timers;
use crate::service_info::{self, Requirement, Service};

/// One guest. Contexts, clients and futures of the SDK each hold an `Rc` to it.
///
/// The control block is the first field of [`Io`], which is the first field here: so the address of
/// the control block, which the host uses as the guest's handle, is the address of the guest.
#[repr(C)]
pub(crate) struct Guest {
    pub(crate) io: Io,
    pub(crate) tasks: Tasks,
    pub(crate) calls: Calls,
    pub(crate) timers: Timers,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) generator: RefCell<Generator>,
    exports: Vec<&'static Service>,
    pub(crate) requires: &'static [Requirement],
    pub(crate) role: Box<dyn Role>,
}

/// The parts in which services and programs differ.
pub(crate) trait Role {
    /// Returns the services that other guests may call.
    fn exports(&self) -> Vec<&'static Service>;

    /// Called in the first turn, after the manifest was sent.
    fn start(&self, guest: &Rc<Guest>);

    /// Called when every required service is ready.
    fn launched(&self, guest: &Rc<Guest>);

    /// Called for each inbound call.
    fn dispatch(&self, guest: &Rc<Guest>, frame: &Frame<'_>);

    /// Called when the host asks the guest to exit.
    fn stop(&self, guest: &Rc<Guest>);

    /// Called when the guest is closed: drops everything that may hold an `Rc` to the guest.
    fn close(&self) {}
}

impl Guest {
    pub(crate) fn new(requires: &'static [Requirement], role: Box<dyn Role>) -> Rc<Self> {
        let guest = Rc::new(Guest {
            io: Io::default(),
            tasks: Tasks::default(),
            calls: Calls::default(),
            timers: Timers::default(),
            lifecycle: Lifecycle::default(),
            generator: RefCell::default(),
            exports: role.exports(),
            requires,
            role,
        });
        guest.io.announce();
        guest
    }

    /// Returns the services that other guests may call.
    #[cfg(all(feature = "std", not(target_family = "wasm")))]
    pub(crate) fn exports(&self) -> &[&'static Service] {
        &self.exports
    }

    /// Drops everything that refers to the guest itself.
    pub(crate) fn close(&self) {
        // First, so that destructors send nothing.
        self.io.close_outbox();
        self.tasks.executor.clear();
        self.role.close();
        self.timers.clear();
        self.lifecycle.clear();
    }

    /// Returns the index of a requirement; `binding` is empty for one without a name.
    ///
    /// # Errors
    ///
    /// The problem, with the names under which the guest requires the service.
    pub(crate) fn find_required(
        &self,
        service: &str,
        binding: &str,
        problem: LocateProblem,
    ) -> Result<usize, LocateError> {
        let requires = self.requires.iter().enumerate();
        let of_service = requires.filter(|(_, required)| required.service.name == service);
        let found = of_service
            .clone()
            .find(|(_, required)| required.binding == binding);
        found.map(|(index, _)| index).ok_or_else(|| {
            let required_as = of_service.map(|(_, required)| required.binding);
            LocateError::new(service, problem).of_binding(binding, required_as.collect())
        })
    }

    /// Asks the host to launch the guest, unless it was asked before.
    pub(crate) fn request_launch(&self) {
        if self.lifecycle.launching.request() {
            self.io.request_launch();
        }
    }

    /// Sends the manifest, with the descriptors of the services if `descriptors` is set.
    pub(crate) fn send_manifest(&self, descriptors: bool) {
        let required = self.requires.iter().map(|required| required.service);
        let services = self.exports.iter().copied().chain(required);
        let mut payload = Vec::new();
        Manifest {
            exports: self
                .exports
                .iter()
                .map(|export| export.describe())
                .collect(),
            requires: self
                .requires
                .iter()
                .map(|required| manifest::Requirement {
                    service: required.service.describe(),
                    binding: required.binding.into(),
                })
                .collect(),
            descriptors: if descriptors {
                service_info::descriptors(services)
            } else {
                Vec::new()
            },
        }
        .write(&mut payload);
        self.io
            .send_short(Header::new(Kind::Manifest), None, &payload);
    }
}

/// Tasks.
impl Guest {
    /// Spawns a task that does not carry a trace context.
    pub(crate) fn spawn(&self, scope: Scope, future: impl Future<Output = ()> + 'static) -> TaskId {
        let future: TaskFuture = Box::pin(future);
        self.tasks.executor.spawn(scope, future)
    }

    /// Returns the scope of the task that is being polled.
    pub(crate) fn current(&self) -> Scope {
        self.io.current_scope()
    }

    /// Returns true if the call was not answered.
    ///
    /// Not for hot paths: a call in its first poll is in no table.
    pub(crate) fn is_unanswered(&self, number: u64) -> bool {
        self.calls.inbound.borrow().contains(number)
            || self.tasks.executor.is_starting() && self.current().number == number
    }

    /// Returns true if another task may be polled in this turn.
    pub(crate) fn may_poll(&self) -> bool {
        self.tasks.may_poll() && !self.lifecycle.has_exited()
    }

    /// Must be called after each poll of a task.
    pub(crate) fn end_poll(&self) {
        self.tasks.count_poll();
        if self.io.must_yield() {
            self.tasks.stop_polling();
        }
        self.io.enter_scope(Scope::NONE);
    }
}

/// The exit.
impl Guest {
    /// Makes the guest exit before another task is polled: see [`Lifecycle::exit`].
    pub(crate) fn exit(&self, exit: Exit, reason: String) -> Detached<(), Infallible> {
        self.lifecycle.exit(self.current(), exit, reason)
    }

    /// Takes the next step towards the exit, if an exit is due. Called after each poll.
    #[inline]
    pub(crate) fn exit_if_due(&self) {
        if !self.lifecycle.is_running() {
            self.advance_exit();
        }
    }

    #[cold]
    fn advance_exit(&self) {
        let has_calls = !self.calls.inbound.borrow().is_empty();
        match self.lifecycle.advance(has_calls, self.current()) {
            ExitStep::Wait => {}
            ExitStep::RunHooks(runner) => self.run_exit_hooks(runner),
            ExitStep::Send => self.send_exit(),
        }
    }

    fn run_exit_hooks(&self, runner: TaskFuture) {
        // Set aside rather than dropped: dropping tasks would cancel the calls that hooks may wait
        // for the end of.
        self.tasks.executor.set_aside();
        self.tasks.executor.spawn(Scope::NONE, runner);
    }

    fn send_exit(&self) {
        if let Some(PendingExit {
            scope,
            exit,
            reason,
            ..
        }) = self.lifecycle.finish()
        {
            // The host's log names the call in which the exit was requested.
            self.io.show_scope(scope);
            let header = Header {
                status: exit.status() as u32,
                ..Header::new(Kind::Exit)
            };
            self.io
                .send_short(header, None, self.io.cut(&reason).as_bytes());
        }
        self.lifecycle.set_exited();
        self.io.close_outbox();
    }
}
