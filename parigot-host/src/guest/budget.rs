//! CPU budget of a turn.
//!
//! The epoch ticker ticks every 2 ms while guests run. A turn that ends before the first tick
//! causes no work here. At [`Tick::Kill`], `guest/wasm.rs` ends the turn with an error, and the
//! scheduler ends the instance. The ticks within one turn have these effects:
//!
//! | tick | `yields_on_first_tick` | otherwise |
//! |---|---|---|
//! | first | asks the guest to yield, starts to count | starts to count |
//! | later, budget not spent | none | none |
//! | later, budget spent | kills the guest | asks the guest to yield, counts from 0 again |
//! | later, budget spent again | | kills the guest |
//!
//! A guest that is asked to yield ends its turn after the task that it is polling. The count is the
//! CPU time of the thread, not wall-clock time: a busy machine, a debugger or a suspend must not
//! kill a guest.
//!
//! Time in which the garbage collector of a guest in Go has worked is not counted, up to
//! [`marking_time_max`](crate::limits::marking_time_max) in a turn. The guest itself shows whether
//! its collector works, so the limit also holds for a guest that pretends.
//!
//! A guest names the running call and its method in its control block, and the fault reports the
//! name. A method may declare a larger budget than the guest's, up to `budget_max` of the
//! deployment: a manifest that declares more is refused at the start. The larger budget applies
//! only if the guest holds the call that it names.

use std::time::Duration;

use cpu_time::ThreadTime;
use parigot_abi::Manifest;
use parigot_abi::control::{ControlView, NO_CALL};
use parigot_abi::manifest;

use crate::error::{ActiveCall, OverBudget};

/// Largest CPU time of a turn, by the method that runs at its end.
#[derive(Debug)]
pub(crate) struct Budgets {
    /// Budget of the guest, for all methods without a larger one.
    default: Duration,
    /// Exports of the guest; empty before the manifest is known.
    services: Vec<ServiceBudgets>,
}

#[derive(Debug)]
struct ServiceBudgets {
    name: String,
    methods: Vec<MethodBudget>,
}

#[derive(Debug)]
struct MethodBudget {
    name: String,
    budget: Duration,
}

/// Watch over the CPU time of one guest's turns.
#[derive(Debug)]
pub(crate) struct Watch {
    budgets: Budgets,
    /// Asks the guest to yield at the first tick instead of when the budget is spent.
    yields_on_first_tick: bool,
    /// Set once the guest was asked to end this turn.
    has_asked: bool,
    /// Unanswered inbound calls of a guest with larger budgets, at the start of the turn.
    served: Vec<u64>,
    /// CPU time of the thread when the count started; `None` before the first tick of the turn. A
    /// later reading minus this one is the time spent, because a turn stays on one thread.
    since: Option<Duration>,
    /// CPU time of the thread at the last tick.
    last: Duration,
    /// CPU time of the guest's garbage collector in this turn.
    collected: Duration,
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

    /// Returns the method that the guest reports as running, if there is one.
    fn method(&self, view: &ControlView) -> Option<(&ServiceBudgets, &MethodBudget)> {
        let service = self.services.get(view.progress_service as usize)?;
        let method = service.methods.get(view.progress_method as usize)?;
        (view.progress_call != NO_CALL).then_some((service, method))
    }

    /// Returns the full name of the method that the guest reports as running.
    fn method_name(&self, view: &ControlView) -> Option<String> {
        self.method(view).map(full_name)
    }
}

/// Returns `greeting.v1.Greeting/FetchGreeting`.
fn full_name((service, method): (&ServiceBudgets, &MethodBudget)) -> String {
    format!("{}/{}", service.name, method.name)
}

impl Watch {
    pub(crate) fn new(budgets: Budgets, yields_on_first_tick: bool) -> Self {
        Watch {
            budgets,
            yields_on_first_tick,
            has_asked: false,
            served: Vec::new(),
            since: None,
            last: Duration::ZERO,
            collected: Duration::ZERO,
        }
    }

    /// Returns true if the guest is asked to yield at the first tick.
    pub(crate) fn yields_on_first_tick(&self) -> bool {
        self.yields_on_first_tick
    }

