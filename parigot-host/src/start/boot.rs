//! Boot of a deployment: creates the instances and collects their declarations.

use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;
use std::sync::Arc;

use parigot_abi::frame::LAUNCH_NUMBER;
use parigot_abi::id::InstanceId;
use parigot_abi::{FrameBuilder, Frames, Header, Kind, Manifest, Prologue, Start, VERSION};
use rand::Rng;
use rand::rngs::StdRng;

use crate::compile::modules::CompiledGuests;
use crate::deployment::{Deployment, GuestSpec};
use crate::error::{Breach, GraphError, GuestFault, ModuleError, StartError, StartProblem};
use crate::guest::code::{GuestInstance, InstanceFactory, Turn};
use crate::guest::epoch_ticker::EpochTicker;
use crate::guest::wasi::Wasi;
use crate::guest::wasm::InstanceConfig;
use crate::kernel::index::InstanceIndex;
use crate::kernel::instance::{Identity, Instance, InstanceState};
use crate::kernel::lifecycle::{Dependency, GuestKind, Lifecycle};
use crate::kernel::route::{Callee, Route};
use crate::kernel::supervisor::SupervisedService;
use crate::log::guest_log::GuestLog;
use crate::log::rate_limit::LogRate;
use crate::network::Peers;
use crate::random::Randomness;
use crate::settings::Settings;
use crate::start::Exported;
use crate::start::graph::{self, Binding, Exporter, Graph};
use crate::start::mappings;

/// Instances before the first worker runs.
pub(crate) struct Booted {
    pub(crate) lifecycle: Lifecycle,
    pub(crate) instances: Vec<Instance>,
    /// Frames that each instance left in its first turn after the manifest.
    pub(crate) init_turns: Vec<InitTurn>,
    /// Ticker that watches the budgets of the instances.
    pub(crate) epoch_ticker: EpochTicker,
    /// Exports of all instances.
    pub(crate) exports: Vec<Exported>,
    /// Supervision state of the instances that are restarted.
    pub(crate) supervised: Vec<Option<Box<SupervisedService>>>,
}

/// Proxy guest: its specification and its factory.
pub(crate) type Proxy = (GuestSpec, Arc<dyn InstanceFactory>);

/// Rest of a first turn.
pub(crate) struct InitTurn {
    pub(crate) body: Box<InstanceState>,
    pub(crate) outbox: Vec<u8>,
    pub(crate) turn: Turn,
}

/// Guest that completed its first turn.
pub(crate) struct Declaration {
    id: InstanceId,
    started_ns: u64,
    log_rate: LogRate,
    factory: Arc<dyn InstanceFactory>,
    first: InitOutput,
}

/// Output of a guest's first turn, and the instance that produced the output.
pub(crate) struct InitOutput {
    pub(crate) code: Box<dyn GuestInstance>,
    pub(crate) manifest: Manifest,
    pub(crate) outbox: Vec<u8>,
    pub(crate) turn: Turn,
}

/// Parameters of an instance before its first turn.
pub(crate) struct InstantiateParams<'a> {
    pub(crate) id: InstanceId,
    /// Zero of the instance's clock, on the host's clock.
    pub(crate) started_ns: u64,
    pub(crate) log_rate: &'a LogRate,
}

/// Reasons for the lack of an instance after its first turn.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstantiateError {
    #[error(transparent)]
    Module(#[from] ModuleError),
    #[error(transparent)]
    GuestFault(#[from] GuestFault),
}

impl Declaration {
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.first.manifest
    }

    /// Returns the launch frame and the rest of the first turn; calls use `links`.
    fn into_parts(
        self,
        index: InstanceIndex,
        links: Vec<Route>,
        bindings: &[Binding],
    ) -> (Identity, InitTurn) {
        let launched_frame = launched_frame(&self.first.manifest, bindings);
        let InitOutput {
            code, outbox, turn, ..
        } = self.first;
        let body = InstanceState::new(code, links);
        let Declaration {
            id,
            started_ns,
            log_rate,
            ..
        } = self;
        (
            Identity {
                id,
                index,
                launched_frame,
                started_ns,
                log_rate,
            },
            InitTurn { body, outbox, turn },
        )
    }
}

/// Guests that declared themselves.
pub(crate) struct Declared<'a> {
    guests: Vec<(&'a GuestSpec, Declaration)>,
    /// Problems of the guests that did not declare themselves.
    problems: Vec<StartProblem>,
    /// Present once the creation of instances was attempted.
    epoch_ticker: Option<EpochTicker>,
}

