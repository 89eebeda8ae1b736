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
    /// It has ended and will be made anew.
    Fallen,
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
    /// It failed because it took too long.
    start_timed_out: bool,
    stop_asked: bool,
}

/// A guest that the start waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unready {
    pub(crate) guest: usize,
    pub(crate) phase: Phase,
    /// Those that it requires and that are not ready.
    pub(crate) lacks: Vec<usize>,
}

struct Guest {
    role: Role,
    phase: Phase,
    /// It has been ready: from then on it may fall, and nobody's start waits for it but by what it requires.
    was_ready: bool,
    /// How many of its requirements have an exporter that is not ready.
    missing: usize,
    /// Who requires its exports, in order; a guest that requires several of them is there as often.
    required_by: Vec<usize>,
}

/// The status of a deployment whose start failed, or of a program that trapped.
pub(crate) const FAILED: u8 = 1;

/// The status of a deployment whose start took too long.
pub(crate) const TIMED_OUT: u8 = 124;

impl Life {
    /// Guests with their roles and whom each requires, in alphabetical order of their names.
    pub(crate) fn new(guests: impl IntoIterator<Item = (Role, Vec<usize>)>) -> Self {
        let (roles, requires): (Vec<Role>, Vec<Vec<usize>>) = guests.into_iter().unzip();
        let left_role = if roles.contains(&Role::Program) { Role::Program } else { Role::Service };
        let left = roles.iter().filter(|role| **role == left_role).count();
        let guest = |(role, requires): (Role, &Vec<usize>)| Guest {
            role,
            phase: Phase::Starting,
            was_ready: false,
            missing: requires.len(),
            required_by: Vec::new(),
        };
        let mut guests: Vec<Guest> = roles.into_iter().zip(&requires).map(guest).collect();
        for (guest, exporters) in requires.iter().enumerate() {
            exporters.iter().for_each(|exporter| guests[*exporter].required_by.push(guest));
        }
        let state = State {
            guests,
            launched: Vec::new(),
            left,
            left_role,
            status: 0,
            start_failed: false,
            start_timed_out: false,
            stop_asked: false,
        };
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
        state.guests[guest].was_ready = true;
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
            Role::Service if before != Phase::Ended && !state.stop_asked => {
                stranded = state.waiting_for(guest);
                let never_started = |guest: &usize| !state.guests[*guest].was_ready;
                state.start_failed |= never_started(&guest) || stranded.iter().any(never_started);
            }
            Role::Service => {}
        }
        drop(state);
        self.changed.notify_all();
        stranded
    }

    /// A service has ended and is to be made anew. Refused to one that never was ready, for it has failed the start, and once the deployment
    /// ends.
    pub(crate) fn fall(&self, guest: usize) -> bool {
        let mut state = self.state.lock();
        let falls = state.guests[guest].was_ready && !state.stop_asked;
        if falls {
            state.leave(guest, Phase::Fallen);
        }
        falls
    }

    /// One that has fallen is there again, and has not asked to be launched. Refused once the deployment ends.
    pub(crate) fn rise(&self, guest: usize) -> bool {
        let mut state = self.state.lock();
        !state.stop_asked && state.advance(guest, Phase::Fallen, Phase::Starting).is_some()
    }

    /// Those that the start waits for, sorted: services that are not ready, and programs that wait to be launched. None once it is complete or
    /// the deployment ends.
    pub(crate) fn unready(&self) -> Vec<Unready> {
        self.state.lock().unready()
    }

    /// Fails the start, unless it is complete or the deployment ends. Returns whether it did.
    pub(crate) fn give_up_start(&self) -> bool {
        let mut state = self.state.lock();
        let gives_up = !state.unready().is_empty();
        if gives_up {
            (state.start_failed, state.start_timed_out) = (true, true);
            self.changed.notify_all();
        }
        gives_up
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
        // From here on whoever leaves does so because it is told to, and nobody comes back.
        state.stop_asked = true;
        for guest in 0..state.guests.len() {
            if state.guests[guest].phase == Phase::Fallen {
                state.end(guest);
            }
        }
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
        match state.status {
            _ if state.start_timed_out => TIMED_OUT,
            0 if state.start_failed => FAILED,
            status => status,
        }
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
        // One that is made anew keeps its place: those that require it are there already, and are to be stopped before it.
        if !self.guests[guest].was_ready {
            self.launched.push(guest);
        }
        Some(guest)
    }

    /// Takes a guest to its last phase, and returns its role and the phase that it was in.
    fn end(&mut self, guest: usize) -> (Role, Phase) {
        let role = self.guests[guest].role;
        let phase = self.leave(guest, Phase::Ended);
        if phase != Phase::Ended && role == self.left_role {
            self.left -= 1;
        }
        (role, phase)
    }

    /// Takes a guest, which is gone, to that phase, and returns the one that it was in.
    fn leave(&mut self, guest: usize, to: Phase) -> Phase {
        let phase = std::mem::replace(&mut self.guests[guest].phase, to);
        if phase == Phase::Ready {
            for place in 0..self.guests[guest].required_by.len() {
                let requirer = self.guests[guest].required_by[place];
                self.guests[requirer].missing += 1;
            }
        }
        phase
    }

    /// The guests that cannot be launched before this one is ready.
    fn waiting_for(&self, guest: usize) -> Vec<usize> {
        let required_by = self.guests[guest].required_by.iter().copied();
        let mut waiting: Vec<_> = required_by.filter(|other| self.guests[*other].phase < Phase::Launched).collect();
        waiting.dedup();
        waiting
    }

    fn unready(&self) -> Vec<Unready> {
        if self.is_over() {
            return Vec::new();
        }
        let holds_up = |guest: &Guest| match guest.role {
            Role::Service => guest.phase < Phase::Ready && !guest.was_ready,
            Role::Program => guest.phase == Phase::Waiting,
        };
        let mut unready: Vec<_> = (0..self.guests.len())
            .filter(|guest| holds_up(&self.guests[*guest]))
            .map(|guest| Unready { guest, phase: self.guests[guest].phase, lacks: Vec::new() })
            .collect();
        for exporter in (0..self.guests.len()).filter(|guest| self.guests[*guest].phase != Phase::Ready) {
            for requirer in &self.guests[exporter].required_by {
                let Ok(place) = unready.binary_search_by_key(requirer, |unready| unready.guest) else { continue };
                let lacks = &mut unready[place].lacks;
                if lacks.last() != Some(&exporter) {
                    lacks.push(exporter);
                }
            }
        }
        unready
    }

    fn is_over(&self) -> bool {
        self.stop_asked || self.start_failed || self.left == 0
    }
}

