//! State of all guests, and the transitions between their phases.
//!
//! Four values are derived from the phases and updated with each transition, so that a transition
//! costs time for the guest's own dependencies and requirers only, not for all guests: a deployment
//! of ten thousand guests starts and stops in ten thousand steps.
//!
//! | value | definition |
//! |---|---|
//! | `DependencyState::ready` | exporters in the phase `Ready` |
//! | `DependencyState::never_ready` | exporters that have never been ready |
//! | `Guest::unmet` | dependencies of the guest that are not met |
//! | `LifecycleState::remaining` | guests of the deciding kinds that have not ended |
//!
//! [`LifecycleState::debug_assert_invariants`] recounts all four in debug builds.

use crate::kernel::lifecycle::phase::{
    Dependency, FAILED, GuestKind, Launched, Phase, RestartPermit, Unlaunchable, Unready,
};

/// Largest deployment whose invariants are checked in debug builds. The check visits all guests
/// after each transition, so that the time of a start would grow with the square of their number.
const CHECKED_GUESTS_MAX: usize = 64;

/// State of a deployment's guests.
pub(super) struct LifecycleState {
    pub(super) guests: Vec<Guest>,
    dependencies: Vec<DependencyState>,
    /// Guests in the order of their first launch.
    pub(super) launched: Vec<usize>,
    /// Number of guests of the deciding kinds that have not ended. The last one ends the
    /// deployment.
    remaining: usize,
    /// Kinds of the guests whose end ends the deployment: programs if there are any, else services
    /// and workers.
    deciding_kinds: &'static [GuestKind],
    /// First exit status of the deciding guests that was not 0, or 0.
    pub(super) status: u8,
    /// A service ended before it was ready, so that its requirers can never start.
    pub(super) start_failed: bool,
    /// Set until the completion of the start has been reported; never set with a program, whose
    /// output shows that it runs.
    reports_start: bool,
    /// The start failed because it exceeded its deadline.
    pub(super) start_timed_out: bool,
    pub(super) is_stopping: bool,
}

/// State of one guest.
pub(super) struct Guest {
    pub(super) kind: GuestKind,
    pub(super) phase: Phase,
    /// Generation that requested its launch: see [`crate::kernel::instance::Instance::reopen`].
    pub(super) generation: u32,
    /// The guest has been ready, or is a worker that was launched. From then on, the guest can be
    /// restarted, and the start does not wait for the guest itself.
    was_ready: bool,
    /// Number of the guest's dependencies that are not met.
    pub(super) unmet: usize,
    /// The last exporter that has ended permanently, of a dependency whose exporters have all ended
    /// permanently. Such a dependency can never be met again.
    pub(super) lost_exporter: Option<usize>,
    /// Indices of the dependencies that the guest is an exporter of.
    exports: Vec<usize>,
}

/// State of a dependency.
struct DependencyState {
    dependency: Dependency,
    /// Number of exporters that have never been ready.
    never_ready: usize,
    /// Number of exporters that are ready now.
    ready: usize,
}

impl DependencyState {
    /// Returns `true` if requirers may be launched: one exporter is ready, and each exporter has
    /// been ready, so that none of them has failed the start.
    fn is_met(&self) -> bool {
        self.never_ready == 0 && self.ready > 0
    }
}

impl Guest {
    fn new(kind: GuestKind) -> Self {
        Guest {
            kind,
            phase: Phase::Starting,
            generation: 0,
            was_ready: false,
            unmet: 0,
            lost_exporter: None,
            exports: Vec::new(),
        }
    }

    /// Returns `true` if the start is not complete because of this guest.
    fn delays_start(&self) -> bool {
        match self.kind {
            GuestKind::Service | GuestKind::Proxy => self.phase < Phase::Ready && !self.was_ready,
            GuestKind::Program | GuestKind::Worker => self.phase == Phase::Waiting,
        }
    }

    /// Returns `true` if the loss of a dependency affects the guest: the guest waits for its
    /// launch; or the guest is a proxy, whose callers must be notified of the loss.
    fn needs_dependency(&self) -> bool {
        match self.kind {
            GuestKind::Proxy => self.phase != Phase::Ended,
            GuestKind::Service | GuestKind::Program | GuestKind::Worker => {
                self.phase < Phase::Launched
            }
        }
    }
}

impl LifecycleState {
    pub(super) fn new(kinds: Vec<GuestKind>, dependencies: Vec<Dependency>) -> Self {
        let deciding_kinds: &[GuestKind] = if kinds.contains(&GuestKind::Program) {
            &[GuestKind::Program]
        } else {
            &[GuestKind::Service, GuestKind::Worker]
        };
        let remaining = kinds
            .iter()
            .filter(|kind| deciding_kinds.contains(kind))
            .count();
        let mut guests: Vec<Guest> = kinds.into_iter().map(Guest::new).collect();
        for (index, dependency) in dependencies.iter().enumerate() {
            for exporter in &dependency.exporters {
                guests[*exporter].exports.push(index);
            }
            for requirer in &dependency.required_by {
                guests[*requirer].unmet += 1;
            }
        }
        let dependencies = dependencies
            .into_iter()
            .map(|dependency| DependencyState {
                never_ready: dependency.exporters.len(),
                ready: 0,
                dependency,
            })
            .collect();
        let state = LifecycleState {
            guests,
            dependencies,
            launched: Vec::new(),
            remaining,
            deciding_kinds,
            status: 0,
            reports_start: !deciding_kinds.contains(&GuestKind::Program),
            start_failed: false,
            start_timed_out: false,
            is_stopping: false,
        };
        state.debug_assert_invariants();
        state
    }

