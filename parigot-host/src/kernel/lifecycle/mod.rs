//! Lifecycle of the guests of a deployment: launch order, restarts, and the end.
//!
//! Each instance counts as one guest here. A guest goes through these phases:
//!
//! ```text
//!          request_launch      dependencies met        ready
//! Starting ──────────────► Waiting ────────► Launched ──────► Ready
//!    ▲                        │                 │               │
//!    │ restarted              │  begin_restart  │               │
//! Restarting ◄────────────────┴─────────────────┴───────────────┘
//!
//! any phase ──── ended ────► Ended
//! ```
//!
//! `begin_restart` also applies to `Starting` and `Restarting`: a restarted guest may fail in its
//! init turn. The test `transitions_follow_the_table` covers each phase with each event.
//!
//! A guest is launched when all its dependencies are met. A dependency is met while each exporter
//! has been ready at least once and one exporter is ready now. Guests that can be launched at the
//! same moment are launched in alphabetical order of their names.

mod phase;
mod state;
#[cfg(test)]
mod tests;

use std::time::Instant;

use parking_lot::{Condvar, Mutex};

pub use phase::FAILED;
pub(crate) use phase::{
    Dependency, GuestKind, Launched, Phase, RestartPermit, TIMED_OUT, Unlaunchable, Unready,
};
use state::LifecycleState;

/// Phases of all guests of a deployment, by index.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `state` | its mutex | workers, the restart and start threads | the same, `Running::wait` |
/// | `changed` | - | each event that may end the deployment or a guest | `Running::wait` |
///
/// Events are rare (a few per guest), so one lock for all guests is enough.
pub(crate) struct Lifecycle {
    state: Mutex<LifecycleState>,
    changed: Condvar,
}

impl Lifecycle {
    /// Creates the lifecycle of guests of these kinds, all of them starting.
    ///
    /// The guests are in alphabetical order of their names, with the proxies at the end, because
    /// the order of indices is the order of the launch.
    pub(crate) fn new(kinds: Vec<GuestKind>, dependencies: Vec<Dependency>) -> Self {
        Lifecycle {
            state: Mutex::new(LifecycleState::new(kinds, dependencies)),
            changed: Condvar::new(),
        }
    }

    /// Handles a guest's request to be launched. Returns the guests to notify of their launch, or
    /// `None` if the guest has already requested its launch.
    pub(crate) fn request_launch(&self, guest: usize) -> Option<Vec<Launched>> {
        let mut state = self.state.lock();
        state.advance(guest, Phase::Starting, Phase::Waiting)?;
        let launched = state.launch_if_complete(guest);
        state.debug_assert_invariants();
        Some(launched.into_iter().collect())
    }

    /// Handles the report of a guest that it is ready. Returns the guests to notify of their
    /// launch, or `None` if the guest was not launched or is already ready.
    pub(crate) fn ready(&self, guest: usize) -> Option<Vec<Launched>> {
        let mut state = self.state.lock();
        state.advance(guest, Phase::Launched, Phase::Ready)?;
        let launched = state.count_ready(guest);
        state.debug_assert_invariants();
        Some(launched)
    }

    /// Handles the permanent end of a guest. A failed guest has no exit status. Returns the guests
    /// that can no longer be launched.
    pub(crate) fn ended(&self, guest: usize, status: Option<u8>) -> Vec<Unlaunchable> {
        let mut state = self.state.lock();
        let unlaunchable = state.end_permanently(guest, status);
        state.debug_assert_invariants();
        drop(state);
        self.changed.notify_all();
        unlaunchable
    }

    /// Handles the end of an instance that the restart policy covers. The guest waits for its
    /// restart if the permit is granted.
    pub(crate) fn begin_restart(&self, guest: usize) -> RestartPermit {
        let mut state = self.state.lock();
        let permit = state.restart_permit(guest);
        if permit == RestartPermit::Granted {
            state.leave_ready(guest, Phase::Restarting);
        }
        state.debug_assert_invariants();
        permit
    }

    /// Returns `true` if the guest waits for its restart.
    pub(crate) fn is_restarting(&self, guest: usize) -> bool {
        self.state.lock().guests[guest].phase == Phase::Restarting
    }

    /// Handles the creation of a new instance for a restarting guest: the guest starts again, with
    /// `generation`. Returns `None` if the guest must not be restarted any more.
    pub(crate) fn restarted(&self, guest: usize, generation: u32) -> Option<()> {
        let mut state = self.state.lock();
        if state.is_stopping || state.guests[guest].lost_exporter.is_some() {
            return None;
        }
        state.advance(guest, Phase::Restarting, Phase::Starting)?;
        state.guests[guest].generation = generation;
        state.debug_assert_invariants();
        Some(())
    }

