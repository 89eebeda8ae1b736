//! `parigot check`: checks that a deployment can start, without starting it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use parigot_host::deployment::{Deployment, Process, process_of};
use parigot_host::{CheckReport, GuestReport, Requirement, Warning};
use serde_json::{Value, json};

use crate::cli::Check;
use crate::escape::escaped;
use crate::exit_status::REFUSED;
use crate::host_settings::settings;
use crate::listeners;
use crate::log::{Format, Style};
use crate::names::{HOST, numbered, of_provider, requirement_title, role_name};
use crate::providers;
use crate::report::{self, Problem, Problems};
use crate::stderr::STDERR;

/// Checks a deployment and prints the result.
pub(crate) fn check(check: &Check) -> ExitCode {
    match Deployment::read(&check.file) {
        Err(error) => {
            let problems = Problems::of_file(&error);
            conclude(check, &CheckReport::default(), None, &problems)
        }
        Ok(deployment) => {
            let report = parigot_host::check(
                &deployment,
                &settings(&check.compiling, check.format == Format::Text),
            );
            let problems = Problems::of_guests(&report.problems, &deployment);
            conclude(check, &report, Some(&deployment), &problems)
        }
    }
}

fn conclude(
    check: &Check,
    report: &CheckReport,
    deployment: Option<&Deployment>,
    problems: &Problems<'_>,
) -> ExitCode {
    let processes = deployment.map_or(&[][..], |deployment| &deployment.processes);
    let fits = problems.shown.is_empty() && (report.warnings.is_empty() || !check.strict);
    let status = if fits {
        ExitCode::SUCCESS
    } else {
        REFUSED.into()
    };
    if check.format == Format::Json {
        let mut object = object(report, fits, processes, problems);
        let edges = deployment.map(listeners::objects).unwrap_or_default();
        if !edges.is_empty() {
            object["edges"] = edges.into();
        }
        let providers = deployment.map(providers::objects).unwrap_or_default();
        if !providers.is_empty() {
            object["providers"] = providers.into();
        }
        return report::print(&format!("{object}\n"), status);
    }
    problems.print(&Style::TEXT);
    for warning in &report.warnings {
        STDERR.lines(&format!("warning: {}\n", escaped(&warning.to_string())));
    }
    if !fits {
        return status;
    }
    let guests = &report.guests;
    let edges = deployment.map(listeners::summary).unwrap_or_default();
    let providers = deployment.map(providers::summary).unwrap_or_default();
    let text = summary(&check.file, guests)
        + &bindings(guests)
        + &providers
        + &edges
        + &crossings(guests, processes);
    report::print(&text, status)
}

/// Returns the order of the launch, a line per step.
fn summary(file: &Path, guests: &[GuestReport]) -> String {
    let count = match guests.len() {
        1 => "its guest fits".to_owned(),
        count => format!("its {count} guests fit"),
    };
    let mut text = format!("{}: {count}, launched in this order:\n", file.display());
    for step in 1..=guests
        .iter()
        .filter_map(|guest| guest.step)
        .max()
        .unwrap_or_default()
    {
        let names = guests
            .iter()
            .filter(|guest| guest.step == Some(step))
            .map(numbered);
        writeln!(text, "{step:4}  {}", names.collect::<Vec<_>>().join(", "))
            .expect("a String takes any text");
    }
    text
}

/// Returns the exporters to which the binding names of requirements are bound, a line each.
///
/// The text is empty if no requirement has a binding name.
fn bindings(guests: &[GuestReport]) -> String {
    let mut text = String::new();
    for guest in guests {
        for required in guest
            .requires
            .iter()
            .filter(|required| !required.binding.is_empty())
        {
            let title = requirement_title(required);
            let exporters = match &required.provider {
                Some(provider) => of_provider(provider),
                None if required.is_of_host => HOST.to_owned(),
                None => required.exporters.join(", "),
            };
            writeln!(text, "      {} -> {exporters}  {title}", guest.name)
                .expect("a String takes any text");
        }
    }
    if !text.is_empty() {
        text.insert_str(0, "with these bindings:\n");
    }
    text
}

