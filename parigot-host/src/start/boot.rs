//! From a deployment to instances that have declared what they export and require.

use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;
use std::sync::Arc;

use parigot_abi::frame::LAUNCH_NUMBER;
use parigot_abi::id::InstanceId;
use parigot_abi::{FrameBuilder, Frames, Header, Kind, Manifest, Prologue, Start, VERSION};
use rand::Rng;
use rand::rngs::StdRng;

use crate::compile::modules::Moulds;
use crate::deployment::{Deployment, GuestSpec};
use crate::error::{Breach, Fault, GraphError, ModuleError, Refusal, StartError};
use crate::guest::code::{Code, Mould, Turn};
use crate::guest::epoch_ticker::Pulse;
use crate::guest::wasi::Wasi;
use crate::guest::wasm::Surroundings;
use crate::kernel::instance::{Body, Identity, Instance, Place};
use crate::kernel::lifecycle::{Life, Need, Part};
use crate::kernel::route::{Callee, Link};
use crate::kernel::supervisor::Ward;
use crate::log::guest_log::Speaker;
use crate::log::rate_limit::LogRate;
use crate::network::Neighbours;
use crate::random::Randomness;
use crate::settings::Settings;
use crate::start::Exported;
use crate::start::graph::{self, Binding, Exporter, Graph};
use crate::start::mappings;

/// Instances before the first worker runs.
pub(crate) struct Booted {
    pub(crate) life: Life,
    pub(crate) instances: Vec<Instance>,
    /// What each of them left in its first turn after the manifest.
    pub(crate) first_turns: Vec<FirstTurn>,
    /// What their budgets are watched by.
    pub(crate) pulse: Pulse,
    /// What all of them export.
    pub(crate) exports: Vec<Exported>,
    /// Those of them that are restarted.
    pub(crate) wards: Vec<Option<Box<Ward>>>,
}

/// A guest that stands for others: what it is called, and what it is made from.
pub(crate) type StandIn = (GuestSpec, Arc<dyn Mould>);

/// The rest of a first turn.
pub(crate) struct FirstTurn {
    pub(crate) body: Box<Body>,
    pub(crate) outbox: Vec<u8>,
    pub(crate) turn: Turn,
}

/// A guest that has had its first turn.
pub(crate) struct Declaration {
    id: InstanceId,
    started_ns: u64,
    log_rate: LogRate,
    mould: Arc<dyn Mould>,
    first: FirstWords,
}

/// What a guest has said in its first turn, and what it was said by.
pub(crate) struct FirstWords {
    pub(crate) code: Box<dyn Code>,
    pub(crate) manifest: Manifest,
    pub(crate) outbox: Vec<u8>,
    pub(crate) turn: Turn,
}

/// An instance that is about to have its first turn.
pub(crate) struct Newborn<'a> {
    pub(crate) id: InstanceId,
    /// The zero of its own clock on the host's.
    pub(crate) started_ns: u64,
    pub(crate) log_rate: &'a LogRate,
}

/// Why there is no instance after its first turn.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stillborn {
    #[error(transparent)]
    Module(#[from] ModuleError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Declaration {
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.first.manifest
    }

    /// What it is told when it is launched, and the rest of its first turn; its calls go along `links`.
    fn into_parts(
        self,
        place: Place,
        links: Vec<Link>,
        bindings: &[Binding],
    ) -> (Identity, FirstTurn) {
        let introduction = introduction(&self.first.manifest, bindings);
        let FirstWords {
            code, outbox, turn, ..
        } = self.first;
        let body = Body::new(code, links);
        let Declaration {
            id,
            started_ns,
            log_rate,
            ..
        } = self;
        (
            Identity {
                id,
                place,
                introduction,
                started_ns,
                log_rate,
            },
            FirstTurn { body, outbox, turn },
        )
    }
}

/// Guests that have declared themselves.
pub(crate) struct Declared<'a> {
    guests: Vec<(&'a GuestSpec, Declaration)>,
    /// Those that have not.
    refusals: Vec<Refusal>,
    /// There if it was tried to make them.
    pulse: Option<Pulse>,
}

