//! Checks of a deployment that run before anything is launched.

use std::fmt;

use crate::compile::modules::compile_all;
use crate::deployment::{Deployment, EnvValue, Role};
use crate::error::StartProblem;
use crate::guest::stack;
use crate::log::events::LISTENS;
use crate::random::Randomness;
use crate::settings::Settings;
use crate::start::bind::BoundGuests;
use crate::start::declare::{DeclaredGuest, declare_all};
use crate::start::graph::{Binding, Graph};
use crate::start::providers;
use crate::start::schema::{self, MissingMethod, ServiceDescription};
use crate::stdio::proxy as stdio;

/// Declarations of a deployment's guests and all problems of the deployment.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// Guests that declared themselves, sorted by name.
    pub guests: Vec<GuestReport>,
    /// Problems that keep the deployment from running as intended, sorted by guest.
    pub problems: Vec<StartProblem>,
    /// Mistakes that do not keep the deployment from running, sorted by guest.
    pub warnings: Vec<Warning>,
}

/// Mistake of a guest that can run nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Name of the guest in the deployment.
    pub guest: String,
    /// The text, which follows the name.
    pub text: String,
}

impl Warning {
    /// Creates the warning about a method that the exporter of a requirement lacks.
    fn missing(
        client: ServiceDescription<'_>,
        exporter: ServiceDescription<'_>,
        MissingMethod { name, new_name }: &MissingMethod,
    ) -> Self {
        let service = &client.service.name;
        let mut text = format!(
            "was built with {service}/{name}, which `{}` lacks: calls of this method fail with \
             UNIMPLEMENTED",
            exporter.guest
        );
        if let Some(new_name) = new_name {
            text += &format!("; its likely new name is {new_name}");
        }
        Warning {
            guest: client.guest.to_owned(),
            text,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.guest, self.text)
    }
}

/// Declaration of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestReport {
    /// Name of the guest in the deployment.
    pub name: String,
    /// Role of the guest.
    pub role: Role,
    /// Number of instances.
    pub replicas: u32,
    /// Full names of the exported services, in the order of the manifest.
    pub exports: Vec<String>,
    /// Requirements, in the order of the manifest.
    pub requires: Vec<Requirement>,
    /// Launch step of the guest, from 1: after all guests that it requires. Guests of one step
    /// launch in alphabetical order. `None` if the guest can never launch.
    pub step: Option<usize>,
}

/// Service that a guest requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Full name of the service.
    pub service: String,
    /// Name of the binding, or empty.
    pub binding: String,
    /// Guests that export the service: several if they share it, empty if no guest exports it.
    pub exporters: Vec<String>,
    /// Name of the provider that serves the guest, by a grant; `None` for other exporters.
    pub provider: Option<String>,
    /// Set if the host exports the service, and no guest.
    pub is_of_host: bool,
}

/// Compiles the guests of a deployment and runs the init turn of each; launches nothing.
///
/// Unlike [`start`](crate::start), this also checks that the schema of each client fits the schema
/// of the exporter: see [`schema`].
///
/// Secrets are not read: a variable whose value is a secret is empty for the guests.
///
/// ```no_run
/// use parigot_host::deployment::Deployment;
/// use parigot_host::{Settings, check};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let deployment = Deployment::read("app.toml".as_ref())?;
/// for problem in check(&deployment, &Settings::default()).problems {
///     eprintln!("{problem}");
/// }
/// # Ok(())
/// # }
/// ```
pub fn check(deployment: &Deployment, settings: &Settings) -> CheckReport {
    let deployment = &without_secrets(deployment);
    let randomness = Randomness::new(settings.seed);
    // The schemas are compared by their descriptors.
    let settings = Settings {
        descriptors: true,
        ..settings.clone()
    };
    let stdio = [stdio::create(&settings)];
    let mut connected = providers::connect(deployment, &settings);
    let of_providers = connected.check();
    let bound = stack::on_guest_thread("parigot check", || {
        let mut declared = declare_all(
            deployment,
            || compile_all(deployment, &settings),
            &settings,
            &randomness,
        );
        let own_guests = declared.guests.len();
        if stdio::is_required(&declared.guests) {
            declared.add_proxies(&stdio, &settings, &randomness);
        }
        declared.add_proxies(&connected.proxies, &settings, &randomness);
        let bound = declared.bind(deployment, &deployment.processes, &settings);
        (bound, own_guests)
    });
    match bound {
        Ok((mut bound, own_guests)) => {
            bound.problems.extend(of_providers);
            report(bound, own_guests)
        }
        Err(error) => CheckReport {
            problems: vec![error.into()],
            ..CheckReport::default()
        },
    }
}

