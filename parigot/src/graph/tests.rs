//! Drawings of a deployment.

use parigot_host::Requirement;
use parigot_host::deployment::Role;

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
        provider: None,
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
    assert_eq!(GuestGraph::of(&kitchen(), &[], &[]).text(), expected);
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
    assert_eq!(GuestGraph::of(&kitchen(), &[], &[]).dot(), expected);
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
    assert_eq!(GuestGraph::of(&kitchen(), &[], &[]).mermaid(), expected);
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
    let drawing = GuestGraph::of(&guests, &[], &processes);
    assert_eq!(
        (&*drawing.text(), &*drawing.dot(), &*drawing.mermaid()),
        (text, dot, mermaid)
    );
}

/// Returns an edge for clients that calls the stove.
fn counter() -> GuestReport {
    guest(
        Role::Worker,
        "stove",
        Some(2),
        &[("x.Stove", Some("stove"))],
    )
}

#[test]
fn an_edge_is_drawn_with_its_services() {
    let guests = [guest(Role::Service, "stove", Some(1), &[])];
    let listeners = [counter()];
    let drawing = GuestGraph::of(&guests, &listeners, &[]);
    let text = "\
step   guest          requires
1      service stove  -
2      edge stove     -> stove  x.Stove
";
    let dot = r#"digraph deployment {
    rankdir = LR
    node [shape = box]
    "stove" [style = rounded]
    "edge stove" [shape = cds]
    "edge stove" -> "stove" [label = "x.Stove"]
}
"#;
    let mermaid = r#"graph LR
    guest0(["stove"])
    guest1>"edge stove"]
    guest1 -- "x.Stove" --> guest0
"#;
    assert_eq!(drawing.text(), text);
    assert_eq!((&*drawing.dot(), &*drawing.mermaid()), (dot, mermaid));
}