    /// Moves a guest from one phase to another; `None` if the guest is in a different phase.
    pub(super) fn advance(&mut self, guest: usize, from: Phase, to: Phase) -> Option<()> {
        let phase = &mut self.guests[guest].phase;
        (*phase == from).then(|| *phase = to)
    }

    /// Launches a waiting guest if all its dependencies are met.
    pub(super) fn launch_if_complete(&mut self, guest: usize) -> Option<Launched> {
        if self.guests[guest].unmet > 0 {
            return None;
        }
        self.advance(guest, Phase::Waiting, Phase::Launched)?;
        // A restarted guest keeps its position: its requirers were launched after its first launch,
        // and must be stopped before the guest.
        if !self.guests[guest].was_ready {
            self.launched.push(guest);
        }
        // A worker reports nothing after its launch, so that its start is complete here.
        if self.guests[guest].kind == GuestKind::Worker {
            self.guests[guest].was_ready = true;
        }
        Some(Launched {
            guest,
            generation: self.guests[guest].generation,
        })
    }

    /// Updates the counts of the dependencies whose exporter has just become ready. Returns the
    /// guests that are launched as a result, in ascending order.
    pub(super) fn count_ready(&mut self, guest: usize) -> Vec<Launched> {
        let is_first = !self.guests[guest].was_ready;
        self.guests[guest].was_ready = true;
        let mut launched = Vec::new();
        for at in 0..self.guests[guest].exports.len() {
            let index = self.guests[guest].exports[at];
            let dependency = &mut self.dependencies[index];
            let was_met = dependency.is_met();
            dependency.ready += 1;
            dependency.never_ready -= usize::from(is_first);
            if !was_met && dependency.is_met() {
                self.satisfy(index, &mut launched);
            }
        }
        launched.sort_unstable_by_key(|launched| launched.guest);
        launched
    }

    /// Updates the counts of the requirers of a dependency that is now met. Launches the requirers
    /// whose dependencies are all met.
    fn satisfy(&mut self, index: usize, launched: &mut Vec<Launched>) {
        for at in 0..self.dependencies[index].dependency.required_by.len() {
            let requirer = self.dependencies[index].dependency.required_by[at];
            self.guests[requirer].unmet -= 1;
            launched.extend(self.launch_if_complete(requirer));
        }
    }

    /// Sets the phase `to` after the instance has ended, and returns the previous phase. If the
    /// guest was ready, updates the counts of its dependencies.
    pub(super) fn leave_ready(&mut self, guest: usize, to: Phase) -> Phase {
        let before = self.guests[guest].phase;
        self.guests[guest].phase = to;
        if before != Phase::Ready {
            return before;
        }
        for at in 0..self.guests[guest].exports.len() {
            let index = self.guests[guest].exports[at];
            let dependency = &mut self.dependencies[index];
            let was_met = dependency.is_met();
            dependency.ready -= 1;
            // A dependency that was not met before is already counted as unmet: an exporter may
            // restart before the others have been ready for the first time.
            if was_met && !dependency.is_met() {
                for requirer in &dependency.dependency.required_by {
                    self.guests[*requirer].unmet += 1;
                }
            }
        }
        before
    }

    /// Moves a guest to its last phase, and returns the previous phase.
    pub(super) fn end(&mut self, guest: usize) -> Phase {
        let before = self.leave_ready(guest, Phase::Ended);
        if before != Phase::Ended && self.deciding_kinds.contains(&self.guests[guest].kind) {
            self.remaining -= 1;
        }
        before
    }

    /// Ends a guest and returns the guests that can no longer be launched.
    pub(super) fn end_permanently(
        &mut self,
        guest: usize,
        status: Option<u8>,
    ) -> Vec<Unlaunchable> {
        let kind = self.guests[guest].kind;
        let before = self.end(guest);
        if self.deciding_kinds.contains(&kind) && self.status == 0 {
            self.status = status.unwrap_or(FAILED);
        }
        // Programs are not called, so that no guest depends on a program.
        if kind == GuestKind::Program || before == Phase::Ended || self.is_stopping {
            return Vec::new();
        }
        let unlaunchable = self.block_requirers(guest);
        let gone = unlaunchable.iter().map(|blocked| blocked.guest);
        for guest in gone.chain([guest]) {
            let Guest {
                kind, was_ready, ..
            } = self.guests[guest];
            // A deployment works without its proxies, so that a proxy never fails the start.
            self.start_failed |= !was_ready && kind != GuestKind::Proxy;
        }
        unlaunchable
    }

