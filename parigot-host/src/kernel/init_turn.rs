//! Init turn: the first turn of an instance, in which the guest declares its manifest.
//!
//! The start and the supervisor both create instances this way. The init turn receives one frame,
//! `Start`, and must answer with the manifest before any other frame.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use parigot_abi::id::InstanceId;
use parigot_abi::manifest::Requirement;
use parigot_abi::{Frames, Kind, Manifest, Prologue, Start, VERSION};

use crate::deployment::GuestSpec;
use crate::error::{Breach, GuestFault};
use crate::guest::code::{GuestInstance, InstanceConfig, InstanceFactory, InstantiateError, Turn};
use crate::kernel::instance::InstanceState;
use crate::limits::BUDGET_MAX;
use crate::log::events;
use crate::log::guest_log::{GuestLine, GuestLog};
use crate::log::rate_limit::LogRate;
use crate::random::Randomness;
use crate::settings::Settings;

/// Parameters of an instance that is about to be created.
pub(crate) struct InstantiateParams<'a> {
    pub(crate) id: InstanceId,
    /// Zero of the instance's clock, on the host's clock.
    pub(crate) started_ns: u64,
    pub(crate) log_rate: &'a LogRate,
}

/// Output of a guest's init turn, and the instance that produced the output.
pub(crate) struct InitOutput {
    pub(crate) code: Box<dyn GuestInstance>,
    pub(crate) manifest: Manifest,
    /// Frames after the manifest.
    pub(crate) outbox: Vec<u8>,
    pub(crate) turn: Turn,
}

/// Part of an init turn that a worker carries out once the instance is bound: the frames after the
/// manifest, and the time of the next turn.
pub(crate) struct InitTurn {
    pub(crate) state: Box<InstanceState>,
    pub(crate) outbox: Vec<u8>,
    pub(crate) turn: Turn,
}

/// Creates an instance and runs its init turn.
///
/// # Errors
///
/// If a secret cannot be read, if the instance cannot be created, if the guest faults, or if the
/// guest's first frame is not a valid manifest.
pub(crate) fn init_turn(
    spec: &GuestSpec,
    factory: &dyn InstanceFactory,
    params: InstantiateParams<'_>,
    settings: &Settings,
    randomness: &Randomness,
) -> Result<InitOutput, InstantiateError> {
    let InstantiateParams {
        id,
        started_ns,
        log_rate,
    } = params;
    let prologue = Prologue {
        monotonic_ns: 0,
        wall_ns: settings.clock.wall_ns(),
    };
    let env = read_env(spec)?;
    let config = InstanceConfig {
        name: &spec.name,
        args: &spec.args,
        env: &env,
        memory_bytes_max: spec.memory_bytes,
        budget: budget(spec, settings),
        yields_on_first_tick: settings.yields_on_first_tick,
        // For every kind of guest, and before the seed of the start frame: all seeds come from one
        // generator, so their order decides the ids that a test with a fixed seed sees.
        seed: randomness.seed(),
        wall_ns: prologue.wall_ns,
    };
    let guest_log = GuestLog {
        service: &spec.name,
        instance: id,
        rate: log_rate,
    };
    let mut line = |line: &GuestLine<'_>| {
        // Dropped lines are reported with the next line or at the end, because no timer exists yet.
        let _ = guest_log.log_line(started_ns, line, None);
    };
    let mut code = factory
        .instantiate(config, &mut line)
        .inspect_err(|error| log_failure(&guest_log, error))?;
    let inbox = start_frame(spec, &env, id, settings, randomness);
    let turn = code.turn(prologue, &inbox, u32::MAX);
    if turn.is_err() {
        log_frames(&guest_log, started_ns, code.outbox());
    }
    code.take_output(turn.is_err(), &mut line);
    let turn = turn.inspect_err(|fault| events::failed_init(&guest_log, fault))?;
    let (mut manifest, outbox) = read_manifest(code.outbox())?;
    manifest
        .descriptors
        .extend_from_slice(factory.descriptors());
    code.set_manifest(&manifest);
    Ok(InitOutput {
        code,
        manifest,
        outbox,
        turn,
    })
}

