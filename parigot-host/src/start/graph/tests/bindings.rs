//! Tests of requirements with a binding name.

use super::*;

/// Processes of the guests `app`, `kv-a` and `kv-b`.
type Processes = [Option<&'static str>; 3];

const ONE_PROCESS: Processes = [None; 3];

/// Returns the graph of `app`, which requires `x.Kv` as `cache` and as `log`, with two exporters
/// that share these services.
fn graph_of_bindings(bind: &[(&str, &str)], shared: &[String], processes: Processes) -> Graph {
    let exporter = Manifest {
        exports: vec![service("x.Kv")],
        ..Manifest::default()
    };
    let requirement = |binding: &str| Requirement {
        service: service("x.Kv"),
        binding: binding.into(),
    };
    let requirer = Manifest {
        requires: vec![requirement("cache"), requirement("log")],
        ..Manifest::default()
    };
    let bind = bind
        .iter()
        .map(|(name, guest)| ((*name).into(), (*guest).into()))
        .collect();
    let exporting = |name, process| GuestDeclaration {
        name,
        manifest: &exporter,
        shared,
        bind: &UNBOUND,
        role: Some(Role::Service),
        process,
        grants: &[],
        grant: None,
    };
    let [app, kv_a, kv_b] = processes;
    Graph::of(&[
        GuestDeclaration {
            name: "app",
            manifest: &requirer,
            shared: &[],
            bind: &bind,
            role: Some(Role::Program),
            process: app,
            grants: &[],
            grant: None,
        },
        exporting("kv-a", kv_a),
        exporting("kv-b", kv_b),
    ])
}

/// Returns the indexes of the guests to which the requirements of `app` are bound.
#[track_caller]
fn bound(graph: &Graph) -> Vec<Vec<usize>> {
    assert_eq!(graph.errors, []);
    let exporters = |binding: &Binding| {
        let guests = binding.exporters.iter().map(|exporter| exporter.guest);
        guests.collect()
    };
    graph.bindings[0].iter().map(exporters).collect()
}

fn errors(graph: &Graph) -> Vec<String> {
    graph.errors.iter().map(GraphError::to_string).collect()
}

#[test]
fn the_deployment_binds_named_requirements() {
    let bind = [("cache", "kv-b"), ("log", "kv-a")];
    let graph = graph_of_bindings(&bind, &[], ONE_PROCESS);
    assert_eq!(bound(&graph), [[2], [1]]);
}

#[test]
fn unknown_and_ambiguous_bindings_are_errors() {
    let bind = [("cahce", "kv-a"), ("log", "kv-c")];
    let graph = graph_of_bindings(&bind, &[], ONE_PROCESS);
    assert_eq!(
        errors(&graph),
        [
            "`app` binds `cahce`, and requires no service by this name",
            "`app` requires x.Kv as `cache`, and its `bind` does not choose one of `kv-a` and \
             `kv-b`",
            "`app` binds `log` to `kv-c`, which does not export x.Kv in the same process",
        ]
    );
}

#[test]
fn an_exporter_of_the_own_process_is_not_ambiguous() {
    let processes = [Some("front"), Some("back"), Some("front")];
    assert_eq!(bound(&graph_of_bindings(&[], &[], processes)), [[2], [2]]);
}

#[test]
fn an_exporter_of_another_process_cannot_be_bound() {
    let processes = [Some("front"), Some("back"), Some("front")];
    let graph = graph_of_bindings(&[("cache", "kv-a")], &[], processes);
    assert_eq!(
        graph.errors,
        [GraphError::BoundElsewhere {
            service: "x.Kv".into(),
            guest: "app".into(),
            binding: "cache".into(),
            exporter: "kv-a".into(),
            nearest: Some("kv-b".into()),
        }]
    );
}

#[test]
fn exporters_of_other_processes_must_share_the_service() {
    let processes = [Some("front"), Some("back"), Some("side")];
    let graph = graph_of_bindings(&[], &["x.Kv".into()], processes);
    assert_eq!(bound(&graph), [[1, 2], [1, 2]]);
    let graph = graph_of_bindings(&[], &[], processes);
    let ambiguous = |binding: &str| GraphError::Ambiguous {
        service: "x.Kv".into(),
        guest: "app".into(),
        binding: binding.into(),
        exporters: vec!["kv-a".into(), "kv-b".into()],
        are_elsewhere: true,
    };
    assert_eq!(graph.errors, [ambiguous("cache"), ambiguous("log")]);
}