/// Declarations of a deployment's guests, and all problems.
pub(crate) struct Declarations<'a> {
    /// Guests that declared themselves, each with its declaration.
    pub(crate) guests: Vec<(&'a GuestSpec, Declaration)>,
    /// Requirements among the guests.
    pub(crate) graph: Graph,
    /// Problems, sorted by guest.
    pub(crate) problems: Vec<StartProblem>,
    /// Present once the creation of instances was attempted.
    epoch_ticker: Option<EpochTicker>,
}

/// Creates all guests from the result of `compiled_guests`, runs the first turn of each, adds the
/// proxies for guests of other processes, and binds the guests to each other.
pub(crate) fn boot(
    deployment: &Deployment,
    compiled_guests: impl FnOnce() -> CompiledGuests,
    peers: &mut Peers,
    settings: &Settings,
    randomness: &Randomness,
) -> Result<Booted, StartError> {
    let mut declared = declare_all(deployment, compiled_guests, settings, randomness);
    let proxies = match &declared.problems[..] {
        [] => peers.proxies(&declared.guests, deployment, settings)?,
        // Without all own guests, the exports that are missing would be unknown.
        _ => Vec::new(),
    };
    declared.add(&proxies, settings, randomness);
    let Declarations {
        guests,
        graph,
        problems,
        epoch_ticker,
    } = declared.bind();
    StartError::unless_none(problems)?;
    let epoch_ticker = epoch_ticker.expect("whatever kept it from being there is a problem");
    let own = deployment.guests.len();
    let exports = guests[..own]
        .iter()
        .flat_map(|(spec, guest)| exports(spec, guest.manifest()))
        .collect();
    let places = places(&guests);
    let needs = needs(&guests, &graph.bindings, &places);
    let replicas = replicate(guests, settings, randomness, &epoch_ticker)?;
    let part = |replica: &Replica<'_>| {
        if replica.guest < own {
            replica.spec.role.into()
        } else {
            GuestKind::Proxy
        }
    };
    let parts: Vec<GuestKind> = replicas.iter().map(part).collect();
    let supervised = replicas.iter().map(|Replica { spec, first, .. }| {
        SupervisedService::new(spec, &first.factory, first.manifest())
    });
    let supervised = supervised.collect();
    let (instances, init_turns) = replicas
        .into_iter()
        .enumerate()
        .map(|(index, Replica { guest, spec, first })| {
            let bindings = &graph.bindings[guest];
            let (identity, init_turn) =
                first.into_parts(index, links(bindings, &places, index), bindings);
            (
                Instance::new(identity, spec, parts[index] == GuestKind::Proxy),
                init_turn,
            )
        })
        .unzip();
    let lifecycle = Lifecycle::new(parts, needs);
    Ok(Booted {
        lifecycle,
        instances,
        init_turns,
        epoch_ticker,
        exports,
        supervised,
    })
}

/// Returns the range of instance indices of each guest.
fn places(guests: &[(&GuestSpec, Declaration)]) -> Vec<Range<InstanceIndex>> {
    let mut end = 0;
    let range = |(spec, _): &(&GuestSpec, Declaration)| {
        let start = end;
        end += spec.replicas as usize;
        start..end
    };
    guests.iter().map(range).collect()
}

/// Returns the instances that each instance requires.
fn needs(
    guests: &[(&GuestSpec, Declaration)],
    bindings: &[Vec<Binding>],
    places: &[Range<InstanceIndex>],
) -> Vec<Dependency> {
    let mut needs: BTreeMap<&str, Dependency> = BTreeMap::new();
    for (guest, ((_, declaration), bound)) in guests.iter().zip(bindings).enumerate() {
        for (required, binding) in declaration.manifest().requires.iter().zip(bound) {
            let need = needs.entry(&required.name).or_insert_with(|| Dependency {
                exporters: binding
                    .exporters
                    .iter()
                    .flat_map(|exporter| places[exporter.guest].clone())
                    .collect(),
                required_by: Vec::new(),
            });
            need.required_by.extend(places[guest].clone());
        }
    }
    needs.into_values().collect()
}

/// Returns the destinations of the calls of one instance.
fn links(
    bindings: &[Binding],
    places: &[Range<InstanceIndex>],
    caller: InstanceIndex,
) -> Vec<Route> {
    let callees = |Exporter {
                       guest,
                       service,
                       methods,
                   }: &Exporter| {
        let (service, methods) = (*service, Arc::from(&**methods));
        let callee = move |index| Callee {
            index,
            service,
            methods: Arc::clone(&methods),
        };
        places[*guest].clone().map(callee)
    };
    bindings
        .iter()
        .map(|binding| Route::new(binding.exporters.iter().flat_map(callees).collect(), caller))
        .collect()
}

