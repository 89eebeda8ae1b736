//! Boot: takes a deployment through the stages of the start, up to instances that are ready to
//! launch.
//!
//! | stage | file | result |
//! |---|---|---|
//! | compile | `compile/modules.rs` | [`CompiledGuests`]: one factory of instances per guest |
//! | instantiate | `guest/code.rs` | an instance that has not run a turn |
//! | init | `kernel/init_turn.rs` | `InitOutput`: manifest and other frames of the init turn |
//! | declare | `declare.rs` | `DeclaredGuests`: all guests of the process |
//! | bind | `bind.rs` | [`BoundGuests`]: each requirement with its exporters |
//! | replicate | `boot.rs` | `Replica`: the other instances of replicated guests |
//! | bind instances | `bind.rs` | [`BootedDeployment`]: instances with routes for their calls |
//! | launch | `kernel/lifecycle/` | each instance launches once its requirements are ready |

use std::sync::Arc;

use parigot_abi::Manifest;

use crate::compile::modules::CompiledGuests;
use crate::deployment::{Deployment, GuestSpec};
use crate::descriptors::pool;
use crate::error::{GuestFault, StartError, StartProblem, ThreadError};
use crate::guest::epoch_ticker::EpochTicker;
use crate::kernel::init_turn::InitTurn;
use crate::kernel::instance::Instance;
use crate::kernel::lifecycle::Lifecycle;
use crate::kernel::proxy_waker::ProxyWaker;
use crate::kernel::supervisor::SupervisedService;
use crate::log::events;
use crate::random::Randomness;
use crate::settings::Settings;
use crate::start::Exported;
use crate::start::bind::{BoundGuests, Replica, bind_instance, dependencies, instance_ranges};
use crate::start::declare::{DeclaredGuest, Declarer, Proxy, declare_all};

/// Deployment whose instances are bound to each other and ready to launch. No worker runs yet.
pub(crate) struct BootedDeployment {
    pub(crate) lifecycle: Lifecycle,
    pub(crate) instances: Vec<Instance>,
    /// Rest of the init turn of each instance.
    pub(crate) init_turns: Vec<InitTurn>,
    /// Ticker that watches the budgets of the instances.
    pub(crate) epoch_ticker: EpochTicker,
    /// Exports of all guests of this process.
    pub(crate) exports: Vec<Exported>,
    /// Supervision state of each instance; `None` for an instance that is never restarted.
    pub(crate) supervised: Vec<Option<Box<SupervisedService>>>,
    /// Wakers of the proxies, which are the last instances.
    pub(crate) wakers: Vec<Arc<ProxyWaker>>,
}

/// Creates all guests from the result of `compiled_guests`, runs the init turn of each, adds the
/// proxies that `proxies` returns for guests of other processes, and binds all guests to each
/// other.
///
/// # Errors
///
/// With all problems of the first stage that failed.
pub(crate) fn boot(
    deployment: &Deployment,
    compiled_guests: impl FnOnce() -> Result<CompiledGuests, ThreadError>,
    proxies: impl FnOnce(&[DeclaredGuest<'_>]) -> Result<Vec<Proxy>, StartError>,
    settings: &Settings,
    randomness: &Randomness,
) -> Result<BootedDeployment, StartError> {
    let mut declared = declare_all(deployment, compiled_guests, settings, randomness);
    // A proxy stands for each service without a local exporter. The exports of failed guests are
    // unknown, so those services are unknown too.
    let proxies = match declared.problems.is_empty() {
        true => proxies(&declared.guests)?,
        false => Vec::new(),
    };
    declared.add_proxies(&proxies, settings, randomness);
    let BoundGuests {
        guests,
        graph,
        problems,
        epoch_ticker,
    } = declared.bind(deployment, &[], settings);
    StartError::unless_none(problems)?;
    for guest in guests.iter().filter(|guest| guest.factory.listens()) {
        events::listens(&guest.spec.name);
    }
    let epoch_ticker = epoch_ticker.expect("a start without instances must have a problem");
    let own_guests = deployment.guests.len();
    let exports = guests[..own_guests]
        .iter()
        .flat_map(|guest| exports(guest.spec, guest.manifest()))
        .collect();
    let ranges = instance_ranges(&guests);
    let dependencies = dependencies(&guests, &graph.bindings, &ranges);
    let awake = epoch_ticker.keep_awake();
    let replicas = replicate(guests, own_guests, settings, randomness)?;
    drop(awake);
    let mut kinds = Vec::new();
    let mut supervised = Vec::new();
    let mut instances = Vec::new();
    let mut init_turns = Vec::new();
    for (index, replica) in replicas.into_iter().enumerate() {
        let DeclaredGuest { spec, factory, .. } = &replica.instance;
        kinds.push(replica.kind());
        let manifest = replica.instance.manifest();
        supervised.push(SupervisedService::new(spec, factory, manifest));
        let bindings = &graph.bindings[replica.guest];
        let (instance, init_turn) = bind_instance(replica, index, bindings, &ranges);
        instances.push(instance);
        init_turns.push(init_turn);
    }
    Ok(BootedDeployment {
        lifecycle: Lifecycle::new(kinds, dependencies),
        instances,
        init_turns,
        epoch_ticker,
        exports,
        supervised,
        wakers: proxies.iter().map(Proxy::waker).collect(),
    })
}

/// Creates the other instances of replicated guests and runs the init turn of each. Each must
/// declare the same as the first, because all replicas share one binding.
fn replicate<'a>(
    guests: Vec<DeclaredGuest<'a>>,
    own_guests: usize,
    settings: &Settings,
    randomness: &Randomness,
) -> Result<Vec<Replica<'a>>, StartError> {
    let mut declarer = Declarer::new(settings, randomness);
    let mut replicas = Vec::new();
    let mut problems = Vec::new();
    for (guest, first) in guests.into_iter().enumerate() {
        let others: Result<Vec<_>, _> = (1..first.spec.replicas)
            .map(|_| declare_replica(&first, &mut declarer, settings))
            .collect();
        match others {
            Ok(others) => {
                let all = std::iter::once(first).chain(others);
                replicas.extend(all.map(|instance| Replica {
                    guest,
                    is_proxy: guest >= own_guests,
                    instance,
                }));
            }
            Err(problem) => problems.push(problem),
        }
    }
    StartError::unless_none(problems)?;
    Ok(replicas)
}

/// Creates one more instance of a guest.
fn declare_replica<'a>(
    first: &DeclaredGuest<'a>,
    declarer: &mut Declarer<'_>,
    settings: &Settings,
) -> Result<DeclaredGuest<'a>, StartProblem> {
    let started_ns = settings.clock.monotonic_ns();
    let replica = declarer.declare(first.spec, Arc::clone(&first.factory), started_ns)?;
    if replica.manifest() == first.manifest() {
        Ok(replica)
    } else {
        Err(StartProblem::init_turn(
            &first.spec.name,
            GuestFault::Differs,
        ))
    }
}

/// Returns the exports of one guest.
fn exports<'a>(spec: &'a GuestSpec, manifest: &'a Manifest) -> impl Iterator<Item = Exported> + 'a {
    manifest.exports.iter().map(|service| Exported {
        guest: spec.name.clone(),
        service: service.name.clone(),
        descriptors: pool::of_service(&manifest.descriptors, &service.name),
    })
}