/// What the guests of a deployment have declared, and all that is wrong with it.
pub(crate) struct Declarations<'a> {
    /// Those that have declared themselves, and what came of it.
    pub(crate) guests: Vec<(&'a GuestSpec, Declaration)>,
    /// Who requires whom among them.
    pub(crate) graph: Graph,
    /// Sorted by the guests that they are about.
    pub(crate) refusals: Vec<Refusal>,
    /// There if it was tried to make them.
    pulse: Option<Pulse>,
}

/// Makes all guests from what `moulds` returns, lets each declare itself, adds what stands for guests of other processes, and binds them to each
/// other.
pub(crate) fn boot(
    deployment: &Deployment,
    moulds: impl FnOnce() -> Moulds,
    neighbours: &mut Neighbours,
    settings: &Settings,
    randomness: &Randomness,
) -> Result<Booted, StartError> {
    let mut declared = declare_all(deployment, moulds, settings, randomness);
    let stand_ins = match &declared.refusals[..] {
        [] => neighbours.stand_ins(&declared.guests, deployment, settings)?,
        // Whoever is missing would not be known.
        _ => Vec::new(),
    };
    declared.add(&stand_ins, settings, randomness);
    let Declarations {
        guests,
        graph,
        refusals,
        pulse,
    } = declared.bind();
    StartError::unless_none(refusals)?;
    let pulse = pulse.expect("whatever kept it from being there is a refusal");
    let own = deployment.guests.len();
    let exports = guests[..own]
        .iter()
        .flat_map(|(spec, guest)| exports(spec, guest.manifest()))
        .collect();
    let places = places(&guests);
    let needs = needs(&guests, &graph.bindings, &places);
    let replicas = replicate(guests, settings, randomness, &pulse)?;
    let part = |replica: &Replica<'_>| {
        if replica.guest < own {
            replica.spec.role.into()
        } else {
            Part::StandIn
        }
    };
    let parts: Vec<Part> = replicas.iter().map(part).collect();
    let wards = replicas
        .iter()
        .map(|Replica { spec, first, .. }| Ward::new(spec, &first.mould, first.manifest()));
    let wards = wards.collect();
    let (instances, first_turns) = replicas
        .into_iter()
        .enumerate()
        .map(|(place, Replica { guest, spec, first })| {
            let bindings = &graph.bindings[guest];
            let (identity, first_turn) =
                first.into_parts(place, links(bindings, &places, place), bindings);
            (
                Instance::new(identity, spec, parts[place] == Part::StandIn),
                first_turn,
            )
        })
        .unzip();
    let life = Life::new(parts, needs);
    Ok(Booted {
        life,
        instances,
        first_turns,
        pulse,
        exports,
        wards,
    })
}

/// The places of each guest's instances.
fn places(guests: &[(&GuestSpec, Declaration)]) -> Vec<Range<Place>> {
    let mut end = 0;
    let range = |(spec, _): &(&GuestSpec, Declaration)| {
        let start = end;
        end += spec.replicas as usize;
        start..end
    };
    guests.iter().map(range).collect()
}