    /// Returns `true` if all dependencies of the guest are met.
    pub(crate) fn is_served(&self, guest: usize) -> bool {
        self.state.lock().guests[guest].unmet == 0
    }

    /// Returns the proxies that require a service of the guest.
    pub(crate) fn proxies_of(&self, guest: usize) -> Vec<usize> {
        self.state.lock().proxies_of(guest)
    }

    /// Returns the guests that the start waits for, in ascending order: services that are not
    /// ready, and programs and workers that wait for their launch. Empty once the start is complete
    /// or the deployment is ending.
    pub(crate) fn unready(&self) -> Vec<Unready> {
        self.state.lock().unready()
    }

    /// Returns `true` once: when the start of a deployment without programs has become complete.
    pub(crate) fn has_become_complete(&self) -> bool {
        self.state.lock().has_become_complete()
    }

    /// Fails a start that exceeded its deadline. Returns `false` if the start is complete or the
    /// deployment is ending.
    pub(crate) fn give_up_start(&self) -> bool {
        let mut state = self.state.lock();
        if state.unready().is_empty() {
            return false;
        }
        state.start_failed = true;
        state.start_timed_out = true;
        self.changed.notify_all();
        true
    }

    /// Returns `true` if the guest is expected to run until the host stops it: any guest
    /// without a `main` function, while the deployment is not stopping.
    pub(crate) fn must_keep_running(&self, guest: usize) -> bool {
        let state = self.state.lock();
        let has_main = matches!(
            state.guests[guest].kind,
            GuestKind::Program | GuestKind::Worker
        );
        !has_main && !state.is_stopping
    }

    /// Returns `true` if the guest can wait for nothing but a call or a timer: it does not wait for
    /// its launch, and the deployment is not stopping.
    pub(crate) fn is_left_alone(&self, guest: usize) -> bool {
        let state = self.state.lock();
        !state.is_stopping && state.guests[guest].phase != Phase::Waiting
    }

    /// Requests the end of the deployment.
    pub(crate) fn ask_to_stop(&self) {
        self.state.lock().is_stopping = true;
        self.changed.notify_all();
    }

    /// Blocks until the deployment is over: the programs, or without programs all services, have
    /// ended; the start has failed; or [`Lifecycle::ask_to_stop`] was called. Returns `true` if all
    /// programs have ended.
    pub(crate) fn wait_until_over(&self) -> bool {
        let mut state = self.state.lock();
        while !state.is_over() {
            self.changed.wait(&mut state);
        }
        // From here on, each guest ends because the host stops it, and no guest is restarted. The
        // guests that wait for a restart have no instance to stop, so they end here.
        state.is_stopping = true;
        for guest in 0..state.guests.len() {
            if state.guests[guest].phase == Phase::Restarting {
                state.end(guest);
            }
        }
        state.debug_assert_invariants();
        let mut guests = state.guests.iter();
        guests.all(|guest| guest.kind != GuestKind::Program || guest.phase == Phase::Ended)
    }

    /// Returns the guests that have not ended, in the order to stop them: first the guests that
    /// were never launched, then the launched ones, last launched first. A guest is thus stopped
    /// before its dependencies.
    pub(crate) fn stop_order(&self) -> Vec<usize> {
        let state = self.state.lock();
        let mut never_launched = vec![true; state.guests.len()];
        for guest in &state.launched {
            never_launched[*guest] = false;
        }
        (0..state.guests.len())
            .rev()
            .filter(|guest| never_launched[*guest])
            .chain(state.launched.iter().rev().copied())
            .filter(|guest| state.guests[*guest].phase != Phase::Ended)
            .collect()
    }

    /// Blocks until the guest has ended, at most until `until`. Returns `true` if it has ended.
    pub(crate) fn wait_until_ended(&self, guest: usize, until: Instant) -> bool {
        let mut state = self.state.lock();
        while state.guests[guest].phase != Phase::Ended {
            let remaining = until.saturating_duration_since(Instant::now());
            if self.changed.wait_for(&mut state, remaining).timed_out() {
                return state.guests[guest].phase == Phase::Ended;
            }
        }
        true
    }

    /// Returns the exit status of the deployment.
    pub(crate) fn status(&self) -> u8 {
        let state = self.state.lock();
        match state.status {
            _ if state.start_timed_out => TIMED_OUT,
            0 if state.start_failed => FAILED,
            status => status,
        }
    }
}
