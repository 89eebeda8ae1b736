//! Edges of a deployment as `parigot check` and `parigot graph` show them.
//!
//! In a graph an edge is a connection of two nodes, so this module and `graph/` call the edges of
//! a deployment *listeners*.

use std::fmt::Write as _;

use parigot_host::deployment::{self, Deployment, Process, Role};
use parigot_host::{GuestReport, Requirement};
use serde_json::{Value, json};

/// Role of a listener in a drawing.
pub(crate) const ROLE: &str = "edge";

/// Returns a report for each listener, as if a listener were a guest that requires the services
/// for its clients.
pub(crate) fn reports(deployment: &Deployment, guests: &[GuestReport]) -> Vec<GuestReport> {
    let processes = &deployment.processes;
    let report = |edge: &deployment::EdgeSpec| {
        let home = process_of(&edge.name, processes).map(Process::name);
        let is_local = |guest: &&GuestReport| {
            deployment::process_of(&guest.name, processes).map(Process::name) == home
        };
        let local: Vec<_> = guests.iter().filter(is_local).collect();
        let exporters = |service: &String| {
            let exporters = local.iter().filter(|guest| guest.exports.contains(service));
            exporters.copied().collect::<Vec<_>>()
        };
        let services = || edge.services.iter().map(|service| &service.name);
        let steps: Option<Vec<usize>> = services()
            .flat_map(exporters)
            .map(|guest| guest.step)
            .collect();
        let requires = services().map(|service| Requirement {
            service: service.clone(),
            binding: String::new(),
            exporters: exporters(service)
                .iter()
                .map(|guest| guest.name.clone())
                .collect(),
            provider: None,
            is_of_host: false,
        });
        GuestReport {
            name: edge.name.clone(),
            role: Role::Worker,
            replicas: 1,
            exports: Vec::new(),
            requires: requires.collect(),
            step: steps.map(|steps| steps.into_iter().max().unwrap_or_default() + 1),
        }
    };
    deployment.edges.iter().map(report).collect()
}

/// Returns the process that listens; `None` if the deployment runs in one process.
pub(crate) fn process_of<'a>(listener: &str, processes: &'a [Process]) -> Option<&'a Process> {
    let listens = |process: &&Process| process.edges.iter().any(|name| name == listener);
    processes.iter().find(listens)
}

/// Returns the services that clients can call, a line for each listener; empty without one.
pub(crate) fn summary(deployment: &Deployment) -> String {
    let mut text = String::new();
    for edge in &deployment.edges {
        let services: Vec<_> = edge.services.iter().map(|service| &*service.name).collect();
        let line = writeln!(
            text,
            "      {} at {}  {}",
            edge.name,
            edge.listen,
            services.join(", ")
        );
        line.expect("a String takes any text");
    }
    if !text.is_empty() {
        text.insert_str(0, "with these edges:\n");
    }
    text
}

/// Returns an object for each listener.
pub(crate) fn objects(deployment: &Deployment) -> Vec<Value> {
    let object = |edge: &deployment::EdgeSpec| {
        let services: Vec<_> = edge.services.iter().map(|service| &*service.name).collect();
        let mut object = json!({
            "name": edge.name,
            "listen": edge.listen.to_string(),
            "services": services,
        });
        if let Some(process) = process_of(&edge.name, &deployment.processes) {
            object["process"] = process.name().into();
        }
        object
    };
    deployment.edges.iter().map(object).collect()
}
