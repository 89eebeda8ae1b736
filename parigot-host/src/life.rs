//! Who has started, who waits for whom, who has left.
//!
//! A guest goes through the phases in their order. It is told that it is launched once every exporter of what it requires is
//! ready; among those that may start at the same moment the names decide, alphabetically.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::deployment::Role;

/// How far a guest has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Its code runs, and has not asked to be launched.
    Starting,
    /// It has asked, and what it requires is not ready.
    Waiting,
    /// It was told; a service now makes itself ready.
    Launched,
    /// It takes calls.
    Ready,
    /// It is gone.
    Ended,
}

/// The phases of all guests of a deployment, by their place in it.
pub(crate) struct Life {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    guests: Vec<Guest>,
    /// In the order in which they were launched.
    launched: Vec<usize>,
    /// The first exit status of a program that was not 0, or 0.
    status: u8,
    /// A service was lost before it was ready, so that what waits for it can never start.
    start_failed: bool,
    stop_asked: bool,
}

struct Guest {
    role: Role,
    phase: Phase,
    /// Whose exports it requires.
    requires: Vec<usize>,
}

/// The status of a deployment whose start failed, or of a program that trapped.
pub(crate) const FAILED: u8 = 1;

impl Life {
    /// Guests with their roles and whom each requires, in alphabetical order of their names.
    pub(crate) fn new(guests: impl IntoIterator<Item = (Role, Vec<usize>)>) -> Self {
        let guest = |(role, requires)| Guest { role, phase: Phase::Starting, requires };
        let state = State {
            guests: guests.into_iter().map(guest).collect(),
            launched: Vec::new(),
            status: 0,
            start_failed: false,
            stop_asked: false,
        };
        Life { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A guest asks to be launched. `None` if it may not ask now; else the guests to be told that they are.
    pub(crate) fn ask(&self, guest: usize) -> Option<Vec<usize>> {
        self.advance(guest, Phase::Starting, Phase::Waiting)
    }

    /// A guest has made itself ready. `None` if it was not launched; else the guests to be told that now they are.
    pub(crate) fn ready(&self, guest: usize) -> Option<Vec<usize>> {
        self.advance(guest, Phase::Launched, Phase::Ready)
    }

    fn advance(&self, guest: usize, from: Phase, to: Phase) -> Option<Vec<usize>> {
        let mut state = self.state.lock();
        if state.guests[guest].phase != from {
            return None;
        }
        state.guests[guest].phase = to;
        Some(state.launch_waiting())
    }

    /// A guest has left, with a status or, if it failed, without. Returns those that wait for it in vain.
    pub(crate) fn ended(&self, guest: usize, status: Option<u8>) -> Vec<usize> {
        let mut state = self.state.lock();
        let before = std::mem::replace(&mut state.guests[guest].phase, Phase::Ended);
        let mut stranded = Vec::new();
        match state.guests[guest].role {
            Role::Program if state.status == 0 => state.status = status.unwrap_or(FAILED),
            Role::Program => {}
            Role::Service if before < Phase::Ready && !state.stop_asked => {
                state.start_failed = true;
                stranded = (0..state.guests.len()).filter(|other| state.guests[*other].waits_for(guest)).collect();
            }
            Role::Service => {}
        }
        drop(state);
        self.changed.notify_all();
        stranded
    }

    /// Someone wants the deployment to end.
    pub(crate) fn ask_to_stop(&self) {
        self.state.lock().stop_asked = true;
        self.changed.notify_all();
    }

    /// Blocks until there is nothing left to wait for: the programs or else all services have ended, the start has failed, or
    /// [`Life::ask_to_stop`] was called.
    pub(crate) fn wait_until_over(&self) {
        let mut state = self.state.lock();
        while !state.is_over() {
            self.changed.wait(&mut state);
        }
        // From here on whoever leaves does so because it is told to.
        state.stop_asked = true;
    }

    /// Those that are still there, in the order in which they are to be stopped: last launched first, before them those that
    /// were never launched.
    pub(crate) fn stop_order(&self) -> Vec<usize> {
        let state = self.state.lock();
        let never = (0..state.guests.len()).filter(|guest| !state.launched.contains(guest)).rev();
        let order = never.chain(state.launched.iter().rev().copied());
        order.filter(|guest| state.guests[*guest].phase != Phase::Ended).collect()
    }

    /// Blocks until the guest has ended, or until then. Returns whether it has.
    pub(crate) fn wait_until_ended(&self, guest: usize, until: Instant) -> bool {
        let mut state = self.state.lock();
        while state.guests[guest].phase != Phase::Ended {
            if self.changed.wait_for(&mut state, until.saturating_duration_since(Instant::now())).timed_out() {
                return state.guests[guest].phase == Phase::Ended;
            }
        }
        true
    }

    /// The exit status of the deployment.
    pub(crate) fn status(&self) -> u8 {
        let state = self.state.lock();
        if state.status == 0 && state.start_failed { FAILED } else { state.status }
    }
}

impl State {
    fn launch_waiting(&mut self) -> Vec<usize> {
        let may_start = |guest: &Guest| {
            let ready = |exporter: &usize| self.guests[*exporter].phase == Phase::Ready;
            guest.phase == Phase::Waiting && guest.requires.iter().all(ready)
        };
        let now: Vec<_> = (0..self.guests.len()).filter(|guest| may_start(&self.guests[*guest])).collect();
        for guest in &now {
            self.guests[*guest].phase = Phase::Launched;
        }
        self.launched.extend(&now);
        now
    }

    fn is_over(&self) -> bool {
        let ended =
            |role| self.guests.iter().filter(|guest| guest.role == role).all(|guest| guest.phase == Phase::Ended);
        let has_programs = self.guests.iter().any(|guest| guest.role == Role::Program);
        self.stop_asked || self.start_failed || ended(if has_programs { Role::Program } else { Role::Service })
    }
}

impl Guest {
    fn waits_for(&self, other: usize) -> bool {
        self.phase < Phase::Launched && self.requires.contains(&other)
    }
}

/// How long guests may take to leave, all together.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
