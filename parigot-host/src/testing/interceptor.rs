//! Interception state that all guests of a run share: the record of frames, and the faults.
//!
//! The kernel does not know that frames are intercepted. To the kernel, a lost call is a call that
//! its service has not answered yet.

use std::sync::Arc;

use parigot_abi::manifest;
use rand::Rng;
use rand::rngs::StdRng;

use super::fault::{Fault, Leg};
use super::frame::Effect;
use super::record::{CallIndex, Record};
use crate::clock::ManualClock;

/// Interception state of a run, shared by its [intercepted guests](super::intercepted).
pub(super) struct Interceptor {
    pub(super) record: Record,
    pub(super) faults: Vec<Fault>,
    /// Services that the guests of the run export, in the order of their declaration.
    pub(super) exports: Vec<manifest::Service>,
    random: StdRng,
    /// Set if turns end early at random, as they do after an epoch tick.
    cuts_turns: bool,
}

impl Interceptor {
    pub(super) fn new(
        clock: Arc<ManualClock>,
        faults: Vec<Fault>,
        random: StdRng,
        cuts_turns: bool,
    ) -> Self {
        Interceptor {
            record: Record::new(clock),
            faults,
            exports: Vec::new(),
            random,
            cuts_turns,
        }
    }

    /// Returns the exported services as requirements of the test's guest.
    pub(super) fn requirements(&self) -> Vec<manifest::Requirement> {
        self.exports.iter().cloned().map(Into::into).collect()
    }

    /// Returns the number of tasks that the next turn may poll.
    ///
    /// One turn in four has a small number, as if an epoch tick had ended the turn.
    pub(super) fn polls_max(&mut self) -> u32 {
        if self.cuts_turns && self.random.random_bool(0.25) {
            self.random.random_range(1..=4)
        } else {
            u32::MAX
        }
    }

    /// Returns the effect of the faults on one leg of a call.
    pub(super) fn effect_on(&mut self, leg: Leg, call: CallIndex) -> Option<Effect> {
        let Interceptor {
            faults,
            random,
            record,
            ..
        } = self;
        let call = record.call(call);
        // Every fault must see the call, because each fault counts its calls for `Fault::nth`. The
        // first fault with an effect wins.
        faults.iter_mut().fold(None, |chosen, fault| {
            let effect = fault.effect_on(leg, call, random);
            chosen.or(effect)
        })
    }
}
