//! Tests of exporters, errors and launch steps.

mod bindings;

use parigot_abi::Manifest;
use parigot_abi::manifest::{Method, MethodFlags};

use super::*;

/// A `bind` without entries.
static UNBOUND: BTreeMap<String, String> = BTreeMap::new();

fn service(name: &str) -> Service {
    let method = |name: &str| Method {
        name: name.into(),
        budget_ns: 0,
        deadline_ns: 0,
        flags: MethodFlags::default(),
    };
    Service {
        name: name.into(),
        schema: 0,
        methods: vec![method("Get"), method("Put")],
    }
}

/// Returns the role that the exports imply.
fn role_of(manifest: &Manifest) -> Option<Role> {
    Some(match manifest.exports.is_empty() {
        true => Role::Program,
        false => Role::Service,
    })
}

/// Returns the declaration of a guest in the only process, with the role that the exports imply.
fn declaration<'a>(name: &'a str, manifest: &'a Manifest) -> GuestDeclaration<'a> {
    GuestDeclaration {
        name,
        manifest,
        shared: &[],
        bind: &UNBOUND,
        role: role_of(manifest),
        process: None,
        grants: &[],
        grant: None,
    }
}

/// Returns the graph of guests given as (name, exports, requirements).
fn graph(guests: &[(&str, &[&str], &[&str])]) -> Graph {
    graph_of_sharing(guests, &[])
}

/// Returns the same graph with guests that each share the given services.
fn graph_of_sharing(guests: &[(&str, &[&str], &[&str])], shared: &[&str]) -> Graph {
    let shared: Vec<String> = shared.iter().map(|name| (*name).to_owned()).collect();
    let shared = |exports: &[&str]| -> Vec<String> {
        shared
            .iter()
            .filter(|name| exports.contains(&name.as_str()))
            .cloned()
            .collect()
    };
    let shared: Vec<_> = guests
        .iter()
        .map(|(_, exports, _)| shared(exports))
        .collect();
    let exported = |names: &[&str]| names.iter().map(|name| service(name)).collect();
    let required = |names: &[&str]| names.iter().map(|name| service(name).into()).collect();
    let manifests: Vec<_> = guests
        .iter()
        .map(|(_, exports, requires)| Manifest {
            exports: exported(exports),
            requires: required(requires),
            descriptors: vec![],
        })
        .collect();
    let declared = guests.iter().zip(&manifests).zip(&shared);
    let declared: Vec<_> = declared
        .map(|(((name, ..), manifest), shared)| GuestDeclaration {
            name,
            manifest,
            shared,
            bind: &UNBOUND,
            role: role_of(manifest),
            process: None,
            grants: &[],
            grant: None,
        })
        .collect();
    Graph::of(&declared)
}

/// Returns the error texts of the graph.
fn errors(guests: &[(&str, &[&str], &[&str])]) -> Vec<String> {
    graph(guests)
        .errors
        .iter()
        .map(GraphError::to_string)
        .collect()
}

#[test]
fn requirements_and_methods_are_bound_by_name() {
    let mut exporter = Manifest {
        exports: vec![service("x.Other"), service("x.Store")],
        ..Manifest::default()
    };
    exporter.exports[1].methods.reverse();
    exporter.exports[1].methods[1].deadline_ns = 70;
    let mut requirer = Manifest {
        requires: vec![service("x.Store").into()],
        ..Manifest::default()
    };
    requirer.requires[0].service.methods.push(Method {
        name: "New".into(),
        budget_ns: 0,
        deadline_ns: 0,
        flags: MethodFlags::default(),
    });
    // No effect: the deadline of the exporter counts.
    requirer.requires[0].service.methods[1].deadline_ns = 5;
    let graph = Graph::of(&[
        declaration("app", &requirer),
        declaration("store", &exporter),
    ]);
    let target = |method, deadline_ns| {
        Some(Target {
            method,
            streams: MethodFlags::UNARY,
            deadline_ns,
        })
    };
    let exporter = Exporter {
        guest: 1,
        service: 1,
        methods: vec![target(1, 70), target(0, 0), None],
    };
    assert_eq!(
        graph.bindings,
        [
            vec![Binding {
                exporters: vec![exporter],
                methods: vec![]
            }],
            vec![]
        ]
    );
    assert_eq!(graph.errors, []);
}

#[test]
fn two_exporters_of_one_service_are_an_error() {
    assert_eq!(
        errors(&[("a", &["x.S"], &[]), ("b", &["x.S"], &[])]),
        ["both `a` and `b` export x.S"]
    );
    assert_eq!(
        errors(&[("a", &["x.S", "x.S"], &[])]),
        ["both `a` and `a` export x.S"]
    );
}

