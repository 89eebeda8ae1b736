//! Restarts of services, on a thread of their own.

use std::error::Error;
use std::time::Duration;

use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::id::InstanceId;
use rand::Rng;

use crate::deployment::RestartPolicy;
use crate::error::{Ending, GuestFault, Unavailable};
use crate::guest::code::InstantiateError;
use crate::kernel::init_turn::{self, InitOutput, InitTurn, InstantiateParams};
use crate::kernel::instance::{Instance, InstanceIndex, InstanceState};
use crate::kernel::lifecycle::{Fall, Phase, Unlaunchable};
use crate::kernel::route::Route;
use crate::kernel::scheduler::{Kernel, Worker};
use crate::kernel::supervisor::{RestartDecision, SupervisedService, Supervisor};
use crate::log::events;

impl Kernel {
    /// Restarts services when their time has come, until closed.
    pub(crate) fn run_restarts(&self) {
        self.supervisor.timers.run(|_, place| self.restart(place));
    }

    /// Restarts a service whose time has come.
    pub(crate) fn restart(&self, place: InstanceIndex) {
        let service = self
            .supervisor
            .service(place)
            .expect("others have no timer");
        let mut worker = Worker::new(self, self.supervisor.randomness.generator());
        let _awake = self.epoch_ticker.keep_awake();
        worker.restart(&self.instances[place], service);
        worker.share_woken();
    }
}

impl Worker<'_> {
    /// Decides what follows the end of an instance, which is now: a turn that was killed has begun long before.
    pub(crate) fn restart_decision(
        &mut self,
        instance: &Instance,
        ending: &Ending,
    ) -> RestartDecision {
        self.now_ns = self.kernel.clock.monotonic_ns();
        let Some(service) = self.kernel.supervisor.service(instance.place) else {
            return RestartDecision::Nothing;
        };
        let policy = &service.spec.restart;
        if !policy.covers(ending) {
            return RestartDecision::Nothing;
        }
        match self.kernel.lifecycle.fall(instance.place) {
            Fall::Refused => return RestartDecision::Nothing,
            Fall::Lost { exporter } => {
                return RestartDecision::Failure {
                    why: self.why_lost(ending, exporter),
                };
            }
            Fall::Fallen => {}
        }
        match service
            .state
            .lock()
            .history
            .ask(policy, self.now_ns, &mut self.random)
        {
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

    /// Why a service is not made anew that has ended so and requires one that is gone for good.
    fn why_lost(&self, ending: &Ending, exporter: InstanceIndex) -> String {
        let lost = GuestFault::Lost {
            exporter: self.kernel.instances[exporter].name.clone(),
        };
        match ending {
            Ending::Fault(GuestFault::Lost { .. }) => format!("it {lost}"),
            _ => format!("it {ending}, and {lost}"),
        }
    }

    /// Does what follows the end of an instance, whose calls went along `routes`.
    pub(crate) fn follow(
        &mut self,
        instance: &Instance,
        restart_decision: RestartDecision,
        routes: Vec<Route>,
        ending: &Ending,
    ) {
        match (
            restart_decision,
            self.kernel.supervisor.service(instance.place),
        ) {
            (RestartDecision::Restart { backoff }, Some(service)) => {
                let mut state = service.state.lock();
                (state.routes, state.ended_ns) = (routes, self.now_ns);
                drop(state);
                let at_ns = self.now_ns.saturating_add(backoff.as_nanos() as u64);
                self.kernel.supervisor.timers.set(
                    instance.place as u64,
                    None,
                    at_ns,
                    instance.place,
                );
                return;
            }
            (RestartDecision::Failure { why }, _) => events::failed_for_good(instance, &why),
            _ => {}
        }
        self.count_out(instance, ending.status());
    }

    /// Counts a guest out that is gone for good, and sees to those that require it and cannot be launched any more.
    fn count_out(&mut self, instance: &Instance, status: Option<u8>) {
        for Unlaunchable {
            guest,
            phase,
            was_ready,
        } in self.kernel.lifecycle.ended(instance.place, status)
        {
            let stranded = &self.kernel.instances[guest];
            let lost = GuestFault::Lost {
                exporter: instance.name.clone(),
            };
            match phase {
                // Other processes may have others for whoever calls the lost one.
                _ if stranded.is_proxy => {
                    let wake = stranded.enqueue_stop(NO_DEADLINE);
                    self.wake(stranded, wake);
                }
                _ if !was_ready => events::stranded(stranded, instance),
                Phase::Fallen => {
                    let why = format!("it {lost}");
                    // Told once callers are told so too.
                    stranded.close(Unavailable::Failed { why: why.clone() });
                    events::failed_for_good(stranded, &why);
                    self.count_out(stranded, None);
                }
                _ => {
                    let wake = stranded.kill(lost);
                    self.wake(stranded, wake);
                }
            }
        }
    }

    /// Makes a service anew.
    fn restart(&mut self, instance: &Instance, service: &SupervisedService) {
        if !self.kernel.lifecycle.is_fallen(instance.place) {
            return;
        }
        self.now_ns = self.kernel.clock.monotonic_ns();
        let id = InstanceId::from_random(self.random.random());
        let made = self.reinstantiate(instance, service, id);
        let mut state = service.state.lock();
        let (routes, ended_ns) = (std::mem::take(&mut state.routes), state.ended_ns);
        drop(state);
        match made {
            Ok(InitOutput {
                code, outbox, turn, ..
            }) => {
                // In this order, for as soon as it has risen it may be told to leave.
                let generation = instance.reopen(id, self.now_ns);
                if self
                    .kernel
                    .lifecycle
                    .rise(instance.place, generation)
                    .is_none()
                {
                    instance.close(Unavailable::Over);
                    return;
                }
                events::restarted(
                    instance,
                    Duration::from_nanos(self.now_ns.saturating_sub(ended_ns)),
                    &service.nth(),
                );
                let body = InstanceState::new(code, routes);
                self.finish_init_turn(instance, InitTurn { body, outbox, turn });
            }
            Err(ending) => {
                let restart_decision = self.restart_decision(instance, &ending);
                events::ending(instance, &ending, events::EndContext::default());
                instance.close(restart_decision.unavailable_reason(self.now_ns));
                self.follow(instance, restart_decision, routes, &ending);
            }
        }
    }

    /// Makes the instance that is to take this one's place, and lets it have its first turn.
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
            started_ns: self.now_ns,
            log_rate: &instance.log_rate,
        };
        let first = init_turn::init_turn(
            &service.spec,
            &*service.factory,
            params,
            settings,
            randomness,
        );
        match first {
            Ok(first) if first.manifest == service.manifest => Ok(first),
            Ok(_) => Err(GuestFault::Changed.into()),
            Err(InstantiateError::Fault(fault)) => Err(fault.into()),
            Err(InstantiateError::Module(error)) => {
                let reason = error
                    .source()
                    .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
                Err(GuestFault::NotMade { reason }.into())
            }
        }
    }
}