/// Returns the launch frame of a guest. Handles are indices among its requirements.
fn launched_frame(manifest: &Manifest, bindings: &[Binding]) -> Box<[u8]> {
    let mut bytes = Vec::new();
    let mut frame = FrameBuilder::new(
        &mut bytes,
        Header {
            number: LAUNCH_NUMBER,
            ..Header::new(Kind::Launched)
        },
    );
    for (required, binding) in manifest.requires.iter().zip(bindings) {
        for method in &binding.methods {
            frame = frame.metadata(&required.name, method);
        }
    }
    let handles = 0..bindings.len() as u32;
    frame = frame.payload_with(|out| {
        handles.for_each(|handle| out.extend_from_slice(&handle.to_le_bytes()))
    });
    frame.finish().expect("manifests are shorter than 4 GiB");
    bytes.into()
}

/// Instance of a replicated guest.
struct Replica<'a> {
    /// Index of the guest in the deployment.
    guest: usize,
    spec: &'a GuestSpec,
    first: Declaration,
}

/// Creates the other instances of replicated guests and runs the first turn of each. Each must
/// declare the same as the first.
fn replicate<'a>(
    guests: Vec<(&'a GuestSpec, Declaration)>,
    settings: &Settings,
    randomness: &Randomness,
    epoch_ticker: &EpochTicker,
) -> Result<Vec<Replica<'a>>, StartError> {
    let _awake = epoch_ticker.keep_awake();
    let mut random = randomness.generator();
    let (mut replicas, mut problems) = (Vec::new(), Vec::new());
    for (guest, (spec, first)) in guests.into_iter().enumerate() {
        let others = 1..spec.replicas;
        let mut declare = || {
            let started_ns = settings.clock.monotonic_ns();
            declare(
                spec,
                Arc::clone(&first.factory),
                started_ns,
                settings,
                randomness,
                &mut random,
            )
        };
        let others = others.map(|_| match declare() {
            Ok(other) if other.manifest() != first.manifest() => {
                Err(StartProblem::init_turn(spec, GuestFault::Differs))
            }
            declared => declared,
        });
        match others.collect::<Result<Vec<_>, _>>() {
            Ok(others) => replicas.extend(iter::once(first).chain(others).map(|first| Replica {
                guest,
                spec,
                first,
            })),
            Err(problem) => problems.push(problem),
        }
    }
    StartError::unless_none(problems)?;
    Ok(replicas)
}

fn exports<'a>(spec: &'a GuestSpec, manifest: &'a Manifest) -> impl Iterator<Item = Exported> + 'a {
    manifest.exports.iter().map(|service| Exported {
        guest: spec.name.clone(),
        service: service.name.clone(),
        descriptors: service.descriptors.clone(),
    })
}

/// Creates all guests and runs the first turn of each.
pub(crate) fn declare_all<'a>(
    deployment: &'a Deployment,
    compiled_guests: impl FnOnce() -> CompiledGuests,
    settings: &Settings,
    randomness: &Randomness,
) -> Declared<'a> {
    if let Err(problem) = mappings::check(&deployment.guests) {
        return Declared {
            guests: Vec::new(),
            problems: vec![problem],
            epoch_ticker: None,
        };
    }
    let CompiledGuests {
        of_guests,
        epoch_ticker,
    } = compiled_guests();
    let awake = epoch_ticker.keep_awake();
    let mut random = randomness.generator();
    let (mut guests, mut problems) = (Vec::new(), Vec::new());
    for (spec, factory) in deployment.guests.iter().zip(of_guests) {
        let started_ns = settings.clock.monotonic_ns();
        match factory.and_then(|factory| {
            declare(spec, factory, started_ns, settings, randomness, &mut random)
        }) {
            Ok(declaration) => guests.push((spec, declaration)),
            Err(problem) => problems.push(problem),
        }
    }
    drop(awake);
    Declared {
        guests,
        problems,
        epoch_ticker: Some(epoch_ticker),
    }
}

