//! `parigot check`: whether a deployment can start, found out without starting it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use parigot_host::deployment::{Deployment, Process, Role};
use parigot_host::{GuestReport, Requirement};
use serde_json::{Value, json};

use crate::Check;
use crate::log::{Format, Style};
use crate::report::{self, Complaint};
use crate::run::{REFUSED, settings};

/// What the exit statuses mean, for `--help`.
pub(crate) const STATUSES: &str = "\
Exit status:
    0  the deployment can start
    2  the command line is wrong
    3  it cannot, for the reasons that are told";

/// Checks a deployment and says how it went.
pub(crate) fn check(check: &Check) -> ExitCode {
    match Deployment::read(&check.file) {
        Err(error) => conclude(check, &[], &[], &Complaint::all_of_file(&error)),
        Ok(deployment) => {
            let report = parigot_host::check(
                &deployment,
                &settings(&check.compiling, check.format == Format::Text),
            );
            let problems = report.problems.iter();
            let complaints: Vec<_> = problems
                .map(|problem| Complaint::of_guest(problem, &deployment))
                .collect();
            conclude(check, &report.guests, &deployment.processes, &complaints)
        }
    }
}

fn conclude(
    Check { file, format, .. }: &Check,
    guests: &[GuestReport],
    processes: &[Process],
    complaints: &[Complaint<'_>],
) -> ExitCode {
    match format {
        Format::Json => report::print(&format!("{}\n", object(guests, processes, complaints))),
        Format::Text if complaints.is_empty() => {
            report::print(&(summary(file, guests) + &crossings(guests, processes)));
        }
        Format::Text => complaints.iter().for_each(|kind| kind.tell(&Style::TEXT)),
    }
    if complaints.is_empty() {
        ExitCode::SUCCESS
    } else {
        REFUSED.into()
    }
}

/// Who is launched after whom.
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

/// What leaves a process and for which other one, a line each; nothing if there is but one.
fn crossings(guests: &[GuestReport], processes: &[Process]) -> String {
    let process_of = |guest: &str| process_of(guest, processes);
    let mut crossings: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for guest in guests {
        let from = process_of(&guest.name);
        for Requirement { service, exporters } in &guest.requires {
            let homes: BTreeSet<_> = exporters
                .iter()
                .map(|exporter| process_of(exporter))
                .collect();
            // What is there in the same process is not looked for elsewhere.
            for to in homes.iter().filter(|_| !homes.contains(&from)) {
                crossings.entry((from, *to)).or_default().insert(service);
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

/// The process that a guest is in, if there are several.
pub(crate) fn process_of<'a>(guest: &str, processes: &'a [Process]) -> Option<&'a str> {
    let process = processes
        .iter()
        .find(|process| process.guests.iter().any(|name| name == guest));
    process.map(Process::name)
}

fn object(guests: &[GuestReport], processes: &[Process], complaints: &[Complaint<'_>]) -> Value {
    let guest = |GuestReport {
                     name,
                     role,
                     replicas,
                     exports,
                     requires,
                     step,
                 }: &GuestReport| {
        let requirement = |required: &Requirement| json!({ "service": required.service, "exporters": required.exporters });
        let requires: Vec<_> = requires.iter().map(requirement).collect();
        let mut guest = json!({
            "name": name, "role": word(*role), "replicas": replicas, "exports": exports, "requires": requires, "step": step,
        });
        if let Some(process) = process_of(name, processes) {
            guest["process"] = process.into();
        }
        guest
    };
    json!({
        "fits": complaints.is_empty(),
        "guests": guests.iter().map(guest).collect::<Vec<_>>(),
        "complaints": complaints.iter().map(Complaint::object).collect::<Vec<_>>(),
    })
}

/// A guest's name, and how many instances there are of it if that is not one.
pub(crate) fn numbered(guest: &GuestReport) -> String {
    match guest.replicas {
        1 => guest.name.clone(),
        replicas => format!("{} x{replicas}", guest.name),
    }
}

/// As in the deployment file.
pub(crate) fn word(role: Role) -> &'static str {
    match role {
        Role::Service => "service",
        Role::Program => "program",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(name: &str, step: usize) -> GuestReport {
        let (exports, requires) = (Vec::new(), Vec::new());
        GuestReport {
            name: name.into(),
            role: Role::Service,
            replicas: 1,
            exports,
            requires,
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
}
