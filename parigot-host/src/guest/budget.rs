//! CPU budget of a turn.
//!
//! A turn is not watched before the first tick that falls into it. The first tick asks the guest to
//! end the turn after the task that the guest is polling. From then on the CPU time of the thread
//! is counted, and the turn is killed when the budget is spent. CPU time counts, not wall-clock
//! time: a busy machine, a debugger or a suspend must not kill a guest.
//!
//! A guest names the running method in its control block. The fault reports this name. A method
//! that declares a larger budget than the guest's gets the larger one, up to the deployment's
//! maximum. The control block needs no check here: a guest that lies in it could lie in its
//! manifest as well.

use std::time::Duration;

use cpu_time::ThreadTime;
use parigot_abi::Manifest;
use parigot_abi::control::{ControlView, NO_CALL};

use crate::deployment::BUDGET_MAX;
use crate::error::{ActiveCall, OverBudget};

/// CPU budgets of a guest, by method.
#[derive(Debug)]
pub(crate) struct Budgets {
    default: Duration,
    /// Exports of the guest, present after the manifest.
    services: Vec<Service>,
}

#[derive(Debug)]
struct Service {
    name: String,
    methods: Vec<(String, Duration)>,
}

/// Watch over the CPU time of successive turns.
#[derive(Debug)]
pub(crate) struct Watch {
    budgets: Budgets,
    /// Asks the guest to yield at the first tick instead of when the budget is spent.
    yields_on_first_tick: bool,
    /// Set once the guest was asked to end this turn.
    has_asked: bool,
    /// CPU time of the thread at the first tick of this turn, or at the request to yield. The
    /// difference to a later reading is valid because a turn stays on its thread.
    since: Option<Duration>,
}

/// Effect of a tick on the turn that it falls into.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    /// Asks the guest to end the turn.
    AskToYield,
    Continue,
    Kill(OverBudget),
}

impl Budgets {
    pub(crate) fn new(default: Duration) -> Self {
        Budgets {
            default,
            services: Vec::new(),
        }
    }

    fn method(&self, view: &ControlView) -> Option<(&Service, &(String, Duration))> {
        let service = self.services.get(view.progress_service as usize)?;
        let method = service.methods.get(view.progress_method as usize)?;
        (view.progress_call != NO_CALL).then_some((service, method))
    }

    /// Returns the full name of the method that the guest reports as running.
    fn method_name(&self, view: &ControlView) -> Option<String> {
        self.method(view)
            .map(|(service, (method, _))| format!("{}/{method}", service.name))
    }
}

impl Watch {
    pub(crate) fn new(budgets: Budgets, yields_on_first_tick: bool) -> Self {
        Watch {
            budgets,
            yields_on_first_tick,
            has_asked: false,
            since: None,
        }
    }

    /// Records the method names and their own budgets.
    pub(crate) fn learn(&mut self, manifest: &Manifest) {
        let service = |service: &parigot_abi::manifest::Service| {
            let method = |method: &parigot_abi::manifest::Method| {
                let own = Duration::from_nanos(method.budget_ns).min(BUDGET_MAX);
                (method.name.clone(), own.max(self.budgets.default))
            };
            Service {
                name: service.name.clone(),
                methods: service.methods.iter().map(method).collect(),
            }
        };
        self.budgets.services = manifest.exports.iter().map(service).collect();
    }

    /// Begins a turn. Returns true if the last turn was asked to end.
    pub(crate) fn begin_turn(&mut self) -> bool {
        self.since = None;
        std::mem::take(&mut self.has_asked)
    }

    /// Handles a tick within a turn; `view` is the guest's control block, if readable.
    pub(crate) fn tick(&mut self, view: Option<&ControlView>) -> Tick {
        let now = ThreadTime::now().as_duration();
        let Some(since) = self.since else {
            self.since = Some(now);
            self.has_asked = self.yields_on_first_tick;
            return if self.yields_on_first_tick {
                Tick::AskToYield
            } else {
                Tick::Continue
            };
        };
        let budget = view
            .and_then(|view| self.budgets.method(view))
            .map_or(self.budgets.default, |(_, (_, budget))| *budget);
        let spent = now.saturating_sub(since);
        if spent < budget {
            return Tick::Continue;
        }
        if !self.has_asked {
            (self.has_asked, self.since) = (true, Some(now));
            return Tick::AskToYield;
        }
        let method = view.and_then(|view| self.budgets.method_name(view));
        Tick::Kill(OverBudget {
            budget,
            spent,
            method,
        })
    }