impl<'a> Declared<'a> {
    /// Adds proxy guests, which run on the host's clock.
    fn add(&mut self, proxies: &'a [Proxy], settings: &Settings, randomness: &Randomness) {
        let mut random = randomness.generator();
        for (spec, factory) in proxies {
            match declare(
                spec,
                Arc::clone(factory),
                0,
                settings,
                randomness,
                &mut random,
            ) {
                Ok(declaration) => self.guests.push((spec, declaration)),
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    /// Resolves the requirements among the guests.
    pub(crate) fn bind(self) -> Declarations<'a> {
        let Declared {
            guests,
            mut problems,
            epoch_ticker,
        } = self;
        let declared: Vec<_> = guests
            .iter()
            .map(|(spec, guest)| graph::Declared {
                name: &spec.name,
                manifest: guest.manifest(),
                shared: &spec.shared,
            })
            .collect();
        let graph = Graph::of(&declared);
        // A failed guest may export a service that seems to be missing.
        let all_declared = problems.is_empty();
        let counts =
            |error: &&GraphError| all_declared || !matches!(error, GraphError::Missing { .. });
        problems.extend(
            graph
                .errors
                .iter()
                .filter(counts)
                .cloned()
                .map(StartProblem::from),
        );
        problems.sort_by(|a, b| a.guest().cmp(&b.guest()));
        Declarations {
            guests,
            graph,
            problems,
            epoch_ticker,
        }
    }
}

/// Creates an instance whose clock begins at `started_ns`, and runs its first turn.
fn declare(
    spec: &GuestSpec,
    factory: Arc<dyn InstanceFactory>,
    started_ns: u64,
    settings: &Settings,
    randomness: &Randomness,
    random: &mut StdRng,
) -> Result<Declaration, StartProblem> {
    let id = InstanceId::from_random(random.random());
    let log_rate = LogRate::new(spec.log_bytes);
    let params = InstantiateParams {
        id,
        started_ns,
        log_rate: &log_rate,
    };
    match init_turn(spec, &*factory, params, settings, randomness) {
        Ok(first) => Ok(Declaration {
            id,
            started_ns,
            log_rate,
            factory,
            first,
        }),
        Err(InstantiateError::Module(error)) => Err(StartProblem::module(spec, error)),
        Err(InstantiateError::GuestFault(fault)) => Err(StartProblem::init_turn(spec, fault)),
    }
}

/// Creates an instance and runs its first turn, which declares exports and requirements.
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
    let config = InstanceConfig {
        memory_bytes_max: spec.memory_bytes as usize,
        budget: spec.budget,
        yields_on_first_tick: settings.yields_on_first_tick,
        wasi: wasi(spec, prologue, randomness),
    };
    let guest_log = GuestLog {
        service: &spec.name,
        instance: id,
        rate: log_rate,
    };
    let mut line = |level, text: &str| {
        // Dropped lines are reported with the next line or at the end, because no timer exists yet.
        let _ = guest_log.say(started_ns, level, None, text);
    };
    let mut code = factory.instantiate(config, &mut line)??;
    let inbox = start_frame(spec, id, settings, randomness);
    let turn = code.turn(prologue, &inbox, u32::MAX);
    code.take_output(turn.is_err(), &mut line);
    let turn = turn?;
    let (manifest, outbox) = read_manifest(code.outbox())?;
    code.learn(&manifest);
    Ok(InitOutput {
        code,
        manifest,
        outbox,
        turn,
    })
}

/// Returns the WASI state of a guest; the first argument is the guest's own name, as programs
/// expect.
///
/// Go's runtime needs the memory limit. Without the limit, Go would collect garbage only once the
/// heap has doubled.
fn wasi(spec: &GuestSpec, prologue: Prologue, randomness: &Randomness) -> Wasi {
    let args = std::iter::once(&spec.name)
        .chain(&spec.args)
        .cloned()
        .collect();
    let mut env = spec.env.clone();
    env.entry("GOMEMLIMIT".into())
        .or_insert_with(|| (spec.memory_bytes / 10 * 9).to_string());
    let mut wasi = Wasi::new(args, env.into_iter().collect(), randomness.seed());
    wasi.begin_turn(prologue.monotonic_ns, prologue.wall_ns);
    wasi
}

/// Returns the first frame of a guest.
fn start_frame(
    spec: &GuestSpec,
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
        args: spec.args.iter().map(String::as_str).collect(),
        env: spec
            .env
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect(),
    };
    let mut frame = Vec::new();
    start
        .write(&mut frame)
        .expect("a deployment file is shorter than 4 GiB");
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
fn check_names(manifest: &Manifest) -> Result<(), GuestFault> {
    let services = manifest.exports.iter().chain(&manifest.requires);
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
    match names.find(|name| !is_name(name)) {
        None => Ok(()),
        Some(name) => Err(GuestFault::Protocol(Breach::Name { name: name.clone() })),
    }
}