#[test]
fn exporters_that_share_a_service_are_all_bound() {
    let guests: &[(&str, &[&str], &[&str])] = &[
        ("app", &[], &["x.S"]),
        ("b", &["x.T", "x.S"], &[]),
        ("c", &["x.S"], &[]),
    ];
    let graph = graph_of_sharing(guests, &["x.S"]);
    assert_eq!(graph.errors, []);
    let bound: Vec<_> = graph.bindings[0][0]
        .exporters
        .iter()
        .map(|exporter| (exporter.guest, exporter.service))
        .collect();
    assert_eq!(bound, [(1, 1), (2, 0)]);
    assert_eq!(graph.steps(3), [Some(2), Some(1), Some(1)]);
}

#[test]
fn a_service_required_by_name_has_all_methods() {
    let mut newer = service("x.S");
    newer.methods.insert(
        0,
        Method {
            name: "New".into(),
            budget_ns: 0,
            deadline_ns: 0,
            flags: MethodFlags::default(),
        },
    );
    let by_name = Service {
        methods: vec![],
        ..service("x.S")
    };
    let manifest = |exports, requires| Manifest {
        exports,
        requires,
        descriptors: vec![],
    };
    let requirer = manifest(vec![], vec![by_name.into()]);
    let older = manifest(vec![service("x.S")], vec![]);
    let newer = manifest(vec![newer], vec![]);
    let shared = ["x.S".to_owned()];
    let graph = Graph::of(&[
        declaration("app", &requirer),
        GuestDeclaration {
            name: "new",
            manifest: &newer,
            shared: &shared,
            bind: &UNBOUND,
            role: role_of(&newer),
            process: None,
            grants: &[],
            grant: None,
        },
        GuestDeclaration {
            name: "old",
            manifest: &older,
            shared: &shared,
            bind: &UNBOUND,
            role: role_of(&older),
            process: None,
            grants: &[],
            grant: None,
        },
    ]);
    let binding = &graph.bindings[0][0];
    let names: Vec<_> = binding.methods.iter().map(|method| &*method.name).collect();
    assert_eq!(names, ["New", "Get", "Put"]);
    let places = |exporter: &Exporter| -> Vec<Option<u32>> {
        exporter
            .methods
            .iter()
            .map(|target| target.map(|target| target.method))
            .collect()
    };
    assert_eq!(places(&binding.exporters[0]), [Some(0), Some(1), Some(2)]);
    assert_eq!(places(&binding.exporters[1]), [None, Some(0), Some(1)]);
}

#[test]
fn each_exporter_must_share_and_export_the_service() {
    let shared = ["x.Store".to_owned(), "x.Stor".to_owned()];
    let manifest = Manifest {
        exports: vec![service("x.Store")],
        ..Manifest::default()
    };
    let graph = Graph::of(&[
        declaration("a", &manifest),
        GuestDeclaration {
            name: "b",
            manifest: &manifest,
            shared: &shared,
            bind: &UNBOUND,
            role: role_of(&manifest),
            process: None,
            grants: &[],
            grant: None,
        },
    ]);
    let errors: Vec<_> = graph.errors.iter().map(GraphError::to_string).collect();
    assert_eq!(
        errors,
        [
            "`b` shares x.Stor, which it does not export",
            "both `a` and `b` export x.Store"
        ]
    );
}

#[test]
fn a_missing_exporter_is_reported_with_a_suggestion() {
    let graph = graph(&[
        ("a", &[], &["x.v1.Stor", "y.Else"]),
        ("b", &["x.v1.Store"], &[]),
    ]);
    let missing = |service: &str, nearest| GraphError::Missing {
        service: service.into(),
        guest: "a".into(),
        nearest,
    };
    let nearest = Some(("x.v1.Store".into(), "b".into()));
    assert_eq!(
        graph.errors,
        [missing("x.v1.Stor", nearest), missing("y.Else", None)]
    );
    assert_eq!(
        graph.errors[1].to_string(),
        "`a` requires y.Else, which no guest of the deployment exports"
    );
}

#[test]
fn a_cycle_is_reported_with_its_whole_path() {
    let guests: &[(&str, &[&str], &[&str])] = &[
        ("a", &["x.A"], &["x.D"]),
        ("b", &["x.B"], &["x.C"]),
        ("c", &["x.C"], &["x.D"]),
        ("d", &["x.D"], &["x.B"]),
    ];
    assert_eq!(
        errors(guests),
        ["these guests wait for each other: b -> c -> d -> b"]
    );
}