/// Which instances need which.
fn needs(
    guests: &[(&GuestSpec, Declaration)],
    bindings: &[Vec<Binding>],
    places: &[Range<Place>],
) -> Vec<Need> {
    let mut needs: BTreeMap<&str, Need> = BTreeMap::new();
    for (guest, ((_, declaration), bound)) in guests.iter().zip(bindings).enumerate() {
        for (required, binding) in declaration.manifest().requires.iter().zip(bound) {
            let need = needs.entry(&required.name).or_insert_with(|| Need {
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

/// Where the calls of the instance at that place go.
fn links(bindings: &[Binding], places: &[Range<Place>], caller: Place) -> Vec<Link> {
    let callees = |Exporter {
                       guest,
                       service,
                       methods,
                   }: &Exporter| {
        let (service, methods) = (*service, Arc::from(&**methods));
        let callee = move |place| Callee {
            place,
            service,
            methods: Arc::clone(&methods),
        };
        places[*guest].clone().map(callee)
    };
    bindings
        .iter()
        .map(|binding| Link::new(binding.exporters.iter().flat_map(callees).collect(), caller))
        .collect()
}

/// The frame that tells a guest that it is launched. Handles are places among its requirements.
fn introduction(manifest: &Manifest, bindings: &[Binding]) -> Box<[u8]> {
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

/// One of a guest's instances.
struct Replica<'a> {
    /// The guest's place in the deployment.
    guest: usize,
    spec: &'a GuestSpec,
    first: Declaration,
}

/// Makes the other instances of guests that shall have several, and lets each declare itself: the same as the first.
fn replicate<'a>(
    guests: Vec<(&'a GuestSpec, Declaration)>,
    settings: &Settings,
    randomness: &Randomness,
    pulse: &Pulse,
) -> Result<Vec<Replica<'a>>, StartError> {
    let _awake = pulse.keep_awake();
    let mut random = randomness.generator();
    let (mut replicas, mut refusals) = (Vec::new(), Vec::new());
    for (guest, (spec, first)) in guests.into_iter().enumerate() {
        let others = 1..spec.replicas;
        let mut declare = || {
            let started_ns = settings.clock.monotonic_ns();
            declare(
                spec,
                Arc::clone(&first.mould),
                started_ns,
                settings,
                randomness,
                &mut random,
            )
        };
        let others = others.map(|_| match declare() {
            Ok(other) if other.manifest() != first.manifest() => {
                Err(Refusal::first_turn(spec, Fault::Differs))
            }
            declared => declared,
        });
        match others.collect::<Result<Vec<_>, _>>() {
            Ok(others) => replicas.extend(iter::once(first).chain(others).map(|first| Replica {
                guest,
                spec,
                first,
            })),
            Err(refusal) => refusals.push(refusal),
        }
    }
    StartError::unless_none(refusals)?;
    Ok(replicas)
}

fn exports<'a>(spec: &'a GuestSpec, manifest: &'a Manifest) -> impl Iterator<Item = Exported> + 'a {
    manifest.exports.iter().map(|service| Exported {
        guest: spec.name.clone(),
        service: service.name.clone(),
        descriptors: service.descriptors.clone(),
    })
}

/// Makes all guests and lets each declare itself.
pub(crate) fn declare_all<'a>(
    deployment: &'a Deployment,
    moulds: impl FnOnce() -> Moulds,
    settings: &Settings,
    randomness: &Randomness,
) -> Declared<'a> {
    if let Err(refusal) = mappings::check(&deployment.guests) {
        return Declared {
            guests: Vec::new(),
            refusals: vec![refusal],
            pulse: None,
        };
    }
    let Moulds { of_guests, pulse } = moulds();
    let awake = pulse.keep_awake();
    let mut random = randomness.generator();
    let (mut guests, mut refusals) = (Vec::new(), Vec::new());
    for (spec, mould) in deployment.guests.iter().zip(of_guests) {
        let started_ns = settings.clock.monotonic_ns();
        match mould
            .and_then(|mould| declare(spec, mould, started_ns, settings, randomness, &mut random))
        {
            Ok(declaration) => guests.push((spec, declaration)),
            Err(refusal) => refusals.push(refusal),
        }
    }
    drop(awake);
    Declared {
        guests,
        refusals,
        pulse: Some(pulse),
    }
}

impl<'a> Declared<'a> {
    /// Adds guests that stand for others, whose clock is the host's.
    fn add(&mut self, stand_ins: &'a [StandIn], settings: &Settings, randomness: &Randomness) {
        let mut random = randomness.generator();
        for (spec, mould) in stand_ins {
            match declare(
                spec,
                Arc::clone(mould),
                0,
                settings,
                randomness,
                &mut random,
            ) {
                Ok(declaration) => self.guests.push((spec, declaration)),
                Err(refusal) => self.refusals.push(refusal),
            }
        }
    }

    /// Finds out who requires whom.
    pub(crate) fn bind(self) -> Declarations<'a> {
        let Declared {
            guests,
            mut refusals,
            pulse,
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
        // What seems to be missing may be exported by one that failed.
        let all_declared = refusals.is_empty();
        let counts =
            |error: &&GraphError| all_declared || !matches!(error, GraphError::Missing { .. });
        refusals.extend(
            graph
                .errors
                .iter()
                .filter(counts)
                .cloned()
                .map(Refusal::from),
        );
        refusals.sort_by(|a, b| a.guest().cmp(&b.guest()));
        Declarations {
            guests,
            graph,
            refusals,
            pulse,
        }
    }
}

/// Makes an instance, whose clock begins at `started_ns`, and lets it declare itself.
fn declare(
    spec: &GuestSpec,
    mould: Arc<dyn Mould>,
    started_ns: u64,
    settings: &Settings,
    randomness: &Randomness,
    random: &mut StdRng,
) -> Result<Declaration, Refusal> {
    let id = InstanceId::from_random(random.random());
    let log_rate = LogRate::new(spec.log_bytes);
    let newborn = Newborn {
        id,
        started_ns,
        log_rate: &log_rate,
    };
    match first_turn(spec, &*mould, newborn, settings, randomness) {
        Ok(first) => Ok(Declaration {
            id,
            started_ns,
            log_rate,
            mould,
            first,
        }),
        Err(Stillborn::Module(error)) => Err(Refusal::module(spec, error)),
        Err(Stillborn::Fault(fault)) => Err(Refusal::first_turn(spec, fault)),
    }
}

/// Makes an instance and lets it have its first turn, in which it says what it exports and requires.
pub(crate) fn first_turn(
    spec: &GuestSpec,
    mould: &dyn Mould,
    newborn: Newborn<'_>,
    settings: &Settings,
    randomness: &Randomness,
) -> Result<FirstWords, Stillborn> {
    let Newborn {
        id,
        started_ns,
        log_rate,
    } = newborn;
    let prologue = Prologue {
        monotonic_ns: 0,
        wall_ns: settings.clock.wall_ns(),
    };
    let surroundings = Surroundings {
        memory_bytes_max: spec.memory_bytes as usize,
        budget: spec.budget,
        asks_early: settings.asks_early,
        wasi: wasi(spec, prologue, randomness),
    };
    let speaker = Speaker {
        service: &spec.name,
        instance: id,
        rate: log_rate,
    };
    let mut line = |level, text: &str| {
        // If it is too much, that is told with the next line or at the end: there is no timer yet.
        let _ = speaker.say(started_ns, level, None, text);
    };
    let mut code = mould.instantiate(surroundings, &mut line)??;
    let inbox = start_frame(spec, id, settings, randomness);
    let turn = code.turn(prologue, &inbox, u32::MAX);
    code.take_output(turn.is_err(), &mut line);
    let turn = turn?;
    let (manifest, outbox) = read_manifest(code.outbox())?;
    code.learn(&manifest);
    Ok(FirstWords {
        code,
        manifest,
        outbox,
        turn,
    })
}

/// What a runtime that needs WASI sees, whose programs expect their own name as the first argument.
///
/// Go's runtime must know how much memory there is: it would else collect garbage only once it has twice of what it needs.
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

/// The frame that a guest begins with.
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
fn read_manifest(outbox: &[u8]) -> Result<(Manifest, Vec<u8>), Fault> {
    let mut frames = Frames::new(outbox);
    match frames.next().transpose()? {
        Some(frame) if frame.kind() == Some(Kind::Manifest) => {
            let manifest = Manifest::read(frame.payload).map_err(Fault::Manifest)?;
            check_names(&manifest)?;
            Ok((manifest, outbox[frames.offset()..].to_vec()))
        }
        Some(_) => Err(Fault::Protocol(Breach::LateManifest)),
        None => Err(Fault::Protocol(Breach::NoManifest)),
    }
}

/// Names are shown to people, in messages that could otherwise be made to say anything.
fn check_names(manifest: &Manifest) -> Result<(), Fault> {
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
        Some(name) => Err(Fault::Protocol(Breach::Name { name: name.clone() })),
    }
}
