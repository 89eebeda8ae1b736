//! Next steps after the problems of a deployment.

use std::path::Path;

use miette::Diagnostic;
use parigot_host::deployment::{Deployment, Process, process_of};
use parigot_host::{EdgeProblem, GraphError, StartProblem};

/// Returns the next step after a problem.
pub(crate) fn next_step(problem: &StartProblem, deployment: &Deployment) -> Option<String> {
    let next_step = match problem {
        StartProblem::Unreadable { path, .. } | StartProblem::Module { path, .. }
            if is_rlib(path) || has_rlib(path) =>
        {
            "build the crate as a module: write `crate-type = [\"cdylib\"]` below `[lib]` in its \
             Cargo.toml"
        }
        StartProblem::Unreadable { .. } => {
            "build the guest, or correct the path, which is relative to the deployment file"
        }
        StartProblem::Module { next_step, .. } => next_step,
        StartProblem::CompileTime { .. } => {
            "raise the limit with `--compile-time 10m`: a busy machine or code with hundreds of \
             nested blocks is slow"
        }
        StartProblem::Memory { .. } => "raise `memory` in its table",
        StartProblem::Budget { budget, .. } => {
            return Some(format!(
                "write `budget_max = \"{}ms\"` in its table, or lower `budget_ms` of the method in \
                 its .proto file",
                budget.as_nanos().div_ceil(1_000_000)
            ));
        }
        StartProblem::Network { next_step, .. } => return Some(next_step.clone()),
        StartProblem::Unoffered { .. } => {
            "start the process that exports it, or raise `startup_deadline`"
        }
        StartProblem::Secret { source, .. } => return Some(source.help()),
        StartProblem::Mappings { .. } => {
            "run fewer instances, or raise the limit of the system: `sysctl \
             vm.max_map_count=262144`"
        }
        StartProblem::Provider { source, .. } => source.help(),
        StartProblem::Thread(error) => return error.help().map(|help| help.to_string()),
        StartProblem::Graph(GraphError::BoundElsewhere {
            guest,
            binding,
            exporter,
            nearest,
            ..
        }) if are_apart(guest, exporter, deployment) => {
            return Some(unbind(guest, binding, exporter, nearest.as_deref()));
        }
        StartProblem::Graph(error) => return Some(next_step_of_graph(error)),
        StartProblem::Edge {
            edge,
            service,
            kind,
        } => return Some(next_step_of_edge(edge, service, kind)),
        StartProblem::Schema { .. } => "build both from one version of the .proto file",
        _ => return None,
    };
    Some(next_step.to_owned())
}

const USE_FAKE_STDIO: &str = "remove it from the exports; for tests there are fakes: \
                              `testing::FakeStdio` in Rust, `parigottest.Stdio` in Go";

const BIND_LOCALLY: &str = "bind it to a guest of the same process that exports the service";

const REMOVE_BINDING: &str = "remove it from `bind`: a binding name stands in the guest's code, \
                              as in `requires(KvClient as \"cache\")`";

const REMOVE_GRANT_BINDING: &str = "write `providers` as an array: a binding name stands in the \
                                    guest's code, as in `requires(KvClient as \"cache\")`";

/// Returns the next step if only other processes export a service, and the exporters differ.
fn share_or_move(service: &str, guest: &str) -> String {
    format!(
        "move one of them to the process of `{guest}`, or write `shared = [\"{service}\"]` in \
         their tables"
    )
}

/// Returns true if another process runs the second guest. In the deployment of one process, the
/// guests of other processes are missing.
fn are_apart(guest: &str, other: &str, deployment: &Deployment) -> bool {
    let name = |guest: &str| process_of(guest, &deployment.processes).map(Process::name);
    name(guest) != name(other) || deployment.guests.iter().all(|guest| guest.name != other)
}

/// Returns the next step after a name was bound to a guest of another process. `local` exports the
/// service in the same process.
fn unbind(guest: &str, binding: &str, exporter: &str, local: Option<&str>) -> String {
    match local {
        Some(local) => format!(
            "`{exporter}` runs in another process: bind `{binding} = \"{local}\"`, or move \
             `{exporter}` to the process of `{guest}`"
        ),
        None => format!(
            "`{exporter}` runs in another process: remove `{binding}` from `bind`, and calls go \
             to the exporters in other processes"
        ),
    }
}

/// Returns true for a Rust library, which is not a guest.
fn is_rlib(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "rlib")
}

/// Returns true if cargo has written a Rust library in place of a missing module.
fn has_rlib(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    !path.exists() && path.with_file_name(format!("lib{name}.rlib")).exists()
}