/// Returns the report on bound guests. The first `own_guests` are those of the deployment.
fn report(bound: BoundGuests<'_>, own_guests: usize) -> CheckReport {
    let BoundGuests {
        guests,
        graph,
        mut problems,
        ..
    } = bound;
    let own = &guests[..own_guests];
    let mut warnings: Vec<_> = own.iter().filter_map(listens).collect();
    compare_schemas(&guests, &graph, &mut problems, &mut warnings);
    warnings.sort_by(|a, b| a.guest.cmp(&b.guest));
    let steps = graph.steps(own_guests);
    let declarations = own.iter().zip(&graph.bindings).zip(steps);
    let reports = declarations.map(|((guest, bound), step)| GuestReport {
        name: guest.spec.name.clone(),
        role: guest.spec.role,
        replicas: guest.spec.replicas,
        exports: guest
            .manifest()
            .exports
            .iter()
            .map(|service| service.name.clone())
            .collect(),
        requires: requirements(guest, bound, &guests, own_guests),
        step,
    });
    let guests: Vec<_> = reports.collect();
    problems.sort_by(|a, b| a.guest().cmp(&b.guest()));
    CheckReport {
        guests,
        problems,
        warnings,
    }
}

/// Returns the warning about a guest that listens.
fn listens(guest: &DeclaredGuest<'_>) -> Option<Warning> {
    guest.factory.listens().then(|| Warning {
        guest: guest.spec.name.clone(),
        text: LISTENS.to_owned(),
    })
}

/// Returns the deployment with an empty text in place of each secret.
fn without_secrets(deployment: &Deployment) -> Deployment {
    let mut deployment = deployment.clone();
    for guest in &mut deployment.guests {
        for value in guest.env.values_mut() {
            if matches!(value, EnvValue::Secret(_)) {
                *value = EnvValue::from("");
            }
        }
    }
    deployment
}

/// Returns the requirements of a guest with the names of their exporters.
fn requirements(
    guest: &DeclaredGuest<'_>,
    bound: &[Binding],
    guests: &[DeclaredGuest<'_>],
    own_guests: usize,
) -> Vec<Requirement> {
    let own = &guests[..own_guests];
    guest
        .manifest()
        .requires
        .iter()
        .zip(bound)
        .map(|(required, binding)| Requirement {
            service: required.service.name.clone(),
            binding: required.binding.clone(),
            // The proxies follow after the guests of the deployment.
            exporters: binding
                .exporters
                .iter()
                .filter_map(|exporter| own.get(exporter.guest))
                .map(|exporter| exporter.spec.name.clone())
                .collect(),
            provider: binding
                .exporters
                .iter()
                .find_map(|exporter| guests[exporter.guest].grant)
                .map(|grant| grant.provider.clone()),
            is_of_host: binding
                .exporters
                .iter()
                .any(|exporter| exporter.guest >= own_guests),
        })
        .collect()
}

/// Compares the schema of each requirement with those of its exporters. Adds a problem for each
/// schema that does not fit, and a warning for each missing method.
fn compare_schemas(
    guests: &[DeclaredGuest<'_>],
    graph: &Graph,
    problems: &mut Vec<StartProblem>,
    warnings: &mut Vec<Warning>,
) {
    for (guest, bound) in guests.iter().zip(&graph.bindings) {
        for (required, binding) in guest.manifest().requires.iter().zip(bound) {
            if required.service.is_by_name() {
                // A client that requires a service by name alone fits any schema.
                continue;
            }
            let client = ServiceDescription {
                guest: &guest.spec.name,
                service: &required.service,
                descriptors: &guest.manifest().descriptors,
            };
            for to in &binding.exporters {
                let exporting = &guests[to.guest];
                let exporter = ServiceDescription {
                    guest: &exporting.spec.name,
                    service: &exporting.manifest().exports[to.service as usize],
                    descriptors: &exporting.manifest().descriptors,
                };
                match schema::fits(client, exporter) {
                    Ok(missing) => warnings.extend(
                        missing
                            .iter()
                            .map(|method| Warning::missing(client, exporter, method)),
                    ),
                    Err(source) => problems.push(StartProblem::Schema {
                        guest: client.guest.to_owned(),
                        exporter: exporter.guest.to_owned(),
                        service: required.service.name.clone(),
                        source,
                    }),
                }
            }
        }
    }
}
