//! Who has started, who waits for whom, who has left.
//!
//! A guest, of which each instance counts as one here, goes through the phases in their order. It is told that it is launched once every
//! exporter of what it requires has been ready and one of each service's is; among those that may start at the same moment the names decide,
//! alphabetically.

use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::deployment::Role;

/// What a guest is there for, as far as the end of a deployment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestKind {
    Service,
    Program,
    /// It stands for others, and is there as long as anybody else is.
    Proxy,
}

impl From<Role> for GuestKind {
    fn from(role: Role) -> Self {
        match role {
            Role::Service => GuestKind::Service,
            Role::Program => GuestKind::Program,
        }
    }
}

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
pub(crate) struct Lifecycle {
    state: Mutex<LifecycleState>,
    changed: Condvar,
}

struct LifecycleState {
    guests: Vec<Guest>,
    needs: Vec<NeedState>,
    /// In the order in which they were launched first.
    launched: Vec<usize>,
    /// Guests that have not ended, of the part whose last one ends the deployment: programs if there are any, else services.
    left: usize,
    left_part: GuestKind,
    /// The first exit status of those that was not 0, or 0.
    status: u8,
    /// A service was lost before it was ready, so that what waits for it can never start.
    start_failed: bool,
    /// It failed because it took too long.
    start_timed_out: bool,
    stop_asked: bool,
}

/// A guest that is launched now, and is to be told so in that life of its: another life has not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Launched {
    pub(crate) guest: usize,
    pub(crate) generation: u32,
}

/// Whether a guest that has ended may be made anew.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fall {
    /// It may.
    Fallen,
    /// It could not be launched: this guest, which it requires, is gone for good.
    Lost { exporter: usize },
    /// Nobody is: it never was ready, so it has failed the start, or the deployment ends.
    Refused,
}

/// A guest that can never be launched, for one that it requires is gone for good; or that stands there for others who call that one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unlaunchable {
    pub(crate) guest: usize,
    pub(crate) phase: Phase,
    /// It was made anew, or else it has never been there.
    pub(crate) was_ready: bool,
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
    part: GuestKind,
    phase: Phase,
    /// The life that it has asked in, if it has: see [`crate::kernel::instance::Instance::reopen`].
    generation: u32,
    /// It has been ready: from then on it may fall, and nobody's start waits for it but by what it requires.
    was_ready: bool,
    /// How many of its needs are not met.
    missing: usize,
    /// One that it requires and that is gone for good, as is whoever else exports the same.
    lost: Option<usize>,
    /// The needs that it helps to meet.
    serves: Vec<usize>,
}

/// A service that guests require, by their places.
#[derive(Debug, Default)]
pub(crate) struct Dependency {
    /// At least one, in order.
    pub(crate) exporters: Vec<usize>,
    /// In order; one that requires it twice is there twice.
    pub(crate) required_by: Vec<usize>,
}

struct NeedState {
    need: Dependency,
    /// How many exporters have never been ready.
    never_ready: usize,
    /// How many are ready now.
    ready: usize,
}

impl NeedState {
    /// Whether guests that need it may be launched: each of its exporters has been ready, so that none of them has failed the start, and one
    /// of them is.
    fn is_met(&self) -> bool {
        self.never_ready == 0 && self.ready > 0
    }
}

/// The status of a deployment whose start failed, or of a guest that trapped.
pub(crate) const FAILED: u8 = 1;

/// The status of a deployment whose start took too long.
pub(crate) const TIMED_OUT: u8 = 124;