/// How long guests may take to leave, all together.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    /// `app` requires `kitchen` twice and `store`, `kitchen` requires `store`.
    fn life() -> Life {
        let (app, kitchen, store) = (Role::Program, Role::Service, Role::Service);
        Life::new([(app, vec![1, 2, 1]), (kitchen, vec![2]), (store, vec![])])
    }

    fn unready(guest: usize, phase: Phase, lacks: &[usize]) -> Unready {
        Unready { guest, phase, lacks: lacks.to_vec() }
    }

    #[test]
    fn the_start_waits_for_services_and_for_programs_that_have_asked() {
        let life = life();
        let services = || [unready(1, Phase::Starting, &[2]), unready(2, Phase::Starting, &[])];
        assert_eq!(life.unready(), services());
        assert_eq!(life.ask(0), Some(vec![]));
        let [kitchen, store] = services();
        assert_eq!(life.unready(), [unready(0, Phase::Waiting, &[1, 2]), kitchen, store]);
    }

    #[test]
    fn a_start_is_complete_once_all_are_ready() {
        let life = life();
        assert_eq!((life.ask(0), life.ask(1), life.ask(2)), (Some(vec![]), Some(vec![]), Some(vec![2])));
        assert_eq!(life.ready(2), Some(vec![1]));
        let kitchen = || unready(1, Phase::Launched, &[]);
        assert_eq!(life.unready(), [unready(0, Phase::Waiting, &[1]), kitchen()]);
        assert_eq!(life.ready(1), Some(vec![0]));
        assert_eq!(life.unready(), []);
        assert!(!life.give_up_start());
        assert_eq!(life.status(), 0);
    }

    #[test]
    fn a_start_that_is_given_up_ends_the_deployment_with_a_status_of_its_own() {
        let life = life();
        assert!(life.give_up_start());
        life.wait_until_over();
        assert_eq!(life.status(), TIMED_OUT);
        assert_eq!(life.unready(), [], "nobody waits for a deployment that ends");
        life.ended(0, Some(7));
        assert_eq!(life.status(), TIMED_OUT);
    }

    /// The same once both services are ready and the program waits for nothing but its own asking.
    fn ready_life() -> Life {
        let life = life();
        assert_eq!((life.ask(2), life.ready(2)), (Some(vec![2]), Some(vec![])));
        assert_eq!((life.ask(1), life.ready(1)), (Some(vec![1]), Some(vec![])));
        life
    }

    #[test]
    fn one_that_was_ready_falls_and_is_launched_again_while_others_wait_for_it() {
        let life = ready_life();
        assert!(life.fall(2));
        assert_eq!(life.ask(0), Some(vec![]), "it requires what has fallen");
        assert_eq!(life.unready(), [unready(0, Phase::Waiting, &[2])]);
        assert!(life.rise(2));
        assert!(!life.rise(2));
        assert_eq!((life.ask(2), life.ready(2)), (Some(vec![2]), Some(vec![0])));
        assert_eq!(life.unready(), []);
        assert_eq!(life.stop_order(), [0, 1, 2], "the last launched first, and each before what it requires");
    }

    #[test]
    fn one_that_never_was_ready_does_not_fall() {
        let life = life();
        assert_eq!(life.ask(2), Some(vec![2]));
        assert!(!life.fall(2));
    }

    #[test]
    fn nobody_comes_back_once_the_deployment_ends() {
        let life = ready_life();
        assert!(life.fall(2));
        life.ask_to_stop();
        assert!(!life.rise(2));
        assert!(!life.fall(1));
        life.wait_until_over();
        assert_eq!(life.stop_order(), [0, 1], "one that has fallen is not waited for");
    }

    #[test]
    fn those_that_wait_for_one_that_is_lost_for_good_are_told() {
        let life = ready_life();
        assert!(life.fall(2));
        assert_eq!(life.ask(0), Some(vec![]));
        assert_eq!(life.ended(2, None), [0]);
        assert_eq!(life.status(), FAILED);
    }
}
