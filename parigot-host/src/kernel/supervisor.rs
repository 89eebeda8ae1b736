//! Data of the supervisor: the supervised services and their restart windows.
//!
//! [`restart`](crate::kernel::restart) has the rules, and acts on this data.

use std::sync::Arc;
use std::time::Duration;

use parigot_abi::Manifest;
use parking_lot::Mutex;

use crate::deployment::{GuestSpec, RestartAfter, RestartPolicy};
use crate::error::{Ending, Unavailable};
use crate::guest::code::InstanceFactory;
use crate::kernel::callees::Route;
use crate::kernel::index::InstanceIndex;
use crate::kernel::restart_window::{RestartCount, RestartWindow};
use crate::kernel::timer::Timers;
use crate::random::Randomness;
use crate::settings::Settings;

/// Supervised services of a deployment, and the timers of their restarts.
pub(crate) struct Supervisor {
    pub(super) settings: Settings,
    pub(super) randomness: Randomness,
    /// Ends of the current backoffs.
    pub(crate) timers: Arc<Timers<InstanceIndex>>,
    /// Supervised services by instance index; `None` for guests that are never restarted.
    supervised: Vec<Option<Box<SupervisedService>>>,
}

/// A service that is restarted after its end.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `spec`, `factory`, `manifest` | immutable | - | the restart thread |
/// | `state` | its mutex | the worker of the ended instance | the restart thread |
pub(crate) struct SupervisedService {
    pub(super) spec: GuestSpec,
    pub(super) factory: Arc<dyn InstanceFactory>,
    /// Manifest of the first instance. Each later instance must declare the same.
    pub(super) manifest: Manifest,
    pub(super) state: Mutex<RestartState>,
}

/// Restart state of a service.
#[derive(Default)]
pub(super) struct RestartState {
    pub(super) window: RestartWindow,
    /// Routes of the instance's calls, while no instance exists.
    pub(super) routes: Vec<Route>,
    /// End of the last instance, on the host's clock.
    pub(super) ended_ns: u64,
}

/// Decision on an instance that has ended.
pub(crate) enum RestartDecision {
    /// The service is restarted after the backoff.
    Restart { backoff: Duration },
    /// The service has failed permanently: it has exceeded its restart limit, or a dependency has
    /// ended permanently.
    Failure { why: String },
    /// The guest has ended, and the policy does not cover that end.
    Nothing,
}

impl RestartDecision {
    /// Returns the reason that callers receive from now on.
    pub(crate) fn unavailable_reason(&self, now_ns: u64) -> Unavailable {
        match self {
            RestartDecision::Restart { .. } => Unavailable::Restarting { since_ns: now_ns },
            RestartDecision::Failure { why } => Unavailable::Failed { why: why.clone() },
            RestartDecision::Nothing => Unavailable::Over,
        }
    }
}

impl Supervisor {
    /// Creates the supervisor of these services, which are in the order of the instances.
    pub(crate) fn new(
        settings: &Settings,
        seed: [u8; 32],
        supervised: Vec<Option<Box<SupervisedService>>>,
    ) -> Self {
        let timers = Timers::new(Arc::clone(&settings.clock));
        Supervisor {
            settings: settings.clone(),
            randomness: Randomness::new(Some(seed)),
            timers,
            supervised,
        }
    }

    /// Stops all restarts.
    pub(crate) fn close(&self) {
        self.timers.close();
    }

    /// Returns the supervised service of an instance; `None` if the guest is never restarted.
    pub(super) fn service(&self, place: InstanceIndex) -> Option<&SupervisedService> {
        self.supervised[place].as_deref()
    }
}

impl SupervisedService {
    /// Creates the supervised service of a guest; `None` if its policy never restarts it.
    pub(crate) fn new(
        spec: &GuestSpec,
        factory: &Arc<dyn InstanceFactory>,
        manifest: &Manifest,
    ) -> Option<Box<Self>> {
        (spec.restart.after != RestartAfter::Never).then(|| {
            Box::new(SupervisedService {
                spec: spec.clone(),
                factory: Arc::clone(factory),
                manifest: manifest.clone(),
                state: Mutex::default(),
            })
        })
    }

    /// Returns the position of the last restart in the restart window.
    pub(super) fn count(&self) -> RestartCount {
        self.state.lock().window.count(self.spec.restart)
    }
}

impl RestartPolicy {
    /// Returns `true` if the policy restarts a service after this end.
    pub(super) fn covers(&self, ending: &Ending) -> bool {
        match self.after {
            RestartAfter::Never => false,
            RestartAfter::Failure => ending.status() != Some(0),
            RestartAfter::Always => true,
        }
    }
}
