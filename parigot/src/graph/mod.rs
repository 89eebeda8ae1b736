//! `parigot graph`: draws which guest requires which service.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use parigot_host::deployment::{Deployment, Process, process_of};
use parigot_host::{GuestReport, StartProblem, check};

use crate::cli::{Drawing, Graph};
use crate::exit_status::REFUSED;
use crate::host_settings::settings;
use crate::listeners;
use crate::log::Style;
use crate::names::{HOST, numbered, of_provider, requirement_title, role_name};
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
                StartProblem::Graph(_) | StartProblem::Schema { .. } | StartProblem::Edge { .. }
            )
        };
        let problems = report.problems.iter().filter(does_not_say);
        Problems::of_guests(problems, &deployment).print(&Style::TEXT);
        return REFUSED.into();
    }
    let listeners = listeners::reports(&deployment, &report.guests);
    let graph = GuestGraph::of(&report.guests, &listeners, &deployment.processes);
    let drawing = match format {
        Drawing::Text => graph.text(),
        Drawing::Dot => graph.dot(),
        Drawing::Mermaid => graph.mermaid(),
    };
    report::print(&drawing, ExitCode::SUCCESS)
}

/// Guests and listeners, and an edge from each to each exporter of its requirements.
struct GuestGraph<'a> {
    /// Guests, then the listeners for clients: the edges of the deployment.
    guests: Vec<Node<'a>>,
    /// Empty if all guests run in one process.
    processes: &'a [Process],
}

struct Node<'a> {
    guest: &'a GuestReport,
    /// Role of a guest, or `edge`.
    role: &'static str,
    /// Name of the guest's process, if there are several.
    process: Option<&'a str>,
    edges: Vec<Edge<'a>>,
}

struct Edge<'a> {
    exporter: Exporter<'a>,
    /// Required services, each with the name of its binding if there is one.
    services: Vec<Cow<'a, str>>,
}

/// Exporter of required services.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exporter<'a> {
    /// A service that nothing exports.
    Missing,
    Host,
    /// The provider of this name, which the host serves.
    Provider(&'a str),
    /// The guest at this index.
    Guest(usize),
}

impl<'a> GuestGraph<'a> {
    fn of(
        guests: &'a [GuestReport],
        listeners: &'a [GuestReport],
        processes: &'a [Process],
    ) -> Self {
        let indexes: BTreeMap<&str, usize> = guests
            .iter()
            .enumerate()
            .map(|(index, guest)| (&*guest.name, index))
            .collect();
        let node = |guest: &'a GuestReport, is_listener: bool| {
            let mut edges: BTreeMap<Exporter<'a>, Vec<Cow<'a, str>>> = BTreeMap::new();
            for required in &guest.requires {
                let guests = required.exporters.iter();
                let guests = guests.map(|name| Exporter::Guest(indexes[&**name]));
                let other = match (&required.provider, required.exporters.is_empty()) {
                    (Some(provider), _) => Some(Exporter::Provider(provider)),
                    (None, true) if required.is_of_host => Some(Exporter::Host),
                    (None, true) => Some(Exporter::Missing),
                    (None, false) => None,
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
            let process = match is_listener {
                true => listeners::process_of(&guest.name, processes),
                false => process_of(&guest.name, processes),
            };
            Node {
                guest,
                role: match is_listener {
                    true => listeners::ROLE,
                    false => role_name(guest.role),
                },
                process: process.map(Process::name),
                edges: edges.collect(),
            }
        };
        GuestGraph {
            guests: guests
                .iter()
                .map(|guest| node(guest, false))
                .chain(listeners.iter().map(|listener| node(listener, true)))
                .collect(),
            processes,
        }
    }

    /// Returns whether an edge prevents a launch: it is part of a cycle, leads to one, or has no
    /// exporter.
    fn is_stuck(&self, edge: &Edge<'_>) -> bool {
        match edge.exporter {
            Exporter::Missing => true,
            Exporter::Host | Exporter::Provider(_) => false,
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

    fn exporter(&self, edge: &Edge<'_>) -> Cow<'a, str> {
        match edge.exporter {
            Exporter::Missing => "(none)".into(),
            Exporter::Host => HOST.into(),
            Exporter::Provider(name) => of_provider(name).into(),
            Exporter::Guest(index) => Cow::Borrowed(&self.guests[index].guest.name),
        }
    }

    fn dot(&self) -> String {
        let mut lines = vec![
            "digraph deployment {".to_owned(),
            "    rankdir = LR".into(),
            "    node [shape = box]".into(),
        ];
        lines.extend(self.guests.iter().map(|node| {
            let name = dot_name(node);
            match node.role {
                "service" if node.guest.replicas > 1 => {
                    let label = numbered(node.guest);
                    format!("    {name:?} [style = rounded, label = {label:?}]")
                }
                "service" => format!("    {name:?} [style = rounded]"),
                listeners::ROLE => format!("    {name:?} [shape = cds]"),
                _ => format!("    {name:?}"),
            }
        }));
        for (index, process) in self.processes.iter().enumerate() {
            let name = process.name();
            let guests = self.guests.iter();
            let guests: Vec<_> = guests
                .filter(|node| node.process == Some(name))
                .map(|node| format!("{:?}", dot_name(node)))
                .collect();
            let guests = guests.join("; ");
            lines.push(format!(
                "    subgraph cluster{index} {{ label = {name:?}; {guests} }}"
            ));
        }
        lines.extend(self.edges().map(|(index, edge)| {
            let from = dot_name(&self.guests[index]);
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
                .map(|(index, node)| match node.role {
                    "service" => format!("    guest{index}([\"{}\"])", numbered(node.guest)),
                    listeners::ROLE => format!("    guest{index}>\"{}\"]", dot_name(node)),
                    _ => format!("    guest{index}[\"{}\"]", node.guest.name),
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
                Exporter::Provider(name) => {
                    format!("provider_{name}[(\"{}\")]", of_provider(name))
                }
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
fn title(node: &Node<'_>) -> String {
    let process = node
        .process
        .map(|process| format!(" in {process}"))
        .unwrap_or_default();
    format!("{} {}{process}", node.role, numbered(node.guest))
}

/// Returns the name of a node in dot. A listener may have the name of a guest.
fn dot_name<'a>(node: &Node<'a>) -> Cow<'a, str> {
    match node.role {
        listeners::ROLE => format!("{} {}", listeners::ROLE, node.guest.name).into(),
        _ => Cow::Borrowed(&node.guest.name),
    }
}

#[cfg(test)]
mod tests;