    /// Returns true if a method has a larger budget than the guest.
    pub(crate) fn has_larger_budgets(&self) -> bool {
        let methods = self
            .budgets
            .services
            .iter()
            .flat_map(|service| &service.methods);
        methods
            .into_iter()
            .any(|method| method.budget > self.budgets.default)
    }

    /// Records the unanswered inbound calls. Called before each turn of a guest with larger
    /// budgets; other guests do not pay for it.
    pub(crate) fn set_served(&mut self, numbers: &mut dyn Iterator<Item = u64>) {
        self.served.clear();
        self.served.extend(numbers);
    }

    /// Records the names and budgets of the guest's methods.
    pub(crate) fn set_manifest(&mut self, manifest: &Manifest) {
        let default = self.budgets.default;
        let method = |method: &manifest::Method| MethodBudget {
            name: method.name.clone(),
            budget: Duration::from_nanos(method.budget_ns).max(default),
        };
        self.budgets.services = manifest
            .exports
            .iter()
            .map(|service| ServiceBudgets {
                name: service.name.clone(),
                methods: service.methods.iter().map(method).collect(),
            })
            .collect();
    }

    /// Begins a turn. Returns true if the last turn was asked to end, so that the request must be
    /// withdrawn.
    pub(crate) fn begin_turn(&mut self) -> bool {
        self.since = None;
        self.collected = Duration::ZERO;
        std::mem::take(&mut self.has_asked)
    }

    /// Handles a tick within a turn; `view` is the guest's control block, if readable.
    ///
    /// If the guest's garbage collector has worked since the last tick, `collector` is the time
    /// that the collector may have in one turn on top of the budget.
    pub(crate) fn tick(&mut self, view: Option<&ControlView>, collector: Option<Duration>) -> Tick {
        let now = ThreadTime::now().as_duration();
        let since_last = now.saturating_sub(std::mem::replace(&mut self.last, now));
        let Some(since) = &mut self.since else {
            self.since = Some(now);
            self.has_asked = self.yields_on_first_tick;
            return if self.yields_on_first_tick {
                Tick::AskToYield
            } else {
                Tick::Continue
            };
        };
        if collector.is_some_and(|max| self.collected + since_last <= max) {
            self.collected += since_last;
            *since += since_last;
        }
        let since = *since;
        let budget = view
            .filter(|view| self.served.contains(&view.progress_call))
            .and_then(|view| self.budgets.method(view))
            .map_or(self.budgets.default, |(_, method)| method.budget);
        let spent = now.saturating_sub(since);
        if spent < budget {
            return Tick::Continue;
        }
        if !self.has_asked {
            self.has_asked = true;
            self.since = Some(now);
            return Tick::AskToYield;
        }
        let method = view.and_then(|view| self.budgets.method_name(view));
        Tick::Kill(OverBudget {
            budget,
            spent,
            method,
        })
    }

    /// Returns the full name of an exported method, by the indexes of the service and the method.
    pub(crate) fn method_name(&self, service: u32, method: u32) -> Option<String> {
        let service = self.budgets.services.get(service as usize)?;
        let method = service.methods.get(method as usize)?;
        Some(full_name((service, method)))
    }

    /// Returns the call that the guest reports as running.
    pub(crate) fn active_call(&self, view: &ControlView) -> Option<ActiveCall> {
        view.running_call().map(|call| ActiveCall {
            call,
            method: self.budgets.method_name(view),
        })
    }
}

#[cfg(test)]
mod tests {
    use parigot_abi::control::CONTROL_BYTES;
    use parigot_abi::manifest::{Method, MethodFlags, Service};

    use super::*;

    fn watch(default: Duration, method: Duration) -> Watch {
        let mut watch = Watch::new(Budgets::new(default), true);
        let method = Method {
            name: "Get".into(),
            budget_ns: method.as_nanos().try_into().unwrap_or(u64::MAX),
            deadline_ns: 0,
            flags: MethodFlags::default(),
        };
        let service = Service {
            name: "x.S".into(),
            schema: 0,
            methods: vec![method],
        };
        watch.set_manifest(&Manifest {
            exports: vec![service],
            ..Manifest::default()
        });
        watch.set_served(&mut [7].into_iter());
        watch
    }

