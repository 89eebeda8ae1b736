//! `parigot check`: whether a deployment can start, found out without starting it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use parigot_host::deployment::{Deployment, Role};
use parigot_host::{Surveyed, survey};
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
        Err(error) => conclude(check, &[], &Complaint::all_of_file(&error)),
        Ok(deployment) => {
            let survey = survey(&deployment, &settings(&check.compiling, check.format == Format::Text));
            let refusals = survey.refusals.iter();
            let complaints: Vec<_> = refusals.map(|refusal| Complaint::of_guest(refusal, &deployment)).collect();
            conclude(check, &survey.guests, &complaints)
        }
    }
}

fn conclude(Check { file, format, .. }: &Check, guests: &[Surveyed], complaints: &[Complaint<'_>]) -> ExitCode {
    match format {
        Format::Json => report::print(&format!("{}\n", object(guests, complaints))),
        Format::Text if complaints.is_empty() => report::print(&summary(file, guests)),
        Format::Text => complaints.iter().for_each(|complaint| complaint.tell(&Style::TEXT)),
    }
    if complaints.is_empty() { ExitCode::SUCCESS } else { REFUSED.into() }
}

/// Who is launched after whom.
fn summary(file: &Path, guests: &[Surveyed]) -> String {
    let count = match guests.len() {
        1 => "its guest fits".to_owned(),
        count => format!("its {count} guests fit"),
    };
    let mut text = format!("{}: {count}, launched in this order:\n", file.display());
    for step in 1..=guests.iter().filter_map(|guest| guest.step).max().unwrap_or_default() {
        let names = guests.iter().filter(|guest| guest.step == Some(step)).map(numbered);
        writeln!(text, "{step:4}  {}", names.collect::<Vec<_>>().join(", ")).expect("a String takes any text");
    }
    text
}

fn object(guests: &[Surveyed], complaints: &[Complaint<'_>]) -> Value {
    let guest = |Surveyed { name, role, replicas, exports, requires, step }: &Surveyed| {
        let requirement = |required: &parigot_host::Requirement| json!({ "service": required.service, "exporters": required.exporters });
        let requires: Vec<_> = requires.iter().map(requirement).collect();
        json!({ "name": name, "role": word(*role), "replicas": replicas, "exports": exports, "requires": requires, "step": step })
    };
    json!({
        "fits": complaints.is_empty(),
        "guests": guests.iter().map(guest).collect::<Vec<_>>(),
        "complaints": complaints.iter().map(Complaint::object).collect::<Vec<_>>(),
    })
}

/// A guest's name, and how many instances there are of it if that is not one.
pub(crate) fn numbered(guest: &Surveyed) -> String {
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

    fn guest(name: &str, step: usize) -> Surveyed {
        let (exports, requires) = (Vec::new(), Vec::new());
        Surveyed { name: name.into(), role: Role::Service, replicas: 1, exports, requires, step: Some(step) }
    }

    #[test]
    fn the_guests_of_a_step_share_a_line() {
        let guests = [guest("a", 2), guest("b", 1), Surveyed { replicas: 3, ..guest("c", 1) }];
        let expected = "apps/app.toml: its 3 guests fit, launched in this order:\n   1  b, c x3\n   2  a\n";
        assert_eq!(summary(Path::new("apps/app.toml"), &guests), expected);
        let expected = "app.toml: its guest fits, launched in this order:\n   1  b\n";
        assert_eq!(summary(Path::new("app.toml"), &guests[1..2]), expected);
    }
}
