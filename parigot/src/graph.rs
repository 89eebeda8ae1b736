//! `parigot graph`: draws which guest requires which service.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use parigot_host::deployment::{Deployment, Process, Role, process_of};
use parigot_host::{GuestReport, StartProblem, check};

use crate::cli::{Drawing, Graph};
use crate::exit_status::REFUSED;
use crate::host_settings::settings;
use crate::log::Style;
use crate::names::{HOST, numbered, requirement_title, role_name};
use crate::report::{self, Problems};

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
            Problems::of_file(&error).print(&Style::TEXT);
            return REFUSED.into();
        }
    };
    let report = check(&deployment, &settings(compiling, true));
    if report.guests.len() < deployment.guests.len() {
        // The other problems, cycles and missing exporters, do not prevent a drawing.
        let does_not_say = |problem: &&StartProblem| {
            !matches!(
                problem,
                StartProblem::Graph(_) | StartProblem::Schema { .. }
            )
        };
        let problems = report.problems.iter().filter(does_not_say);
        Problems::of_guests(problems, &deployment).print(&Style::TEXT);
        return REFUSED.into();
    }
    let graph = GuestGraph::of(&report.guests, &deployment.processes);
    let drawing = match format {
        Drawing::Text => graph.text(),
        Drawing::Dot => graph.dot(),
        Drawing::Mermaid => graph.mermaid(),
    };
    report::print(&drawing, ExitCode::SUCCESS)
}

/// Guests, and an edge from each guest to each exporter of its requirements.
struct GuestGraph<'a> {
    guests: Vec<Node<'a>>,
    /// Empty if all guests run in one process.
    processes: &'a [Process],
}

struct Node<'a> {
    guest: &'a GuestReport,
    /// Name of the guest's process, if there are several.
    process: Option<&'a str>,
    edges: Vec<Edge<'a>>,
}

struct Edge<'a> {
    exporter: Exporter,
    /// Required services, each with the name of its binding if there is one.
    services: Vec<Cow<'a, str>>,
}

/// Exporter of required services.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exporter {
    /// A service that nothing exports.
    Missing,
    Host,
    /// The guest at this index.
    Guest(usize),
}

