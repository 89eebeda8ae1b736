//! `parigot graph`: who requires whom, drawn.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use parigot_host::deployment::{Deployment, Process, Role};
use parigot_host::{GuestReport, StartProblem, check};

use crate::Graph;
use crate::check::{numbered, process_of, word};
use crate::log::Style;
use crate::report::{self, Complaint};
use crate::run::{REFUSED, settings};

/// What the exit statuses mean, for `--help`.
pub(crate) const STATUSES: &str = "\
Exit status:
    0  the deployment was drawn, even if it cannot start: see `parigot check`
    2  the command line is wrong
    3  it cannot be drawn: its file is wrong, or a guest does not say what it requires";

/// What a drawing is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Lines, for people.
    Text,
    /// The language of Graphviz.
    Dot,
    /// The language of Mermaid, which Markdown on GitHub understands.
    Mermaid,
}

/// Draws a deployment on stdout.
pub(crate) fn graph(
    Graph {
        file,
        format,
        compiling,
    }: &Graph,
) -> ExitCode {
    let deployment = match Deployment::read(file) {
        Ok(deployment) => deployment,
        Err(error) => {
            Complaint::all_of_file(&error)
                .iter()
                .for_each(|kind| kind.tell(&Style::TEXT));
            return REFUSED.into();
        }
    };
    let report = check(&deployment, &settings(compiling, true));
    if report.guests.len() < deployment.guests.len() {
        // The rest of what is wrong could have been drawn.
        let does_not_say = |problem: &&StartProblem| {
            !matches!(
                problem,
                StartProblem::Graph(_) | StartProblem::Schema { .. }
            )
        };
        for problem in report.problems.iter().filter(does_not_say) {
            Complaint::of_guest(problem, &deployment).tell(&Style::TEXT);
        }
        return REFUSED.into();
    }
    let drawing = Drawing::of(&report.guests, &deployment.processes);
    report::print(&match format {
        Format::Text => drawing.text(),
        Format::Dot => drawing.dot(),
        Format::Mermaid => drawing.mermaid(),
    });
    ExitCode::SUCCESS
}

/// Guests, and from each of them an edge to each that it requires something of.
struct Drawing<'a> {
    guests: Vec<Node<'a>>,
    /// None if all guests run in one.
    processes: &'a [Process],
}

struct Node<'a> {
    guest: &'a GuestReport,
    /// The name of the process that it runs in, if there are several.
    process: Option<&'a str>,
    edges: Vec<Edge<'a>>,
}

struct Edge<'a> {
    /// By its place; `None` for what nobody exports.
    exporter: Option<usize>,
    services: Vec<&'a str>,
}