/// Returns the next step after an edge listed a service that it cannot offer.
fn next_step_of_edge(edge: &str, service: &str, problem: &EdgeProblem) -> String {
    match problem {
        EdgeProblem::NotExported {
            nearest: Some(service),
        } => format!("did you mean {service}?"),
        EdgeProblem::NotExported { nearest: None } => {
            "write the full name of a service that a guest exports".into()
        }
        EdgeProblem::Elsewhere { process, .. } => format!(
            "list it in an edge of that process: `edge = [\"{edge}\"]` in `[process.{process}]`"
        ),
        EdgeProblem::Ambiguous { .. } => format!(
            "remove all but one of them, or write `shared = [\"{service}\"]` in their tables"
        ),
    }
}

/// Returns the next step after an error of `bind`, or of the grants of providers.
fn next_step_of_binding(error: &GraphError) -> String {
    match error {
        GraphError::Ambiguous {
            service,
            guest,
            are_elsewhere: true,
            ..
        } => share_or_move(service, guest),
        GraphError::Ambiguous {
            binding, exporters, ..
        } => {
            let first = exporters.first().map_or("", String::as_str);
            format!("write `bind = {{ {binding} = \"{first}\" }}` in its table")
        }
        GraphError::BoundElsewhere {
            binding,
            nearest: Some(nearest),
            ..
        } => format!("did you mean `{binding} = \"{nearest}\"`?"),
        GraphError::BoundElsewhere { nearest: None, .. } => BIND_LOCALLY.into(),
        GraphError::UnknownBinding {
            nearest: Some(nearest),
            ..
        } => format!("did you mean `{nearest}`?"),
        GraphError::UnknownBinding { nearest: None, .. } => REMOVE_BINDING.into(),
        GraphError::NotGranted {
            provider: Some(provider),
            ..
        } => format!("write `providers = [\"{provider}\"]` in its table"),
        GraphError::NotGranted { kind, .. } => format!(
            "add a table `[provider.<name>]` with `kind = \"{kind}\"`, and write `providers = \
             [\"<name>\"]` in its table"
        ),
        GraphError::AmbiguousGrant {
            binding, providers, ..
        } => {
            let first = providers.first().map_or("", String::as_str);
            let name = if binding.is_empty() {
                "<binding>"
            } else {
                binding
            };
            format!(
                "bind each of them: `providers = {{ {name} = \"{first}\", … }}`, and require the \
                 service by these names, as in `requires(KvClient as \"{name}\")`"
            )
        }
        GraphError::UnknownGrantBinding {
            nearest: Some(nearest),
            ..
        } => format!("did you mean `{nearest}`?"),
        GraphError::UnknownGrantBinding { nearest: None, .. } => REMOVE_GRANT_BINDING.into(),
        _ => String::new(),
    }
}

/// Returns the next step after an error of the requirements and exports.
fn next_step_of_graph(error: &GraphError) -> String {
    match error {
        GraphError::ExportedTwice {
            service,
            first,
            second,
        } if first != second => format!(
            "remove one of them; to distribute calls over both, write `shared = \
             [\"{service}\"]` in both tables"
        ),
        GraphError::ExportedTwice { .. } => "export the service once".into(),
        GraphError::SharedButNotExported {
            nearest: Some(service),
            ..
        } => format!("did you mean {service}?"),
        GraphError::SharedButNotExported { nearest: None, .. } => {
            "write the full name of a service that the guest exports".into()
        }
        GraphError::Missing {
            nearest: Some((service, guest)),
            ..
        } => format!("did you mean {service}, which `{guest}` exports?"),
        GraphError::Missing { nearest: None, .. } => "add a guest that exports it".into(),
        GraphError::Ambiguous { .. }
        | GraphError::BoundElsewhere { .. }
        | GraphError::UnknownBinding { .. }
        | GraphError::NotGranted { .. }
        | GraphError::AmbiguousGrant { .. }
        | GraphError::UnknownGrantBinding { .. } => next_step_of_binding(error),
        GraphError::ExportedByHost { .. } => USE_FAKE_STDIO.into(),
        GraphError::StdioOfService { guest, .. } => format!(
            "move the reads and writes to a guest in `[program.<name>]` that calls `{guest}`; for \
             messages to people use the log"
        ),
        GraphError::NotAService { guest, .. } => format!("move its table to `[service.{guest}]`"),
        GraphError::NothingExported { guest } => format!(
            "a guest with a `main` function belongs in `[program.{guest}]`, or in \
             `[worker.{guest}]` if its end must not end the deployment; a service must export \
             what it serves, in Go by the generated `Run…` or `parigot.Run` in `main`"
        ),
        GraphError::Cycle { .. } => "break the cycle: remove one of these requirements".into(),
    }
}