/// Returns the budget of a guest. In a debugger, unoptimised code is slow, and no method has more
/// than the largest budget.
fn budget(spec: &GuestSpec, settings: &Settings) -> Duration {
    if settings.debug {
        BUDGET_MAX
    } else {
        spec.budget
    }
}

/// Logs the lines of a failed init turn, whose frames no worker routes.
fn log_frames(guest_log: &GuestLog<'_>, now_ns: u64, outbox: &[u8]) {
    for frame in Frames::new(outbox).flatten() {
        if frame.kind() == Some(Kind::Log) {
            let _ = events::guest_line(guest_log, now_ns, &frame, None);
        }
    }
}

fn log_failure(guest_log: &GuestLog<'_>, error: &InstantiateError) {
    if let InstantiateError::Fault(fault) = error {
        events::failed_init(guest_log, fault);
    }
}

/// Returns the environment variables of a guest. Secrets are read for each instance, so that a
/// restarted instance has the current ones.
fn read_env(spec: &GuestSpec) -> Result<BTreeMap<String, String>, InstantiateError> {
    spec.env
        .iter()
        .map(|(variable, value)| match value.read() {
            Ok(text) => Ok((variable.clone(), text.into_exposed())),
            Err(source) => Err(InstantiateError::Secret {
                variable: variable.clone(),
                source,
            }),
        })
        .collect()
}

/// Returns the first frame of a guest.
fn start_frame(
    spec: &GuestSpec,
    env: &BTreeMap<String, String>,
    id: InstanceId,
    settings: &Settings,
    randomness: &Randomness,
) -> Vec<u8> {
    let start = Start {
        host: VERSION,
        message_bytes_max: settings.message_bytes_max,
        seed: randomness.seed(),
        instance: id.to_wire(),
        descriptors: settings.descriptors,
        settings: Vec::new(),
        args: spec.args.iter().map(String::as_str).collect(),
        env: env
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect(),
    };
    let mut frame = Vec::new();
    start
        .write(&mut frame)
        .expect("a deployment file must be shorter than 4 GiB");
    frame
}

/// Splits a first outbox into the manifest and the rest.
fn read_manifest(outbox: &[u8]) -> Result<(Manifest, Vec<u8>), GuestFault> {
    let mut frames = Frames::new(outbox);
    match frames.next().transpose()? {
        Some(frame) if frame.kind() == Some(Kind::Manifest) => {
            let manifest = Manifest::read(frame.payload).map_err(GuestFault::Manifest)?;
            check_names(&manifest)?;
            Ok((manifest, outbox[frames.offset()..].to_vec()))
        }
        Some(_) => Err(GuestFault::Protocol(Breach::LateManifest)),
        None => Err(GuestFault::Protocol(Breach::NoManifest)),
    }
}

/// Rejects names with characters that could forge text in messages to users.
pub(crate) fn check_names(manifest: &Manifest) -> Result<(), GuestFault> {
    let required = manifest.requires.iter().map(|required| &required.service);
    let services = manifest.exports.iter().chain(required);
    let mut names = services.flat_map(|service| {
        service
            .methods
            .iter()
            .map(|method| &method.name)
            .chain([&service.name])
    });
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
    };
    if let Some(name) = names.find(|name| !is_name(name)) {
        return Err(GuestFault::Protocol(Breach::Name { name: name.clone() }));
    }
    check_bindings(manifest)
}

/// Rejects binding names with other characters, and requirements that cannot be told apart.
fn check_bindings(manifest: &Manifest) -> Result<(), GuestFault> {
    let mut known = HashSet::new();
    for Requirement { service, binding } in &manifest.requires {
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if !binding.bytes().all(is_allowed) {
            let name = binding.clone();
            return Err(GuestFault::Protocol(Breach::Name { name }));
        }
        if !binding.is_empty() && !known.insert(binding) {
            let service = service.name.clone();
            let binding = binding.clone();
            return Err(GuestFault::Protocol(Breach::BoundTwice {
                service,
                binding,
            }));
        }
    }
    Ok(())
}