#[test]
fn a_guest_that_requires_itself_is_a_cycle() {
    assert_eq!(
        errors(&[("a", &["x.A"], &["x.A"])]),
        ["these guests wait for each other: a -> a"]
    );
}

#[test]
fn all_errors_are_reported_in_the_order_of_guests() {
    let guests: &[(&str, &[&str], &[&str])] = &[
        ("a", &["x.A"], &["x.B"]),
        ("b", &["x.B"], &["x.A"]),
        ("c", &["x.C"], &["x.D", "x.None"]),
        ("d", &["x.D", "x.A"], &["x.C"]),
    ];
    let expected = [
        "these guests wait for each other: a -> b -> a",
        "`c` requires x.None, which no guest of the deployment exports",
        "these guests wait for each other: c -> d -> c",
        "both `a` and `d` export x.A",
    ];
    assert_eq!(errors(guests), expected);
}

#[test]
fn a_guest_launches_after_all_its_requirements() {
    let guests: &[(&str, &[&str], &[&str])] = &[
        ("a", &[], &["x.B", "x.C"]),
        ("b", &["x.B"], &["x.C"]),
        ("c", &["x.C"], &[]),
        ("d", &["x.D"], &[]),
        ("e", &["x.E"], &["x.E"]),
        ("f", &[], &["x.E"]),
        ("g", &[], &["x.None"]),
    ];
    assert_eq!(
        graph(guests).steps(guests.len()),
        [Some(3), Some(2), Some(1), Some(1), None, None, None]
    );
}

#[test]
fn a_guest_of_the_host_is_ready_before_all_others() {
    let guests: &[(&str, &[&str], &[&str])] = &[
        ("a", &[], &["x.B", "x.Host"]),
        ("b", &["x.B"], &["x.Host"]),
        ("host", &["x.Host"], &[]),
    ];
    assert_eq!(graph(guests).steps(2), [Some(2), Some(1), Some(0)]);
}

#[test]
fn only_programs_and_workers_may_use_stdio() {
    let stdio = crate::stdio::SERVICE;
    let guests: &[(&str, &[&str], &[&str])] = &[
        ("fake", &[stdio], &[]),
        ("kitchen", &["x.Kitchen"], &[stdio]),
        ("cook", &[], &[stdio]),
    ];
    let expected = [
        format!("`fake` exports {stdio}, which only the host exports"),
        format!("`kitchen` requires {stdio}, which only programs and workers may use"),
    ];
    assert_eq!(errors(guests), expected);
}

/// Returns the error texts of one guest with this role and these exports.
fn errors_of_role(role: Role, exports: &[&str]) -> Vec<String> {
    let manifest = Manifest {
        exports: exports.iter().map(|name| service(name)).collect(),
        ..Manifest::default()
    };
    let guest = GuestDeclaration {
        name: "a",
        manifest: &manifest,
        shared: &[],
        bind: &UNBOUND,
        role: Some(role),
        process: None,
        grants: &[],
        grant: None,
    };
    let graph = Graph::of(&[guest]);
    graph.errors.iter().map(GraphError::to_string).collect()
}

#[test]
fn exports_must_match_the_role() {
    assert_eq!(
        errors_of_role(Role::Service, &[]),
        ["`a` exports no service, and is in `[service.a]`"]
    );
    for role in [Role::Program, Role::Worker] {
        assert_eq!(
            errors_of_role(role, &["x.Store"]),
            ["`a` exports x.Store, and only guests in `[service.<name>]` may export"]
        );
        assert_eq!(errors_of_role(role, &[]), [""; 0]);
    }
    assert_eq!(errors_of_role(Role::Service, &["x.Store"]), [""; 0]);
}

#[test]
fn methods_are_bound_only_if_they_stream_alike() {
    let streaming = |requests, responses| {
        let mut service = service("x.S");
        service.methods[0].flags = MethodFlags::UNARY.with_streams(requests, responses);
        service
    };
    let kinds = [(false, false), (true, false), (false, true), (true, true)];
    let exporter = Manifest {
        exports: vec![streaming(true, false)],
        ..Manifest::default()
    };
    for (requests, responses) in kinds {
        let requirer = Manifest {
            requires: vec![streaming(requests, responses).into()],
            ..Manifest::default()
        };
        let graph = Graph::of(&[
            declaration("app", &requirer),
            declaration("store", &exporter),
        ]);
        let [first, second] = &graph.bindings[0][0].exporters[0].methods[..] else {
            panic!("the service has two methods");
        };
        let is_alike = (requests, responses) == (true, false);
        assert_eq!(first.is_some(), is_alike);
        assert!(second.is_some(), "other methods are bound");
    }
}