impl<'a> GuestGraph<'a> {
    fn of(guests: &'a [GuestReport], processes: &'a [Process]) -> Self {
        let indexes: BTreeMap<&str, usize> = guests
            .iter()
            .enumerate()
            .map(|(index, guest)| (&*guest.name, index))
            .collect();
        let node = |guest: &'a GuestReport| {
            let mut edges: BTreeMap<Exporter, Vec<Cow<'a, str>>> = BTreeMap::new();
            for required in &guest.requires {
                let guests = required.exporters.iter();
                let guests = guests.map(|name| Exporter::Guest(indexes[&**name]));
                let other = match required.exporters.is_empty() {
                    true if required.is_of_host => Some(Exporter::Host),
                    true => Some(Exporter::Missing),
                    false => None,
                };
                for exporter in guests.chain(other) {
                    edges
                        .entry(exporter)
                        .or_default()
                        .push(requirement_title(required));
                }
            }
            let edges = edges
                .into_iter()
                .map(|(exporter, services)| Edge { exporter, services });
            Node {
                guest,
                process: process_of(&guest.name, processes).map(Process::name),
                edges: edges.collect(),
            }
        };
        GuestGraph {
            guests: guests.iter().map(node).collect(),
            processes,
        }
    }

    /// Returns whether an edge prevents a launch: it is part of a cycle, leads to one, or has no
    /// exporter.
    fn is_stuck(&self, edge: &Edge<'_>) -> bool {
        match edge.exporter {
            Exporter::Missing => true,
            Exporter::Host => false,
            Exporter::Guest(index) => self.guests[index].guest.step.is_none(),
        }
    }

    /// Draws a line for each guest and each further edge of it, in the order of the launch.
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
        match edge.exporter {
            Exporter::Missing => "(none)",
            Exporter::Host => HOST,
            Exporter::Guest(index) => &self.guests[index].guest.name,
        }
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
                    Role::Program | Role::Worker => format!("    {:?}", guest.name),
                }),
        );
        for (index, process) in self.processes.iter().enumerate() {
            let guests: Vec<_> = process
                .guests
                .iter()
                .map(|name| format!("{name:?}"))
                .collect();
            let name = process.name();
            let guests = guests.join("; ");
            lines.push(format!(
                "    subgraph cluster{index} {{ label = {name:?}; {guests} }}"
            ));
        }
        lines.extend(self.edges().map(|(index, edge)| {
            let from = &self.guests[index].guest.name;
            let to = self.exporter(edge);
            let services = edge.services.join("\\n");
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

    /// Draws in Mermaid. Nodes are named by index, since a guest's name may be a keyword of
    /// Mermaid.
    fn mermaid(&self) -> String {
        let mut lines = vec!["graph LR".to_owned()];
        lines.extend(
            self.guests
                .iter()
                .enumerate()
                .map(|(index, Node { guest, .. })| match guest.role {
                    Role::Service => format!("    guest{index}([\"{}\"])", numbered(guest)),
                    Role::Program | Role::Worker => format!("    guest{index}[\"{}\"]", guest.name),
                }),
        );
        for (index, process) in self.processes.iter().enumerate() {
            lines.push(format!(
                "    subgraph process{index}[\"{}\"]",
                process.name()
            ));
            let guests = self
                .guests
                .iter()
                .enumerate()
                .filter(|(_, node)| node.process == Some(process.name()));
            lines.extend(guests.map(|(index, _)| format!("        guest{index}")));
            lines.push("    end".into());
        }
        lines.extend(self.edges().map(|(index, edge)| {
            let (line, head) = if self.is_stuck(edge) {
                ("-.", ".->")
            } else {
                ("--", "-->")
            };
            let to = match edge.exporter {
                Exporter::Missing => "missing[[\"missing\"]]".to_owned(),
                Exporter::Host => format!("host([\"{HOST}\"])"),
                Exporter::Guest(index) => format!("guest{index}"),
            };
            format!(
                "    guest{index} {line} \"{}\" {head} {to}",
                edge.services.join("<br/>")
            )
        }));
        lines.join("\n") + "\n"
    }

    /// Returns all edges, each with the index of the guest that it starts from.
    fn edges(&self) -> impl Iterator<Item = (usize, &Edge<'a>)> {
        self.guests
            .iter()
            .enumerate()
            .flat_map(|(index, node)| node.edges.iter().map(move |edge| (index, edge)))
    }
}

/// Returns a guest's title, `program hello`, and with several processes `program hello in front`.
fn title(Node { guest, process, .. }: &Node<'_>) -> String {
    let process = process
        .map(|process| format!(" in {process}"))
        .unwrap_or_default();
    format!("{} {}{process}", role_name(guest.role), numbered(guest))
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
            binding: String::new(),
            exporters: exporter.iter().map(|name| (*name).to_owned()).collect(),
            is_of_host: false,
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
        let service = Role::Service;
        let program = Role::Program;
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
    fn text_has_a_line_per_edge_in_launch_order() {
        let expected = "\
step   guest             requires
1      service store x2  -
1      service stove     -
2      program cook      -> store   x.Store
                         -> stove   x.Stove, x.Oven
never  service egg       -> hen     x.Hen
never  service hen       -> (none)  x.Grain
                         -> egg     x.Egg
";
        assert_eq!(GuestGraph::of(&kitchen(), &[]).text(), expected);
    }

    #[test]
    fn dot_colours_edges_that_prevent_a_launch() {
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
    "hen" -> "(none)" [label = "x.Grain", color = red, fontcolor = red]
    "hen" -> "egg" [label = "x.Egg", color = red, fontcolor = red]
}
"#;
        assert_eq!(GuestGraph::of(&kitchen(), &[]).dot(), expected);
    }

    #[test]
    fn mermaid_dots_edges_that_prevent_a_launch() {
        let expected = r#"graph LR
    guest0["cook"]
    guest1(["egg"])
    guest2(["hen"])
    guest3(["store x2"])
    guest4(["stove"])
    guest0 -- "x.Store" --> guest3
    guest0 -- "x.Stove<br/>x.Oven" --> guest4
    guest1 -. "x.Hen" .-> guest2
    guest2 -. "x.Grain" .-> missing[["missing"]]
    guest2 -. "x.Egg" .-> guest1
"#;
        assert_eq!(GuestGraph::of(&kitchen(), &[]).mermaid(), expected);
    }

    fn apart() -> Vec<Process> {
        let text = "manifest_version = 1
            [program.cook]\nwasm = 'a'\n[service.store]\nwasm = 'a'\n[service.stove]\nwasm = 'a'
            [process.front]\nguests = ['cook', 'stove']\n[process.back]\nguests = ['store']
            [network]\nnats = 'nats://a'";
        Deployment::parse(text, "kitchen.toml".as_ref())
            .expect("the file must be accepted")
            .processes
    }

    #[test]
    fn guests_of_one_process_are_grouped() {
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
        let drawing = GuestGraph::of(&guests, &processes);
        assert_eq!(
            (&*drawing.text(), &*drawing.dot(), &*drawing.mermaid()),
            (text, dot, mermaid)
        );
    }
}