    /// Records the permanent end of `lost` at the requirers of each service that has no other
    /// exporter left. Returns those requirers that can no longer be launched.
    fn block_requirers(&mut self, lost: usize) -> Vec<Unlaunchable> {
        let has_ended = |exporter: &usize| self.guests[*exporter].phase == Phase::Ended;
        let mut requirers = Vec::new();
        for index in &self.guests[lost].exports {
            let dependency = &self.dependencies[*index].dependency;
            if dependency.exporters.iter().all(has_ended) {
                requirers.extend_from_slice(&dependency.required_by);
            }
        }
        requirers.sort_unstable();
        requirers.dedup();
        let mut unlaunchable = Vec::new();
        for guest in requirers {
            let requirer = &mut self.guests[guest];
            requirer.lost_exporter = Some(lost);
            if requirer.needs_dependency() {
                unlaunchable.push(Unlaunchable {
                    guest,
                    phase: requirer.phase,
                    was_ready: requirer.was_ready,
                });
            }
        }
        unlaunchable
    }

    /// Returns the proxies that require a service of the guest.
    pub(super) fn proxies_of(&self, guest: usize) -> Vec<usize> {
        let exports = self.guests[guest].exports.iter();
        exports
            .flat_map(|index| &self.dependencies[*index].dependency.required_by)
            .copied()
            .filter(|requirer| self.guests[*requirer].kind == GuestKind::Proxy)
            .collect()
    }

    /// Decides if a guest whose instance has ended may be restarted.
    pub(super) fn restart_permit(&self, guest: usize) -> RestartPermit {
        let Guest {
            was_ready,
            lost_exporter,
            ..
        } = self.guests[guest];
        if !was_ready || self.is_stopping {
            return RestartPermit::Refused;
        }
        match lost_exporter {
            Some(exporter) => RestartPermit::Lost { exporter },
            None => RestartPermit::Granted,
        }
    }

    /// Returns the guests that the start waits for, in ascending order.
    pub(super) fn unready(&self) -> Vec<Unready> {
        if self.is_over() {
            return Vec::new();
        }
        let mut unready: Vec<Unready> = (0..self.guests.len())
            .filter(|guest| self.guests[*guest].delays_start())
            .map(|guest| Unready {
                guest,
                phase: self.guests[guest].phase,
                lacks: Vec::new(),
            })
            .collect();
        for exporter in 0..self.guests.len() {
            if self.guests[exporter].phase != Phase::Ready {
                self.add_to_lacks(exporter, &mut unready);
            }
        }
        unready
    }

    /// Returns `true` once: when the start of a deployment without programs has become complete.
    pub(super) fn has_become_complete(&mut self) -> bool {
        let is_complete = self.reports_start && !self.is_over() && self.unready().is_empty();
        self.reports_start &= !is_complete;
        is_complete
    }

    /// Adds an exporter that is not ready to the guests that wait for one of its services.
    fn add_to_lacks(&self, exporter: usize, unready: &mut [Unready]) {
        for index in &self.guests[exporter].exports {
            let dependency = &self.dependencies[*index];
            if dependency.is_met() {
                continue;
            }
            for requirer in &dependency.dependency.required_by {
                let Ok(at) = unready.binary_search_by_key(requirer, |unready| unready.guest) else {
                    continue;
                };
                // Exporters come in ascending order, so a repeated exporter is the last entry.
                let lacks = &mut unready[at].lacks;
                if lacks.last() != Some(&exporter) {
                    lacks.push(exporter);
                }
            }
        }
    }

    /// Returns `true` if the deployment must end.
    pub(super) fn is_over(&self) -> bool {
        self.is_stopping || self.start_failed || self.remaining == 0
    }

    /// Recounts all derived values in debug builds.
    ///
    /// # Panics
    ///
    /// If a value differs from its definition.
    pub(super) fn debug_assert_invariants(&self) {
        if !cfg!(debug_assertions) || self.guests.len() > CHECKED_GUESTS_MAX {
            return;
        }
        let mut unmet = vec![0; self.guests.len()];
        for state in &self.dependencies {
            let exporters = || state.dependency.exporters.iter();
            let is_ready = |exporter: &&usize| self.guests[**exporter].phase == Phase::Ready;
            let was_never_ready = |exporter: &&usize| !self.guests[**exporter].was_ready;
            assert_eq!(state.ready, exporters().filter(is_ready).count());
            assert_eq!(
                state.never_ready,
                exporters().filter(was_never_ready).count()
            );
            if !state.is_met() {
                for requirer in &state.dependency.required_by {
                    unmet[*requirer] += 1;
                }
            }
        }
        for (index, guest) in self.guests.iter().enumerate() {
            assert_eq!(guest.unmet, unmet[index], "dependencies of guest {index}");
            let lost_has_ended = guest
                .lost_exporter
                .is_none_or(|exporter| self.guests[exporter].phase == Phase::Ended);
            assert!(lost_has_ended, "lost dependency of guest {index}");
        }
        let remaining = self.guests.iter().filter(|guest| {
            self.deciding_kinds.contains(&guest.kind) && guest.phase != Phase::Ended
        });
        assert_eq!(self.remaining, remaining.count());
    }
}
