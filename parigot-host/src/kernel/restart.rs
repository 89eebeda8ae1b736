//! Restarts of failed services with exponential backoff, up to a restart limit.
//!
//! The rules are those of OTP. When the instance of a service ends, the service is restarted if its
//! restart policy covers the end; `restart_window.rs` computes the pause. A service that has used
//! up the restarts of its restart window has failed permanently; so have the restarting services
//! that require it. A service that was never ready is not restarted, because its start has failed.
//!
//! A restart re-instantiates the service from the same compiled module. The instance keeps its
//! index and its routes, so the handles of callers stay valid. Its id and its memory are new. Calls
//! fail at once until the service is ready again: the host does not queue calls during a backoff,
//! which may take 10 seconds, because the caller can react to an error better than to silence.
//!
//! A separate thread runs the restarts, so that a service in a crash loop occupies no worker.

use std::error::Error;
use std::time::Duration;

use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::id::InstanceId;
use rand::Rng;

use crate::deployment::RestartPolicy;
use crate::error::{Ending, GuestFault, Unavailable};
use crate::guest::code::InstantiateError;
use crate::kernel::callees::Route;
use crate::kernel::index::InstanceIndex;
use crate::kernel::init_turn::{self, InitOutput, InitTurn, InstantiateParams};
use crate::kernel::instance::{Instance, InstanceState};
use crate::kernel::lifecycle::{Phase, RestartPermit, Unlaunchable};
use crate::kernel::observer::Observer;
use crate::kernel::scheduler::{Kernel, Worker};
use crate::kernel::supervisor::{RestartDecision, SupervisedService, Supervisor};
use crate::log::events;

impl Kernel {
    /// Restarts services at the end of their backoff, until the supervisor is closed.
    pub(crate) fn run_restarts(&self) {
        self.supervisor.timers.run(|_, place| self.restart(place));
    }

    /// Restarts a service at the end of its backoff.
    pub(crate) fn restart(&self, place: InstanceIndex) {
        let service = self
            .supervisor
            .service(place)
            .expect("only supervised services have a restart timer");
        // This thread acts as one more worker for the time of the restart: the init turn of the new
        // instance may send frames to other instances.
        let mut worker = Worker::new(self, self.supervisor.randomness.generator());
        let _awake = self.epoch_ticker.keep_awake();
        worker.restart(&self.instances[place], service);
        worker.share_woken();
    }
}

