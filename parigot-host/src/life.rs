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
    /// Guests that have not ended, of the role whose last one ends the deployment: programs if there are any, else services.
    left: usize,
    left_role: Role,
    /// The first exit status of a program that was not 0, or 0.
    status: u8,
    /// A service was lost before it was ready, so that what waits for it can never start.
    start_failed: bool,
    stop_asked: bool,
}

struct Guest {
    role: Role,
    phase: Phase,
    /// How many of its requirements have an exporter that is not ready.
    missing: usize,
    /// Who requires its exports, in order; a guest that requires several of them is there as often.
    required_by: Vec<usize>,
}

/// The status of a deployment whose start failed, or of a program that trapped.
pub(crate) const FAILED: u8 = 1;

impl Life {
    /// Guests with their roles and whom each requires, in alphabetical order of their names.
    pub(crate) fn new(guests: impl IntoIterator<Item = (Role, Vec<usize>)>) -> Self {
        let (roles, requires): (Vec<Role>, Vec<Vec<usize>>) = guests.into_iter().unzip();
        let left_role = if roles.contains(&Role::Program) { Role::Program } else { Role::Service };
        let left = roles.iter().filter(|role| **role == left_role).count();
        let guest = |(role, requires): (Role, &Vec<usize>)| Guest {
            role,
            phase: Phase::Starting,
            missing: requires.len(),
            required_by: Vec::new(),
        };
        let mut guests: Vec<Guest> = roles.into_iter().zip(&requires).map(guest).collect();
        for (guest, exporters) in requires.iter().enumerate() {
            exporters.iter().for_each(|exporter| guests[*exporter].required_by.push(guest));
        }
        let state =
            State { guests, launched: Vec::new(), left, left_role, status: 0, start_failed: false, stop_asked: false };
        Life { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A guest asks to be launched. `None` if it may not ask now; else the guests to be told that they are.
    pub(crate) fn ask(&self, guest: usize) -> Option<Vec<usize>> {
        let mut state = self.state.lock();
        state.advance(guest, Phase::Starting, Phase::Waiting)?;
        Some(state.launch_if_complete(guest).into_iter().collect())
    }

    /// A guest has made itself ready. `None` if it was not launched; else the guests to be told that now they are.
    pub(crate) fn ready(&self, guest: usize) -> Option<Vec<usize>> {
        let mut state = self.state.lock();
        state.advance(guest, Phase::Launched, Phase::Ready)?;
        let required_by = std::mem::take(&mut state.guests[guest].required_by);
        let launched = required_by.iter().filter_map(|waiting| {
            state.guests[*waiting].missing -= 1;
            state.launch_if_complete(*waiting)
        });
        let launched = launched.collect();
        state.guests[guest].required_by = required_by;
        Some(launched)
    }

    /// A guest has left, with a status or, if it failed, without. Returns those that wait for it in vain.
    pub(crate) fn ended(&self, guest: usize, status: Option<u8>) -> Vec<usize> {
        let mut state = self.state.lock();
        let (role, before) = state.end(guest);
        let mut stranded = Vec::new();
        match role {
            Role::Program if state.status == 0 => state.status = status.unwrap_or(FAILED),
            Role::Program => {}
            Role::Service if before < Phase::Ready && !state.stop_asked => {
                state.start_failed = true;
                stranded = state.waiting_for(guest);
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
        let mut never = vec![true; state.guests.len()];
        state.launched.iter().for_each(|guest| never[*guest] = false);
        let never = (0..state.guests.len()).filter(|guest| never[*guest]).rev();
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

/// What each step of a guest costs is its own requirements and who requires it, not how many guests there are: a deployment of ten
/// thousand starts and stops in ten thousand steps.
impl State {
    /// Takes a guest from one phase to the next; `None` if it is in another.
    fn advance(&mut self, guest: usize, from: Phase, to: Phase) -> Option<()> {
        let phase = &mut self.guests[guest].phase;
        (*phase == from).then(|| *phase = to)
    }

    /// Launches a guest that waits, if all that it requires is ready.
    fn launch_if_complete(&mut self, guest: usize) -> Option<usize> {
        if self.guests[guest].missing > 0 {
            return None;
        }
        self.advance(guest, Phase::Waiting, Phase::Launched)?;
        self.launched.push(guest);
        Some(guest)
    }

    /// Takes a guest to its last phase, and returns its role and the phase that it was in.
    fn end(&mut self, guest: usize) -> (Role, Phase) {
        let Guest { role, phase, .. } = self.guests[guest];
        self.guests[guest].phase = Phase::Ended;
        if phase != Phase::Ended && role == self.left_role {
            self.left -= 1;
        }
        if phase == Phase::Ready {
            for place in 0..self.guests[guest].required_by.len() {
                let requirer = self.guests[guest].required_by[place];
                self.guests[requirer].missing += 1;
            }
        }
        (role, phase)
    }

    /// The guests that cannot be launched before this one is ready.
    fn waiting_for(&self, guest: usize) -> Vec<usize> {
        let required_by = self.guests[guest].required_by.iter().copied();
        let mut waiting: Vec<_> = required_by.filter(|other| self.guests[*other].phase < Phase::Launched).collect();
        waiting.dedup();
        waiting
    }

    fn is_over(&self) -> bool {
        self.stop_asked || self.start_failed || self.left == 0
    }
}

/// How long guests may take to leave, all together.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
