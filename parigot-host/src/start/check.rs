//! What can be known of a deployment before anything is launched.

use crate::compile::modules::compile_all;
use crate::deployment::{Deployment, GuestSpec, Role};
use crate::error::StartProblem;
use crate::guest::stack;
use crate::random::Randomness;
use crate::settings::Settings;
use crate::start::boot::{Declaration, Declarations, declare_all};
use crate::start::graph::{Binding, Graph};
use crate::start::schema::{self, Party};

/// What the guests of a deployment declare, and all that is wrong with it.
#[derive(Debug)]
pub struct CheckReport {
    /// Those that have declared themselves, sorted by name.
    pub guests: Vec<GuestReport>,
    /// Whatever keeps the deployment from running as it is meant to, sorted by the guests that it is about.
    pub problems: Vec<StartProblem>,
}

/// What a guest declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestReport {
    /// Its name in the deployment.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// How many instances of it there are.
    pub replicas: u32,
    /// The full names of the services that it exports, in its order.
    pub exports: Vec<String>,
    /// What it requires, in its order.
    pub requires: Vec<Requirement>,
    /// The step of the launch in which it has its turn, from 1: after all that it requires, and those of one step alphabetically.
    /// `None` if that never comes.
    pub step: Option<usize>,
}

/// A service that a guest requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Its full name.
    pub service: String,
    /// The guests that export it: several if they share it, none if nobody does.
    pub exporters: Vec<String>,
}

/// Compiles the guests of a deployment and lets each declare itself; nothing is launched.
///
/// Unlike [`start`](crate::start) it also finds out whether each guest was built with a schema that fits what its exporter offers: see
/// [`schema`].
pub fn check(deployment: &Deployment, settings: &Settings) -> CheckReport {
    let randomness = Randomness::new(settings.seed);
    let settings = Settings {
        descriptors: true,
        ..settings.clone()
    };
    let Declarations {
        guests,
        graph,
        mut problems,
        ..
    } = stack::on_guest_thread("parigot check", || {
        declare_all(
            deployment,
            || compile_all(deployment, &settings),
            &settings,
            &randomness,
        )
        .bind()
    });
    problems.extend(misfits(&guests, &graph));
    problems.sort_by(|a, b| a.guest().cmp(&b.guest()));
    let steps = graph.steps();
    let reports = guests.iter().zip(&graph.bindings).zip(steps);
    let reports = reports.map(|(((spec, declaration), bound), step)| GuestReport {
        name: spec.name.clone(),
        role: spec.role,
        replicas: spec.replicas,
        exports: declaration
            .manifest()
            .exports
            .iter()
            .map(|service| service.name.clone())
            .collect(),
        requires: requirements(declaration, bound, &guests),
        step,
    });
    CheckReport {
        guests: reports.collect(),
        problems,
    }
}

fn requirements(
    guest: &Declaration,
    bound: &[Binding],
    guests: &[(&GuestSpec, Declaration)],
) -> Vec<Requirement> {
    let requirements = guest.manifest().requires.iter().zip(bound);
    let requirement = requirements.map(|(service, binding)| Requirement {
        service: service.name.clone(),
        exporters: binding
            .exporters
            .iter()
            .map(|exporter| guests[exporter.guest].0.name.clone())
            .collect(),
    });
    requirement.collect()
}

/// The requirements whose schema does not fit.
fn misfits(guests: &[(&GuestSpec, Declaration)], graph: &Graph) -> Vec<StartProblem> {
    let mut problems = Vec::new();
    for ((spec, declaration), bound) in guests.iter().zip(&graph.bindings) {
        for (required, binding) in declaration.manifest().requires.iter().zip(bound) {
            // One who knows a service by name alone fits whatever it is.
            for to in binding.exporters.iter().filter(|_| !required.is_by_name()) {
                let (exporter, exporting) = &guests[to.guest];
                let offered = &exporting.manifest().exports[to.service as usize];
                let client = Party {
                    guest: &spec.name,
                    service: required,
                };
                if let Err(source) = schema::fits(
                    client,
                    Party {
                        guest: &exporter.name,
                        service: offered,
                    },
                ) {
                    problems.push(StartProblem::Schema {
                        guest: spec.name.clone(),
                        exporter: exporter.name.clone(),
                        service: required.name.clone(),
                        source,
                    });
                }
            }
        }
    }
    problems
}