impl<O: Observer> Worker<'_, O> {
    /// Decides on the restart of an instance that has just ended.
    ///
    /// A granted restart is counted in the restart window.
    pub(crate) fn restart_decision(
        &mut self,
        instance: &Instance,
        ending: &Ending,
    ) -> RestartDecision {
        // The turn of a killed instance began long ago, so its time is not the time of the end.
        self.read_clock();
        let Some(service) = self.kernel.supervisor.service(instance.index) else {
            return RestartDecision::Nothing;
        };
        let policy = &service.spec.restart;
        if !policy.covers(ending) {
            return RestartDecision::Nothing;
        }
        match self.kernel.lifecycle.begin_restart(instance.index) {
            RestartPermit::Refused => return RestartDecision::Nothing,
            RestartPermit::Lost { exporter } => {
                return RestartDecision::Failure {
                    why: self.lost_reason(ending, exporter),
                };
            }
            RestartPermit::Granted => {}
        }
        let mut state = service.state.lock();
        match state.window.admit(policy, self.now_ns(), &mut self.random) {
            Some(backoff) => RestartDecision::Restart { backoff },
            None => {
                let RestartPolicy {
                    max_restarts,
                    within,
                    ..
                } = policy;
                RestartDecision::Failure {
                    why: format!("after {max_restarts} restarts in {within:?} it {ending}"),
                }
            }
        }
    }

    /// Returns the reason for the permanent failure of a service whose dependency has ended
    /// permanently.
    fn lost_reason(&self, ending: &Ending, exporter: InstanceIndex) -> String {
        let lost = GuestFault::Lost {
            exporter: self.kernel.instances[exporter].name.clone(),
        };
        match ending {
            Ending::Fault(GuestFault::Lost { .. }) => format!("it {lost}"),
            _ => format!("it {ending}, and {lost}"),
        }
    }

    /// Carries out the decision for an instance that has ended. `routes` are the routes of its
    /// calls, which a restarted instance takes over.
    pub(crate) fn carry_out_decision(
        &mut self,
        instance: &Instance,
        restart_decision: RestartDecision,
        routes: Vec<Route>,
        ending: &Ending,
    ) {
        match (
            restart_decision,
            self.kernel.supervisor.service(instance.index),
        ) {
            (RestartDecision::Restart { backoff }, Some(service)) => {
                let mut state = service.state.lock();
                state.routes = routes;
                state.ended_ns = self.now_ns();
                drop(state);
                let at_ns = self.now_ns().saturating_add(backoff.as_nanos() as u64);
                self.kernel.supervisor.timers.set(
                    instance.index as u64,
                    None,
                    at_ns,
                    instance.index,
                );
                self.wake_proxies_of(instance);
                return;
            }
            (RestartDecision::Failure { why }, _) => {
                events::failed_permanently(&instance.guest_log(), &why)
            }
            _ => {}
        }
        self.end_permanently(instance, ending.status());
    }

    /// Records the permanent end of a guest, and ends the guests that can no longer be launched.
    fn end_permanently(&mut self, instance: &Instance, status: Option<u8>) {
        for Unlaunchable {
            guest,
            phase,
            was_ready,
        } in self.kernel.lifecycle.ended(instance.index, status)
        {
            let blocked = &self.kernel.instances[guest];
            let lost = GuestFault::Lost {
                exporter: instance.name.clone(),
            };
            match phase {
                // A gateway leaves, so that other processes look for another exporter.
                _ if blocked.is_proxy => {
                    let wake = blocked.enqueue_stop(NO_DEADLINE);
                    self.wake(blocked, wake);
                }
                // The failed start ends the deployment, which then stops this guest.
                _ if !was_ready => events::cannot_start(&blocked.guest_log(), &instance.name),
                Phase::Restarting => {
                    let why = format!("it {lost}");
                    // The log line comes after the mailbox has closed: from that line on, calls
                    // fail with the permanent reason.
                    blocked.close(Unavailable::Failed { why: why.clone() });
                    events::failed_permanently(&blocked.guest_log(), &why);
                    self.end_permanently(blocked, None);
                }
                _ => {
                    let wake = blocked.kill(lost);
                    self.wake(blocked, wake);
                }
            }
        }
    }

    /// Restarts a service, unless the deployment has stopped it during the backoff.
    fn restart(&mut self, instance: &Instance, service: &SupervisedService) {
        if !self.kernel.lifecycle.is_restarting(instance.index) {
            return;
        }
        self.read_clock();
        let id = InstanceId::from_random(self.random.random());
        let output = self.reinstantiate(instance, service, id);
        let mut state = service.state.lock();
        let routes = std::mem::take(&mut state.routes);
        let ended_ns = state.ended_ns;
        drop(state);
        match output {
            Ok(InitOutput {
                code, outbox, turn, ..
            }) => {
                // The mailbox opens first: once the lifecycle knows the new generation, a stop
                // frame may arrive.
                let generation = instance.reopen(id, self.now_ns());
                let lifecycle = &self.kernel.lifecycle;
                if lifecycle.restarted(instance.index, generation).is_none() {
                    instance.close(Unavailable::Over);
                    return;
                }
                let after = Duration::from_nanos(self.now_ns().saturating_sub(ended_ns));
                events::restarted(&instance.guest_log(), after, &service.count());
                let state = InstanceState::new(code, routes);
                self.finish_init_turn(
                    instance,
                    InitTurn {
                        state,
                        outbox,
                        turn,
                    },
                );
            }
            Err(ending) => {
                let restart_decision = self.restart_decision(instance, &ending);
                events::ending(
                    &instance.guest_log(),
                    &ending,
                    events::EndContext::default(),
                );
                instance.close(restart_decision.unavailable_reason(self.now_ns()));
                self.carry_out_decision(instance, restart_decision, routes, &ending);
            }
        }
    }

    /// Creates the new instance of a service and runs its init turn.
    ///
    /// # Errors
    ///
    /// If the instance cannot be created, ends in its init turn, or declares another manifest than
    /// the first instance: callers are bound to the methods of that manifest.
    fn reinstantiate(
        &self,
        instance: &Instance,
        service: &SupervisedService,
        id: InstanceId,
    ) -> Result<InitOutput, Ending> {
        let Supervisor {
            settings,
            randomness,
            ..
        } = &self.kernel.supervisor;
        let params = InstantiateParams {
            id,
            started_ns: self.now_ns(),
            log_rate: &instance.log_rate,
        };
        let output = init_turn::init_turn(
            &service.spec,
            &*service.factory,
            params,
            settings,
            randomness,
        );
        match output {
            Ok(output) if output.manifest == service.manifest => Ok(output),
            Ok(_) => Err(GuestFault::Changed.into()),
            Err(InstantiateError::Fault(fault)) => Err(fault.into()),
            Err(error) => {
                let reason = error
                    .source()
                    .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
                Err(GuestFault::NotMade { reason }.into())
            }
        }
    }
}