    fn view(progress_call: u64) -> ControlView {
        ControlView {
            progress_call,
            ..ControlView::read(&[0; CONTROL_BYTES])
        }
    }

    /// Ticks until the budget is exceeded, and returns the fault. The loop spends the CPU time.
    fn tick_until_killed(watch: &mut Watch, view: Option<&ControlView>) -> OverBudget {
        assert_eq!(watch.tick(view, None), Tick::AskToYield);
        loop {
            if let Tick::Kill(fault) = watch.tick(view, None) {
                return fault;
            }
        }
    }

    const METHOD: &str = ", for one method `budget_ms` and `budget_max`";

    fn told(budget: &str, raise: &str) -> String {
        format!(
            "held its thread beyond its budget of {budget}: await `yield_now` in long \
             computations (in Go call `parigot.Yield`), or raise `budget`{raise}"
        )
    }

    #[test]
    fn the_fault_names_the_running_method() {
        let mut watch = watch(Duration::from_millis(2), Duration::ZERO);
        assert_eq!(
            tick_until_killed(&mut watch, Some(&view(7))).to_string(),
            told("2 ms in x.S/Get", METHOD)
        );
        watch.begin_turn();
        assert_eq!(
            tick_until_killed(&mut watch, Some(&view(NO_CALL))).to_string(),
            told("2 ms", "")
        );
        watch.begin_turn();
        assert_eq!(
            tick_until_killed(&mut watch, None).to_string(),
            told("2 ms", "")
        );
    }

    #[test]
    fn a_method_may_only_raise_the_budget() {
        let mut larger = watch(Duration::from_millis(1), Duration::from_millis(3));
        assert_eq!(
            tick_until_killed(&mut larger, Some(&view(7))).to_string(),
            told("3 ms in x.S/Get", METHOD)
        );
        let mut smaller = watch(Duration::from_millis(2), Duration::from_millis(1));
        assert!(!smaller.has_larger_budgets());
        assert_eq!(
            tick_until_killed(&mut smaller, Some(&view(7))).to_string(),
            told("2 ms in x.S/Get", METHOD)
        );
    }

    #[test]
    fn a_larger_budget_is_for_calls_that_the_guest_holds() {
        let mut watch = watch(Duration::from_millis(1), Duration::from_millis(300));
        assert!(watch.has_larger_budgets());
        assert_eq!(
            tick_until_killed(&mut watch, Some(&view(8))).budget,
            Duration::from_millis(1)
        );
    }

    #[test]
    fn a_late_yield_request_grants_a_second_budget() {
        let mut watch = Watch {
            yields_on_first_tick: false,
            ..watch(Duration::from_millis(2), Duration::ZERO)
        };
        let begin = ThreadTime::now();
        assert_eq!(watch.tick(None, None), Tick::Continue);
        while watch.tick(None, None) != Tick::AskToYield {}
        assert!(begin.elapsed() >= Duration::from_millis(2));
        while watch.tick(None, None) == Tick::Continue {}
        assert!(begin.elapsed() >= Duration::from_millis(4));
        assert!(watch.begin_turn());
    }

    #[test]
    fn the_collector_has_time_of_its_own_up_to_its_limit() {
        // Before the watch, which has its own start: the sum of both times is exact.
        let begin = ThreadTime::now();
        let mut watch = watch(Duration::from_millis(2), Duration::ZERO);
        assert_eq!(watch.tick(None, None), Tick::AskToYield);
        let limit = Duration::from_millis(10);
        let fault = loop {
            if let Tick::Kill(fault) = watch.tick(None, Some(limit)) {
                break fault;
            }
        };
        assert!(begin.elapsed() >= Duration::from_millis(12));
        assert_eq!(fault.budget, Duration::from_millis(2));
        watch.begin_turn();
        tick_until_killed(&mut watch, None);
    }

    #[test]
    fn each_turn_starts_with_a_full_budget() {
        let mut watch = watch(Duration::from_millis(1), Duration::ZERO);
        assert!(!watch.begin_turn());
        tick_until_killed(&mut watch, None);
        assert!(watch.begin_turn());
        assert_eq!(watch.tick(None, None), Tick::AskToYield);
    }
}
