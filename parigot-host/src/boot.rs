//! From a deployment to instances that have declared what they export and require.

use std::collections::HashMap;
use std::path::PathBuf;

use parigot_abi::id::InstanceId;
use parigot_abi::{Frames, Kind, Manifest, Prologue, Start, VERSION};
use rand::Rng;
use rand::rngs::StdRng;

use crate::Settings;
use crate::code::{Code, Fault, Turn};
use crate::deployment::{Deployment, GuestSpec};
use crate::graph::{self, Binding, Declared, GraphError};
use crate::instance::{Body, Identity, Instance, Link, Place};
use crate::life::Life;
use crate::log;
use crate::random::Randomness;
use crate::wasi::Wasi;
use crate::wasm::{Compiler, GuestModule, ModuleError, Surroundings, WasmGuest};

/// Why a deployment cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The file with a guest's code cannot be read.
    #[error("`{guest}`: cannot read {}", path.display())]
    Unreadable {
        /// Its name in the deployment.
        guest: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A guest's code cannot be run.
    #[error("`{guest}`: {} cannot be run", path.display())]
    Module {
        /// Its name in the deployment.
        guest: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A guest failed before it had said what it exports and requires.
    #[error("`{guest}` failed in its first turn")]
    FirstTurn {
        /// Its name in the deployment.
        guest: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The guests do not fit together.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl StartError {
    /// The guest that it is about, by its name in the deployment.
    pub fn guest(&self) -> &str {
        match self {
            StartError::Unreadable { guest, .. }
            | StartError::Module { guest, .. }
            | StartError::FirstTurn { guest, .. } => guest,
            StartError::Graph(error) => error.guest(),
        }
    }
}

/// Instances before the first worker runs.
pub(crate) struct Booted {
    pub(crate) life: Life,
    pub(crate) instances: Vec<Instance>,
    /// What each of them left in its first turn after the manifest.
    pub(crate) first_turns: Vec<FirstTurn>,
}

/// The rest of a first turn.
pub(crate) struct FirstTurn {
    pub(crate) body: Box<Body>,
    pub(crate) outbox: Vec<u8>,
    pub(crate) turn: Turn,
}

/// A guest that has had its first turn.
struct Declaration {
    id: InstanceId,
    started_ns: u64,
    code: WasmGuest,
    manifest: Manifest,
    outbox: Vec<u8>,
    turn: Turn,
}

impl Declaration {
    /// An instance whose calls go where `bindings` say, and the rest of its first turn.
    fn into_instance(self, spec: &GuestSpec, place: Place, bindings: Vec<Binding>) -> (Instance, FirstTurn) {
        let requirements = bindings.len() as u32;
        let links =
            bindings.into_iter().map(|Binding { guest, service, methods }| Link { callee: guest, service, methods });
        let body = Body::new(Box::new(self.code), links.collect());
        let identity = Identity { id: self.id, place, requirements, started_ns: self.started_ns };
        (Instance::new(identity, spec), FirstTurn { body, outbox: self.outbox, turn: self.turn })
    }
}

/// Compiles all guests, lets each declare itself, and binds them to each other.
pub(crate) fn boot(
    deployment: &Deployment,
    settings: &Settings,
    randomness: &Randomness,
) -> Result<Booted, StartError> {
    let modules = compile_all(deployment)?;
    let mut random = randomness.generator();
    let declare = |spec: &'_ GuestSpec| declare(spec, &modules[&spec.wasm], settings, randomness, &mut random);
    let declarations = deployment.guests.iter().map(declare).collect::<Result<Vec<_>, _>>()?;
    let named = deployment.guests.iter().zip(&declarations);
    let declared: Vec<_> =
        named.map(|(spec, guest)| Declared { name: &spec.name, manifest: &guest.manifest }).collect();
    let bindings = graph::bind(&declared)?;
    let requires = bindings.iter().map(|bound| bound.iter().map(|binding| binding.guest).collect());
    let life = Life::new(deployment.guests.iter().map(|spec| spec.role).zip(requires));
    let guests = deployment.guests.iter().zip(declarations).zip(bindings).enumerate();
    let (instances, first_turns) =
        guests.map(|(place, ((spec, guest), bound))| guest.into_instance(spec, place, bound)).unzip();
    Ok(Booted { life, instances, first_turns })
}

/// Compiles each file once, however many guests run it.
fn compile_all(deployment: &Deployment) -> Result<HashMap<PathBuf, GuestModule>, StartError> {
    let compiler = Compiler::new();
    let mut modules = HashMap::new();
    for spec in &deployment.guests {
        if !modules.contains_key(&spec.wasm) {
            modules.insert(spec.wasm.clone(), compile(&compiler, spec)?);
        }
    }
    Ok(modules)
}

fn compile(compiler: &Compiler, spec: &GuestSpec) -> Result<GuestModule, StartError> {
    let bytes = std::fs::read(&spec.wasm).map_err(|source| StartError::Unreadable {
        guest: spec.name.clone(),
        path: spec.wasm.clone(),
        source,
    })?;
    compiler.compile(&bytes).map_err(|error| module_error(spec, error))
}

fn module_error(spec: &GuestSpec, error: ModuleError) -> StartError {
    StartError::Module { guest: spec.name.clone(), path: spec.wasm.clone(), source: error.into() }
}

/// Makes an instance and lets it have its first turn.
fn declare(
    spec: &GuestSpec,
    module: &GuestModule,
    settings: &Settings,
    randomness: &Randomness,
    random: &mut StdRng,
) -> Result<Declaration, StartError> {
    let failed = |fault: Fault| StartError::FirstTurn { guest: spec.name.clone(), source: fault.into() };
    let prologue = Prologue { monotonic_ns: 0, wall_ns: settings.clock.wall_ns() };
    let surroundings =
        Surroundings { memory_bytes_max: spec.memory_bytes as usize, wasi: wasi(spec, prologue, randomness) };
    let id = InstanceId::from_random(random.random());
    let started_ns = settings.clock.monotonic_ns();
    let mut code = module.instantiate(surroundings).map_err(|error| module_error(spec, error))?.map_err(failed)?;
    let inbox = start_frame(spec, id, settings, randomness);
    let turn = code.turn(prologue, &inbox, u32::MAX);
    code.take_output(turn.is_err(), &mut |level, text| log::line(&spec.name, id, level, None, text));
    let turn = turn.map_err(failed)?;
    let (manifest, outbox) = read_manifest(code.outbox()).map_err(failed)?;
    Ok(Declaration { id, started_ns, code, manifest, outbox, turn })
}

/// What a runtime that needs WASI sees, whose programs expect their own name as the first argument.
fn wasi(spec: &GuestSpec, prologue: Prologue, randomness: &Randomness) -> Wasi {
    let args = std::iter::once(&spec.name).chain(&spec.args).cloned().collect();
    let mut wasi = Wasi::new(args, spec.env.clone().into_iter().collect(), randomness.seed());
    wasi.begin_turn(prologue.monotonic_ns, prologue.wall_ns);
    wasi
}

/// The frame that a guest begins with.
fn start_frame(spec: &GuestSpec, id: InstanceId, settings: &Settings, randomness: &Randomness) -> Vec<u8> {
    let start = Start {
        host: VERSION,
        message_bytes_max: settings.message_bytes_max,
        seed: randomness.seed(),
        instance: id.to_wire(),
        descriptors: false,
        args: spec.args.iter().map(String::as_str).collect(),
        env: spec.env.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
    };
    let mut frame = Vec::new();
    start.write(&mut frame).expect("a deployment file is shorter than 4 GiB");
    frame
}

/// Splits a first outbox into the manifest and the rest.
fn read_manifest(outbox: &[u8]) -> Result<(Manifest, Vec<u8>), Fault> {
    let mut frames = Frames::new(outbox);
    match frames.next().transpose()? {
        Some(frame) if frame.kind() == Some(Kind::Manifest) => {
            let manifest = Manifest::read(frame.payload).map_err(Fault::Manifest)?;
            Ok((manifest, outbox[frames.offset()..].to_vec()))
        }
        Some(_) => Err(Fault::Protocol("sent something else before its manifest".into())),
        None => Err(Fault::Protocol("sent no manifest".into())),
    }
}
