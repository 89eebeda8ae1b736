//! Faults that a test injects into calls.

use std::time::Duration;

use parigot_guest::Method;
use rand::Rng;
use rand::rngs::StdRng;

use super::frame::Effect;
use super::record::RecordedCall;

/// Fault that is injected into calls between guests.
///
/// A new fault affects every call. [`of`](Fault::of), [`from`](Fault::from) and [`to`](Fault::to)
/// select the calls of a method, a caller or a callee. [`nth`](Fault::nth) and
/// [`at_rate`](Fault::at_rate) choose among the selected calls.
///
/// Inject a fault with [`TestHost::fault`](super::TestHost::fault) before the start, or with
/// [`TestRun::inject`](super::TestRun::inject) later. If several faults affect the same call, only
/// the fault that was injected first has its effect.
///
/// ```no_run
/// # use parigot_host::testing::{Fault, TestRun};
/// # fn test<FetchGreeting: parigot_guest::Method>(mut run: TestRun) {
/// // The second reply of `FetchGreeting` is lost.
/// run.inject(Fault::lose_reply().of::<FetchGreeting>().nth(2));
/// // One in ten calls of `kitchen` to any guest is lost.
/// run.inject(Fault::lose_call().from("kitchen").at_rate(0.1));
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fault has no effect until it is injected"]
pub struct Fault {
    leg: Leg,
    effect: Effect,
    /// Names of a service and its method.
    method: Option<(&'static str, &'static str)>,
    from: Option<String>,
    to: Option<String>,
    nth: Option<u64>,
    rate: Option<f64>,
    /// Number of selected calls so far.
    seen: u64,
}

/// Leg of a call's round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// From the caller to the callee.
    Call,
    /// From the callee to the caller.
    Reply,
}

impl Fault {
    fn new(leg: Leg, effect: Effect) -> Self {
        Fault {
            leg,
            effect,
            method: None,
            from: None,
            to: None,
            nth: None,
            rate: None,
            seen: 0,
        }
    }

    /// Creates a fault that loses calls. The callee never sees a lost call, and the call ends at
    /// its deadline.
    pub fn lose_call() -> Self {
        Fault::new(Leg::Call, Effect::Lost)
    }

    /// Creates a fault that loses replies. The callee has done its work, and the call ends at its
    /// deadline.
    pub fn lose_reply() -> Self {
        Fault::new(Leg::Reply, Effect::Lost)
    }

    /// Creates a fault that delays calls by a time on the host's clock.
    pub fn delay_call(by: Duration) -> Self {
        Fault::new(Leg::Call, Effect::Delayed(by))
    }

    /// Creates a fault that delays replies by a time on the host's clock.
    pub fn delay_reply(by: Duration) -> Self {
        Fault::new(Leg::Reply, Effect::Delayed(by))
    }

    /// Creates a fault that crashes the callee when a call arrives, before the callee sees the
    /// call.
    pub fn crash_at_call() -> Self {
        Fault::new(Leg::Call, Effect::Crashed)
    }

    /// Creates a fault that crashes the callee when it replies. The callee has done its work, but
    /// the reply is not sent.
    pub fn crash_at_reply() -> Self {
        Fault::new(Leg::Reply, Effect::Crashed)
    }

    /// Selects the calls of method `M`.
    pub fn of<M: Method>(self) -> Self {
        Fault {
            method: Some((M::SERVICE.name, M::info().name())),
            ..self
        }
    }

    /// Selects the calls that a guest makes. The calls of the test itself come from `test`.
    pub fn from(self, guest: impl Into<String>) -> Self {
        Fault {
            from: Some(guest.into()),
            ..self
        }
    }

    /// Selects the calls that a guest receives.
    pub fn to(self, guest: impl Into<String>) -> Self {
        Fault {
            to: Some(guest.into()),
            ..self
        }
    }

    /// Affects only the `nth` of the selected calls. Counting starts at 1 with the first call
    /// after the injection; 0 affects no call.
    pub fn nth(self, nth: u64) -> Self {
        Fault {
            nth: Some(nth),
            ..self
        }
    }

    /// Affects each selected call with a probability from 0 to 1. The host's seed determines which
    /// calls are affected.
    ///
    /// # Panics
    ///
    /// The first selected call panics if `rate` is below 0 or above 1.
    pub fn at_rate(self, rate: f64) -> Self {
        Fault {
            rate: Some(rate),
            ..self
        }
    }

    /// Counts a call, and returns the effect on one leg of the call.
    pub(super) fn effect_on(
        &mut self,
        leg: Leg,
        call: &RecordedCall,
        random: &mut StdRng,
    ) -> Option<Effect> {
        if leg != self.leg || !self.selects(call) {
            return None;
        }
        self.seen += 1;
        let is_nth = self.nth.is_none_or(|nth| nth == self.seen);
        let is_affected = is_nth && self.rate.is_none_or(|rate| random.random_bool(rate));
        is_affected.then_some(self.effect)
    }

    fn selects(&self, call: &RecordedCall) -> bool {
        let fits = |wanted: &Option<String>, guest: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == guest)
        };
        self.method
            .is_none_or(|method| method == (&*call.service, &*call.method))
            && fits(&self.from, &call.from)
            && fits(&self.to, &call.to)
    }
}