impl<'a> Drawing<'a> {
    fn of(guests: &'a [GuestReport], processes: &'a [Process]) -> Self {
        let places: BTreeMap<&str, usize> = guests
            .iter()
            .enumerate()
            .map(|(place, guest)| (&*guest.name, place))
            .collect();
        let node = |guest: &'a GuestReport| {
            let mut edges: BTreeMap<Option<usize>, Vec<&str>> = BTreeMap::new();
            for required in &guest.requires {
                let nobody = required.exporters.is_empty().then_some(None);
                let exporters = required.exporters.iter().map(|name| Some(places[&**name]));
                for exporter in exporters.chain(nobody) {
                    edges.entry(exporter).or_default().push(&required.service);
                }
            }
            let edges = edges
                .into_iter()
                .map(|(exporter, services)| Edge { exporter, services });
            Node {
                guest,
                process: process_of(&guest.name, processes),
                edges: edges.collect(),
            }
        };
        Drawing {
            guests: guests.iter().map(node).collect(),
            processes,
        }
    }

    /// Whether an edge is one of those that keep guests from ever being launched: it is part of a cycle, leads to one, or to nothing.
    fn is_stuck(&self, edge: &Edge<'_>) -> bool {
        edge.exporter
            .is_none_or(|exporter| self.guests[exporter].guest.step.is_none())
    }

    /// A line for each guest and each further edge of it, in the order of the launch.
    fn text(&self) -> String {
        let mut order: Vec<_> = self.guests.iter().collect();
        order.sort_by_key(|node| node.guest.step.unwrap_or(usize::MAX));
        let name_columns = self
            .guests
            .iter()
            .map(|node| title(node).len())
            .max()
            .unwrap_or_default();
        let exporter_columns = self
            .edges()
            .map(|(_, edge)| self.exporter(edge).len())
            .max()
            .unwrap_or_default();
        let mut text = format!("step   {:name_columns$}  requires\n", "guest");
        for node in order {
            let step = node
                .guest
                .step
                .map_or("never".to_owned(), |step| step.to_string());
            let edges = node.edges.iter().map(|edge| {
                format!(
                    "-> {:exporter_columns$}  {}",
                    self.exporter(edge),
                    edge.services.join(", ")
                )
            });
            let mut head = format!("{step:<5}  {:name_columns$}", title(node));
            for requires in edges.chain(node.edges.is_empty().then(|| "-".to_owned())) {
                writeln!(text, "{head}  {requires}").expect("a String takes any text");
                head = " ".repeat(head.chars().count());
            }
        }
        text
    }

    fn exporter(&self, edge: &Edge<'_>) -> &'a str {
        edge.exporter
            .map_or("(nobody)", |place| &self.guests[place].guest.name)
    }

    fn dot(&self) -> String {
        let mut lines = vec![
            "digraph deployment {".to_owned(),
            "    rankdir = LR".into(),
            "    node [shape = box]".into(),
        ];
        lines.extend(
            self.guests
                .iter()
                .map(|Node { guest, .. }| match guest.role {
                    Role::Service if guest.replicas > 1 => {
                        format!(
                            "    {:?} [style = rounded, label = {:?}]",
                            guest.name,
                            numbered(guest)
                        )
                    }
                    Role::Service => format!("    {:?} [style = rounded]", guest.name),
                    Role::Program => format!("    {:?}", guest.name),
                }),
        );
        for (place, process) in self.processes.iter().enumerate() {
            let guests: Vec<_> = process
                .guests
                .iter()
                .map(|name| format!("{name:?}"))
                .collect();
            let (name, guests) = (process.name(), guests.join("; "));
            lines.push(format!(
                "    subgraph cluster{place} {{ label = {name:?}; {guests} }}"
            ));
        }
        lines.extend(self.edges().map(|(place, edge)| {
            let (from, to, services) = (
                &self.guests[place].guest.name,
                self.exporter(edge),
                edge.services.join("\\n"),
            );
            let colour = if self.is_stuck(edge) {
                ", color = red, fontcolor = red"
            } else {
                ""
            };
            format!("    {from:?} -> {to:?} [label = \"{services}\"{colour}]")
        }));
        lines.push("}\n".into());
        lines.join("\n")
    }

    /// Guests go by their places, for a name may be a word of the language.
    fn mermaid(&self) -> String {
        let mut lines = vec!["graph LR".to_owned()];
        lines.extend(
            self.guests
                .iter()
                .enumerate()
                .map(|(place, Node { guest, .. })| match guest.role {
                    Role::Service => format!("    guest{place}([\"{}\"])", numbered(guest)),
                    Role::Program => format!("    guest{place}[\"{}\"]", guest.name),
                }),
        );
        for (place, process) in self.processes.iter().enumerate() {
            lines.push(format!(
                "    subgraph process{place}[\"{}\"]",
                process.name()
            ));
            let guests = self
                .guests
                .iter()
                .enumerate()
                .filter(|(_, node)| node.process == Some(process.name()));
            lines.extend(guests.map(|(place, _)| format!("        guest{place}")));
            lines.push("    end".into());
        }
        lines.extend(self.edges().map(|(place, edge)| {
            let (line, head) = if self.is_stuck(edge) {
                ("-.", ".->")
            } else {
                ("--", "-->")
            };
            let to = edge.exporter.map_or_else(
                || "nobody[[\"nobody\"]]".to_owned(),
                |place| format!("guest{place}"),
            );
            format!(
                "    guest{place} {line} \"{}\" {head} {to}",
                edge.services.join("<br/>")
            )
        }));
        lines.join("\n") + "\n"
    }

    /// All edges, each with the place of the guest that it comes from.
    fn edges(&self) -> impl Iterator<Item = (usize, &Edge<'a>)> {
        self.guests
            .iter()
            .enumerate()
            .flat_map(|(place, node)| node.edges.iter().map(move |edge| (place, edge)))
    }
}

/// `program hello`, as its table in the deployment file is called, and its process if there are several: `program hello in front`.
fn title(Node { guest, process, .. }: &Node<'_>) -> String {
    let process = process
        .map(|process| format!(" in {process}"))
        .unwrap_or_default();
    format!("{} {}{process}", word(guest.role), numbered(guest))
}

#[cfg(test)]
mod tests {
    use parigot_host::Requirement;

    use super::*;

    fn guest(
        role: Role,
        name: &str,
        step: Option<usize>,
        requires: &[(&str, Option<&str>)],
    ) -> GuestReport {
        let requirement = |(service, exporter): &(&str, Option<&str>)| Requirement {
            service: (*service).into(),
            exporters: exporter.iter().map(|name| (*name).to_owned()).collect(),
        };
        let requires = requires.iter().map(requirement).collect();
        GuestReport {
            name: name.into(),
            role,
            replicas: 1,
            exports: Vec::new(),
            requires,
            step,
        }
    }

