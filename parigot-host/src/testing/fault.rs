//! Faults that a test injects.

use std::time::Duration;

use parigot_guest::Method;
use rand::Rng;
use rand::rngs::StdRng;

use super::frame::Effect;
use super::record::Call;

/// Something that goes wrong with calls: with each that it is about, unless [`Fault::nth`] or [`Fault::at_rate`] says less.
///
/// ```no_run
/// # use parigot_host::testing::{Fault, TestRun};
/// # fn test<FetchGreeting: parigot_guest::Method>(mut host: TestRun) {
/// host.inject(Fault::lose_reply().of::<FetchGreeting>().nth(2));
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing until it is injected"]
pub struct Fault {
    leg: Leg,
    effect: Effect,
    method: Option<(&'static str, &'static str)>,
    from: Option<String>,
    to: Option<String>,
    nth: Option<u64>,
    rate: Option<f64>,
    /// How many it was about so far.
    seen: u64,
}

/// A way of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// To the service.
    Call,
    /// Back.
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

    /// Calls do not arrive. Their callers are told at the deadline.
    pub fn lose_call() -> Self {
        Fault::new(Leg::Call, Effect::Lost)
    }

    /// Replies do not arrive: what was asked for was done. The callers are told at the deadline.
    pub fn lose_reply() -> Self {
        Fault::new(Leg::Reply, Effect::Lost)
    }

    /// Calls arrive that much later on the host's clock.
    pub fn delay_call(by: Duration) -> Self {
        Fault::new(Leg::Call, Effect::Delayed(by))
    }

    /// Replies arrive that much later on the host's clock.
    pub fn delay_reply(by: Duration) -> Self {
        Fault::new(Leg::Reply, Effect::Delayed(by))
    }

    /// The service crashes when a call arrives, before it has looked at it.
    pub fn crash_at_call() -> Self {
        Fault::new(Leg::Call, Effect::Crashed)
    }

    /// The service crashes when it is about to reply: what was asked for was done.
    pub fn crash_at_reply() -> Self {
        Fault::new(Leg::Reply, Effect::Crashed)
    }

    /// Calls of this method only.
    pub fn of<M: Method>(self) -> Self {
        Fault {
            method: Some((M::SERVICE.name, M::info().name())),
            ..self
        }
    }

    /// Only those that this guest makes; those of the test itself are from `test`.
    pub fn from(self, guest: impl Into<String>) -> Self {
        Fault {
            from: Some(guest.into()),
            ..self
        }
    }

    /// Only those that this guest serves.
    pub fn to(self, guest: impl Into<String>) -> Self {
        Fault {
            to: Some(guest.into()),
            ..self
        }
    }

    /// Only the nth of them, from 1, counted from when the fault is injected.
    pub fn nth(self, nth: u64) -> Self {
        Fault {
            nth: Some(nth),
            ..self
        }
    }

    /// Each of them with that probability, 0 to 1, by the host's seed.
    pub fn at_rate(self, rate: f64) -> Self {
        Fault {
            rate: Some(rate),
            ..self
        }
    }

    /// What happens to a call on that leg, if anything does.
    pub(super) fn strike(&mut self, leg: Leg, call: &Call, chance: &mut StdRng) -> Option<Effect> {
        if leg != self.leg || !self.is_about(call) {
            return None;
        }
        self.seen += 1;
        let is_it = self.nth.is_none_or(|nth| nth == self.seen);
        let strikes = is_it && self.rate.is_none_or(|rate| chance.random_bool(rate));
        strikes.then_some(self.effect)
    }

    fn is_about(&self, call: &Call) -> bool {
        let fits = |wanted: &Option<String>, guest: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == guest)
        };
        self.method
            .is_none_or(|method| method == (&*call.service, &*call.method))
            && fits(&self.from, &call.from)
            && fits(&self.to, &call.to)
    }
}