impl Lifecycle {
    /// Guests with their parts, in alphabetical order of their names and those that stand for others behind, and what they need of each other.
    pub(crate) fn new(parts: Vec<GuestKind>, needs: Vec<Dependency>) -> Self {
        let left_part = if parts.contains(&GuestKind::Program) {
            GuestKind::Program
        } else {
            GuestKind::Service
        };
        let left = parts.iter().filter(|part| **part == left_part).count();
        let guest = |part| Guest {
            part,
            phase: Phase::Starting,
            generation: 0,
            was_ready: false,
            missing: 0,
            lost: None,
            serves: Vec::new(),
        };
        let mut guests: Vec<Guest> = parts.into_iter().map(guest).collect();
        for (place, need) in needs.iter().enumerate() {
            need.exporters
                .iter()
                .for_each(|exporter| guests[*exporter].serves.push(place));
            need.required_by
                .iter()
                .for_each(|requirer| guests[*requirer].missing += 1);
        }
        let unmet = |need: Dependency| NeedState {
            never_ready: need.exporters.len(),
            ready: 0,
            need,
        };
        let state = LifecycleState {
            guests,
            needs: needs.into_iter().map(unmet).collect(),
            launched: Vec::new(),
            left,
            left_part,
            status: 0,
            start_failed: false,
            start_timed_out: false,
            stop_asked: false,
        };
        Lifecycle {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// A guest asks to be launched. `None` if it may not ask now; else the guests to be told that they are.
    pub(crate) fn ask(&self, guest: usize) -> Option<Vec<Launched>> {
        let mut state = self.state.lock();
        state.advance(guest, Phase::Starting, Phase::Waiting)?;
        Some(state.launch_if_complete(guest).into_iter().collect())
    }

    /// A guest has made itself ready. `None` if it was not launched; else the guests to be told that now they are.
    pub(crate) fn ready(&self, guest: usize) -> Option<Vec<Launched>> {
        let mut state = self.state.lock();
        state.advance(guest, Phase::Launched, Phase::Ready)?;
        let is_first = !std::mem::replace(&mut state.guests[guest].was_ready, true);
        let mut launched = Vec::new();
        state.each_need_of(guest, |state, place| {
            let need = &mut state.needs[place];
            let was_met = need.is_met();
            need.ready += 1;
            need.never_ready -= usize::from(is_first);
            if !was_met && need.is_met() {
                launched.extend(state.satisfy(place));
            }
        });
        launched.sort_unstable_by_key(|launched: &Launched| launched.guest);
        Some(launched)
    }

    /// A guest has left for good, with a status or, if it failed, without. Returns those that wait for it in vain.
    pub(crate) fn ended(&self, guest: usize, status: Option<u8>) -> Vec<Unlaunchable> {
        let mut state = self.state.lock();
        let (part, before) = state.end(guest);
        if part == state.left_part && state.status == 0 {
            state.status = status.unwrap_or(FAILED);
        }
        let mut stranded = Vec::new();
        if part != GuestKind::Program && before != Phase::Ended && !state.stop_asked {
            stranded = state.strand_requirers(guest);
            // Without those that stand for others, nobody is missed here.
            let never_started = |guest: &Guest| !guest.was_ready && guest.part != GuestKind::Proxy;
            let mut gone = stranded
                .iter()
                .map(|stranded| stranded.guest)
                .chain([guest]);
            state.start_failed |= gone.any(|guest| never_started(&state.guests[guest]));
        }
        drop(state);
        self.changed.notify_all();
        stranded
    }

    /// A service has ended, and is made anew if it may be.
    pub(crate) fn fall(&self, guest: usize) -> Fall {
        let mut state = self.state.lock();
        let Guest {
            was_ready, lost, ..
        } = state.guests[guest];
        match lost {
            _ if !was_ready || state.stop_asked => Fall::Refused,
            Some(exporter) => Fall::Lost { exporter },
            None => {
                state.leave(guest, Phase::Fallen);
                Fall::Fallen
            }
        }
    }

    /// Whether it has ended and is to be made anew.
    pub(crate) fn is_fallen(&self, guest: usize) -> bool {
        self.state.lock().guests[guest].phase == Phase::Fallen
    }

    /// One that has fallen is there again in that life, and has not asked to be launched. `None` if it may not come
    /// back any more.
    pub(crate) fn rise(&self, guest: usize, generation: u32) -> Option<()> {
        let mut state = self.state.lock();
        if state.stop_asked || state.guests[guest].lost.is_some() {
            return None;
        }
        state.advance(guest, Phase::Fallen, Phase::Starting)?;
        state.guests[guest].generation = generation;
        Some(())
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

    /// Whether a guest is one that stays until it is told to leave: any but a program, unless the deployment ends.
    pub(crate) fn is_to_stay(&self, guest: usize) -> bool {
        let state = self.state.lock();
        state.guests[guest].part != GuestKind::Program && !state.stop_asked
    }

    /// Someone wants the deployment to end.
    pub(crate) fn ask_to_stop(&self) {
        self.state.lock().stop_asked = true;
        self.changed.notify_all();
    }

    /// Blocks until there is nothing left to wait for: the programs or else all services have ended, the start has failed, or
    /// [`Lifecycle::ask_to_stop`] was called.
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
        state
            .launched
            .iter()
            .for_each(|guest| never[*guest] = false);
        let never = (0..state.guests.len()).filter(|guest| never[*guest]).rev();
        let order = never.chain(state.launched.iter().rev().copied());
        order
            .filter(|guest| state.guests[*guest].phase != Phase::Ended)
            .collect()
    }

    /// Blocks until the guest has ended, or until then. Returns whether it has.
    pub(crate) fn wait_until_ended(&self, guest: usize, until: Instant) -> bool {
        let mut state = self.state.lock();
        while state.guests[guest].phase != Phase::Ended {
            if self
                .changed
                .wait_for(&mut state, until.saturating_duration_since(Instant::now()))
                .timed_out()
            {
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
impl LifecycleState {
    /// Takes a guest from one phase to the next; `None` if it is in another.
    fn advance(&mut self, guest: usize, from: Phase, to: Phase) -> Option<()> {
        let phase = &mut self.guests[guest].phase;
        (*phase == from).then(|| *phase = to)
    }

    /// Launches a guest that waits, if all that it requires is ready.
    fn launch_if_complete(&mut self, guest: usize) -> Option<Launched> {
        if self.guests[guest].missing > 0 {
            return None;
        }
        self.advance(guest, Phase::Waiting, Phase::Launched)?;
        // One that is made anew keeps its place: those that require it are there already, and are to be stopped before it.
        if !self.guests[guest].was_ready {
            self.launched.push(guest);
        }
        Some(Launched {
            guest,
            generation: self.guests[guest].generation,
        })
    }

    /// Takes a guest to its last phase, and returns its part and the phase that it was in.
    fn end(&mut self, guest: usize) -> (GuestKind, Phase) {
        let part = self.guests[guest].part;
        let phase = self.leave(guest, Phase::Ended);
        if phase != Phase::Ended && part == self.left_part {
            self.left -= 1;
        }
        (part, phase)
    }

    /// Takes a guest, which is gone, to that phase, and returns the one that it was in.
    fn leave(&mut self, guest: usize, to: Phase) -> Phase {
        let phase = std::mem::replace(&mut self.guests[guest].phase, to);
        if phase == Phase::Ready {
            self.each_need_of(guest, |state, place| {
                let need = &mut state.needs[place];
                let was_met = need.is_met();
                need.ready -= 1;
                if was_met && !need.is_met() {
                    need.need
                        .required_by
                        .iter()
                        .for_each(|requirer| state.guests[*requirer].missing += 1);
                }
            });
        }
        phase
    }

    /// Does something for each need that a guest helps to meet.
    fn each_need_of(&mut self, guest: usize, mut act: impl FnMut(&mut Self, usize)) {
        let serves = std::mem::take(&mut self.guests[guest].serves);
        serves.iter().for_each(|need| act(self, *need));
        self.guests[guest].serves = serves;
    }

    /// A need is met from now on. Returns those that are launched.
    fn satisfy(&mut self, place: usize) -> Vec<Launched> {
        let required_by = std::mem::take(&mut self.needs[place].need.required_by);
        let launched = required_by.iter().filter_map(|waiting| {
            self.guests[*waiting].missing -= 1;
            self.launch_if_complete(*waiting)
        });
        let launched = launched.collect();
        self.needs[place].need.required_by = required_by;
        launched
    }

    /// Writes down for those that require this guest, and nobody else who is left, that it is gone for good, and returns those of them that
    /// are stranded.
    fn strand_requirers(&mut self, lost: usize) -> Vec<Unlaunchable> {
        let is_over = |exporter: &usize| self.guests[*exporter].phase == Phase::Ended;
        let needs = self.guests[lost]
            .serves
            .iter()
            .map(|place| &self.needs[*place].need);
        let lost_needs = needs.filter(|need| need.exporters.iter().all(is_over));
        let mut requirers: Vec<usize> = lost_needs
            .flat_map(|need| need.required_by.iter().copied())
            .collect();
        requirers.sort_unstable();
        requirers.dedup();
        requirers
            .iter()
            .for_each(|requirer| self.guests[*requirer].lost = Some(lost));
        let is_stranded = |guest: &usize| match &self.guests[*guest] {
            Guest {
                part: GuestKind::Proxy,
                phase,
                ..
            } => *phase != Phase::Ended,
            Guest { phase, .. } => *phase < Phase::Launched,
        };
        let stranded = requirers.into_iter().filter(is_stranded).map(|guest| {
            let Guest {
                phase, was_ready, ..
            } = self.guests[guest];
            Unlaunchable {
                guest,
                phase,
                was_ready,
            }
        });
        stranded.collect()
    }

    fn unready(&self) -> Vec<Unready> {
        if self.is_over() {
            return Vec::new();
        }
        let holds_up = |guest: &Guest| match guest.part {
            GuestKind::Service | GuestKind::Proxy => guest.phase < Phase::Ready && !guest.was_ready,
            GuestKind::Program => guest.phase == Phase::Waiting,
        };
        let mut unready: Vec<_> = (0..self.guests.len())
            .filter(|guest| holds_up(&self.guests[*guest]))
            .map(|guest| Unready {
                guest,
                phase: self.guests[guest].phase,
                lacks: Vec::new(),
            })
            .collect();
        for exporter in
            (0..self.guests.len()).filter(|guest| self.guests[*guest].phase != Phase::Ready)
        {
            let unmet = self.guests[exporter]
                .serves
                .iter()
                .map(|place| &self.needs[*place]);
            for requirer in unmet
                .filter(|need| !need.is_met())
                .flat_map(|need| &need.need.required_by)
            {
                let Ok(place) = unready.binary_search_by_key(requirer, |unready| unready.guest)
                else {
                    continue;
                };
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `app` requires `kitchen` twice and `store`, `kitchen` requires `store`.
    fn lifecycle() -> Lifecycle {
        let need = |exporters: &[usize], required_by: &[usize]| Dependency {
            exporters: exporters.to_vec(),
            required_by: required_by.to_vec(),
        };
        let parts = vec![GuestKind::Program, GuestKind::Service, GuestKind::Service];
        Lifecycle::new(
            parts,
            vec![need(&[1], &[0]), need(&[2], &[0, 1]), need(&[1], &[0])],
        )
    }

    /// These are launched in their first life.
    fn first<const N: usize>(guests: [usize; N]) -> Option<Vec<Launched>> {
        Some(
            guests
                .map(|guest| Launched {
                    guest,
                    generation: 0,
                })
                .into(),
        )
    }

    fn unready(guest: usize, phase: Phase, lacks: &[usize]) -> Unready {
        Unready {
            guest,
            phase,
            lacks: lacks.to_vec(),
        }
    }

    #[test]
    fn the_start_waits_for_services_and_for_programs_that_have_asked() {
        let lifecycle = lifecycle();
        let services = || {
            [
                unready(1, Phase::Starting, &[2]),
                unready(2, Phase::Starting, &[]),
            ]
        };
        assert_eq!(lifecycle.unready(), services());
        assert_eq!(lifecycle.ask(0), Some(vec![]));
        let [kitchen, store] = services();
        assert_eq!(
            lifecycle.unready(),
            [unready(0, Phase::Waiting, &[1, 2]), kitchen, store]
        );
    }

    #[test]
    fn a_start_is_complete_once_all_are_ready() {
        let lifecycle = lifecycle();
        assert_eq!(
            (lifecycle.ask(0), lifecycle.ask(1), lifecycle.ask(2)),
            (Some(vec![]), Some(vec![]), first([2]))
        );
        assert_eq!(lifecycle.ready(2), first([1]));
        let kitchen = || unready(1, Phase::Launched, &[]);
        assert_eq!(
            lifecycle.unready(),
            [unready(0, Phase::Waiting, &[1]), kitchen()]
        );
        assert_eq!(lifecycle.ready(1), first([0]));
        assert_eq!(lifecycle.unready(), []);
        assert!(!lifecycle.give_up_start());
        assert_eq!(lifecycle.status(), 0);
    }

    #[test]
    fn a_start_that_is_given_up_ends_the_deployment_with_a_status_of_its_own() {
        let lifecycle = lifecycle();
        assert!(lifecycle.give_up_start());
        lifecycle.wait_until_over();
        assert_eq!(lifecycle.status(), TIMED_OUT);
        assert_eq!(
            lifecycle.unready(),
            [],
            "nobody waits for a deployment that ends"
        );
        lifecycle.ended(0, Some(7));
        assert_eq!(lifecycle.status(), TIMED_OUT);
    }

    /// The same once both services are ready and the program waits for nothing but its own asking.
    fn ready_lifecycle() -> Lifecycle {
        let lifecycle = lifecycle();
        assert_eq!(
            (lifecycle.ask(2), lifecycle.ready(2)),
            (first([2]), Some(vec![]))
        );
        assert_eq!(
            (lifecycle.ask(1), lifecycle.ready(1)),
            (first([1]), Some(vec![]))
        );
        lifecycle
    }

    #[test]
    fn one_that_was_ready_falls_and_is_launched_again_while_others_wait_for_it() {
        let lifecycle = ready_lifecycle();
        assert_eq!(lifecycle.fall(2), Fall::Fallen);
        assert_eq!(
            lifecycle.ask(0),
            Some(vec![]),
            "it requires what has fallen"
        );
        assert_eq!(lifecycle.unready(), [unready(0, Phase::Waiting, &[2])]);
        assert_eq!(lifecycle.rise(2, 1), Some(()));
        assert_eq!(lifecycle.rise(2, 1), None);
        assert_eq!(
            lifecycle.ask(2),
            Some(vec![Launched {
                guest: 2,
                generation: 1
            }])
        );
        assert_eq!(lifecycle.ready(2), first([0]));
        assert_eq!(lifecycle.unready(), []);
        assert_eq!(
            lifecycle.stop_order(),
            [0, 1, 2],
            "the last launched first, and each before what it requires"
        );
    }

    #[test]
    fn one_that_never_was_ready_does_not_fall() {
        let lifecycle = lifecycle();
        assert_eq!(lifecycle.ask(2), first([2]));
        assert_eq!(lifecycle.fall(2), Fall::Refused);
    }

    #[test]
    fn nobody_comes_back_once_the_deployment_ends() {
        let lifecycle = ready_lifecycle();
        assert_eq!(lifecycle.fall(2), Fall::Fallen);
        lifecycle.ask_to_stop();
        assert_eq!(lifecycle.rise(2, 1), None);
        assert_eq!(lifecycle.fall(1), Fall::Refused);
        lifecycle.wait_until_over();
        assert_eq!(
            lifecycle.stop_order(),
            [0, 1],
            "one that has fallen is not waited for"
        );
    }

    #[test]
    fn those_that_wait_for_one_that_is_lost_for_good_are_told() {
        let lifecycle = ready_lifecycle();
        assert_eq!(lifecycle.fall(2), Fall::Fallen);
        assert_eq!(lifecycle.ask(0), Some(vec![]));
        assert_eq!(
            lifecycle.ended(2, None),
            [Unlaunchable {
                guest: 0,
                phase: Phase::Waiting,
                was_ready: false
            }]
        );
        assert_eq!(lifecycle.status(), FAILED);
    }

    #[test]
    fn one_that_is_made_anew_is_stranded_when_what_it_requires_is_gone_for_good() {
        for (steps, phase) in [
            (0, Phase::Fallen),
            (1, Phase::Starting),
            (2, Phase::Waiting),
        ] {
            let lifecycle = ready_lifecycle();
            assert_eq!(lifecycle.ask(0), first([0]));
            assert_eq!(
                (lifecycle.fall(1), lifecycle.fall(2)),
                (Fall::Fallen, Fall::Fallen)
            );
            if steps > 0 {
                assert_eq!(lifecycle.rise(1, 1), Some(()));
            }
            if steps > 1 {
                assert_eq!(lifecycle.ask(1), Some(vec![]));
            }
            assert_eq!(
                lifecycle.ended(2, None),
                [Unlaunchable {
                    guest: 1,
                    phase,
                    was_ready: true
                }]
            );
            assert_eq!(lifecycle.rise(1, 1), None, "it could never be launched");
        }
    }

    #[test]
    fn one_that_ends_after_what_it_requires_is_gone_for_good_does_not_come_back() {
        let lifecycle = ready_lifecycle();
        assert_eq!(lifecycle.ask(0), first([0]));
        assert_eq!(lifecycle.ended(2, Some(0)), []);
        assert_eq!(lifecycle.fall(1), Fall::Lost { exporter: 2 });
    }

    #[test]
    fn the_status_is_that_of_the_programs_or_without_programs_of_the_services() {
        let status = |part, ends: [Option<u8>; 2]| {
            let lifecycle = Lifecycle::new(vec![part; 2], Vec::new());
            for (guest, end) in ends.into_iter().enumerate() {
                assert_eq!(
                    (lifecycle.ask(guest), lifecycle.ready(guest)),
                    (first([guest]), Some(vec![]))
                );
                lifecycle.ended(guest, end);
            }
            lifecycle.wait_until_over();
            lifecycle.status()
        };
        for part in [GuestKind::Program, GuestKind::Service] {
            assert_eq!(status(part, [Some(0), Some(0)]), 0);
            assert_eq!(status(part, [Some(7), Some(8)]), 7);
            assert_eq!(status(part, [Some(0), None]), FAILED);
        }
    }

    /// A service, and what stands for those who call it from elsewhere, both ready.
    fn life_with_gateway() -> Lifecycle {
        let lifecycle = Lifecycle::new(
            vec![GuestKind::Service, GuestKind::Proxy],
            vec![Dependency {
                exporters: vec![0],
                required_by: vec![1],
            }],
        );
        assert_eq!(
            (lifecycle.ask(1), lifecycle.ask(0), lifecycle.ready(0)),
            (Some(vec![]), first([0]), first([1]))
        );
        lifecycle
    }

    #[test]
    fn what_stands_for_others_does_not_keep_a_deployment_alive() {
        let lifecycle = life_with_gateway();
        assert_eq!(lifecycle.ready(1), Some(vec![]));
        assert_eq!(
            lifecycle.stop_order(),
            [1, 0],
            "calls of others end before what they call"
        );
        lifecycle.ended(0, Some(3));
        lifecycle.wait_until_over();
        assert_eq!(lifecycle.status(), 3);
    }

    #[test]
    fn who_stands_for_callers_of_what_is_gone_for_good_is_told_in_each_phase_and_no_start_fails_for_it()
     {
        for (is_ready, phase) in [(false, Phase::Launched), (true, Phase::Ready)] {
            let lifecycle = life_with_gateway();
            if is_ready {
                assert_eq!(lifecycle.ready(1), Some(vec![]));
            }
            assert_eq!(
                lifecycle.ended(0, Some(0)),
                [Unlaunchable {
                    guest: 1,
                    phase,
                    was_ready: is_ready
                }]
            );
            assert_eq!(lifecycle.ended(1, Some(0)), []);
            assert_eq!(lifecycle.status(), 0);
        }
    }

    /// `app` and `late` require what both `one` and `two` export.
    fn replicated_life() -> Lifecycle {
        let parts = vec![
            GuestKind::Program,
            GuestKind::Program,
            GuestKind::Service,
            GuestKind::Service,
        ];
        Lifecycle::new(
            parts,
            vec![Dependency {
                exporters: vec![2, 3],
                required_by: vec![0, 1],
            }],
        )
    }

    /// The same once both services are ready.
    fn ready_replicated_life() -> Lifecycle {
        let lifecycle = replicated_life();
        assert_eq!(
            (lifecycle.ask(2), lifecycle.ready(2)),
            (first([2]), Some(vec![]))
        );
        assert_eq!(
            (lifecycle.ask(3), lifecycle.ready(3)),
            (first([3]), Some(vec![]))
        );
        lifecycle
    }

    #[test]
    fn a_guest_is_launched_once_all_exporters_of_a_service_are_ready() {
        let lifecycle = replicated_life();
        assert_eq!(
            (lifecycle.ask(0), lifecycle.ask(2), lifecycle.ask(3)),
            (Some(vec![]), first([2]), first([3]))
        );
        assert_eq!(lifecycle.ready(2), Some(vec![]));
        assert_eq!(lifecycle.unready()[0], unready(0, Phase::Waiting, &[3]));
        assert_eq!(lifecycle.ready(3), first([0]));
    }

    #[test]
    fn one_exporter_that_is_there_is_enough_for_guests_that_come_later() {
        let lifecycle = ready_replicated_life();
        assert_eq!(lifecycle.fall(2), Fall::Fallen);
        assert_eq!(lifecycle.ask(0), first([0]), "the other is there");
        assert_eq!(lifecycle.fall(3), Fall::Fallen);
        assert_eq!(lifecycle.ask(1), Some(vec![]));
        assert_eq!(lifecycle.unready(), [unready(1, Phase::Waiting, &[2, 3])]);
        assert_eq!(lifecycle.ended(2, None), [], "the other may come back");
        assert_eq!(lifecycle.rise(3, 1), Some(()));
        assert_eq!(
            (lifecycle.ask(3), lifecycle.ready(3)),
            (
                Some(vec![Launched {
                    guest: 3,
                    generation: 1
                }]),
                first([1])
            )
        );
    }

    #[test]
    fn those_that_wait_are_told_when_the_last_exporter_is_lost_for_good() {
        let lifecycle = ready_replicated_life();
        assert_eq!(
            (lifecycle.fall(2), lifecycle.fall(3)),
            (Fall::Fallen, Fall::Fallen)
        );
        assert_eq!(
            (lifecycle.ask(0), lifecycle.ask(1)),
            (Some(vec![]), Some(vec![]))
        );
        assert_eq!(lifecycle.ended(2, None), []);
        let stranded = |guest| Unlaunchable {
            guest,
            phase: Phase::Waiting,
            was_ready: false,
        };
        assert_eq!(lifecycle.ended(3, None), [stranded(0), stranded(1)]);
        assert_eq!(lifecycle.status(), FAILED);
    }

    #[test]
    fn an_early_restart_does_not_block_requirers() {
        let lifecycle = replicated_life();
        assert_eq!(lifecycle.ask(0), Some(vec![]));
        assert_eq!(
            (lifecycle.ask(2), lifecycle.ready(2)),
            (first([2]), Some(vec![]))
        );
        assert_eq!(lifecycle.ask(3), first([3]));
        assert_eq!(
            (lifecycle.fall(2), lifecycle.rise(2, 1)),
            (Fall::Fallen, Some(()))
        );
        assert_eq!(lifecycle.ask(2).map(|launched| launched.len()), Some(1));
        assert_eq!(lifecycle.ready(2), Some(vec![]));
        assert_eq!(
            lifecycle.ready(3),
            first([0]),
            "both exporters have been ready"
        );
    }
}