/// Returns which process calls which services of which other process, a line each.
///
/// The text is empty if all guests run in one process.
fn crossings(guests: &[GuestReport], processes: &[Process]) -> String {
    let process_of = |guest: &str| process_of(guest, processes).map(Process::name);
    let mut crossings: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for guest in guests {
        let from = process_of(&guest.name);
        for Requirement {
            service, exporters, ..
        } in &guest.requires
        {
            let homes = exporters.iter().map(|exporter| process_of(exporter));
            for to in homes.filter(|to| *to != from) {
                crossings.entry((from, to)).or_default().insert(service);
            }
        }
    }
    let mut text = String::new();
    for ((from, to), services) in crossings {
        let services: Vec<_> = services.into_iter().collect();
        let line = writeln!(
            text,
            "      {} -> {}  {}",
            from.unwrap_or("-"),
            to.unwrap_or("-"),
            services.join(", ")
        );
        line.expect("a String takes any text");
    }
    match processes.len() {
        0 => String::new(),
        count if text.is_empty() => format!("in {count} processes, none of which calls another\n"),
        count => format!("in {count} processes, which call each other:\n{text}"),
    }
}

fn object(
    report: &CheckReport,
    fits: bool,
    processes: &[Process],
    problems: &Problems<'_>,
) -> Value {
    let guests: Vec<_> = report
        .guests
        .iter()
        .map(|guest| guest_object(guest, processes))
        .collect();
    let mut object = json!({
        "fits": fits,
        "guests": guests,
        "problems": problems.shown.iter().map(Problem::object).collect::<Vec<_>>(),
    });
    if problems.has_more {
        object["more_problems"] = true.into();
    }
    if !report.warnings.is_empty() {
        let warning_object =
            |Warning { guest, text }: &Warning| json!({ "guest": guest, "message": text });
        object["warnings"] = report.warnings.iter().map(warning_object).collect();
    }
    object
}

fn guest_object(guest: &GuestReport, processes: &[Process]) -> Value {
    let requires: Vec<_> = guest
        .requires
        .iter()
        .map(|required| {
            let mut object =
                json!({ "service": required.service, "exporters": required.exporters });
            if required.is_of_host {
                object["host"] = true.into();
            }
            if let Some(provider) = &required.provider {
                object["provider"] = (**provider).into();
            }
            if !required.binding.is_empty() {
                object["binding"] = (*required.binding).into();
            }
            object
        })
        .collect();
    let mut object = json!({
        "name": guest.name,
        "role": role_name(guest.role),
        "replicas": guest.replicas,
        "exports": guest.exports,
        "requires": requires,
        "step": guest.step,
    });
    if let Some(process) = process_of(&guest.name, processes) {
        object["process"] = process.name().into();
    }
    object
}

#[cfg(test)]
mod tests {
    use parigot_host::deployment::Role;

    use super::*;

    fn guest(name: &str, step: usize) -> GuestReport {
        GuestReport {
            name: name.into(),
            role: Role::Service,
            replicas: 1,
            exports: Vec::new(),
            requires: Vec::new(),
            step: Some(step),
        }
    }

    #[test]
    fn the_guests_of_a_step_share_a_line() {
        let guests = [
            guest("a", 2),
            guest("b", 1),
            GuestReport {
                replicas: 3,
                ..guest("c", 1)
            },
        ];
        let expected =
            "apps/app.toml: its 3 guests fit, launched in this order:\n   1  b, c x3\n   2  a\n";
        assert_eq!(summary(Path::new("apps/app.toml"), &guests), expected);
        let expected = "app.toml: its guest fits, launched in this order:\n   1  b\n";
        assert_eq!(summary(Path::new("app.toml"), &guests[1..2]), expected);
    }

    #[test]
    fn bindings_have_a_line_each() {
        let requirement = |binding: &str, exporter: &str| Requirement {
            service: "kv.v1.Kv".into(),
            binding: binding.into(),
            exporters: vec![exporter.into()],
            provider: None,
            is_of_host: false,
        };
        let shop = GuestReport {
            requires: vec![
                requirement("", "near"),
                requirement("cache", "near"),
                requirement("store", "far"),
            ],
            ..guest("shop", 2)
        };
        let expected = "with these bindings:\n      shop -> near  kv.v1.Kv as cache\n      \
                        shop -> far  kv.v1.Kv as store\n";
        assert_eq!(bindings(&[guest("near", 1), shop]), expected);
        assert_eq!(bindings(&[guest("near", 1)]), "");
    }
}