    /// Returns the call that the guest reports as running.
    pub(crate) fn active_call(&self, view: &ControlView) -> Option<ActiveCall> {
        view.culprit().map(|call| ActiveCall {
            call,
            method: self.budgets.method_name(view),
        })
    }
}

#[cfg(test)]
mod tests {
    use parigot_abi::control::CONTROL_BYTES;
    use parigot_abi::manifest::{Method, Service};

    use super::*;

    fn watch(default: Duration, method: Duration) -> Watch {
        let mut watch = Watch::new(Budgets::new(default), true);
        let method = Method {
            name: "Get".into(),
            budget_ns: method.as_nanos().try_into().unwrap_or(u64::MAX),
            deadline_ns: 0,
        };
        let service = Service {
            name: "x.S".into(),
            schema: 0,
            methods: vec![method],
            descriptors: vec![],
        };
        watch.learn(&Manifest {
            exports: vec![service],
            requires: vec![],
        });
        watch
    }

    fn view(progress_call: u64) -> ControlView {
        ControlView {
            progress_call,
            ..ControlView::read(&[0; CONTROL_BYTES])
        }
    }

    /// Ticks until the budget is exceeded, while this thread computes.
    fn verdict(watch: &mut Watch, view: Option<&ControlView>) -> OverBudget {
        assert_eq!(watch.tick(view), Tick::AskToYield);
        loop {
            if let Tick::Kill(verdict) = watch.tick(view) {
                return verdict;
            }
        }
    }

    #[test]
    fn the_fault_names_the_running_method() {
        let mut watch = watch(Duration::from_millis(2), Duration::ZERO);
        assert_eq!(
            verdict(&mut watch, Some(&view(7))).to_string(),
            "held its thread beyond its budget of 2 ms in x.S/Get"
        );
        watch.begin_turn();
        assert_eq!(
            verdict(&mut watch, Some(&view(NO_CALL))).to_string(),
            "held its thread beyond its budget of 2 ms"
        );
        watch.begin_turn();
        assert_eq!(
            verdict(&mut watch, None).to_string(),
            "held its thread beyond its budget of 2 ms"
        );
    }

    #[test]
    fn a_method_may_only_raise_the_budget() {
        let mut larger = watch(Duration::from_millis(1), Duration::from_millis(3));
        assert_eq!(
            verdict(&mut larger, Some(&view(7))).to_string(),
            "held its thread beyond its budget of 3 ms in x.S/Get"
        );
        let mut smaller = watch(Duration::from_millis(2), Duration::from_millis(1));
        assert_eq!(
            verdict(&mut smaller, Some(&view(7))).to_string(),
            "held its thread beyond its budget of 2 ms in x.S/Get"
        );
    }

    #[test]
    fn a_method_budget_is_capped_at_the_maximum() {
        let watch = watch(Duration::from_millis(1), Duration::MAX);
        let (_, (_, budget)) = watch
            .budgets
            .method(&view(7))
            .expect("the method must be declared");
        assert_eq!(*budget, BUDGET_MAX);
    }

    #[test]
    fn a_late_yield_request_grants_a_second_budget() {
        let mut watch = Watch {
            yields_on_first_tick: false,
            ..watch(Duration::from_millis(2), Duration::ZERO)
        };
        let begin = ThreadTime::now();
        assert_eq!(watch.tick(None), Tick::Continue);
        while watch.tick(None) != Tick::AskToYield {}
        assert!(begin.elapsed() >= Duration::from_millis(2));
        while watch.tick(None) == Tick::Continue {}
        assert!(begin.elapsed() >= Duration::from_millis(4));
        assert!(watch.begin_turn());
    }

    #[test]
    fn each_turn_starts_with_a_full_budget() {
        let mut watch = watch(Duration::from_millis(1), Duration::ZERO);
        assert!(!watch.begin_turn());
        verdict(&mut watch, None);
        assert!(watch.begin_turn());
        assert_eq!(watch.tick(None), Tick::AskToYield);
    }
}