    fn kitchen() -> Vec<GuestReport> {
        let (service, program) = (Role::Service, Role::Program);
        vec![
            guest(
                program,
                "cook",
                Some(2),
                &[
                    ("x.Stove", Some("stove")),
                    ("x.Store", Some("store")),
                    ("x.Oven", Some("stove")),
                ],
            ),
            guest(service, "egg", None, &[("x.Hen", Some("hen"))]),
            guest(
                service,
                "hen",
                None,
                &[("x.Egg", Some("egg")), ("x.Grain", None)],
            ),
            GuestReport {
                replicas: 2,
                ..guest(service, "store", Some(1), &[])
            },
            guest(service, "stove", Some(1), &[]),
        ]
    }

    #[test]
    fn text_has_a_line_for_each_edge_in_the_order_of_the_launch() {
        let expected = "\
step   guest             requires
1      service store x2  -
1      service stove     -
2      program cook      -> store     x.Store
                         -> stove     x.Stove, x.Oven
never  service egg       -> hen       x.Hen
never  service hen       -> (nobody)  x.Grain
                         -> egg       x.Egg
";
        assert_eq!(Drawing::of(&kitchen(), &[]).text(), expected);
    }

    #[test]
    fn dot_shows_in_red_what_keeps_guests_from_being_launched() {
        let expected = r#"digraph deployment {
    rankdir = LR
    node [shape = box]
    "cook"
    "egg" [style = rounded]
    "hen" [style = rounded]
    "store" [style = rounded, label = "store x2"]
    "stove" [style = rounded]
    "cook" -> "store" [label = "x.Store"]
    "cook" -> "stove" [label = "x.Stove\nx.Oven"]
    "egg" -> "hen" [label = "x.Hen", color = red, fontcolor = red]
    "hen" -> "(nobody)" [label = "x.Grain", color = red, fontcolor = red]
    "hen" -> "egg" [label = "x.Egg", color = red, fontcolor = red]
}
"#;
        assert_eq!(Drawing::of(&kitchen(), &[]).dot(), expected);
    }

    #[test]
    fn mermaid_shows_as_dotted_what_keeps_guests_from_being_launched() {
        let expected = r#"graph LR
    guest0["cook"]
    guest1(["egg"])
    guest2(["hen"])
    guest3(["store x2"])
    guest4(["stove"])
    guest0 -- "x.Store" --> guest3
    guest0 -- "x.Stove<br/>x.Oven" --> guest4
    guest1 -. "x.Hen" .-> guest2
    guest2 -. "x.Grain" .-> nobody[["nobody"]]
    guest2 -. "x.Egg" .-> guest1
"#;
        assert_eq!(Drawing::of(&kitchen(), &[]).mermaid(), expected);
    }

    fn apart() -> Vec<Process> {
        let text = "manifest_version = 1
            [program.cook]\nwasm = 'a'\n[service.store]\nwasm = 'a'\n[service.stove]\nwasm = 'a'
            [process.front]\nguests = ['cook', 'stove']\n[process.back]\nguests = ['store']\n[network]\nnats = 'nats://a'";
        Deployment::parse(text, "kitchen.toml".as_ref())
            .expect("the file is right")
            .processes
    }

    #[test]
    fn guests_stand_together_that_run_in_one_process() {
        let guests: Vec<_> = kitchen()
            .into_iter()
            .filter(|guest| guest.step.is_some())
            .collect();
        let text = "\
step   guest                     requires
1      service store x2 in back  -
1      service stove in front    -
2      program cook in front     -> store  x.Store
                                 -> stove  x.Stove, x.Oven
";
        let dot = r#"digraph deployment {
    rankdir = LR
    node [shape = box]
    "cook"
    "store" [style = rounded, label = "store x2"]
    "stove" [style = rounded]
    subgraph cluster0 { label = "back"; "store" }
    subgraph cluster1 { label = "front"; "cook"; "stove" }
    "cook" -> "store" [label = "x.Store"]
    "cook" -> "stove" [label = "x.Stove\nx.Oven"]
}
"#;
        let mermaid = r#"graph LR
    guest0["cook"]
    guest1(["store x2"])
    guest2(["stove"])
    subgraph process0["back"]
        guest1
    end
    subgraph process1["front"]
        guest0
        guest2
    end
    guest0 -- "x.Store" --> guest1
    guest0 -- "x.Stove<br/>x.Oven" --> guest2
"#;
        let processes = apart();
        let drawing = Drawing::of(&guests, &processes);
        assert_eq!(
            (&*drawing.text(), &*drawing.dot(), &*drawing.mermaid()),
            (text, dot, mermaid)
        );
    }
}
